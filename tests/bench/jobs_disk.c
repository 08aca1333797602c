/* jobs_disk.c - G1 to G5: one disk, beside bare system calls and qemu. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum { MIB = 1 << 20, NEW_BLOCKS = 2000, QEMU_OPS = 5000 };

static uint8_t data[MIB];
static struct vhd_engine *engine;
static struct vhd *full; /* bench_size, written in pieces */
static int raw;          /* the same, bare */

/* ---- G1: sequential write into a fresh file ---- */

/* Where the engine puts it, or the file system allocates in other pieces. */
static off_t alike(uint64_t off)
{
	return (off_t)(off + 4096 * (1 + off / (2 << 20)));
}

static void write_alike(int fd)
{
	for (uint64_t off = 0; off < bench_size; off += MIB)
		bench_must_io(pwrite(fd, data, MIB, alike(off)), MIB);
}

/* A virtual machine has to ask its host for pages that were free for a while: those that are given
 * back now are there, in pieces as the next job wants them. */
static void warm(void)
{
	int fd = bench_fd("g1.warm", true);

	write_alike(fd);
	(void)close(fd);
	(void)unlink(bench_path("g1.warm"));
}

static double write_ours(void)
{
	struct vhd *disk = bench_create(engine, "g1.vhd", bench_size);
	struct vhd_error err;
	double start;

	warm();
	start = bench_now();
	for (uint64_t off = 0; off < bench_size; off += MIB)
		bench_must(vhd_write(disk, data, MIB, off, NULL, &err), &err);
	start = bench_now() - start;
	vhd_close(disk);
	(void)unlink(bench_path("g1.vhd"));
	return start;
}

static double write_raw(void)
{
	int fd = bench_fd("g1.raw", true);
	double start;

	warm();
	start = bench_now();
	write_alike(fd);
	start = bench_now() - start;
	(void)close(fd);
	(void)unlink(bench_path("g1.raw"));
	return start;
}

static double write_qemu(void)
{
	char args[200];
	double seconds;

	if (bench_process("qemu-img create -q -f vpc g1q.vhd 2G") < 0)
		return -1;
	warm();
	(void)snprintf(args, sizeof args, "-f vpc -w -s 1M -c %llu g1q.vhd",
		       (unsigned long long)(bench_size / MIB));
	seconds = bench_qemu(args);
	(void)unlink(bench_path("g1q.vhd"));
	return seconds;
}

/* ---- G2: 4 KiB, each in a new block ---- */

static double new_blocks_ours(void)
{
	struct vhd *disk = bench_create(engine, "g2.vhd", 8ULL << 30);
	struct rng rng = {2};
	struct vhd_error err;
	double start = bench_now();

	for (uint64_t i = 0; i < NEW_BLOCKS; i++)
		bench_must(vhd_write(disk, data, 4096,
				     i * 1999 % 4096 * (2 << 20) + bench_offset(&rng, 2 << 20),
				     NULL, &err),
			   &err);
	start = (bench_now() - start) / NEW_BLOCKS * 1e6;
	vhd_close(disk);
	return start;
}

static double new_blocks_qcow2(void)
{
	double seconds;

	if (bench_process("qemu-img create -q -f qcow2 g2.qcow2 8G") < 0)
		return -1;
	seconds = bench_qemu("-f qcow2 -w -s 4096 -S 4M -c 2000 g2.qcow2");
	return seconds < 0 ? seconds : seconds / NEW_BLOCKS * 1e6;
}

/* ---- G3: 4 KiB over what is there ---- */

/* A write into a large folio of the page cache takes twenty times as long as one into a small one,
 * and what was evicted and read again is in large ones. So each job lays its file out anew; what
 * the one before has left to be written back would go on beside it. */
static void evict(const char *name)
{
	int fd = bench_fd(name, false);

	bench_must_io(syncfs(fd), 0);
	bench_must_io(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	(void)close(fd);
}

static void lay_out_ours(void)
{
	struct vhd_error err;

	evict("full.vhd");
	for (uint64_t off = 0; off < bench_size; off += PIECE)
		bench_must(vhd_write(full, data, PIECE, off, NULL, &err), &err);
	bench_must(vhd_flush(full, 0, &err), &err);
}

static void lay_out_raw(void)
{
	evict("full.raw");
	for (uint64_t off = 0; off < bench_size; off += PIECE)
		bench_must_io(pwrite(raw, data, PIECE, alike(off)), PIECE);
	bench_must_io(fdatasync(raw), 0);
}

/* Negative without qemu. */
static double lay_out_qemu(const char *format, const char *file)
{
	char args[200];
	double seconds;

	if (access(bench_path(file), F_OK) < 0)
		return -1;
	evict(file);
	(void)snprintf(args, sizeof args, "-f %s -w -s 64k -c %llu %s", format,
		       (unsigned long long)(bench_size / PIECE), file);
	seconds = bench_qemu(args);
	sync();
	return seconds;
}

static double overwrite_ours(void)
{
	struct rng rng = {3};
	struct vhd_error err;
	double start;

	lay_out_ours();
	start = bench_now();
	for (int i = 0; i < RANDOM_OPS; i++)
		bench_must(vhd_write(full, data, 4096, bench_offset(&rng, bench_size), NULL, &err),
			   &err);
	return (bench_now() - start) / RANDOM_OPS * 1e6;
}

static double overwrite_raw(void)
{
	struct rng rng = {3};
	double start;

	lay_out_raw();
	start = bench_now();
	for (int i = 0; i < RANDOM_OPS; i++)
		bench_must_io(pwrite(raw, data, 4096, (off_t)bench_offset(&rng, bench_size)), 4096);
	return (bench_now() - start) / RANDOM_OPS * 1e6;
}

static double qemu_random(const char *format)
{
	double seconds = bench_qemu(format);

	return seconds < 0 ? seconds : seconds / QEMU_OPS * 1e6;
}

static double overwrite_vpc(void)
{
	if (lay_out_qemu("vpc", "peer.vhd") < 0)
		return -1;
	return qemu_random("-f vpc -w -s 4096 -S 7798784 -c 5000 peer.vhd");
}

static double overwrite_qcow2(void)
{
	if (lay_out_qemu("qcow2", "peer.qcow2") < 0)
		return -1;
	return qemu_random("-f qcow2 -w -s 4096 -S 7798784 -c 5000 peer.qcow2");
}

/* ---- G4: sequential read, cached ---- */

static double read_ours(void)
{
	static uint8_t buffer[MIB];
	struct vhd_error err;
	double start = bench_now();

	for (uint64_t off = 0; off < bench_size; off += MIB)
		bench_must(vhd_read(full, buffer, MIB, off, 0, &err), &err);
	return bench_now() - start;
}

static double read_raw(void)
{
	static uint8_t buffer[MIB];
	double start = bench_now();

	for (uint64_t off = 0; off < bench_size; off += MIB)
		bench_must_io(pread(raw, buffer, MIB, (off_t)off), MIB);
	return bench_now() - start;
}

static double read_qemu(const char *format, const char *file)
{
	char args[200];

	(void)snprintf(args, sizeof args, "-f %s -s 1M -c %llu %s", format,
		       (unsigned long long)(bench_size / MIB), file);
	return bench_qemu(args);
}

static double read_qemu_raw(void)
{
	return read_qemu("raw", "full.raw");
}

static double read_qemu_vpc(void)
{
	return read_qemu("vpc", "peer.vhd");
}

/* ---- G5: random 4 KiB read ---- */

static double pass_raw(void)
{
	uint8_t buffer[4096];
	struct rng rng = {5};
	double start = bench_now();

	for (int i = 0; i < RANDOM_OPS; i++)
		bench_must_io(pread(raw, buffer, 4096, (off_t)bench_offset(&rng, bench_size)),
			      4096);
	return (bench_now() - start) / RANDOM_OPS * 1e6;
}

static double pass_vpc(void)
{
	return qemu_random("-f vpc -s 4096 -S 7798784 -c 5000 peer.vhd");
}

/* The second time what is read is in memory. */
static double warmed(double (*pass)(void))
{
	return pass() < 0 ? -1 : pass();
}

static double random_ours(void)
{
	return bench_read_random(full, bench_size);
}

static double random_raw(void)
{
	return warmed(pass_raw);
}

static double random_vpc(void)
{
	return warmed(pass_vpc);
}

/* All laid out alike. */
void bench_prepare_disks(void)
{
	memset(data, 0xD7, sizeof data);
	engine = bench_engine(0);
	full = bench_create(engine, "full.vhd", bench_size);
	raw = bench_fd("full.raw", true);
	lay_out_ours();
	lay_out_raw();
	if (bench_process("qemu-img create -q -f vpc peer.vhd 2G && "
			  "qemu-img create -q -f qcow2 peer.qcow2 2G") < 0)
		return;
	(void)lay_out_qemu("vpc", "peer.vhd");
	(void)lay_out_qemu("qcow2", "peer.qcow2");
}

struct job bench_disk_jobs[] = {
	{.goal = "G1", .name = "sequential write, fresh", .run = write_ours, .unit = "s"},
	{.goal = "G1", .name = "  bare pwrite", .run = write_raw, .unit = "s"},
	{.goal = "G1", .name = "  qemu vpc", .run = write_qemu, .unit = "s"},
	{.goal = "G2",
	 .name = "4 KiB write, each in a new block",
	 .run = new_blocks_ours,
	 .unit = "us"},
	{.goal = "G2", .name = "  qcow2", .run = new_blocks_qcow2, .unit = "us"},
	{.goal = "G3", .name = "4 KiB overwrite", .run = overwrite_ours, .unit = "us"},
	{.goal = "G3", .name = "  bare pwrite", .run = overwrite_raw, .unit = "us"},
	{.goal = "G3", .name = "  qcow2", .run = overwrite_qcow2, .unit = "us"},
	{.goal = "G3", .name = "  qemu vpc", .run = overwrite_vpc, .unit = "us"},
	{.goal = "G4", .name = "sequential read, cached", .run = read_ours, .unit = "s"},
	{.goal = "G4", .name = "  bare pread", .run = read_raw, .unit = "s"},
	{.goal = "G4", .name = "  qemu raw", .run = read_qemu_raw, .unit = "s"},
	{.goal = "G4", .name = "  qemu vpc", .run = read_qemu_vpc, .unit = "s"},
	{.goal = "G5", .name = "4 KiB random read", .run = random_ours, .unit = "us"},
	{.goal = "G5", .name = "  bare pread", .run = random_raw, .unit = "us"},
	{.goal = "G5", .name = "  qemu vpc", .run = random_vpc, .unit = "us"},
};
const int bench_n_disk_jobs = sizeof bench_disk_jobs / sizeof bench_disk_jobs[0];
