/* jobs_chain.c - G6, G7, G9, G13, G14: chains, lookups, opening, creating, memory. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum { LOOKUPS = 200000, CREATES = 20 };
#define CHAIN_SIZE (256ULL << 20)
#define LARGE_SIZE (2040ULL << 30)

static struct vhd_engine *engine;
static struct vhd *one, *deep, *deeper; /* chains of 1, 100 and 500 */
static const char *const names[] = {"c1", "c100", "c500"};

/* ---- G6, G7 ---- */

static double locate_chain(struct vhd *disk)
{
	struct rng rng = {7};
	struct vhd_error err;
	double start = bench_now();

	for (int i = 0; i < LOOKUPS; i++) {
		struct vhd_run run;

		bench_must(vhd_get_sector_location(disk, rng_below(&rng, CHAIN_SIZE / 512), 0, &run,
						   &err),
			   &err);
	}
	return (bench_now() - start) / LOOKUPS * 1e6;
}

static double read_1(void)
{
	return bench_read_random(one, CHAIN_SIZE);
}

static double read_100(void)
{
	return bench_read_random(deep, CHAIN_SIZE);
}

static double read_500(void)
{
	return bench_read_random(deeper, CHAIN_SIZE);
}

/* The preads of depth 500 alone: what the system takes for so many files. */
static double read_bare(void)
{
	enum { DEPTH = 500 };
	static struct vhd_run places[RANDOM_OPS];
	struct rng rng = {5};
	struct vhd_error err;
	uint8_t buffer[4096];
	double start = 0;
	int fds[DEPTH];

	for (unsigned level = 0; level < DEPTH; level++)
		fds[level] = bench_fd(bench_level(names[2], DEPTH - 1 - level), false);
	for (int i = 0; i < RANDOM_OPS; i++)
		bench_must(vhd_get_sector_location(deeper, bench_offset(&rng, CHAIN_SIZE) / 512, 0,
						   &places[i], &err),
			   &err);
	for (int pass = 0; pass < 2; pass++) {
		start = bench_now();
		for (int i = 0; i < RANDOM_OPS; i++)
			bench_must_io(pread(fds[places[i].level], buffer, 4096,
					    (off_t)(places[i].physical_sector * 512)),
				      4096);
	}
	start = (bench_now() - start) / RANDOM_OPS * 1e6;
	for (unsigned level = 0; level < DEPTH; level++)
		(void)close(fds[level]);
	return start;
}

static double read_qcow2(void)
{
	enum { OPS = 500 };
	static const char args[] = "-f qcow2 -s 4096 -S 7798784 -c 500 q500.qcow2";
	double seconds = bench_qemu(args) < 0 ? -1 : bench_qemu(args);

	return seconds < 0 ? seconds : seconds / OPS * 1e6;
}

static double locate_1(void)
{
	return locate_chain(one);
}

static double locate_100(void)
{
	return locate_chain(deep);
}

static double locate_500(void)
{
	return locate_chain(deeper);
}

/* ---- G9 ---- */

static double open_chain(const char *name, unsigned depth, bool known)
{
	struct vhd_engine *own = bench_engine(0);
	struct vhd *keep = known ? bench_open_chain(own, name, depth) : NULL, *disk;
	double start = bench_now();

	disk = bench_open_chain(own, name, depth);
	start = (bench_now() - start) * 1e6;
	vhd_close(disk);
	vhd_close(keep);
	vhd_engine_free(own);
	return start;
}

static double open_1(void)
{
	return open_chain("c1", 1, false);
}

static double open_100(void)
{
	return open_chain("c100", 100, false);
}

static double open_500(void)
{
	return open_chain("c500", 500, false);
}

static double open_500_known(void)
{
	return open_chain("c500", 500, true);
}

static double open_qcow2(void)
{
	double seconds = bench_process("qemu-io -r -f qcow2 -c quit q500.qcow2");

	return seconds < 0 ? seconds : seconds * 1e6;
}

/* ---- G13 ---- */

static double create_many(bool synced, bool snapshot, uint64_t size)
{
	struct vhd_engine *own = bench_engine(0);
	struct vhd *base = bench_create(own, "g13-base.vhd", size);
	struct vhd_create_args args = {.type = snapshot ? VHD_DIFF : VHD_DYNAMIC, .size = size};
	int n = size > 64ULL << 30 ? 3 : CREATES;
	double total = 0;

	args.parent = snapshot ? base : NULL;
	args.parent_path = "/pool/parent.vhd";
	args.child_path = "/pool/child.vhd";
	for (int i = 0; i < n; i++) {
		struct vhd_io io =
			synced ? bench_io("g13.vhd", true) : bench_io_unsynced("g13.vhd");
		double start = bench_now();
		struct vhd_error err;
		struct vhd *disk;

		args.id[0] = (uint8_t)(i + 2);
		bench_must(vhd_create(own, &io, &args, &disk, &err), &err);
		total += bench_now() - start;
		vhd_close(disk);
	}
	vhd_close(base);
	vhd_engine_free(own);
	return total / n * 1e6;
}

static double create_synced(void)
{
	return create_many(true, false, 64ULL << 30);
}

static double create_unsynced(void)
{
	return create_many(false, false, 64ULL << 30);
}

static double create_qemu(void)
{
	double seconds = bench_process("qemu-img create -q -f vpc g13-qemu.vhd 64G");

	return seconds < 0 ? seconds : seconds * 1e6;
}

static double snapshot_synced(void)
{
	return create_many(true, true, 1ULL << 30);
}

static double snapshot_unsynced(void)
{
	return create_many(false, true, 1ULL << 30);
}

static double snapshot_large_synced(void)
{
	return create_many(true, true, LARGE_SIZE);
}

static double snapshot_large_unsynced(void)
{
	return create_many(false, true, LARGE_SIZE);
}

/* ---- G14 ---- */

double bench_look(const char *chain, unsigned depth, uint64_t size)
{
	double before = bench_rss();
	struct vhd *disk = bench_open_chain(bench_engine(0), chain, depth);
	struct vhd_error err;

	for (uint64_t off = 0; off < size; off += size / 4096) {
		uint8_t sector[512];

		bench_must(vhd_read_sector(disk, off / 512, sector, &err), &err);
	}
	return bench_rss() - before;
}

static double memory_large(void)
{
	return bench_rss_of("large", 1, LARGE_SIZE);
}

static double memory_large_10(void)
{
	return bench_rss_of("large10", 10, LARGE_SIZE);
}

static double memory_level(void)
{
	return (memory_large_10() - memory_large()) / 9;
}

static double memory_500(void)
{
	return bench_rss_of(names[2], 500, CHAIN_SIZE);
}

/* At its most, once it has looked at 256 places. */
static double memory_qcow2(void)
{
	return bench_number(
		"seq -f 'read -q %.0f 512' 0 1048576 $((255 << 20)) >q.in && python3 -c '"
		"import resource, subprocess\n"
		"subprocess.run([\"qemu-io\", \"-r\", \"-f\", \"qcow2\", \"q500.qcow2\"],"
		" stdin=open(\"q.in\"), stdout=open(\"q.out\", \"w\"), check=True)\n"
		"print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)'");
}

static void make_empty_chain(const char *prefix, unsigned depth)
{
	struct vhd_engine *own = bench_engine(0);
	struct vhd *parent = NULL;

	for (unsigned level = 0; level < depth; level++) {
		struct vhd_create_args args = {.type = parent ? VHD_DIFF : VHD_DYNAMIC,
					       .size = LARGE_SIZE};
		char name[64];
		struct vhd_error err;
		struct vhd_io io;
		struct vhd *disk;

		(void)snprintf(name, sizeof name, "%s-%u", prefix, level);
		io = bench_io(name, true);
		args.id[0] = 1;
		args.id[15] = (uint8_t)level;
		args.parent = parent;
		args.parent_path = "/pool/p.vhd";
		args.child_path = "/pool/c.vhd";
		bench_must(vhd_create(own, &io, &args, &disk, &err), &err);
		vhd_close(parent);
		parent = disk;
	}
	vhd_close(parent);
	vhd_engine_free(own);
}

/* The same layers; those that are written do not look at the ones below. */
static void make_qcow2_chain(void)
{
	(void)bench_process(
		"qemu-img create -q -f qcow2 q1.qcow2 256M && qemu-io -f qcow2 -c 'write -q 0 256M' q1.qcow2 && "
		"for n in $(seq 2 500); do"
		" qemu-img create -q -f qcow2 -u -b q$((n - 1)).qcow2 -F qcow2 q$n.qcow2 256M &&"
		" awk -v n=$n 'BEGIN { srand(n); for (i = 0; i < 64; i++)"
		" print \"write -q \" int(rand() * 65536) * 4096 \" 4096\" }' |"
		" qemu-io \"json:{'driver': 'qcow2', 'backing': null,"
		" 'file': {'driver': 'file', 'filename': 'q$n.qcow2'}}\" || exit; done");
}

void bench_prepare_chains(void)
{
	bench_make_chain(names[0], 1, CHAIN_SIZE);
	bench_make_chain(names[1], 100, CHAIN_SIZE);
	bench_make_chain(names[2], 500, CHAIN_SIZE);
	make_qcow2_chain();
	make_empty_chain("large", 1);
	make_empty_chain("large10", 10);
	engine = bench_engine(0);
	one = bench_open_chain(bench_engine(0), names[0], 1);
	deep = bench_open_chain(bench_engine(0), names[1], 100);
	deeper = bench_open_chain(engine, names[2], 500);
	(void)read_1();
	(void)read_100();
	(void)read_500();
}

struct job bench_chain_jobs[] = {
	{.goal = "G6", .name = "4 KiB random read, depth 1", .run = read_1, .unit = "us"},
	{.goal = "G6", .name = "  depth 100", .run = read_100, .unit = "us"},
	{.goal = "G6", .name = "  depth 500", .run = read_500, .unit = "us"},
	{.goal = "G6", .name = "  its preads alone", .run = read_bare, .unit = "us"},
	{.goal = "G6", .name = "  qcow2, depth 500", .run = read_qcow2, .unit = "us"},
	{.goal = "G7", .name = "sector location, depth 1", .run = locate_1, .unit = "us"},
	{.goal = "G7", .name = "  depth 100", .run = locate_100, .unit = "us"},
	{.goal = "G7", .name = "  depth 500", .run = locate_500, .unit = "us"},
	{.goal = "G9", .name = "open, depth 1", .run = open_1, .unit = "us"},
	{.goal = "G9", .name = "  depth 100", .run = open_100, .unit = "us"},
	{.goal = "G9", .name = "  depth 500", .run = open_500, .unit = "us"},
	{.goal = "G9", .name = "  depth 500, known", .run = open_500_known, .unit = "us"},
	{.goal = "G9", .name = "  qcow2, depth 500, process", .run = open_qcow2, .unit = "us"},
	{.goal = "G13", .name = "create 64 GiB, synced", .run = create_synced, .unit = "us"},
	{.goal = "G13", .name = "  without syncs", .run = create_unsynced, .unit = "us"},
	{.goal = "G13", .name = "  qemu-img create, process", .run = create_qemu, .unit = "us"},
	{.goal = "G13", .name = "snapshot of 1 GiB, synced", .run = snapshot_synced, .unit = "us"},
	{.goal = "G13", .name = "  without syncs", .run = snapshot_unsynced, .unit = "us"},
	{.goal = "G13",
	 .name = "snapshot of 2040 GiB, synced",
	 .run = snapshot_large_synced,
	 .unit = "us"},
	{.goal = "G13", .name = "  without syncs", .run = snapshot_large_unsynced, .unit = "us"},
	{.goal = "G14", .name = "memory, 2040 GiB", .run = memory_large, .unit = "MiB"},
	{.goal = "G14", .name = "  depth 10", .run = memory_large_10, .unit = "MiB"},
	{.goal = "G14", .name = "  each more level", .run = memory_level, .unit = "MiB"},
	{.goal = "G14", .name = "  256 MiB, depth 500", .run = memory_500, .unit = "MiB"},
	{.goal = "G14", .name = "  qcow2, depth 500, process", .run = memory_qcow2, .unit = "MiB"},
};
const int bench_n_chain_jobs = sizeof bench_chain_jobs / sizeof bench_chain_jobs[0];
