/* pool_place.h - where the file of an image lies, and the only way to it: <pool>/<id>.vhd, or, when
 * it was adopted, a path below a root of the configuration or below a pool. No link is followed on
 * that way: what somebody puts there later leads nowhere else. Failures are told in the engine's
 * words.
 */
#ifndef POOL_PLACE_H
#define POOL_PLACE_H

#include "catalog.h"
#include "pool_look.h"
#include "pool_private.h"
#include "pool_set.h"

enum { PLACE_TEXT = 2 * CATALOG_PATH };

struct place {
	struct pool_dir folder; /* the one that holds the file; its path is not told */
	bool mine;              /* and is closed by place_leave */
	char name[256];         /* in that folder */
	bool adopted, linked;
	uint8_t id[IDS_SIZE];
};

/* VHD_E_NOT_FOUND: the pool, or the root, is not there now, or not in the configuration. A zero
 * place may be left as well. */
int place_reach(const struct pool_set *pools, const struct catalog_place *at,
		struct place *ret_place, struct vhd_error *err);
void place_leave(struct place *place);

/* The catalog keeps the root of an adopted file as it was: one in the folder of a pool goes where
 * the pool is now, whatever its folder of once is for. One that is a link now, which the
 * configuration names, goes where that leads. */
void place_settle(const struct pool_set *pools, struct catalog_place *at);

/* The file, absolute; and as people are told, of a place that is settled: <pool>/<id>.vhd, or
 * absolute. */
int place_path(const struct pool_set *pools, const struct catalog_place *at,
	       char ret_path[PLACE_TEXT], struct vhd_error *err);
void place_text(const struct catalog_place *at, char ret_text[PLACE_TEXT]);

/* A regular file, and in a pool one that has no other name. */
int place_open(const struct place *place, bool write, int *ret_fd, struct vhd_error *err);
int place_open_id(const struct pool_set *pools, const struct catalog_place *at, bool write,
		  int *ret_fd, struct vhd_error *err);

/* Removes the file, durably; one that is not there counts as removed. VHD_E_FORBIDDEN, and it
 * stays: it is linked, or it was adopted and is not this image any more. */
int place_remove(const struct place *place, struct vhd_error *err);

/* Which root, as the configuration names it, or pool a file lies below: `path` is absolute and
 * without links. False: none. */
bool place_below(const struct pool_set *pools, const char *path, struct catalog_place *ret_place)
	__attribute__((nonnull));

#endif
