/* pool_ballast.h - a file beside the catalog that takes room only to give it back when the disk is
 * full.
 */
#ifndef POOL_BALLAST_H
#define POOL_BALLAST_H

#include <stdbool.h>

/* Makes it when there is room for it and for 64 MiB more (less on a small file system). True: it is
 * there. */
bool pool_ballast_make(const char *catalog_path);
void pool_ballast_drop(const char *catalog_path);

#endif
