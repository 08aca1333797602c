/* fault_world.c - see the header. */
#include "fault_world.h"

#include <stdio.h>
#include <string.h>

#include "must.h"
#include "reader.h"
#include "test.h"

static struct memio *originals[WORLD_FILES];
static uint8_t contents[WORLD_FILES][WORLD_SIZE];

static void must_work(int r, const struct vhd_error *err)
{
	if (r < 0)
		fail_msg("preparing: %s", err->text);
}

/* ---- the images before the work ---- */

static void paint(struct vhd *disk, enum world_file file, uint64_t off, size_t len, uint8_t byte)
{
	uint8_t *data = must_alloc(len);
	struct vhd_error err;

	memset(data, byte, len);
	memset(contents[file] + off, byte, len);
	must_work(vhd_write(disk, data, len, off, NULL, &err), &err);
	must_work(vhd_flush(disk, 0, &err), &err);
	must_free(data);
}

static struct vhd *make(struct vhd_engine *engine, enum world_file file, struct vhd *parent)
{
	struct vhd_create_args args = {.type = parent ? VHD_DIFF : VHD_DYNAMIC, .timestamp = 1};
	struct vhd_error err;
	struct vhd_io io;
	struct vhd *disk;

	if (file == FIXED)
		args.type = VHD_FIXED;
	args.size = WORLD_SIZE;
	args.block_size = file == FIXED ? 0 : WORLD_BLOCK;
	args.parent = parent;
	args.parent_path = "/pool/parent.vhd";
	args.child_path = "/pool/child.vhd";
	memset(args.id, 1 + (int)file, sizeof args.id);
	originals[file] = memio_new(NULL);
	io = memio_io(originals[file]);
	must_work(vhd_create(engine, &io, &args, &disk, &err), &err);
	if (parent)
		memcpy(contents[file], contents[file - 1], WORLD_SIZE);
	return disk;
}

void world_prepare(void)
{
	struct vhd_engine_args args = {0};
	struct vhd_engine *engine;
	struct vhd *base, *mid, *leaf, *fixed;

	assert_int_equal(vhd_engine_new(&args, &engine, NULL), 0);
	base = make(engine, BASE, NULL);
	paint(base, BASE, 0, 4096, 0x11);
	paint(base, BASE, WORLD_BLOCK + 1024, 8192, 0x12);
	mid = make(engine, MID, base);
	paint(mid, MID, 512, 1024, 0x21);
	leaf = make(engine, LEAF, mid);
	paint(leaf, LEAF, 1024, 512, 0x31);
	paint(leaf, LEAF, 2 * WORLD_BLOCK, 512, 0x32);
	fixed = make(engine, FIXED, NULL);
	paint(fixed, FIXED, 4096, 4096, 0x41);
	originals[NEW] = memio_new(NULL);
	vhd_close(fixed);
	vhd_close(leaf);
	vhd_close(mid);
	vhd_close(base);
	vhd_engine_free(engine);
}

void world_forget(void)
{
	for (int i = 0; i < WORLD_FILES; i++)
		memio_free(originals[i]);
}

/* ---- a run ---- */

void world_init(struct world *world, enum world_file target)
{
	struct vhd_engine_args args = {0};

	memset(world, 0, sizeof *world);
	world->target = target;
	world->faults = (struct faults){.ops = FAULT_ALL, .fail_at = -1};
	for (int i = 0; i < WORLD_FILES; i++)
		world->files[i] = memio_clone(originals[i], NULL);
	/* A failed sync may leave in memory what the device does not have, and the next one says
	 * nothing of it. */
	for (int i = 0; i < WORLD_FILES; i++)
		memio_use_device(world->files[i]);
	memcpy(world->before, contents[target], WORLD_SIZE);
	memcpy(world->after, contents[target], WORLD_SIZE);
	assert_int_equal(vhd_engine_new(&args, &world->engine, NULL), 0);
}

static void close_all(struct world *world)
{
	vhd_close(world->disk);
	vhd_close(world->other);
	world->disk = world->other = NULL;
}

void world_fini(struct world *world)
{
	close_all(world);
	vhd_engine_free(world->engine);
	for (int i = 0; i < WORLD_FILES; i++)
		memio_free(world->files[i]);
}

struct vhd_io world_io(struct world *world, enum world_file file)
{
	return faultio_wrap(memio_io(world->files[file]), &world->faults);
}

static int resolve(void *ctx, const struct vhd_parent_ref *ref, struct vhd_io *ret_io,
		   struct vhd_error *err)
{
	(void)err;
	*ret_io = world_io(ctx, (enum world_file)(ref->id[0] - 1));
	return 0;
}

int world_open(struct world *world, enum world_file file, unsigned flags, struct vhd **ret_disk,
	       struct vhd_error *err)
{
	struct vhd_resolver resolver = {resolve, world};
	struct vhd_io io = world_io(world, file);
	int r = vhd_open(world->engine, &io, flags, &resolver, ret_disk, err);

	if (r < 0)
		vhd_io_close(&io);
	return r;
}

int world_write(struct world *world, uint64_t off, size_t len, uint8_t byte, struct vhd_error *err)
{
	memset(world->after + off, byte, len);
	return vhd_write(world->disk, world->after + off, len, off, NULL, err);
}

int world_zero(struct world *world, uint64_t off, size_t len, struct vhd_error *err)
{
	memset(world->after + off, 0, len);
	return vhd_zero(world->disk, off, len, NULL, err);
}

int world_flush(struct world *world, struct vhd_error *err)
{
	int r = vhd_flush(world->disk, 0, err);

	world->flushed = r == 0;
	return r;
}

/* ---- afterwards ---- */

static void check_content(struct world *world, struct vhd *disk, const char *what)
{
	static uint8_t got[WORLD_SIZE];
	struct vhd_error err;

	if (vhd_read(disk, got, WORLD_SIZE, 0, 0, &err) < 0)
		fail_msg("%s: read: %s", what, err.text);
	for (size_t at = 0; at < WORLD_SIZE; at += 512) {
		bool old = !world->flushed && memcmp(got + at, world->before + at, 512) == 0;

		if (!old && memcmp(got + at, world->after + at, 512) != 0)
			fail_msg("%s: sector %zu is neither old nor new: %02x", what, at / 512,
				 got[at]);
	}
}

/* A failed disk answers nothing but that; any other one works. */
static void check_open_disk(struct world *world, const char *what)
{
	struct vhd_state state;
	struct vhd_error err;

	vhd_state(world->disk, &state);
	if (state.failed) {
		assert_int_equal(vhd_write(world->disk, "x", 1, 0, NULL, &err), VHD_E_FAILED);
		assert_non_null(strstr(err.text, "reopen the image with recovery"));
		assert_int_equal(vhd_flush(world->disk, 0, &err), VHD_E_FAILED);
		return;
	}
	check_content(world, world->disk, what);
	if (!state.writable || state.frozen)
		return;
	if (world_write(world, 3 * WORLD_BLOCK + 512, 700, 0x77, &err) < 0 ||
	    vhd_flush(world->disk, 0, &err) < 0)
		fail_msg("%s: the disk is not failed, and does not work: %s", what, err.text);
	memcpy(world->before + 3 * WORLD_BLOCK + 512, world->after + 3 * WORLD_BLOCK + 512, 700);
}

static void check_footer(struct world *world, const struct vhd *disk, const char *what)
{
	struct vhd_state state;

	vhd_state(disk, &state);
	if (state.saved_state != state.temporary || (world->footer_set && !state.saved_state))
		fail_msg("%s: the footer says %d and %d", what, state.saved_state, state.temporary);
}

static void check_file(struct world *world, const char *what)
{
	struct reader reader;

	if (world->target == FIXED)
		return;
	if (!reader_open(&reader, world->files[world->target]) || !reader_tail_is_tight(&reader) ||
	    (world->target == BASE && !reader_bits_full(&reader)))
		fail_msg("%s: after recovery: %s", what, reader.what);
	reader_close(&reader);
}

void world_check(struct world *world, const char *what)
{
	struct vhd_error err;
	struct vhd *disk;

	world->faults.fail_at = -1;
	if (world->disk)
		check_open_disk(world, what);
	close_all(world);
	if (world_open(world, world->target, VHD_WRITE | VHD_RECOVER, &disk, &err) < 0)
		fail_msg("%s: lost: %s", what, err.text);
	check_content(world, disk, what);
	check_footer(world, disk, what);
	check_file(world, what);
	vhd_close(disk);
}
