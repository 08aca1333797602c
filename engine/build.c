/* build.c - flattens one unit of a chain: from the leaf down, each level takes the sectors that
 * nobody above it has, 64 at a time, until all are owned or the chain ends. */
#include "build.h"

#include "bytes.h"
#include "cleanup.h"
#include "error.h"

enum {
	WORDS = UNIT_SECTORS_MAX / 64,
	BLOCKS_MAX = UNIT_SECTORS_MAX / (BLOCK_SIZE_MIN / VHD_SECTOR)
};

struct builder {
	struct image *leaf;
	uint64_t first;   /* sector */
	uint32_t sectors; /* of the unit; the last one may be short */
	struct piece asked;
	bool partial;         /* some of the rest is damaged */
	uint64_t need[WORDS]; /* sectors without owner; the most significant bit of a word is its
				 first */
	uint8_t bits[UNIT_SECTORS_MAX / 8]; /* what the level at hand has */
	uint64_t data[BLOCKS_MAX]; /* where its blocks of the unit have their data, 0 = none */
	struct extent *extents;
	size_t n, room;
};

size_t unit_bytes(const struct unit *unit)
{
	return sizeof *unit + unit->n * sizeof unit->extents[0] +
	       sizeof(void *); /* and its bucket */
}

static bool needs_nothing(const struct builder *b)
{
	for (int i = 0; i < WORDS; i++)
		if (b->need[i])
			return false;
	return true;
}

/* Sectors from `limit` on are beyond the end of a level: they read as zeroes and need no owner. */
static void need_below(struct builder *b, uint64_t limit)
{
	uint64_t n = limit <= b->first ? 0 : limit - b->first;

	for (uint64_t i = 0; i < WORDS; i++) {
		if (i * 64 >= n)
			b->need[i] = 0;
		else if (n - i * 64 < 64)
			b->need[i] &= ~(UINT64_MAX >> (n - i * 64));
	}
}

static int add_extent(struct builder *b, unsigned first, unsigned count, unsigned level,
		      uint64_t physical)
{
	if (b->n == b->room) {
		size_t room = b->room ? b->room * 2 : 16;
		struct extent *extents = realloc(b->extents, room * sizeof *extents);

		if (!extents)
			return VHD_E_NOMEM;
		b->extents = extents;
		b->room = room;
	}
	b->extents[b->n++] =
		(struct extent){(uint16_t)first, (uint16_t)count, (uint16_t)level, physical};
	return 0;
}

/* The next run of set bits at or after `from`; false when there is none. */
static bool next_run(const uint64_t *words, unsigned from, unsigned *ret_first, unsigned *ret_end)
{
	unsigned i = from / 64, end;
	uint64_t word;

	if (from >= UNIT_SECTORS_MAX)
		return false;
	word = words[i] & UINT64_MAX >> from % 64;
	while (!word)
		if (++i == WORDS)
			return false;
		else
			word = words[i];
	*ret_first = i * 64 + (unsigned)__builtin_clzll(word);
	word = ~words[i] & UINT64_MAX >> *ret_first % 64;
	while (!word && ++i < WORDS)
		word = ~words[i];
	end = word ? i * 64 + (unsigned)__builtin_clzll(word) : UNIT_SECTORS_MAX;
	*ret_end = end;
	return true;
}

/* Gives a run to a level, cut where the level's blocks end. */
static int take_run(struct builder *b, unsigned level, unsigned first, unsigned end)
{
	const struct image *image = b->leaf->levels[level];
	unsigned block = image_flat(image) ? UNIT_SECTORS_MAX : image->block_sectors;
	int r = 0;

	while (first < end && r == 0) {
		uint64_t sector = b->first + first;
		unsigned in_block = image_flat(image) ? 0 : (unsigned)(sector % block);
		unsigned n = end - first < block - in_block ? end - first : block - in_block;
		uint64_t physical = image_flat(image) ? sector : b->data[first / block] + in_block;

		r = add_extent(b, first, n, level, physical);
		first += n;
	}
	return r;
}

static int take(struct builder *b, unsigned level, struct vhd_error *err)
{
	uint64_t got[WORDS];
	unsigned first, end = 0;

	for (int i = 0; i < WORDS; i++) {
		got[i] = b->need[i] & get_be64(b->bits + 8UL * (unsigned)i);
		b->need[i] &= ~got[i];
	}
	while (next_run(got, end, &first, &end))
		if (take_run(b, level, first, end) < 0)
			return vhd_fail(err, VHD_E_NOMEM, "no memory for the index");
	return 0;
}

/* The part of a level's block that lies in the unit. */
struct part {
	uint32_t block, in_block; /* sector of the block where it begins */
	unsigned first, end;      /* sectors of the unit */
};

static struct part part_at(const struct builder *b, const struct image *image, unsigned at)
{
	uint32_t block = (uint32_t)((b->first + at) / image->block_sectors);
	uint64_t start = (uint64_t)block * image->block_sectors, end = start + image->block_sectors;
	uint64_t from = start > b->first ? start : b->first, to = b->first + b->sectors;

	to = to < image->sectors ? to : image->sectors;
	to = to < end ? to : end;
	return (struct part){block, (uint32_t)(from - start), (unsigned)(from - b->first),
			     (unsigned)(to - b->first)};
}

/* Fills bits and data with what one block-structured level has in a part. */
static int part_bits(struct builder *b, struct image *image, const struct part *part,
		     struct vhd_error *err)
{
	struct bits_at at = {.block = part->block,
			     .off = part->in_block / 8,
			     .len = (uint32_t)div_up(part->end - part->first, 8)};
	int r = block_lookup(image, at.block, 0, &at.start, err);

	if (r < 0 || at.start == 0)
		return r;
	b->data[part->first / image->block_sectors] = image_data_sector(image, at.start);
	return block_bits(image, &at, 0, b->bits + part->first / 8, err);
}

/* Whether sectors of a part were asked for that have no owner yet. */
static bool is_asked(const struct builder *b, const struct part *part)
{
	unsigned from = part->first > b->asked.first ? part->first : b->asked.first;
	unsigned limit = b->asked.first + b->asked.count, first, end;

	limit = limit < part->end ? limit : part->end;
	return next_run(b->need, from, &first, &end) && first < limit;
}

/* Nobody can own what a part hides that could not be read. */
static void give_up_part(struct builder *b, const struct part *part)
{
	for (unsigned i = part->first; i < part->end; i++)
		b->need[i / 64] &= ~(1ULL << (63 - i % 64));
	b->partial = true;
}

/* Only of blocks that somebody needs: others may be damaged. */
static int level_bits(struct builder *b, unsigned level, struct vhd_error *err)
{
	struct image *image = b->leaf->levels[level];
	struct part part = {0};
	unsigned first, end;

	memset(b->bits, 0, sizeof b->bits);
	while (next_run(b->need, part.end, &first, &end)) {
		struct vhd_error why;
		int r;

		part = part_at(b, image, first);
		r = part_bits(b, image, &part, &why);
		if (r == VHD_E_NOMEM || (r < 0 && is_asked(b, &part))) {
			(void)vhd_pass(err, &why, r);
			return vhd_place(err, r, level,
					 (uint64_t)part.block * image->block_sectors);
		}
		if (r < 0)
			give_up_part(b, &part);
	}
	return 0;
}

static int add_level(struct builder *b, unsigned level, struct vhd_error *err)
{
	struct image *image = b->leaf->levels[level];
	int r = 0;

	need_below(b, image->sectors);
	if (image_flat(image))
		memset(b->bits, 0xff, sizeof b->bits);
	else
		r = level_bits(b, level, err);
	return r < 0 ? r : take(b, level, err);
}

static int add_levels(struct builder *b, struct vhd_error *err)
{
	unsigned depth = b->leaf->info.depth, first, end = 0;
	int r = 0;

	for (unsigned level = 0; level < depth && r == 0 && !needs_nothing(b); level++)
		r = add_level(b, level, err);
	if (r < 0 || !b->leaf->levels[depth - 1]->lone)
		return r;
	while (next_run(b->need, end, &first, &end))
		if (add_extent(b, first, end - first, LEVEL_UNKNOWN, 0) < 0)
			return vhd_fail(err, VHD_E_NOMEM, "no memory for the index");
	return 0;
}

static int by_first(const void *a, const void *b)
{
	return ((const struct extent *)a)->first - ((const struct extent *)b)->first;
}

int unit_build(struct image *image, uint64_t number, const struct piece *asked,
	       struct unit **ret_unit, struct vhd_error *err)
{
	struct builder b = {.leaf = image,
			    .first = number * image->unit_sectors,
			    .sectors = image->unit_sectors,
			    .asked = *asked};
	CLEANUP(freep) struct extent *extents = NULL;
	struct unit *unit;
	int r;

	memset(b.need, 0xff, sizeof b.need);
	need_below(&b, b.first + b.sectors);
	r = add_levels(&b, err);
	extents = b.extents;
	if (r < 0)
		return r;
	unit = malloc(sizeof *unit + b.n * sizeof *extents);
	if (!unit)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for the index");
	*unit = (struct unit){.meta = {.kind = META_UNIT, .number = number},
			      .n = (uint32_t)b.n,
			      .partial = b.partial};
	if (b.n > 0) {
		qsort(extents, b.n, sizeof *extents, by_first);
		memcpy(unit->extents, extents, b.n * sizeof *extents);
	}
	*ret_unit = unit;
	return 0;
}

static unsigned extent_end(const struct extent *extent)
{
	return (unsigned)extent->first + extent->count;
}

/* Appends the part of `extent` in [from, to), going on with the last one where both touch. */
static void append_part(struct unit *unit, const struct extent *extent, unsigned from, unsigned to)
{
	struct extent *last = unit->n > 0 ? &unit->extents[unit->n - 1] : NULL;
	unsigned first = extent->first > from ? extent->first : from;
	unsigned end = extent_end(extent) < to ? extent_end(extent) : to;
	uint64_t physical = extent->physical + (first - extent->first);

	if (first >= end)
		return;
	if (last && extent_end(last) == first && last->level == extent->level &&
	    last->physical + last->count == physical)
		last->count = (uint16_t)(last->count + (end - first));
	else
		unit->extents[unit->n++] = (struct extent){(uint16_t)first, (uint16_t)(end - first),
							   extent->level, physical};
}

struct unit *unit_patch(const struct unit *unit, const struct extent *own)
{
	/* One may be cut in two, and the new one comes between them. */
	struct unit *patched = malloc(sizeof *patched + (unit->n + 2UL) * sizeof *own);

	if (!patched)
		return NULL;
	*patched = (struct unit){.meta = {.kind = META_UNIT, .number = unit->meta.number},
				 .next = unit->next};
	for (uint32_t i = 0; i < unit->n; i++)
		append_part(patched, &unit->extents[i], 0, own->first);
	append_part(patched, own, 0, UNIT_SECTORS_MAX);
	for (uint32_t i = 0; i < unit->n; i++)
		append_part(patched, &unit->extents[i], extent_end(own), UNIT_SECTORS_MAX);
	return patched;
}

/* Index of the first extent that ends after `at`. Extents are mostly spread evenly: the search
 * starts where an even spread would have it and widens from there, for each cache line that a plain
 * bisection touches costs more than its comparisons. */
static uint32_t extent_after(const struct unit *unit, unsigned at)
{
	uint32_t low = 0, high = unit->n, mid = unit->n * at / UNIT_SECTORS_MAX;

	for (uint32_t step = 1; low < high; step *= 2) {
		bool before = extent_end(&unit->extents[mid]) <= at;

		if (before)
			low = mid + 1;
		else
			high = mid;
		if (step > high - low)
			step = (high - low + 1) / 2;
		mid = before ? low + step - 1 : high - step;
	}
	return low;
}

static void set_owner(struct vhd_run *run, const struct extent *extent, unsigned at)
{
	run->where = extent->level == LEVEL_UNKNOWN ? VHD_UNKNOWN : VHD_DATA;
	if (run->where == VHD_UNKNOWN)
		return;
	run->level = extent->level;
	run->physical_sector = extent->physical + (at - extent->first);
}

void unit_runs(const struct unit *unit, uint64_t first, uint64_t sector, uint64_t count,
	       struct vhd_run_list *ret_list)
{
	unsigned at = (unsigned)(sector - first), end = at + (unsigned)count;
	uint32_t i = extent_after(unit, at);
	size_t n = 0;

	for (; at < end && n < ret_list->max; n++) {
		const struct extent *extent = i < unit->n ? &unit->extents[i] : NULL;
		unsigned stop = extent ? extent->first : end;
		struct vhd_run run = {.sector = first + at, .where = VHD_ZERO};

		if (extent && stop <= at) {
			stop = (unsigned)extent->first + extent->count;
			set_owner(&run, extent, at);
			i++;
		}
		stop = stop < end ? stop : end;
		run.count = stop - at;
		ret_list->runs[n] = run;
		at = stop;
	}
	ret_list->n = n;
}
