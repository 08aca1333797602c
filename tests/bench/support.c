/* support.c - files, chains and peers of the benchmark. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

double bench_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

double bench_median(const struct job *job)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, job->values, sizeof sorted);
	qsort(sorted, (size_t)job->n, sizeof sorted[0], by_value);
	return job->n > 0 ? sorted[job->n / 2] : -1;
}

void bench_must(int r, const struct vhd_error *err)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "bench: %s\n", err->text);
	exit(1);
}

void bench_must_io(ssize_t r, size_t len)
{
	if (r == (ssize_t)len)
		return;
	perror("bench");
	exit(1);
}

const char *bench_path(const char *name)
{
	static char path[4096];

	(void)snprintf(path, sizeof path, "%s/%s", bench_folder, name);
	return path;
}

int bench_fd(const char *name, bool fresh)
{
	const char *path = bench_path(name);
	int fd;

	if (fresh)
		(void)unlink(path);
	fd = open(path, O_RDWR | O_CLOEXEC | (fresh ? O_CREAT : 0), 0600);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

struct vhd_io bench_io(const char *name, bool fresh)
{
	struct vhd_error err;
	struct vhd_io io;

	bench_must(vhd_io_from_fd(bench_fd(name, fresh), &io, &err), &err);
	return io;
}

static int no_flush(void *store)
{
	(void)store;
	return 0;
}

struct vhd_io bench_io_unsynced(const char *name)
{
	static struct vhd_io_ops ops;
	struct vhd_io io = bench_io(name, true);

	ops = *io.ops;
	ops.flush = no_flush;
	io.ops = &ops;
	return io;
}

struct vhd_engine *bench_engine(size_t cache)
{
	struct vhd_engine_args args = {.cache_size = cache};
	struct vhd_engine *engine;
	struct vhd_error err;

	bench_must(vhd_engine_new(&args, &engine, &err), &err);
	return engine;
}

static void fill_args(struct vhd_create_args *args, enum vhd_type type, unsigned number)
{
	*args = (struct vhd_create_args){.type = type, .timestamp = 1};
	args->id[0] = 1;
	args->id[14] = (uint8_t)(number >> 8);
	args->id[15] = (uint8_t)number;
	args->parent_path = "/pool/parent.vhd";
	args->child_path = "/pool/child.vhd";
}

struct vhd *bench_create(struct vhd_engine *engine, const char *name, uint64_t size)
{
	static unsigned number = 0x8000; /* beyond the levels of chains */
	struct vhd_io io = bench_io(name, true);
	struct vhd_create_args args;
	struct vhd_error err;
	struct vhd *disk;

	fill_args(&args, VHD_DYNAMIC, number++);
	args.size = size;
	bench_must(vhd_create(engine, &io, &args, &disk, &err), &err);
	return disk;
}

uint64_t bench_offset(struct rng *rng, uint64_t size)
{
	return rng_below(rng, size / 4096) * 4096;
}

static double read_pass(struct vhd *disk, uint64_t size)
{
	uint8_t buffer[4096];
	struct rng rng = {5};
	struct vhd_error err;
	double start = bench_now();

	for (int i = 0; i < RANDOM_OPS; i++)
		bench_must(vhd_read(disk, buffer, 4096, bench_offset(&rng, size), 0, &err), &err);
	return (bench_now() - start) / RANDOM_OPS * 1e6;
}

double bench_read_random(struct vhd *disk, uint64_t size)
{
	(void)read_pass(disk, size);
	return read_pass(disk, size);
}

const char *bench_level(const char *prefix, unsigned level)
{
	static char name[64];

	(void)snprintf(name, sizeof name, "%s-%u", prefix, level);
	return name;
}

static uint8_t data[PIECE];

static void fill_base(struct vhd *disk, uint64_t size)
{
	struct vhd_error err;

	for (uint64_t off = 0; off < size; off += PIECE)
		bench_must(vhd_write(disk, data, PIECE, off, NULL, &err), &err);
}

void bench_make_chain(const char *prefix, unsigned depth, uint64_t size)
{
	struct vhd_engine *engine = bench_engine(0);
	struct vhd *parent = NULL;
	struct rng rng = {depth};

	memset(data, 0xB5, sizeof data);
	for (unsigned level = 0; level < depth; level++) {
		struct vhd_io io = bench_io(bench_level(prefix, level), true);
		struct vhd_create_args args;
		struct vhd_error err;
		struct vhd *disk;

		fill_args(&args, parent ? VHD_DIFF : VHD_DYNAMIC, level);
		args.size = size;
		args.parent = parent;
		bench_must(vhd_create(engine, &io, &args, &disk, &err), &err);
		vhd_close(parent);
		parent = disk;
		if (level == 0)
			fill_base(disk, size);
		for (int i = 0; i < CHAIN_WRITES && level > 0; i++)
			bench_must(
				vhd_write(disk, data, 4096, bench_offset(&rng, size), NULL, &err),
				&err);
		bench_must(vhd_flush(disk, 0, &err), &err);
	}
	vhd_close(parent);
	vhd_engine_free(engine);
}

static int resolve(void *ctx, const struct vhd_parent_ref *ref, struct vhd_io *ret_io,
		   struct vhd_error *err)
{
	(void)err;
	*ret_io = bench_io(bench_level(ctx, (unsigned)ref->id[14] << 8 | ref->id[15]), false);
	return 0;
}

struct vhd *bench_open_chain(struct vhd_engine *engine, const char *prefix, unsigned depth)
{
	struct vhd_resolver resolver = {resolve, (void *)(uintptr_t)prefix};
	struct vhd_io io = bench_io(bench_level(prefix, depth - 1), false);
	struct vhd_error err;
	struct vhd *disk;

	bench_must(vhd_open(engine, &io, 0, &resolver, &disk, &err), &err);
	return disk;
}

double bench_qemu(const char *args)
{
	char command[8192], line[256];
	double seconds = -1;
	FILE *pipe;
	int n = snprintf(command, sizeof command,
			 "cd '%s' && qemu-img bench -d 1 -t writeback %s 2>/dev/null", bench_folder,
			 args);

	if (n < 0 || (size_t)n >= sizeof command)
		return -1;
	pipe = popen(command, "r"); /* NOLINT(cert-env33-c): our own command line */
	if (!pipe)
		return -1;
	while (fgets(line, sizeof line, pipe)) {
		if (strncmp(line, "Run completed in ", 17) == 0)
			seconds = strtod(line + 17, NULL);
	}
	return pclose(pipe) == 0 ? seconds : -1;
}

double bench_process(const char *command)
{
	char line[8192];
	double start = bench_now();
	int n = snprintf(line, sizeof line, "cd '%s' && { %s; } >/dev/null 2>&1", bench_folder,
			 command);

	if (n < 0 || (size_t)n >= sizeof line || system(line) != 0) /* NOLINT(cert-env33-c) */
		return -1;
	return bench_now() - start;
}

/* Resident memory of this process, in MiB. */
double bench_rss(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (file && fscanf(file, "%*d %ld", &pages) != 1) /* NOLINT(cert-err34-c) */
		pages = 0;
	if (file)
		(void)fclose(file);
	return (double)pages * 4096 / (1 << 20);
}

double bench_number(const char *command)
{
	char line[8192];
	double number = -1;
	int n = snprintf(line, sizeof line, "cd '%s' && { %s; } 2>/dev/null", bench_folder,
			 command);
	FILE *pipe;

	if (n < 0 || (size_t)n >= sizeof line)
		return -1;
	pipe = popen(line, "r"); /* NOLINT(cert-env33-c): our own command line */
	if (!pipe || fscanf(pipe, "%lf", &number) != 1) /* NOLINT(cert-err34-c) */
		number = -1;
	return pipe && pclose(pipe) == 0 ? number : -1;
}

/* In a program that starts anew: a fork would use memory that its parent has given back. */
double bench_rss_of(const char *chain, unsigned depth, uint64_t size)
{
	char self[1024], command[1200];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n < 0)
		return -1;
	self[n] = '\0';
	(void)snprintf(command, sizeof command, "'%s' . --memory %s %u %llu", self, chain, depth,
		       (unsigned long long)size);
	return bench_number(command);
}
