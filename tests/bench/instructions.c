/* instructions.c - one hot path of the engine, to be counted by callgrind: its figures do not
 * depend on the machine's mood. ./instructions says how.
 *
 * instructions FOLDER PATH
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define DISK_SIZE  (64ULL << 20)
#define BLOCK_SIZE (2ULL << 20)

const char *bench_folder;
uint64_t bench_size = DISK_SIZE;

enum { OPS = 1000, DEPTH = 100, NEW_BLOCKS = DISK_SIZE / BLOCK_SIZE };
/* Of a table for a TiB those that the disk does not need. */
enum { ENTRIES = 1 << 19, SPARE = ENTRIES - NEW_BLOCKS, SPARE_AT = 1536 + NEW_BLOCKS * 4 };

static uint8_t piece[4096];

static void read_at_random(struct vhd *disk)
{
	struct rng rng = {1};
	struct vhd_error err;

	for (int i = 0; i < OPS; i++)
		bench_must(
			vhd_read(disk, piece, sizeof piece, bench_offset(&rng, DISK_SIZE), 0, &err),
			&err);
}

static void locate_at_random(struct vhd *disk)
{
	struct rng rng = {2};
	struct vhd_error err;
	struct vhd_run run;

	for (int i = 0; i < OPS; i++)
		bench_must(vhd_get_sector_location(disk, rng_below(&rng, DISK_SIZE / 512), 0, &run,
						   &err),
			   &err);
}

static void overwrite_at_random(struct vhd *disk)
{
	struct rng rng = {3};
	struct vhd_error err;

	for (int i = 0; i < OPS; i++)
		bench_must(vhd_write(disk, piece, sizeof piece, bench_offset(&rng, DISK_SIZE), NULL,
				     &err),
			   &err);
}

static void write_new_blocks(struct vhd *disk)
{
	struct vhd_error err;

	for (uint64_t off = 0; off < DISK_SIZE; off += BLOCK_SIZE)
		bench_must(vhd_write(disk, piece, sizeof piece, off, NULL, &err), &err);
}

static void check_blocks(struct vhd *disk)
{
	struct vhd_error err;

	bench_must(vhd_check_blocks(disk, &err), &err);
}

static struct vhd *a_chain(struct vhd_engine *engine, unsigned depth)
{
	bench_make_chain("chain", depth, DISK_SIZE);
	return bench_open_chain(engine, "chain", depth);
}

static struct vhd *one(struct vhd_engine *engine)
{
	return a_chain(engine, 1);
}

static struct vhd *deep(struct vhd_engine *engine)
{
	return a_chain(engine, DEPTH);
}

static struct vhd *empty(struct vhd_engine *engine)
{
	return bench_create(engine, "disk.vhd", DISK_SIZE);
}

static struct vhd *full(struct vhd_engine *engine)
{
	struct vhd *disk = empty(engine);
	struct vhd_error err;

	for (uint64_t off = 0; off < DISK_SIZE; off += sizeof piece)
		bench_must(vhd_write(disk, piece, sizeof piece, off, NULL, &err), &err);
	return disk;
}

/* DISK_SIZE in a footer of a TiB. */
static void shrink(int fd, off_t footer)
{
	uint8_t raw[512];
	uint32_t sum = 0;

	bench_must_io(pread(fd, raw, sizeof raw, footer), sizeof raw);
	raw[50] = 0;
	raw[52] = DISK_SIZE >> 24;
	memset(raw + 64, 0, 4);
	for (size_t i = 0; i < sizeof raw; i++)
		sum += raw[i];
	for (int i = 0; i < 4; i++)
		raw[64 + i] = (uint8_t)(~sum >> (24 - 8 * i));
	bench_must_io(pwrite(fd, raw, sizeof raw, footer), sizeof raw);
}

/* A disk with spare entries that are zeroes, as some programs have them. */
static struct vhd *spare(struct vhd_engine *engine)
{
	static const uint8_t zeroes[SPARE * 4U];
	struct vhd_io io;
	struct vhd_error err;
	struct vhd *disk;
	int fd;

	vhd_close(bench_create(engine, "disk.vhd", ENTRIES * BLOCK_SIZE));
	fd = bench_fd("disk.vhd", false);
	shrink(fd, 0);
	shrink(fd, SPARE_AT + (off_t)sizeof zeroes);
	bench_must_io(pwrite(fd, zeroes, sizeof zeroes, SPARE_AT), sizeof zeroes);
	(void)close(fd);
	io = bench_io("disk.vhd", false);
	bench_must(vhd_open(engine, &io, 0, NULL, &disk, &err), &err);
	return disk;
}

static const struct path {
	const char *name;
	struct vhd *(*make)(struct vhd_engine *engine);
	void (*run)(struct vhd *disk);
	int ops;
	bool warm; /* counted the second time only */
} paths[] = {
	{"read", one, read_at_random, OPS, true},
	{"read-deep", deep, read_at_random, OPS, true},
	{"locate", one, locate_at_random, OPS, true},
	{"locate-deep", deep, locate_at_random, OPS, true},
	{"overwrite", full, overwrite_at_random, OPS, true},
	{"new-block", empty, write_new_blocks, NEW_BLOCKS, false},
	{"spare-entry", spare, check_blocks, SPARE, false},
};

/* What is counted: callgrind is told this name. */
__attribute__((noinline)) void counted(const struct path *path, struct vhd *disk);
void counted(const struct path *path, struct vhd *disk)
{
	path->run(disk);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof paths / sizeof paths[0]; i++) {
		struct vhd_engine *engine;
		struct vhd *disk;

		if (strcmp(paths[i].name, argv[2]) != 0)
			continue;
		bench_folder = argv[1];
		engine = bench_engine(0);
		disk = paths[i].make(engine);
		if (paths[i].warm)
			paths[i].run(disk);
		counted(&paths[i], disk);
		vhd_close(disk);
		vhd_engine_free(engine);
		printf("%d\n", paths[i].ops);
		return 0;
	}
	(void)fprintf(stderr, "usage: instructions FOLDER PATH\n");
	return 2;
}
