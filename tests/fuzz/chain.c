/* chain.c - see the header. */
#include "chain.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { CHAIN_MAX = 7, WATCHED = 64 << 10, SECTOR = 512 };

struct chain {
	struct memio *files[CHAIN_MAX]; /* root first */
	size_t n;
	struct vhd_engine *engine;
	struct vhd *disk;
	struct vhd_footer footer;
	size_t watched; /* bytes from the start of the disk, whole sectors */
	uint8_t bytes[WATCHED];
	bool readable[WATCHED / SECTOR]; /* the files have the sector, as far as they can be read */
};

struct chain *chain_new(struct memio *const *files, size_t n)
{
	const struct vhd_engine_args args = {.cache_size = 64 << 10};
	struct chain *chain = calloc(1, sizeof *chain);

	if (!chain || vhd_engine_new(&args, &chain->engine, NULL) < 0)
		abort();
	memcpy(chain->files, files, n * sizeof *files);
	chain->n = n;
	return chain;
}

void chain_free(struct chain *chain)
{
	vhd_close(chain->disk);
	vhd_engine_free(chain->engine);
	for (size_t i = 0; i < chain->n; i++)
		memio_free(chain->files[i]);
	free(chain);
}

/* ---- opening ---- */

static int resolve(void *ctx, const struct vhd_parent_ref *ref, struct vhd_io *ret_io,
		   struct vhd_error *err)
{
	const struct chain *chain = ctx;

	if (ref->level >= chain->n) {
		*err = (struct vhd_error){.code = VHD_E_PARENT_MISSING, .text = "no more files"};
		return VHD_E_PARENT_MISSING;
	}
	*ret_io = memio_io(chain->files[chain->n - 1 - ref->level]);
	return 0;
}

static int open_leaf(struct chain *chain, unsigned flags)
{
	const struct vhd_resolver resolver = {.open = resolve, .ctx = chain};
	struct vhd_io io = memio_io(chain->files[chain->n - 1]);
	struct vhd_error err = {.text = ""};
	int r = vhd_open(chain->engine, &io, VHD_WRITE | flags, &resolver, &chain->disk, &err);

	if (r < 0) {
		vhd_io_close(&io);
		fuzz_require((int)err.code == r && err.text[0], "a failure has a code and a text");
	}
	return r;
}

static void close_leaf(struct chain *chain)
{
	vhd_close(chain->disk);
	chain->disk = NULL;
}

bool chain_open(struct chain *chain)
{
	const struct vhd_info *info;

	if (open_leaf(chain, VHD_RECOVER | VHD_RAW_PARENT) < 0)
		return false;
	info = vhd_info(chain->disk);
	chain->footer = (struct vhd_footer){info->saved_state, info->temporary};
	chain->watched = info->size < WATCHED ? (size_t)info->size : WATCHED;
	for (size_t i = 0; i < chain->watched / SECTOR; i++)
		chain->readable[i] =
			vhd_read_sector(chain->disk, i, chain->bytes + i * SECTOR, NULL) >= 0;
	return true;
}

/* ---- what must be ---- */

/* With a bad entry in the table of a parent, what may be read depends on what is looked up with it:
 * a child of larger blocks has larger units. Then it is refused, or right. */
static bool may_refuse(const struct chain *chain, int r)
{
	return r == VHD_E_CORRUPT && chain->n > 1;
}

static void compare(struct chain *chain)
{
	uint8_t sector[SECTOR];

	for (size_t i = 0; i < chain->watched / SECTOR; i++) {
		int r;

		if (!chain->readable[i])
			continue;
		r = vhd_read_sector(chain->disk, i, sector, NULL);
		fuzz_require(r >= 0 || may_refuse(chain, r), "what could be read can be read");
		fuzz_require(r < 0 || memcmp(sector, chain->bytes + i * SECTOR, SECTOR) == 0,
			     "a sector is what was written last");
	}
}

void chain_reopen(struct chain *chain, bool recover)
{
	const struct vhd_info *info;

	chain_flush(chain);
	fuzz_require(vhd_check_blocks(chain->disk, NULL) == 0, "the table is right");
	close_leaf(chain);
	fuzz_require(open_leaf(chain, VHD_RAW_PARENT | (recover ? VHD_RECOVER : 0)) == 0,
		     "what was recovered and flushed is clean");
	info = vhd_info(chain->disk);
	fuzz_require(info->saved_state == chain->footer.saved_state &&
			     info->temporary == chain->footer.temporary,
		     "the footer says what it was told");
	compare(chain);
}

/* ---- what is done ---- */

/* False: nothing is left. */
static bool cut(const struct chain *chain, uint64_t *off, size_t *len)
{
	if (*off >= chain->watched)
		*off %= chain->watched;
	if (*len > chain->watched - *off)
		*len = chain->watched - (size_t)*off;
	return *len > 0;
}

/* A range that was written in vain is old or new, sector by sector. */
static void note(struct chain *chain, int r, uint64_t off, size_t len, int fill)
{
	if (r == 0)
		memset(chain->bytes + off, fill, len);
	for (size_t i = off / SECTOR; i <= (off + len - 1) / SECTOR; i++) {
		if (r < 0)
			chain->readable[i] = vhd_read_sector(chain->disk, i,
							     chain->bytes + i * SECTOR, NULL) >= 0;
		else if (!chain->readable[i])
			chain->readable[i] = i * SECTOR >= off && (i + 1) * SECTOR <= off + len;
	}
}

void chain_write(struct chain *chain, uint64_t off, size_t len, uint8_t fill)
{
	static uint8_t data[WATCHED];

	if (!cut(chain, &off, &len))
		return;
	memset(data, fill, len);
	note(chain, vhd_write(chain->disk, data, len, off, NULL, NULL), off, len, fill);
	compare(chain);
}

void chain_zero(struct chain *chain, uint64_t off, size_t len)
{
	if (!cut(chain, &off, &len))
		return;
	note(chain, vhd_zero(chain->disk, off, len, NULL, NULL), off, len, 0);
	compare(chain);
}

void chain_flush(struct chain *chain)
{
	struct vhd_error err = {.text = ""};

	fuzz_require(vhd_flush(chain->disk, 0, &err) == 0, "memory always flushes");
}

static int look_at_region(void *ctx, const struct vhd_region *region)
{
	uint64_t *end = ctx;

	fuzz_require(region->length > 0 && vhd_region_name(region->kind) != NULL,
		     "a region is one");
	fuzz_require(region->kind == VHD_REGION_OVERLAP || region->offset >= *end,
		     "regions come in the order of the file");
	if (region->kind != VHD_REGION_OVERLAP)
		*end = region->offset;
	return 0;
}

/* Lookups cover the range, in order, and agree with each other. */
void chain_ask(struct chain *chain, uint64_t off, size_t len)
{
	struct vhd_extent extents[64];
	struct vhd_extent_list list = {extents, 64, 0};
	struct vhd_run run;
	struct vhd_step steps[CHAIN_MAX];
	struct vhd_step_list trace = {steps, CHAIN_MAX, 0};
	uint64_t at, end = 0;

	(void)!vhd_layout(chain->disk, look_at_region, &end, NULL);
	if (!cut(chain, &off, &len))
		return;
	at = off = off / SECTOR * SECTOR;
	len = (len + SECTOR - 1) / SECTOR * SECTOR;
	(void)!vhd_trace(chain->disk, off / SECTOR, 0, &trace, NULL);
	if (vhd_extents(chain->disk, off, len, 0, &list, NULL) < 0)
		return;
	for (size_t i = 0; i < list.n; i++) {
		fuzz_require(extents[i].start == at && extents[i].length > 0, "extents touch");
		at += extents[i].length;
	}
	fuzz_require(vhd_get_sector_location(chain->disk, off / SECTOR, 0, &run, NULL) == 0,
		     "what has an extent has a place");
	fuzz_require(run.where == extents[0].where &&
			     (run.where != VHD_DATA || run.level == extents[0].level),
		     "and both say the same");
}

void chain_snapshot(struct chain *chain)
{
	const struct vhd_create_args args = {.type = VHD_DIFF,
					     .id = {0xC0, (uint8_t)chain->n},
					     .parent = chain->disk,
					     .parent_path = "/p/parent.vhd",
					     .child_path = "/p/child.vhd"};
	struct memio *file;
	struct vhd_io io;
	struct vhd *child;

	if (chain->n == CHAIN_MAX)
		return;
	file = memio_new(NULL);
	io = memio_io(file);
	if (vhd_create(chain->engine, &io, &args, &child, NULL) < 0) {
		/* Its size has no table, or an ancestor has its id. */
		vhd_io_close(&io);
		memio_free(file);
		close_leaf(chain);
		fuzz_require(open_leaf(chain, VHD_RECOVER | VHD_RAW_PARENT) == 0,
			     "a parent in vain is what it was");
		return;
	}
	close_leaf(chain);
	chain->files[chain->n++] = file;
	chain->disk = child;
	chain->footer = (struct vhd_footer){0};
	compare(chain);
}

void chain_set_footer(struct chain *chain, bool saved_state, bool temporary)
{
	const struct vhd_footer footer = {saved_state, temporary};

	if (vhd_set_footer(chain->disk, &footer, NULL) == 0)
		chain->footer = footer;
}
