/* vhdtool.c - the engine's public interface as a command, for the tests that compare it with other
 * programs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "vhd.h"

enum { UNIT = 4096, CHUNK = 1 << 20 };

static struct vhd_engine *engine;
static uint8_t buffer[CHUNK], other[CHUNK];

static void check(int r, const struct vhd_error *err)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "vhdtool: %s (code %d)\n", err->text, r);
	exit(r == VHD_E_BUSY ? 16 : 1);
}

/* All that the tests use lies below one folder. */
static struct vhd_paths paths(void)
{
	static const char *const roots[] = {"/"}, *const search[] = {"."};

	return (struct vhd_paths){roots, 1, search, 1};
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

static struct vhd *open_chain(const char *path, unsigned flags)
{
	struct vhd_paths where = paths();
	struct vhd_error err;
	struct vhd *disk;

	check(vhd_open_chain(engine, &where, path, flags, &disk, &err), &err);
	return disk;
}

static void close_flushed(struct vhd *disk)
{
	struct vhd_error err;

	check(vhd_flush(disk, 0, &err), &err);
	vhd_close(disk);
}

/* An id of its own for each path. */
static void make_args(const char *path, const char *size, struct vhd_create_args *args)
{
	struct rng rng = {14695981039346656037U};

	for (const char *c = path; *c; c++)
		rng.state = (rng.state ^ (uint8_t)*c) * 1099511628211U;
	*args = (struct vhd_create_args){.timestamp = 1};
	rng_fill(&rng, args->id, sizeof args->id);
	args->size = size ? number(size) : 0;
}

static void create(char **argv, bool fixed)
{
	struct vhd_paths where = paths();
	struct vhd_create_args args;
	struct vhd_error err;
	struct vhd *disk;

	make_args(argv[0], argv[1], &args);
	if (!fixed && argv[2])
		args.block_size = (uint32_t)number(argv[2]);
	check(fixed ? vhd_create_fixed(engine, &where, argv[0], &args, &disk, &err)
		    : vhd_create_dynamic(engine, &where, argv[0], &args, &disk, &err),
	      &err);
	close_flushed(disk);
}

/* create PATH SIZE [BLOCK] */
static void run_create(char **argv)
{
	create(argv, false);
}

/* fixed PATH SIZE */
static void run_fixed(char **argv)
{
	create(argv, true);
}

/* child PATH PARENT */
static void run_child(char **argv)
{
	struct vhd_paths where = paths();
	struct vhd_create_args args;
	struct vhd_error err;
	struct vhd *disk;

	make_args(argv[0], NULL, &args);
	args.parent_path = argv[1];
	check(vhd_create_difference(engine, &where, argv[0], &args, &disk, &err), &err);
	close_flushed(disk);
}

/* fill PATH SEED COUNT ALIGN: random writes and zeroes, of whole units of ALIGN bytes; flushes now
 * and then */
static void run_fill(char **argv)
{
	struct vhd *disk = open_chain(argv[0], VHD_WRITE);
	struct rng rng = {number(argv[1])};
	uint64_t count = number(argv[2]), align = number(argv[3]), size = vhd_info(disk)->size;
	struct vhd_error err;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t off = rng_below(&rng, size) / align * align;
		uint64_t len = (1 + rng_below(&rng, 65536 / align)) * align;

		if (len > size - off)
			len = size - off;
		rng_fill(&rng, buffer, (size_t)len);
		if (rng_one_in(&rng, 8))
			check(vhd_zero(disk, off, len, NULL, &err), &err);
		else
			check(vhd_write(disk, buffer, (size_t)len, off, NULL, &err), &err);
		if (rng_one_in(&rng, 8))
			check(vhd_flush(disk, 0, &err), &err);
	}
	close_flushed(disk);
}

/* cat PATH: the content of the chain */
static void run_cat(char **argv)
{
	struct vhd *disk = open_chain(argv[0], 0);
	uint64_t size = vhd_info(disk)->size;
	struct vhd_error err;

	for (uint64_t off = 0; off < size; off += CHUNK) {
		size_t len = size - off < CHUNK ? (size_t)(size - off) : CHUNK;

		check(vhd_read(disk, buffer, len, off, 0, &err), &err);
		if (fwrite(buffer, 1, len, stdout) != len)
			exit(1);
	}
	vhd_close(disk);
}

/* patch PATH RAW: writes the units in which the raw file differs, and prints how many */
static void run_patch(char **argv)
{
	struct vhd *disk = open_chain(argv[0], VHD_WRITE);
	uint64_t size = vhd_info(disk)->size, changed = 0;
	FILE *raw = fopen(argv[1], "rb");
	struct vhd_error err;

	for (uint64_t off = 0; raw && off < size; off += UNIT) {
		size_t len = size - off < UNIT ? (size_t)(size - off) : UNIT;

		check(vhd_read(disk, buffer, len, off, 0, &err), &err);
		if (fread(other, 1, len, raw) != len)
			exit(1);
		if (memcmp(buffer, other, len) == 0)
			continue;
		check(vhd_write(disk, other, len, off, NULL, &err), &err);
		changed++;
	}
	if (!raw || fclose(raw) != 0)
		exit(1);
	close_flushed(disk);
	printf("%" PRIu64 "\n", changed);
}

/* info PATH: type, size, depth */
static void run_info(char **argv)
{
	struct vhd *disk = open_chain(argv[0], 0);
	const struct vhd_info *info = vhd_info(disk);

	printf("%d %" PRIu64 " %u\n", (int)info->type, info->size, info->depth);
	vhd_close(disk);
}

/* hold PATH: open for writing until the standard input ends */
static void run_hold(char **argv)
{
	struct vhd *disk = open_chain(argv[0], VHD_WRITE);

	printf("held\n");
	(void)fflush(stdout);
	while (getchar() != EOF)
		;
	close_flushed(disk);
}

/* try PATH write|read|look|recover: whether it opens; exit status 16 when it is locked */
static void run_try(char **argv)
{
	static const struct {
		const char *name;
		unsigned flags;
	} modes[] = {
		{"write", VHD_WRITE},
		{"read", 0},
		{"look", VHD_NO_LOCK},
		{"recover", VHD_WRITE | VHD_RECOVER},
	};

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (strcmp(argv[1], modes[i].name) == 0) {
			vhd_close(open_chain(argv[0], modes[i].flags));
			return;
		}
	}
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		void (*run)(char **argv);
	} commands[] = {
		{"create", 2, run_create}, {"fixed", 2, run_fixed}, {"child", 2, run_child},
		{"fill", 4, run_fill},     {"cat", 1, run_cat},     {"patch", 2, run_patch},
		{"info", 1, run_info},     {"hold", 1, run_hold},   {"try", 2, run_try},
	};
	struct vhd_error err;

	check(vhd_engine_new(NULL, &engine, &err), &err);
	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(argv[1], commands[i].name) == 0 && argc >= 2 + commands[i].args) {
			commands[i].run(argv + 2);
			vhd_engine_free(engine);
			return fflush(stdout) == 0 ? 0 : 1;
		}
	}
	(void)fprintf(stderr, "vhdtool: unknown command, or too few arguments\n");
	return 2;
}
