/* crash_ops.c - random work on the rig, and the states of every point it passes. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crash_rig.h"
#include "image_builder.h"
#include "must.h"
#include "test.h"

enum { SECTOR = 512, SECTORS_MAX = 6 };

/* ---- points ---- */

/* All events that came since the last call, each with the states that it makes possible. */
static bool walk(struct rig *rig)
{
	while (crash_step(&rig->crash)) {
		if (memjournal_event(rig->journal, rig->crash.upto - 1)->kind == MEM_FLUSH)
			rig_forget(rig);
		(void)crash_each(&rig->crash, rig->limit, true, &rig->rng, rig_check_state, rig);
		if (rig->what[0])
			return false;
	}
	return true;
}

/* After an answer that promises something, the states of the same point may hold less. */
static bool promised(struct rig *rig)
{
	(void)crash_each(&rig->crash, rig->limit, false, &rig->rng, rig_check_state, rig);
	return rig->what[0] == '\0';
}

/* ---- writes ---- */

struct request {
	struct rig *rig;
	int image;
	uint64_t off;
	size_t len;
	uint8_t data[SECTORS_MAX * SECTOR];
	int r;
	struct vhd_error err;
};

/* What a guest may write to confuse recovery: a valid footer of this very disk, another size in it.
 */
static void fake_footer(struct rig *rig, int image, uint8_t bytes[SECTOR])
{
	memio_peek(rig->images[image].file, bytes, SECTOR, 0);
	builder_put64(bytes + F_CURRENT_SIZE, rig->size / 1024 * 512);
	bytes[100] = (uint8_t)rng_next(&rig->rng);
	builder_put32(bytes + F_CHECKSUM, builder_checksum(bytes, SECTOR, F_CHECKSUM));
}

static uint64_t some_sector(struct rig *rig)
{
	static const uint64_t places[] = {0, 1, 2, 3, 7, 8, 9, 500, 1016, 1023};
	uint64_t block = rng_below(&rig->rng, rng_one_in(&rig->rng, 3) ? 8 : 3);
	uint64_t sector = block * (rig->block_size / SECTOR) + places[rng_below(&rig->rng, 10)];

	return sector < rig->size / SECTOR - SECTORS_MAX ? sector : 0;
}

static void make_request(struct rig *rig, int image, struct request *request)
{
	size_t sectors =
		1 + (size_t)rng_below(&rig->rng, rng_one_in(&rig->rng, 4) ? SECTORS_MAX : 2);

	request->rig = rig;
	request->image = image;
	request->off = some_sector(rig) * SECTOR;
	request->len = sectors * SECTOR;
	rng_fill(&rig->rng, request->data, sizeof request->data);
	if (rng_one_in(&rig->rng, 8))
		fake_footer(rig, image, request->data);
	if (rng_one_in(&rig->rng, 4)) {
		request->off += rng_below(&rig->rng, SECTOR);
		request->len = 1 + (size_t)rng_below(&rig->rng, request->len - SECTOR + 1);
	}
}

/* The values that the sectors of a range get when `data` (NULL: zeroes) is laid over what they
 * show. */
static void note_range(struct rig *rig, int image, uint64_t off, size_t len, const uint8_t *data)
{
	while (len > 0) {
		size_t room = SECTOR - off % SECTOR, n = len < room ? len : room;
		uint8_t bytes[SECTOR];

		memcpy(bytes, rig_live(rig, image, off / SECTOR), SECTOR);
		if (data)
			memcpy(bytes + off % SECTOR, data, n), data += n;
		else
			memset(bytes + off % SECTOR, 0, n);
		rig_note(rig, image, off / SECTOR, rig_value(rig, bytes));
		off += n, len -= n;
	}
}

static void *write_thread(void *ctx)
{
	struct request *request = ctx;

	request->r = vhd_write(request->rig->images[request->image].disk, request->data,
			       request->len, request->off, NULL, &request->err);
	return NULL;
}

static bool block_in_flight(const struct rig *rig, const struct rig_image *image, uint64_t block)
{
	for (size_t i = 0; i < image->n_sectors; i++) {
		if (image->sectors[i].sector / (rig->block_size / SECTOR) == block &&
		    image->sectors[i].n > 1)
			return true;
	}
	return false;
}

/* A sector that the image leaves to its parent, in a block whose metadata is in flight: if a flush
 * showed its bit before its data is durable, the parent's bytes would be gone. */
static void ask_in_flight(struct rig *rig, int image, struct request *request)
{
	const struct rig_image *of = &rig->images[image];
	const struct rig_image *parent = of->parent < 0 ? NULL : &rig->images[of->parent];
	size_t start = parent ? (size_t)rng_below(&rig->rng, parent->n_sectors + 1) : 0;

	for (size_t i = 0; parent && i < parent->n_sectors; i++) {
		uint64_t sector = parent->sectors[(start + i) % parent->n_sectors].sector;

		if (rig_find(of, sector) ||
		    !block_in_flight(rig, of, sector / (rig->block_size / SECTOR)))
			continue;
		request->off = sector * SECTOR;
		request->len = SECTOR;
		return;
	}
}

/* Another client's write while a flush waits for the disk: it may not wait for the flush. */
static void write_in_flush(void *ctx, unsigned file)
{
	struct rig *rig = ctx;
	struct request request;
	struct timespec until;
	pthread_t thread;

	if (!rig->hook || !rig->images[file].active || rng_one_in(&rig->rng, 3))
		return;
	make_request(rig, (int)file, &request);
	if (rig->keen || rng_one_in(&rig->rng, 2))
		ask_in_flight(rig, (int)file, &request);
	note_range(rig, request.image, request.off, request.len, request.data);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	assert_int_equal(pthread_create(&thread, NULL, write_thread, &request), 0);
	if (pthread_timedjoin_np(thread, NULL, &until) == ETIMEDOUT)
		fail_msg("a write waits for the sync of a flush");
	if (request.r < 0)
		(void)rig_wrong(rig, "write in a flush: %s", request.err.text);
}

static int try_write(struct rig *rig, int image, struct vhd_error *err)
{
	struct request request;

	make_request(rig, image, &request);
	note_range(rig, image, request.off, request.len, request.data);
	(void)write_thread(&request);
	*err = request.err;
	return request.r;
}

static bool op_write(struct rig *rig, int image)
{
	struct vhd_error err;

	if (try_write(rig, image, &err) < 0)
		return rig_wrong(rig, "write: %s", err.text);
	return walk(rig);
}

/* Sectors that nobody ever wrote are zero before and after. */
static void note_zeroes(struct rig *rig, int image, uint64_t first, uint64_t count)
{
	for (int at = image; at >= 0; at = rig->images[at].parent) {
		for (size_t i = 0; i < rig->images[at].n_sectors; i++) {
			uint64_t sector = rig->images[at].sectors[i].sector;

			if (sector >= first && sector < first + count)
				rig_note(rig, image, sector, RIG_ZERO);
		}
	}
}

static int try_zero(struct rig *rig, int image, struct vhd_error *err)
{
	uint64_t first = some_sector(rig), count = 1 + rng_below(&rig->rng, SECTORS_MAX);
	uint64_t per_block = rig->block_size / SECTOR;

	if (rng_one_in(&rig->rng, 3)) {
		first = rng_below(&rig->rng, 4) * per_block;
		count = per_block + rng_below(&rig->rng, 3);
	}
	note_zeroes(rig, image, first, count);
	return vhd_zero(rig->images[image].disk, first * SECTOR, count * SECTOR, NULL, err);
}

static bool op_zero(struct rig *rig, int image)
{
	struct vhd_error err;

	if (try_zero(rig, image, &err) < 0)
		return rig_wrong(rig, "zero: %s", err.text);
	return walk(rig);
}

/* ---- promises ---- */

static bool flush(struct rig *rig, int image, bool hook)
{
	uint64_t when = rig->clock;
	struct vhd_error err;

	rig->hook = hook;
	if (vhd_flush(rig->images[image].disk, 0, &err) < 0)
		return rig_wrong(rig, "flush: %s", err.text);
	rig->hook = false;
	if (!walk(rig))
		return false;
	rig_durable(rig, image, when);
	return promised(rig);
}

static bool op_flush(struct rig *rig, int image)
{
	return flush(rig, image, rig->keen || rng_one_in(&rig->rng, 3));
}

static bool op_freeze(struct rig *rig, int image)
{
	struct vhd_error err;

	if (vhd_freeze(rig->images[image].disk, &err) < 0)
		return rig_wrong(rig, "freeze: %s", err.text);
	if (!walk(rig))
		return false;
	rig_durable(rig, image, rig->clock);
	if (vhd_thaw(rig->images[image].disk, &err) < 0)
		return rig_wrong(rig, "thaw: %s", err.text);
	return promised(rig);
}

/* What came before it is durable after it, too. */
static int try_set_footer(struct rig *rig, int image, unsigned fields, struct vhd_error *err)
{
	const struct vhd_footer footer = {.saved_state = fields & 1, .temporary = fields & 2};

	rig->images[image].footers |= 1U << fields;
	return vhd_set_footer(rig->images[image].disk, &footer, err);
}

static bool op_set_footer(struct rig *rig, int image)
{
	unsigned fields = (unsigned)rng_below(&rig->rng, 4);
	uint64_t when = rig->clock;
	struct vhd_error err;

	if (try_set_footer(rig, image, fields, &err) < 0)
		return rig_wrong(rig, "set footer: %s", err.text);
	if (!walk(rig))
		return false;
	rig->images[image].footers = 1U << fields;
	rig_durable(rig, image, when);
	return promised(rig);
}

static struct vhd_io image_io(struct rig_image *image)
{
	return faultio_wrap(memio_io(image->file), &image->faults);
}

static bool open_again(struct rig *rig, int image, unsigned flags)
{
	struct rig_files files = {.rig = rig};
	struct vhd_resolver resolver = rig_resolver(&files);
	struct rig_image *of = &rig->images[image];
	struct vhd_error err;
	struct vhd_io io;

	vhd_close(of->disk);
	of->disk = NULL;
	for (int i = 0; i < rig->n_images; i++)
		files.files[i] = rig->images[i].file;
	io = image_io(of);
	if (vhd_open(rig->engine, &io, flags, &resolver, &of->disk, &err) < 0) {
		vhd_io_close(&io);
		return rig_wrong(rig, "reopen: %s", err.text);
	}
	return true;
}

static bool op_reopen(struct rig *rig, int image)
{
	return flush(rig, image, false) && open_again(rig, image, VHD_WRITE) && walk(rig) &&
	       promised(rig);
}

/* ---- calls of the store that fail ---- */

/* Files are synced before they are read again: what is read then is on the disk. */
static bool recover(struct rig *rig, int image)
{
	struct vhd_io io = memio_io(rig->images[image].file);

	assert_int_equal(io.ops->flush(io.store), 0);
	vhd_io_close(&io);
	return open_again(rig, image, VHD_WRITE | VHD_RECOVER);
}

/* After a failure each sector is old or new: what it shows from now on is the last thing that was
 * written to it. */
static bool settle(struct rig *rig, int image)
{
	struct rig_image *of = &rig->images[image];
	struct vhd_state now;

	vhd_state(of->disk, &now);
	if (now.failed && !recover(rig, image))
		return false;
	for (size_t i = 0; i < of->n_sectors; i++) {
		uint64_t sector = of->sectors[i].sector;
		uint8_t bytes[SECTOR];
		struct vhd_error err;

		if (vhd_read(of->disk, bytes, SECTOR, sector * SECTOR, 0, &err) < 0)
			return rig_wrong(rig, "read after a failure: %s", err.text);
		if (!rig_allows(rig, image, sector, bytes))
			return rig_wrong(rig, "sector %u is neither old nor new after a failure",
					 (unsigned)sector);
		if (memcmp(bytes, rig_live(rig, image, sector), SECTOR) != 0)
			rig_note(rig, image, sector, rig_value(rig, bytes));
	}
	return true;
}

static bool op_fail(struct rig *rig, int image)
{
	struct faults *faults = &rig->images[image].faults;
	bool sync = rng_one_in(&rig->rng, 4);
	unsigned what = (unsigned)rng_below(&rig->rng, 8);
	struct vhd_error err;
	int r;

	*faults = (struct faults){.ops = sync ? FAULT_FLUSH : FAULT_WRITE | FAULT_RESIZE,
				  .sys = sync ? EIO : ENOSPC,
				  .fail_at = (long)rng_below(&rig->rng, sync ? 2 : 4)};
	if (what < 4)
		r = try_write(rig, image, &err);
	else if (what < 5)
		r = try_zero(rig, image, &err);
	else if (what < 7)
		r = vhd_flush(rig->images[image].disk, 0, &err);
	else
		r = try_set_footer(rig, image, (unsigned)rng_below(&rig->rng, 4), &err);
	faults->fail_at = -1;
	rig->failures += r < 0;
	return (r == 0 || settle(rig, image)) && walk(rig);
}

static bool create(struct rig *rig, int parent)
{
	int index = rig->n_images++;
	struct rig_image *image = &rig->images[index];
	struct vhd_create_args args = {.type = parent < 0 ? VHD_DYNAMIC : VHD_DIFF, .timestamp = 1};
	struct vhd_error err;
	struct vhd_io io;

	args.size = rig->size;
	args.block_size = rig->block_size;
	args.parent = parent < 0 ? NULL : rig->images[parent].disk;
	args.parent_path = "/pool/parent.vhd";
	args.child_path = "/pool/child.vhd";
	memset(args.id, index + 1, sizeof args.id);
	*image = (struct rig_image){.id = (uint8_t)(index + 1),
				    .footers = 1,
				    .parent = parent,
				    .faults = {.fail_at = -1}};
	image->where = must_alloc(rig->size / SECTOR * sizeof image->where[0]);
	image->file = memio_new(rig->journal);
	crash_add(&rig->crash, image->file);
	io = image_io(image);
	if (vhd_create(rig->engine, &io, &args, &image->disk, &err) < 0) {
		vhd_io_close(&io);
		return rig_wrong(rig, "create: %s", err.text);
	}
	if (!walk(rig))
		return false;
	if (parent >= 0) {
		rig_durable(rig, parent, rig->clock);
		rig->images[parent].active = false;
	}
	image->active = true;
	return promised(rig);
}

/* A child of an image that is written, or a sibling of one that is. */
static bool op_snapshot(struct rig *rig, int image)
{
	if (rig->n_images == RIG_IMAGES)
		return op_flush(rig, image);
	if (rig->images[image].parent >= 0 && rng_one_in(&rig->rng, 4))
		image = rig->images[image].parent;
	return create(rig, image);
}

static int some_image(struct rig *rig)
{
	int image;

	do
		image = (int)rng_below(&rig->rng, (uint64_t)rig->n_images);
	while (!rig->images[image].active);
	return image;
}

bool rig_op(struct rig *rig)
{
	static const struct {
		unsigned weight;
		bool (*run)(struct rig *rig, int image);
	} ops[] = {
		{51, op_write}, {8, op_zero},   {18, op_flush},     {7, op_snapshot},
		{3, op_freeze}, {4, op_reopen}, {3, op_set_footer}, {6, op_fail},
	};
	uint64_t dice = rng_below(&rig->rng, 100);
	size_t i = 0;

	if (rig->n_images == 0) {
		memjournal_on_flush(rig->journal, write_in_flush, rig);
		return create(rig, -1);
	}
	while (dice >= ops[i].weight)
		dice -= ops[i++].weight;
	return ops[i].run(rig, some_image(rig)) && rig->what[0] == '\0';
}
