/* patch.h - what PATCH of content takes. */
#ifndef PATCH_H
#define PATCH_H

enum { PATCH_OPS_MAX = 256 };

extern const char patch_types[]; /* of Accept-Patch */

#endif
