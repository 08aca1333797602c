/* rebuild.h - makes a lost or damaged catalog anew. Ids, lineage and sizes are what the image files
 * say; names, descriptions and labels come from the catalog that was there, and from its
 * backups, newest first, where that one has none. */
#ifndef REBUILD_H
#define REBUILD_H

#include <stdio.h>

#include "config.h"

/* No daemon may use the state folder, which is absolute. Says on `out` what it does, and answers
 * the exit status. The old catalog is kept beside the new one. */
int rebuild_catalog(const char *state_dir, const struct config *config, FILE *out);

#endif
