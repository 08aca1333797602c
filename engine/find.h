/* find.h - from names to open files: the search path of the leaf, and where children say their
 * parents are. */
#ifndef FIND_H
#define FIND_H

#include "path.h"

struct found {
	int fd; /* -1 = none */
	char path[PATH_TEXT];
};
void find_drop(struct found *found); /* closes it; for CLEANUP */

/* A name as the caller gives it: absolute, or below the first search folder that has it. */
int find_file(const struct vhd_paths *paths, const char *name, bool write, struct found *ret_found,
	      struct vhd_error *err);

/* Opens the chain of a file that was found. Takes over found->fd on success and sets it to -1. */
int find_chain(struct vhd_engine *engine, const struct vhd_paths *paths, struct found *found,
	       unsigned flags, struct vhd **ret_disk, struct vhd_error *err);

#endif
