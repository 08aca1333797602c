/* pool_ballast.h - a file beside the catalog that takes room only to give it back when the disk is
 * full.
 */
#ifndef POOL_BALLAST_H
#define POOL_BALLAST_H

#include <stdbool.h>

/* What there must be for it to be made, for a person: not so little that it has to go at once. */
#define POOL_BALLAST_ROOM "80 MiB of it are free, or a third if it has less than 256 MiB"

/* Makes it when there is that much room. True: it is there. */
bool pool_ballast_make(const char *catalog_path);
void pool_ballast_drop(const char *catalog_path);

#endif
