/* crash_rig.c - what the sectors may hold. */
#include "crash_rig.h"

#include <stdio.h>
#include <string.h>

#include "must.h"
#include "test.h"

bool rig_wrong(struct rig *rig, const char *format, ...)
{
	va_list args;

	if (rig->what[0])
		return false;
	va_start(args, format);
	(void)vsnprintf(rig->what, sizeof rig->what, format, args);
	va_end(args);
	return false;
}

uint32_t rig_value(struct rig *rig, const uint8_t bytes[512])
{
	if (rig->n_values == rig->room) {
		rig->room = rig->room ? rig->room * 2 : 64;
		rig->values = must_grow(rig->values, rig->room * sizeof rig->values[0]);
	}
	memcpy(rig->values[rig->n_values], bytes, 512);
	return rig->n_values++;
}

struct rig_sector *rig_find(const struct rig_image *image, uint64_t sector)
{
	uint32_t at = image->where[sector];

	return at ? &image->sectors[at - 1] : NULL;
}

static void history_add(struct rig_sector *sector, uint32_t value, uint64_t when)
{
	if (sector->n == sector->room) {
		sector->room = sector->room ? sector->room * 2 : 4;
		sector->history =
			must_grow(sector->history, sector->room * sizeof sector->history[0]);
	}
	sector->history[sector->n++] = (struct rig_value){value, when};
}

struct rig_sector *rig_sector(struct rig_image *image, uint64_t sector)
{
	struct rig_sector *found = rig_find(image, sector);

	if (found)
		return found;
	if (image->n_sectors == image->room) {
		image->room = image->room ? image->room * 2 : 32;
		image->sectors = must_grow(image->sectors, image->room * sizeof image->sectors[0]);
	}
	found = &image->sectors[image->n_sectors++];
	image->where[sector] = (uint32_t)image->n_sectors;
	*found = (struct rig_sector){.sector = sector};
	history_add(found, RIG_ABSENT, 0);
	return found;
}

void rig_note(struct rig *rig, int image, uint64_t sector, uint32_t value)
{
	history_add(rig_sector(&rig->images[image], sector), value, ++rig->clock);
}

const uint8_t *rig_live(const struct rig *rig, int image, uint64_t sector)
{
	for (; image >= 0; image = rig->images[image].parent) {
		const struct rig_sector *found = rig_find(&rig->images[image], sector);

		if (found && found->history[found->n - 1].value != RIG_ABSENT)
			return rig->values[found->history[found->n - 1].value];
	}
	return rig->values[RIG_ZERO];
}

bool rig_allows(const struct rig *rig, int image, uint64_t sector, const uint8_t bytes[512])
{
	const struct rig_sector *found = image < 0 ? NULL : rig_find(&rig->images[image], sector);

	if (image < 0)
		return memcmp(bytes, rig->values[RIG_ZERO], 512) == 0;
	if (!found)
		return rig_allows(rig, rig->images[image].parent, sector, bytes);
	for (unsigned i = 0; i < found->n; i++) {
		uint32_t value = found->history[i].value;

		if (value == RIG_ABSENT ? rig_allows(rig, rig->images[image].parent, sector, bytes)
					: memcmp(bytes, rig->values[value], 512) == 0)
			return true;
	}
	return false;
}

void rig_forget(struct rig *rig)
{
	reader_forget(rig->memo);
	memset(rig->known.found, 0, rig->known.room * sizeof rig->known.found[0]);
	rig->known.n = 0;
}

void rig_durable(struct rig *rig, int image, uint64_t when)
{
	struct rig_image *of = &rig->images[image];

	rig_forget(rig);
	for (size_t i = 0; i < of->n_sectors; i++) {
		struct rig_sector *sector = &of->sectors[i];
		unsigned old = 0;

		while (old + 1 < sector->n && sector->history[old + 1].when <= when)
			old++;
		memmove(sector->history, sector->history + old,
			(sector->n - old) * sizeof sector->history[0]);
		sector->n -= old;
	}
}

static void must_engine(struct vhd_engine **ret_engine)
{
	struct vhd_engine_args args = {0};

	assert_int_equal(vhd_engine_new(&args, ret_engine, NULL), 0);
}

/* Metadata is what no guest wrote. */
static bool is_metadata(void *ctx, unsigned file, const uint8_t bytes[512])
{
	const struct rig *rig = ctx;

	(void)file;
	for (uint32_t i = 0; i < rig->n_values; i++) {
		if (memcmp(rig->values[i], bytes, 512) == 0)
			return false;
	}
	return true;
}

void rig_follow(struct rig *rig, struct crash *crash, struct memjournal *journal)
{
	crash_init(crash, journal);
	crash->rng.state = rng_next(&rig->rng);
	crash->tears_ctx = rig;
	if (rig->profile == RIG_TORN)
		crash->tears = is_metadata;
	if (rig->profile == RIG_PAGES)
		crash->unit = MEM_PAGE;
}

void rig_init(struct rig *rig, uint64_t seed, enum rig_profile profile, size_t limit)
{
	static const uint32_t block_sizes[] = {512 << 10, 2 << 20};
	static const uint8_t zero[512];

	memset(rig, 0, sizeof *rig);
	rig->rng.state = seed;
	rig->profile = profile;
	rig->limit = limit;
	rig->block_size = block_sizes[rng_below(&rig->rng, 2)];
	rig->size = 8ULL * rig->block_size - 512 * rng_below(&rig->rng, 20);
	rig->memo = must_alloc(sizeof *rig->memo);
	rig->known.room = 1024;
	rig->known.found = must_alloc(rig->known.room * sizeof rig->known.found[0]);
	rig->journal = memjournal_new();
	rig_follow(rig, &rig->crash, rig->journal);
	must_engine(&rig->engine);
	must_engine(&rig->after);
	(void)rig_value(rig, zero); /* RIG_ABSENT */
	(void)rig_value(rig, zero); /* RIG_ZERO */
}

void rig_fini(struct rig *rig)
{
	for (int i = rig->n_images - 1; i >= 0; i--)
		vhd_close(rig->images[i].disk);
	for (int i = 0; i < rig->n_images; i++) {
		struct rig_image *image = &rig->images[i];

		for (size_t s = 0; s < image->n_sectors; s++)
			must_free(image->sectors[s].history);
		must_free(image->sectors);
		must_free(image->where);
		memio_free(image->file);
	}
	vhd_engine_free(rig->engine);
	vhd_engine_free(rig->after);
	crash_fini(&rig->crash);
	memjournal_free(rig->journal);
	must_free(rig->known.found);
	must_free(rig->memo);
	must_free(rig->values);
}
