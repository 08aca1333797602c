/* bench.h - what the jobs share: files, chains, clocks, peers. */
#ifndef BENCH_H
#define BENCH_H

#include <sys/types.h>

#include "rng.h"
#include "vhd.h"

enum { ROUNDS_MAX = 15, PIECE = 64 << 10, RANDOM_OPS = 20000, CHAIN_WRITES = 64 };

/* One measured thing. `run` answers its value in one round, negative when its peer is not
 * installed. */
struct job {
	const char *goal, *name;
	double (*run)(void);
	const char *unit;
	double values[ROUNDS_MAX];
	int n;
};

extern const char *bench_folder;
extern uint64_t bench_size; /* of the sequential jobs */

double bench_now(void); /* seconds */
double bench_median(const struct job *job);
void bench_must(int r, const struct vhd_error *err);
void bench_must_io(ssize_t r, size_t len); /* what a system call answers, and should */

/* A file below the folder, created empty. */
const char *bench_path(const char *name);
int bench_fd(const char *name, bool fresh);
struct vhd_io bench_io(const char *name, bool fresh);
/* The same without its flushes: what the engine costs without the disk. */
struct vhd_io bench_io_unsynced(const char *name);

struct vhd_engine *bench_engine(size_t cache);
struct vhd *bench_create(struct vhd_engine *engine, const char *name, uint64_t size);
/* A chain of `depth` files named PREFIX-N: a full base, and some 4 KiB writes in each layer. */
void bench_make_chain(const char *prefix, unsigned depth, uint64_t size);
const char *bench_level(const char *prefix, unsigned level); /* until the next call */
struct vhd *bench_open_chain(struct vhd_engine *engine, const char *prefix, unsigned depth);
/* The same offsets for everybody. */
uint64_t bench_offset(struct rng *rng, uint64_t size);
/* Microseconds of a random read of 4 KiB, when all that is read is in memory: the second pass. */
double bench_read_random(struct vhd *disk, uint64_t size);

/* Seconds that `qemu-img bench` reports; `args` are its last ones, %s stands for the folder. */
double bench_qemu(const char *args);
double bench_process(const char *command); /* seconds that the whole process takes */
double bench_number(const char *command);  /* what it prints, negative when it fails */

/* jobs_disk.c, jobs_chain.c */
extern struct job bench_disk_jobs[], bench_chain_jobs[];
extern const int bench_n_disk_jobs, bench_n_chain_jobs;
void bench_prepare_disks(void);
void bench_prepare_chains(void);
double bench_rss(void);
/* MiB that looking at 4096 places of a chain adds, in a process of its own; and what that process
 * does. */
double bench_rss_of(const char *chain, unsigned depth, uint64_t size);
double bench_look(const char *chain, unsigned depth, uint64_t size);

#endif
