/* rebuild_private.h - what rebuild*.c share. */
#ifndef REBUILD_PRIVATE_H
#define REBUILD_PRIVATE_H

#include <stdbool.h>
#include <stdio.h>

#include "catalog.h"
#include "pool_place.h"
#include "pool_set.h"

enum { REBUILD_UNKNOWN = -1, REBUILD_LEFT_OUT = -2 };

struct rebuild_file {
	struct catalog_image row;
	int level; /* ancestors, or one of the above */
	bool parent;
	bool known;  /* to the catalog, or the backup that was read in its place, if there is one */
	bool placed; /* it lies where the catalog, or that backup, has its image */
	bool unclean;  /* its footers are as an unclean stop leaves them */
	int64_t mtime; /* seconds since 1970 */
};

struct rebuild {
	FILE *out;
	struct pool_set pools;
	struct rebuild_file *files; /* by id, once all are found */
	size_t n, room;
};

/* rebuild.c: a line for a person, escaped as in the log. */
void rebuild_say(const struct rebuild *rebuild, const char *format, ...) VHD_PRINTF(2, 3);

/* rebuild_scan.c: all images of all pools, and those that the catalog says were adopted, or, when
 * it is damaged or empty, the newest backup that is neither; no two have one id. -1: out of memory,
 * or a pool cannot be read, or there are only copies of a file that had to be left out. */
int rebuild_scan(struct rebuild *rebuild, const char *catalog_path);

/* rebuild_files.c: one more, which is empty; it moves with the next. NULL: out of memory. */
struct rebuild_file *rebuild_files_add(struct rebuild *rebuild);
/* By id; of those with one id, the one that the catalog means is kept. */
void rebuild_files_sort(struct rebuild *rebuild);
/* Once they are sorted. NULL: there is none. */
struct rebuild_file *rebuild_find(const struct rebuild *rebuild, const uint8_t id[IDS_SIZE]);
/* Says why. */
void rebuild_leave_out(const struct rebuild *rebuild, struct rebuild_file *file, const char *why);

/* rebuild_parents.c. NULL: it has none, or it is not there. */
struct rebuild_file *rebuild_parents_find(const struct rebuild *rebuild,
					  const struct rebuild_file *file);
/* Leaves out what is not known and is over a parent that was written since. */
void rebuild_parents_judge(struct rebuild *rebuild);
/* Says of one that has a name when its parent was. */
void rebuild_parents_tell(const struct rebuild *rebuild, const struct rebuild_file *file);

/* rebuild_deleted.c: of a file that a catalog says was being deleted, whether it still is: the next
 * start goes on with it, or it is left out. Says which. */
void rebuild_deleted_judge(const struct rebuild *rebuild, struct rebuild_file *file,
			   bool is_newest);
/* Once they are sorted: a row for each deletion that the catalog, which is sound, has begun and of
 * which no file was found, so that it is not forgotten. Negative: it cannot be read. */
int rebuild_deleted_carry(struct rebuild *rebuild, const char *catalog_path);

/* rebuild_names.c: a name for each that is not left out. -1: out of memory. */
int rebuild_names(struct rebuild *rebuild, const char *catalog_path);

#endif
