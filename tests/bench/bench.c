/* bench.c - the goals of the engine in one run: rounds interleaved, medians, ratios first.
 *
 * bench FOLDER [ROUNDS [SIZE_MIB]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

const char *bench_folder;
uint64_t bench_size = 1ULL << 30;

/* One line of the goals: value of `job` (or what it is of `peer`) against a limit. */
struct goal {
	const char *goal, *job,
		*peer; /* peer NULL: the value itself; names as in the tables, within the goal */
	enum { AT_LEAST, AT_MOST } sense; /* AT_LEAST: how many times faster than the peer */
	double limit;
	const char *why; /* told when it is missed: what the profile said */
};
static const char two_writes[] =
	"two writes of the page cache for a block, its data and the footer that ends the file; without "
	"the footer the file of a daemon that was killed would not end in one";
static const char bare_bounds[] =
	"a bare pread is not much faster: what qemu needs for a request bounds the ratio";
static const char many_files[] =
	"16 % more instructions (read-deep below), and cache misses in the index; what the system takes "
	"is told as its preads alone";
static const struct goal goals[] = {
	{"G1", "sequential write, fresh", "  bare pwrite", AT_LEAST, 0.90, NULL},
	{"G1", "sequential write, fresh", "  qemu vpc", AT_LEAST, 4, NULL},
	{"G2", "4 KiB write, each in a new block", "  qcow2", AT_LEAST, 8, two_writes},
	{"G2", "4 KiB write, each in a new block", NULL, AT_MOST, 25, two_writes},
	{"G3", "4 KiB overwrite", "  bare pwrite", AT_LEAST, 0.80, NULL},
	{"G3", "4 KiB overwrite", "  qcow2", AT_LEAST, 5, NULL},
	{"G3", "4 KiB overwrite", "  qemu vpc", AT_LEAST, 25, NULL},
	{"G4", "sequential read, cached", "  qemu raw", AT_LEAST, 0.95, NULL},
	{"G4", "sequential read, cached", "  qemu vpc", AT_LEAST, 1.25, bare_bounds},
	{"G5", "4 KiB random read", "  bare pread", AT_LEAST, 1 / 1.3, NULL},
	{"G5", "4 KiB random read", "  qemu vpc", AT_LEAST, 25, bare_bounds},
	{"G6", "  depth 100", "4 KiB random read, depth 1", AT_LEAST, 1 / 1.25, NULL},
	{"G6", "  depth 500", "4 KiB random read, depth 1", AT_LEAST, 1 / 1.25, many_files},
	{"G6", "  depth 500", "  qcow2, depth 500", AT_LEAST, 1000, many_files},
	{"G7", "  depth 500", NULL, AT_MOST, 0.1, NULL},
	{"G7", "  depth 500", "sector location, depth 1", AT_LEAST, 1 / 20.0, NULL},
	{"G9", "  depth 500, known", NULL, AT_MOST, 100, NULL},
	{"G9", "  depth 500", "  qcow2, depth 500, process", AT_LEAST, 10, NULL},
	{"G13", "  without syncs", "  qemu-img create, process", AT_LEAST, 10, NULL},
	{"G14", "memory, 2040 GiB", NULL, AT_MOST, 8, NULL},
	{"G14", "  each more level", NULL, AT_MOST, 1, NULL},
	{"G14", "  256 MiB, depth 500", NULL, AT_MOST, 10, NULL},
	{"G14", "  256 MiB, depth 500", "  qcow2, depth 500, process", AT_LEAST, 1 / 0.15, NULL},
};

static const struct job *find(const char *goal, const char *name)
{
	for (int i = 0; i < bench_n_disk_jobs; i++) {
		if (strcmp(bench_disk_jobs[i].goal, goal) == 0 &&
		    strcmp(bench_disk_jobs[i].name, name) == 0)
			return &bench_disk_jobs[i];
	}
	for (int i = 0; i < bench_n_chain_jobs; i++) {
		if (strcmp(bench_chain_jobs[i].goal, goal) == 0 &&
		    strcmp(bench_chain_jobs[i].name, name) == 0)
			return &bench_chain_jobs[i];
	}
	(void)fprintf(stderr, "bench: no job %s of %s\n", name, goal);
	exit(1);
}

static const char *trimmed(const char *name)
{
	return name + strspn(name, " ");
}

/* False when a goal is missed. */
static bool print_goal(const struct goal *goal)
{
	const struct job *job = find(goal->goal, goal->job);
	double value = bench_median(job),
	       peer = goal->peer ? bench_median(find(goal->goal, goal->peer)) : 0;
	bool met;

	if (value < 0) {
		printf("%-4s %-34s not measured MISSED\n", goal->goal, trimmed(goal->job));
		return false;
	}
	if (goal->peer && peer < 0) {
		printf("%-4s %-34s no peer: %s\n", goal->goal, trimmed(goal->job),
		       trimmed(goal->peer));
		return true;
	}
	if (goal->peer)
		value = peer / value;
	met = goal->sense == AT_LEAST ? value >= goal->limit : value <= goal->limit;
	printf("%-4s %-34s %8.2f%s (%s %.2f) %s%s %s\n", goal->goal, trimmed(goal->job), value,
	       goal->peer ? "x" : job->unit, goal->sense == AT_LEAST ? "at least" : "at most",
	       goal->limit, goal->peer ? "of " : "", goal->peer ? trimmed(goal->peer) : "",
	       met ? "" : "MISSED");
	if (!met && goal->why)
		printf("     why: %s\n", goal->why);
	return met;
}

static void print_job(const struct job *job)
{
	double least = job->values[0], most = job->values[0];

	for (int i = 1; i < job->n; i++) {
		least = job->values[i] < least ? job->values[i] : least;
		most = job->values[i] > most ? job->values[i] : most;
	}
	if (job->n == 0)
		printf("%-4s %-34s not measured\n", job->goal, job->name);
	else
		printf("%-4s %-34s %12.3f %-3s (%.3f .. %.3f)\n", job->goal, job->name,
		       bench_median(job), job->unit, least, most);
}

static void run_job(struct job *job)
{
	double value;

	sync(); /* or a job pays for what the one before it has written */
	value = job->run();
	if (value >= 0)
		job->values[job->n++] = value;
	(void)fputc('.', stderr);
}

/* Each second one from its end: of two jobs that are compared neither always comes first. */
static void run_round(struct job *jobs, int n, int round)
{
	for (int i = 0; i < n; i++)
		run_job(&jobs[round % 2 == 0 ? i : n - 1 - i]);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 5, missed = 0; /* NOLINT(cert-err34-c) */
	bool memory = argc == 6 && strcmp(argv[2], "--memory") == 0;

	if (argc < 2 || (!memory && (rounds < 1 || rounds > ROUNDS_MAX))) {
		(void)fprintf(stderr, "usage: bench FOLDER [ROUNDS [SIZE_MIB]]\n");
		return 2;
	}
	bench_folder = argv[1];
	if (memory) {
		printf("%f\n", bench_look(argv[3], (unsigned)strtoul(argv[4], NULL, 10),
					  strtoull(argv[5], NULL, 10)));
		return 0;
	}
	if (argc > 3)
		bench_size = strtoull(argv[3], NULL, 10) << 20;
	bench_prepare_disks();
	bench_prepare_chains();
	for (int round = 0; round < rounds; round++) {
		run_round(bench_disk_jobs, bench_n_disk_jobs, round);
		run_round(bench_chain_jobs, bench_n_chain_jobs, round);
	}
	printf("\n%d rounds of %llu MiB, medians. Writes are not durable where nothing is said of syncs.\n",
	       rounds, (unsigned long long)(bench_size >> 20));
	for (size_t i = 0; i < sizeof goals / sizeof goals[0]; i++)
		missed += !print_goal(&goals[i]);
	printf("\n");
	for (int i = 0; i < bench_n_disk_jobs; i++)
		print_job(&bench_disk_jobs[i]);
	for (int i = 0; i < bench_n_chain_jobs; i++)
		print_job(&bench_chain_jobs[i]);
	printf("\n%d goals missed\n", missed);
	return 0;
}
