/* test_fault.c - every call of a store, and every allocation, fails once: the answer says so,
 * nothing leaks, nothing that was there is lost, and what was not made durable was not called
 * durable. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fault.h"
#include "fault_world.h"
#include "must.h"
#include "test.h"

/* ---- scenarios: the work that is disturbed ---- */

static int create(struct world *world, enum vhd_type type, uint32_t block, struct vhd *parent,
		  struct vhd_error *err)
{
	struct vhd_create_args args = {.type = type, .size = WORLD_SIZE, .block_size = block};
	struct vhd_io io = world_io(world, NEW);
	int r;

	args.preallocate = type == VHD_FIXED;
	args.parent = parent;
	args.parent_path = "/pool/parent.vhd";
	args.child_path = "/pool/child.vhd";
	memset(args.id, 0x99, sizeof args.id);
	r = vhd_create(world->engine, &io, &args, &world->other, err);
	if (r < 0)
		vhd_io_close(&io);
	return r;
}

static int create_fixed(struct world *world, struct vhd_error *err)
{
	return create(world, VHD_FIXED, 0, NULL, err);
}

static int create_dynamic(struct world *world, struct vhd_error *err)
{
	return create(world, VHD_DYNAMIC, WORLD_BLOCK, NULL, err);
}

static int snapshot(struct world *world, struct vhd_error *err)
{
	int r = world_open(world, LEAF, VHD_WRITE, &world->disk, err);

	if (r == 0)
		r = world_write(world, 5000, 3000, 0x51, err);
	if (r == 0)
		r = create(world, VHD_DIFF, 0, world->disk, err);
	world->flushed = r == 0;
	return r;
}

static int open_for_reading(struct world *world, struct vhd_error *err)
{
	return world_open(world, BASE, 0, &world->disk, err);
}

static int open_for_writing(struct world *world, struct vhd_error *err)
{
	return world_open(world, BASE, VHD_WRITE, &world->disk, err);
}

static int open_chain(struct world *world, struct vhd_error *err)
{
	return world_open(world, LEAF, VHD_WRITE, &world->disk, err);
}

/* As after a power cut while a block was appended. */
static int recover(struct world *world, struct vhd_error *err)
{
	uint64_t size = memio_size(world->files[LEAF]);
	uint8_t junk[512];

	memset(junk, 0xEE, sizeof junk);
	memio_poke(world->files[LEAF], junk, sizeof junk, size - 512);
	memio_poke(world->files[LEAF], junk, sizeof junk, size + 40960);
	return world_open(world, LEAF, VHD_WRITE | VHD_RECOVER, &world->disk, err);
}

static int work(struct world *world, uint64_t off, size_t len, struct vhd_error *err)
{
	int r = world_open(world, world->target, VHD_WRITE, &world->disk, err);

	if (r == 0)
		r = world_write(world, off, len, 0x61, err);
	return r == 0 ? world_flush(world, err) : r;
}

static int write_new_block(struct world *world, struct vhd_error *err)
{
	return work(world, 3 * WORLD_BLOCK, 8192, err);
}

static int write_existing(struct world *world, struct vhd_error *err)
{
	return work(world, 1024, 512, err);
}

static int write_under_clear_bits(struct world *world, struct vhd_error *err)
{
	return work(world, 4096, 4096, err);
}

static int write_partial_sectors(struct world *world, struct vhd_error *err)
{
	return work(world, 700, 1000, err);
}

static int write_many_blocks(struct world *world, struct vhd_error *err)
{
	return work(world, WORLD_BLOCK - 1000, 2 * WORLD_BLOCK + 2000, err);
}

static int write_twice(struct world *world, struct vhd_error *err)
{
	int r = work(world, WORLD_BLOCK, 1024, err);

	world->flushed = false;
	if (r == 0)
		memcpy(world->before, world->after, WORLD_SIZE);
	if (r == 0)
		r = world_write(world, WORLD_BLOCK + 512, 1024, 0x62, err);
	return r == 0 ? world_flush(world, err) : r;
}

static int zero(struct world *world, struct vhd_error *err)
{
	int r = world_open(world, world->target, VHD_WRITE, &world->disk, err);

	if (r == 0)
		r = world_zero(world, 300, WORLD_BLOCK + 20000, err);
	return r == 0 ? world_flush(world, err) : r;
}

static int set_footer(struct world *world, struct vhd_error *err)
{
	static const struct vhd_footer footer = {.saved_state = true, .temporary = true};
	int r = world_open(world, world->target, VHD_WRITE, &world->disk, err);

	if (r == 0)
		r = world_write(world, 100, 1000, 0x64, err);
	if (r == 0 && world->target != FIXED)
		r = world_write(world, 3 * WORLD_BLOCK, 1000, 0x65, err);
	if (r == 0)
		r = vhd_set_footer(world->disk, &footer, err);
	world->flushed = world->footer_set = r == 0;
	return r;
}

static int freeze_and_thaw(struct world *world, struct vhd_error *err)
{
	int r = world_open(world, LEAF, VHD_WRITE, &world->disk, err);

	if (r == 0)
		r = world_write(world, 100, 1000, 0x63, err);
	if (r == 0)
		r = vhd_freeze(world->disk, err);
	world->flushed = r == 0;
	return r == 0 ? vhd_thaw(world->disk, err) : r;
}

static int read_all(struct world *world, struct vhd_error *err)
{
	uint8_t *buf = must_alloc(WORLD_SIZE);
	int r = world_open(world, LEAF, 0, &world->disk, err);

	if (r == 0)
		r = vhd_read(world->disk, buf, WORLD_SIZE - 3, 1, 0, err);
	if (r == 0)
		r = vhd_read_sector(world->disk, 2, buf, err);
	must_free(buf);
	return r < 0 ? r : 0;
}

static int locate(struct world *world, struct vhd_error *err)
{
	struct vhd_run runs[16];
	struct vhd_extent extents[16];
	struct vhd_run_list run_list = {runs, 16, 0};
	struct vhd_extent_list extent_list = {extents, 16, 0};
	struct vhd_step steps[3];
	int r = world_open(world, LEAF, 0, &world->disk, err);

	if (r == 0)
		r = vhd_get_sector_location(world->disk, 1, 0, runs, err);
	if (r == 0)
		r = vhd_get_sector_locations(world->disk, 0, 4096, 0, &run_list, err);
	if (r == 0)
		r = vhd_extents(world->disk, 0, WORLD_SIZE, 0, &extent_list, err);
	if (r == 0)
		r = vhd_trace(world->disk, 0, 0, &(struct vhd_step_list){steps, 3, 0}, err);
	return r < 0 ? r : 0;
}

static int nothing(void *ctx, const struct vhd_region *region)
{
	(void)ctx;
	(void)region;
	return 0;
}

static int layout(struct world *world, struct vhd_error *err)
{
	int r = world_open(world, LEAF, 0, &world->disk, err);
	uint64_t size;

	if (r == 0)
		r = vhd_layout(world->disk, nothing, NULL, err);
	return r == 0 ? vhd_file_size(world->disk, &size, err) : r;
}

/* What the file says of itself. */
static int describe(struct world *world, struct vhd_error *err)
{
	struct vhd_locator locators[VHD_LOCATORS];
	char text[VHD_LOCATOR_TEXT];
	uint32_t blocks;
	int r = world_open(world, LEAF, VHD_WRITE, &world->disk, err);

	if (r == 0)
		r = world_write(world, 100, 1000, 0x64, err);
	if (r == 0)
		r = vhd_locators(world->disk, locators, err);
	if (r == 0)
		r = vhd_field(world->disk, "parent-locator-0", text, sizeof text, err);
	if (r == 0)
		r = vhd_allocated_blocks(world->disk, &blocks, err);
	return r == 0 ? vhd_check_blocks(world->disk, err) : r;
}

static const struct scenario {
	const char *name;
	enum world_file target;
	int (*run)(struct world *world, struct vhd_error *err);
} scenarios[] = {
	{"create fixed", FIXED, create_fixed},
	{"create dynamic", BASE, create_dynamic},
	{"snapshot", LEAF, snapshot},
	{"open for reading", BASE, open_for_reading},
	{"open for writing", BASE, open_for_writing},
	{"open chain", LEAF, open_chain},
	{"recover", LEAF, recover},
	{"write new block of a root", BASE, write_new_block},
	{"write new block of a child", LEAF, write_new_block},
	{"write existing sector", LEAF, write_existing},
	{"write under clear bits", LEAF, write_under_clear_bits},
	{"write partial sectors", LEAF, write_partial_sectors},
	{"write partial sectors of a root", BASE, write_partial_sectors},
	{"write many blocks", LEAF, write_many_blocks},
	{"write twice", LEAF, write_twice},
	{"write fixed", FIXED, write_partial_sectors},
	{"zero a root", BASE, zero},
	{"zero a child", LEAF, zero},
	{"zero fixed", FIXED, zero},
	{"set the footer of a root", BASE, set_footer},
	{"set the footer of a child", LEAF, set_footer},
	{"set the footer of a fixed disk", FIXED, set_footer},
	{"freeze and thaw", LEAF, freeze_and_thaw},
	{"read", LEAF, read_all},
	{"locate", LEAF, locate},
	{"layout", LEAF, layout},
	{"describe", LEAF, describe},
};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

/* ---- faults ---- */

struct fault_kind {
	const char *name;
	int sys;
	unsigned ops;
	enum vhd_code code;
};
static const struct fault_kind kinds[] = {
	{"EIO", EIO, FAULT_ALL, VHD_E_IO},
	{"ENOSPC", ENOSPC, FAULT_WRITE | FAULT_RESIZE | FAULT_ALLOCATE | FAULT_FLUSH | FAULT_PUNCH,
	 VHD_E_NOSPC},
	{"EDQUOT", EDQUOT, FAULT_WRITE | FAULT_RESIZE | FAULT_ALLOCATE | FAULT_FLUSH, VHD_E_NOSPC},
	{"EAGAIN", EAGAIN, FAULT_LOCK, VHD_E_BUSY},
};

static unsigned long runs;
static struct world the_world; /* one for all the runs: it is large */

/* Texts of locators are advice: what cannot be read is not followed, and the parent is found by its
 * id. They lie between the table and the first block. */
static bool only_advice(const struct world *world)
{
	return world->target == LEAF && world->faults.last == FAULT_READ &&
	       world->faults.last_off >= 2048 && world->faults.last_off < 2048 + 4 * 512;
}

/* The table of a parent, or a bitmap, right before data that begins on 4 KiB. Where the child has
 * all that was asked for, it hides only sectors beside it. */
static bool only_beside(const struct scenario *scenario, const struct faults *faults)
{
	uint64_t off = faults->last_off;

	return (scenario->run == write_partial_sectors || scenario->run == locate) &&
	       faults->last == FAULT_READ && (off < 4096 || off % 4096 == 4096 - 512);
}

static void check_code(const struct scenario *scenario, const struct fault_kind *kind, int r,
		       const char *what)
{
	const struct world *world = &the_world;

	if (r == 0 && !world->faults.for_ever && only_advice(world))
		return;
	if (r == 0 && only_beside(scenario, &world->faults))
		return;
	if (r == 0)
		fail_msg("%s: a failed call (op %u) became a success", what, world->faults.last);
	if (r != (int)kind->code && r != VHD_E_FAILED)
		fail_msg("%s: code %d", what, r);
}

/* Runs a scenario with call `n` failing; false when it came through untouched. */
static bool run_once(const struct scenario *scenario, const struct fault_kind *kind, long n,
		     bool for_ever, bool torn)
{
	struct world *world = &the_world;
	struct vhd_error err = {.text = ""};
	char what[200];
	bool touched;
	int r;

	world_init(world, scenario->target);
	world->faults = (struct faults){.ops = kind->ops,
					.sys = kind->sys,
					.fail_at = n,
					.for_ever = for_ever,
					.torn = torn};
	r = scenario->run(world, &err);
	touched = world->faults.failed > 0;
	(void)snprintf(what, sizeof what, "%s, %s %s at call %ld, op %u", scenario->name,
		       kind->name, for_ever ? "for ever" : "once", n, world->faults.last);
	if (touched)
		check_code(scenario, kind, r, what);
	else if (r < 0)
		fail_msg("%s: nothing failed, and yet: %s", what, err.text);
	if (touched && world->faults.last == FAULT_FLUSH)
		assert_false(world->flushed);
	world_check(world, what);
	world_fini(world);
	runs++;
	return touched;
}

/* Once, for ever, and once with half of a write done; each time one call later, until none is left
 * to fail. */
static void fail_every_call(const struct scenario *scenario, const struct fault_kind *kind)
{
	for (int mode = 0; mode < 3; mode++) {
		long n = 0;

		while (run_once(scenario, kind, n, mode == 1, mode == 2))
			n++;
	}
}

static void survives_a_failing_store(void **state)
{
	(void)state;
	for (size_t s = 0; s < SCENARIOS; s++) {
		for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
			fail_every_call(&scenarios[s], &kinds[k]);
	}
	printf("%lu runs with a failing store\n", runs);
}

/* ---- allocations ---- */

static bool run_without_memory(const struct scenario *scenario, long n, bool for_ever)
{
	struct world *world = &the_world;
	struct vhd_error err = {.text = ""};
	char what[200];
	long failed;
	int r;

	world_init(world, scenario->target);
	alloc_fault_arm(n, for_ever);
	r = scenario->run(world, &err);
	alloc_fault_disarm();
	failed = alloc_fault_failed();
	(void)snprintf(what, sizeof what, "%s, allocation %ld fails %s", scenario->name, n,
		       for_ever ? "for ever" : "once");
	if (r < 0 && (failed == 0 || (r != VHD_E_NOMEM && r != VHD_E_FAILED)))
		fail_msg("%s: code %d: %s", what, r, err.text);
	world_check(world, what);
	world_fini(world);
	runs++;
	return failed > 0;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	runs = 0;
	for (size_t s = 0; s < SCENARIOS; s++) {
		for (int for_ever = 0; for_ever < 2; for_ever++) {
			long n = 0;

			while (run_without_memory(&scenarios[s], n, for_ever))
				n++;
		}
	}
	printf("%lu runs with a failing allocation\n", runs);
}

/* ---- a full store ---- */

/* Writes with the call after `n` good ones failing; the file and the count of blocks must be as
 * before. */
static void write_when_full(struct world *world, long n)
{
	uint64_t size = memio_size(world->files[world->target]);
	struct vhd_state before, after;
	struct vhd_error err;

	vhd_state(world->disk, &before);
	world->faults = (struct faults){.ops = FAULT_WRITE, .sys = ENOSPC, .fail_at = n};
	assert_int_equal(world_write(world, 3 * WORLD_BLOCK, 4096, 0x71, &err), VHD_E_NOSPC);
	assert_non_null(strstr(err.text, "block 3"));
	assert_non_null(strstr(err.text, strerror(ENOSPC)));
	vhd_state(world->disk, &after);
	assert_int_equal(memio_size(world->files[world->target]), size);
	assert_int_equal(after.allocated, before.allocated);
	assert_false(after.failed);
}

static void forgets_a_block_that_found_no_room(void **state)
{
	static const enum world_file targets[] = {BASE, LEAF};
	struct world *world = &the_world;
	struct vhd_error err;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		world_init(world, targets[i]);
		assert_int_equal(world_open(world, targets[i], VHD_WRITE, &world->disk, &err), 0);
		write_when_full(world, 0); /* growing the file */
		write_when_full(world, 1); /* the data */
		assert_int_equal(world_write(world, 0, 4096, 0x72, &err), 0);
		assert_int_equal(world_flush(world, &err), 0);
		memset(world->after + 3 * WORLD_BLOCK, 0, 4096);
		world_check(world, "after a full store");
		world_fini(world);
	}
}

/* After a failed sync the cache may have what the device has not, and no later sync says so:
 * recovery goes by the device. */
static void recovery_believes_the_device(void **state)
{
	static uint8_t got[WORLD_SIZE];
	static const enum world_file targets[] = {BASE, LEAF, FIXED};
	struct world *world = &the_world;
	struct vhd_error err;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		world_init(world, targets[i]);
		assert_int_equal(world_open(world, targets[i], VHD_WRITE, &world->disk, &err), 0);
		assert_int_equal(world_write(world, 1024, 512, 0x73, &err), 0);
		world->faults = (struct faults){.ops = FAULT_FLUSH, .sys = EIO};
		assert_int_equal(world_flush(world, &err), VHD_E_IO);
		assert_int_equal(world_flush(world, &err), VHD_E_FAILED);
		vhd_close(world->disk);
		assert_int_equal(
			world_open(world, targets[i], VHD_WRITE | VHD_RECOVER, &world->disk, &err),
			0);
		assert_int_equal(vhd_read(world->disk, got, WORLD_SIZE, 0, 0, &err), 0);
		assert_memory_equal(got, world->before, WORLD_SIZE);
		world_fini(world);
	}
}

static int setup(void **state)
{
	(void)state;
	world_prepare();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_forget();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_a_failing_store),
		cmocka_unit_test(survives_lack_of_memory),
		cmocka_unit_test(forgets_a_block_that_found_no_room),
		cmocka_unit_test(recovery_believes_the_device),
	};

	return cmocka_run_group_tests_name("fault", tests, setup, teardown);
}
