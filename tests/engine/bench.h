/* bench.h - an engine, and room for a disk in memory and its parent. */
#ifndef BENCH_H
#define BENCH_H

#include "memio.h"

struct bench {
	struct vhd_engine *engine;
	struct memio *parent_file, *file;
	struct vhd *parent, *disk;
	struct vhd_error err;
	uint8_t buf[4096];
};

/* For cmocka: no disk is open at first, and none has to be at the end. */
int bench_set_up(void **state);
int bench_tear_down(void **state);

/* The disk, closed and opened anew. */
int reopen(struct bench *bench, unsigned flags);
/* `r` of what has told bench->err why. */
void must(const struct bench *bench, int r);

#endif
