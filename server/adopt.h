/* adopt.h - what service_adopt.c and adopt_*.c share: one adoption, from the path of a leaf to
 * the rows of its chain. */
#ifndef ADOPT_H
#define ADOPT_H

#include <string.h>

#include "pool_place.h"
#include "service_parent.h"

enum { ADOPT_FOLDERS_MAX = 32, ADOPT_SEARCH_MAX = 64 };

/* A file that is to enter the catalog. Its disk is open, so that nobody writes it meanwhile. */
struct adopt_file {
	struct vhd_file found; /* without descriptor */
	struct vhd *disk;
	int64_t mtime; /* seconds since 1970 */
	struct catalog_place at;
	struct catalog_seal seal;
};

struct adoption {
	struct service *service;
	const struct service_adopt *spec;
	struct service_error *err;
	struct vhd_engine *engine; /* of its own: it knows nothing of the files that are open */
	const char *roots[2 * CONFIG_ROOTS_MAX + CONFIG_POOLS_MAX + 1];
	char *folders[ADOPT_FOLDERS_MAX]; /* heap: of the children, the last one's first */
	size_t n_folders;
	const char *search[ADOPT_SEARCH_MAX]; /* they, then those of the request */
	struct vhd_paths paths;

	struct adopt_file **files; /* heap, leaf first */
	size_t n, room;
	bool parent_missing; /* the last one's is nowhere, and need not be anywhere */
	bool has_parent;     /* it is in the catalog: */
	uint8_t parent_id[IDS_SIZE];
	struct service_parent parent;

	struct service_adopted *answer;
	uint8_t leaf_id[IDS_SIZE]; /* once it is done */
	char leaf_name[CATALOG_NAME];
};

/* adopt_walk.c: finds and judges the files, leaf first, down to a root or to an image that the
 * catalog has. */
enum service_code adopt_walk(struct adoption *adoption);
void adopt_walk_close(struct adoption *adoption); /* the files, and what belongs to them */

/* adopt_file.c. The last component of its path. */
static inline const char *adopt_name(const struct adopt_file *file)
{
	return strrchr(file->found.path, '/') + 1;
}

/* Locks the file, which was found, and looks at it from all sides. */
enum service_code adopt_judge(struct adoption *adoption, struct adopt_file *file);
/* A warning; with `strict` it is that error. */
enum service_code adopt_warn(struct adoption *adoption, enum service_code code, const char *format,
			     ...) __attribute__((format(printf, 3, 4)));
/* Says so when a parent was written after its child was made. */
enum service_code adopt_compare_times(struct adoption *adoption, const char *child,
				      uint32_t parent_timestamp, const char *parent, int64_t mtime);

#endif
