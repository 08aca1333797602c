/* patch.h - what PATCH takes. */
#ifndef PATCH_H
#define PATCH_H

enum { PATCH_OPS_MAX = 256 };

struct api_call;

/* Of Accept-Patch. Forms are taken too. */
extern const char patch_types[];        /* of content */
extern const char patch_update_types[]; /* of what is told of an image */

/* Sets the problem of a type that is none of them. */
void patch_refuse(struct api_call *call, const char *types);

#endif
