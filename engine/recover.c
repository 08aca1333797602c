/* recover.c - what an unclean stop leaves is put right before anybody writes. FORMAT.md 8.
 *
 * Every step can be repeated: a cut in the middle leaves something that the next recovery mends the
 * same way.
 */
#include "bytes.h"
#include "cleanup.h"
#include "crash_point.h"
#include "error.h"
#include "image.h"
#include "mutant.h"

/* What the file should end with, and where: by the table, if there is one. */
struct plan {
	struct footer footer;
	uint8_t raw[FOOTER_SIZE];
	uint64_t end;
};

/* Whether what the table says is right for the size of another footer too. */
static int table_fits(struct image *image, const struct footer *footer, bool *ret_fits,
		      struct vhd_error *err)
{
	uint64_t blocks = div_up(footer->current_size, image->header.block_size), end;
	uint32_t own = image->info.blocks;
	struct vhd_error why;
	int r = footer_fits(&image->io, footer, image->file_size, ret_fits, err);

	if (r < 0 || !*ret_fits || blocks <= image->info.blocks)
		return r;
	/* For this look only: what the image has in memory is for its own size. */
	image->info.blocks = (uint32_t)blocks;
	r = blocks_check(image, true, &end, &why);
	image->info.blocks = own;
	*ret_fits = r == 0;
	return r == VHD_E_CORRUPT ? 0 : vhd_pass(err, &why, r);
}

/* A change of the footer that was cut leaves two good copies that differ: the one at the end was
 * written first. Guest data is never there, as blocks begin with their bitmap; but a footer of
 * before is, wherever a block was placed that the table does not name yet. So it must end the file,
 * too: ours has cut the file before it comes to the copy at the start. Blktap cuts last, but where
 * the file goes on that copy is new already, or the change may be taken for not begun. */
static int newer_tail(struct image *image, struct plan *plan, struct vhd_error *err)
{
	uint8_t raw[FOOTER_SIZE];
	struct footer tail;
	bool fits = false;
	int r;

	if (image->file_size != plan->end + FOOTER_SIZE)
		return 0;
	r = io_read(&image->io, raw, sizeof raw, plan->end, err);
	if (r < 0 || footer_decode(raw, &tail, NULL) < 0)
		return r;
	if (footer_same_disk(&tail, &plan->footer) && tail.data_offset == plan->footer.data_offset)
		r = table_fits(image, &tail, &fits, err);
	if (r < 0 || !fits)
		return r;
	plan->footer = tail;
	memcpy(plan->raw, raw, sizeof raw);
	return 0;
}

static int find_end(struct image *image, struct plan *plan, struct vhd_error *err)
{
	int r;

	if (image_flat(image)) {
		plan->end = image->file_size - image->tail_size;
		return 0;
	}
	r = blocks_check(image, true, &plan->end, err);
	return r == 0 ? newer_tail(image, plan, err) : r;
}

static int make_plan(const struct vhd_io *io, struct plan *plan, struct vhd_error *err)
{
	struct vhd_engine engine = {.depth_max = 1};
	struct vhd_io borrowed = *io;
	struct image *image;
	int r;

	cache_init(&engine.units, 0);
	cache_init(&engine.tables, 0);
	r = image_load(&engine, &borrowed, VHD_NO_PARENT | VHD_RECOVER, &image, err);
	if (r == 0) {
		plan->footer = image->footer;
		memcpy(plan->raw, image->footer_raw, FOOTER_SIZE);
		r = find_end(image, plan, err);
		image->io = (struct vhd_io){0}; /* the caller's */
		image_free(image);
	}
	cache_fini(&engine.units);
	cache_fini(&engine.tables);
	return r;
}

/* After a failed sync memory may show what the device never got: R12. */
static int reread_and_plan(const struct vhd_io *io, struct plan *plan, struct vhd_error *err)
{
	int r = io_reread(io, err);

	return r < 0 ? r : make_plan(io, plan, err);
}

static int same_at(const struct vhd_io *io, const uint8_t raw[FOOTER_SIZE], uint64_t off,
		   uint64_t size, bool *ret_same, struct vhd_error *err)
{
	uint8_t there[FOOTER_SIZE];
	int r;

	*ret_same = false;
	if (!range_ok(off, FOOTER_SIZE, size))
		return 0;
	r = io_read(io, there, sizeof there, off, err);
	*ret_same = r == 0 && memcmp(there, raw, FOOTER_SIZE) == 0;
	return r;
}

static int barrier(const struct vhd_io *io, bool skip, struct vhd_error *err)
{
	return skip || MUTANT(14) ? 0 : io_flush(io, err);
}

/* R1: the copy at the start is never touched before the one at the end is durable. */
static int mend_tail(const struct vhd_io *io, const uint8_t raw[FOOTER_SIZE], uint64_t end,
		     struct vhd_error *err)
{
	uint64_t size;
	bool same = false;
	int r = io_size(io, &size, err);

	if (r == 0)
		r = same_at(io, raw, end, size, &same, err);
	if (r < 0 || (same && size == end + FOOTER_SIZE))
		return r;
	if (!same) {
		r = io_write(io, raw, FOOTER_SIZE, end, err);
		CRASH_POINT("recover.tail");
		if (r == 0)
			r = barrier(io, MUTANT(7), err);
		CRASH_POINT("recover.tail-synced");
	}
	/* R7: what lies behind belongs to nobody and must not come back inside a new block. */
	if (r < 0 || size == end + FOOTER_SIZE || MUTANT(6))
		return r;
	r = io_resize(io, end + FOOTER_SIZE, err);
	CRASH_POINT("recover.cut");
	return r < 0 ? r : barrier(io, false, err);
}

static int mend_head(const struct vhd_io *io, const uint8_t raw[FOOTER_SIZE], struct vhd_error *err)
{
	bool same = false;
	int r = same_at(io, raw, 0, FOOTER_SIZE, &same, err);

	if (r < 0 || same)
		return r;
	r = io_write(io, raw, FOOTER_SIZE, 0, err);
	CRASH_POINT("recover.head");
	return r < 0 ? r : barrier(io, false, err);
}

int footers_write(const struct vhd_io *io, const uint8_t raw[FOOTER_SIZE], uint64_t end, bool head,
		  struct vhd_error *err)
{
	int r = mend_tail(io, raw, end, err);

	CRASH_POINT("recover.tail-mended");
	return r == 0 && head ? mend_head(io, raw, err) : r;
}

int recover_image(const struct vhd_io *io, struct vhd_error *err)
{
	struct plan plan = {0};
	int r = reread_and_plan(io, &plan, err);

	CRASH_POINT("recover.planned");

	/* A fixed disk never grows: at most its footer lacks the last byte. */
	if (r == 0)
		r = footers_write(io, plan.raw, plan.end, plan.footer.type != VHD_FIXED, err);
	return r < 0 ? vhd_wrap(err, r, "recover") : 0;
}

int recover_check(const struct vhd_io *io, struct vhd_error *err)
{
	struct plan plan = {0};
	bool tail = false, head = true;
	uint64_t size = 0;
	int r = reread_and_plan(io, &plan, err);

	if (r == 0)
		r = io_size(io, &size, err);
	if (r == 0)
		r = same_at(io, plan.raw, plan.end, size, &tail, err);
	if (r == 0 && plan.footer.type != VHD_FIXED)
		r = same_at(io, plan.raw, 0, size, &head, err);
	if (r < 0)
		return vhd_wrap(err, r, "recover");
	if (tail && head && size == plan.end + FOOTER_SIZE)
		return 0;
	return vhd_fail(err, VHD_E_UNCLEAN, "an unclean stop has left something to repair");
}
