/* pool_world.h - a catalog and a pool of real image files, alike until a test makes them differ. */
#ifndef POOL_WORLD_H
#define POOL_WORLD_H

#include "catalog.h"
#include "config.h"
#include "findings.h"
#include "pool_set.h"
#include "reconcile.h"
#include "vhd.h"

struct pool_world {
	char folder[64]; /* the state folder */
	char path[96];   /* of the catalog */
	struct config config;
	struct pool_set pools;
	struct catalog *catalog;
	struct vhd_engine *engine;
	struct reconcile reconcile;
	struct catalog_error err;
	uint32_t parent_timestamp; /* of the next file; 0 = it does not say */
};

/* What an image shall be. Ids are made of numbers from 1 on; a parent has been made before. */
struct pool_image {
	unsigned number, parent;
	enum vhd_type type;  /* without a parent */
	uint64_t size;       /* 0 = 1 MiB, or the parent's */
	uint32_t block_size; /* 0 = default */
};

struct pool_world *pool_world_new(void);
void pool_world_free(struct pool_world *world); /* the folder goes as well */
void pool_world_open(struct pool_world *world); /* the catalog; pool_world_new has done it */
void pool_world_close(struct pool_world *world);

void pool_world_id(unsigned number, uint8_t ret_id[IDS_SIZE]);
/* Of the image file, or of another name in the pool; valid until 7 calls later. */
const char *pool_world_file(const struct pool_world *world, unsigned number);
const char *pool_world_path(const struct pool_world *world, const char *name);

/* The file alone. */
void pool_world_write(struct pool_world *world, const struct pool_image *image);
/* Rows for files that are there, in one transaction: clean, and parents sealed; parents come first,
 * or are missing. */
void pool_world_rows(struct pool_world *world, const struct pool_image *images, size_t n);

#endif
