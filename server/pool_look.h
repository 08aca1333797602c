/* pool_look.h - what lies in a pool, whoever has put it there. Nothing is changed, no link is
 * followed. */
#ifndef POOL_LOOK_H
#define POOL_LOOK_H

#include "pool.h"

enum pool_kind { POOL_REGULAR, POOL_SYMLINK, POOL_FOLDER, POOL_OTHER };

struct pool_facts {
	enum pool_kind kind;
	uint64_t names; /* hard links, but for the first name of an image of the pool */
	uint32_t owner;
	uint64_t bytes;
};
int pool_look(const struct pool_dir *pool, const char *name, struct pool_facts *ret_facts,
	      struct vhd_error *err);

/* For reading; of a regular file. */
int pool_look_open(const struct pool_dir *pool, const char *name, int *ret_fd,
		   struct vhd_error *err);

/* Calls `each` for every name; a negative answer stops. */
typedef int pool_look_fn(void *ctx, const char *name);
int pool_look_each(struct pool_dir *pool, pool_look_fn *each, void *ctx, struct vhd_error *err);

/* The id of <id>.vhd and of nothing else. */
bool pool_look_id(const char *name, uint8_t ret_id[IDS_SIZE]);

#endif
