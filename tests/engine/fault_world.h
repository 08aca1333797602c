/* fault_world.h - a chain of three on faulty stores, and what its leaf showed before and shows
 * after the work. */
#ifndef FAULT_WORLD_H
#define FAULT_WORLD_H

#include "faultio.h"
#include "memio.h"

enum { WORLD_SIZE = 2 << 20, WORLD_BLOCK = 512 << 10 };

enum world_file { BASE, MID, LEAF, FIXED, NEW, WORLD_FILES };

struct world {
	struct vhd_engine *engine;
	struct faults faults;
	struct memio *files[WORLD_FILES];
	enum world_file target; /* whose content counts; its disk is `disk` */
	struct vhd *disk;       /* opened by the scenario */
	struct vhd *other;
	uint8_t before[WORLD_SIZE], after[WORLD_SIZE];
	bool footer_set; /* its fields are the new ones now, else the old ones or the new ones */
	bool flushed;    /* the work is durable: `before` is not allowed any more */
};

/* The images as they are before every run; made once. */
void world_prepare(void);
void world_forget(void);

void world_init(struct world *world, enum world_file target);
void world_fini(struct world *world); /* closes what is open */

struct vhd_io world_io(struct world *world, enum world_file file); /* faulty */
int world_open(struct world *world, enum world_file file, unsigned flags, struct vhd **ret_disk,
	       struct vhd_error *err);
/* Writes to the target and notes it. */
int world_write(struct world *world, uint64_t off, size_t len, uint8_t byte, struct vhd_error *err);
int world_zero(struct world *world, uint64_t off, size_t len, struct vhd_error *err);
int world_flush(struct world *world, struct vhd_error *err);

/* With the faults gone: the disk is failed or goes on, and after recovery every sector is old or
 * new. */
void world_check(struct world *world, const char *what);

#endif
