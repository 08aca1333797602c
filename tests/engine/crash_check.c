/* crash_check.c - a state after a power cut: recovered, checked, cut again, and written on. */
#include <stdio.h>
#include <string.h>

#include "crash_rig.h"
#include "must.h"

static int resolve(void *ctx, const struct vhd_parent_ref *ref, struct vhd_io *ret_io,
		   struct vhd_error *err)
{
	struct rig_files *files = ctx;
	unsigned image = ref->id[0] - 1U;

	(void)err;
	if (image >= RIG_IMAGES || !files->files[image])
		return VHD_E_PARENT_MISSING;
	*ret_io = memio_io(files->files[image]);
	return 0;
}

struct vhd_resolver rig_resolver(struct rig_files *files)
{
	return (struct vhd_resolver){resolve, files};
}

static int open_disk(struct rig_files *files, int image, unsigned flags, struct vhd **ret_disk,
		     struct vhd_error *err)
{
	struct vhd_resolver resolver = rig_resolver(files);
	struct vhd_io io = memio_io(files->files[image]);
	int r = vhd_open(files->rig->after, &io, flags, &resolver, ret_disk, err);

	if (r < 0)
		vhd_io_close(&io);
	return r;
}

/* ---- the file by itself ---- */

struct scan {
	struct rig *rig;
	int image;
};

/* Whether the image's own value of a sector may be this, its parents left out. */
static bool own_value(const struct rig *rig, int image, uint64_t sector, const uint8_t *bytes)
{
	const struct rig_sector *found = rig_find(&rig->images[image], sector);

	for (unsigned i = 0; found && i < found->n; i++) {
		uint32_t value = found->history[i].value;

		if (value != RIG_ABSENT && memcmp(rig->values[value], bytes, 512) == 0)
			return true;
	}
	return false;
}

static bool is_zero(const uint8_t *bytes)
{
	static const uint8_t zeroes[512];

	return memcmp(bytes, zeroes, 512) == 0;
}

static bool scan_sector(void *ctx, uint64_t sector, const uint8_t *bytes)
{
	struct scan *scan = ctx;

	if (own_value(scan->rig, scan->image, sector, bytes))
		return true;
	/* Zeroing may note sectors that read as zeroes anyway. */
	if (is_zero(bytes) && rig_allows(scan->rig, scan->image, sector, bytes))
		return true;
	return rig_wrong(scan->rig, "image %d sector %llu holds foreign bytes %02x%02x%02x%02x",
			 scan->image, (unsigned long long)sector, bytes[0], bytes[1], bytes[2],
			 bytes[3]);
}

static bool check_file(struct rig *rig, int image, struct memio *file)
{
	bool root = rig->images[image].parent < 0;
	struct scan scan = {rig, image};
	struct reader reader;
	bool ok;

	ok = reader_open(&reader, file);
	reader.memo = rig->memo;
	ok = ok && reader_tail_is_tight(&reader) && reader_is_aligned(&reader) &&
	     (!root || reader_bits_full(&reader));
	if (!ok)
		(void)rig_wrong(rig, "image %d after recovery: %s", image, reader.what);
	else
		ok = reader_each(&reader, !root, scan_sector, &scan);
	reader_close(&reader);
	return ok;
}

/* ---- the chain through the engine ---- */

static bool check_sector(struct rig *rig, int image, struct vhd *disk, uint64_t sector)
{
	struct vhd_error err;
	uint8_t bytes[512];
	int r = vhd_read(disk, bytes, sizeof bytes, sector * 512, 0, &err);

	if (r < 0)
		return rig_wrong(rig, "image %d sector %llu: %s", image, (unsigned long long)sector,
				 err.text);
	if (!rig_allows(rig, image, sector, bytes))
		return rig_wrong(rig, "image %d sector %llu reads %02x%02x%02x%02x, never allowed",
				 image, (unsigned long long)sector, bytes[0], bytes[1], bytes[2],
				 bytes[3]);
	return true;
}

static bool check_content(struct rig *rig, int image, struct vhd *disk)
{
	for (int at = image; at >= 0; at = rig->images[at].parent) {
		const struct rig_image *of = &rig->images[at];

		for (size_t i = 0; i < of->n_sectors; i++) {
			if (!check_sector(rig, image, disk, of->sectors[i].sector))
				return false;
		}
	}
	return true;
}

/* All fields old or all new, and new once they were promised. */
static bool check_footer(struct rig *rig, int image, const struct vhd *disk)
{
	struct vhd_state state;
	unsigned fields;

	vhd_state(disk, &state);
	fields = (state.saved_state ? 1U : 0U) | (state.temporary ? 2U : 0U);
	return rig->images[image].footers & 1U << fields ||
	       rig_wrong(rig, "image %d has the footer fields %u, never allowed", image, fields);
}

/* ---- and on ---- */

/* The file must hold all that it may hold plus the sectors just written, each with exactly its new
 * value. */
struct more {
	struct rig *rig;
	int image;
	uint64_t sectors[4];
	uint8_t bytes[4][512];
	unsigned n;
};

static bool more_sector(void *ctx, uint64_t sector, const uint8_t *bytes)
{
	struct more *more = ctx;
	struct scan scan = {more->rig, more->image};

	for (unsigned i = 0; i < more->n; i++) {
		if (more->sectors[i] == sector)
			return memcmp(bytes, more->bytes[i], 512) == 0 ||
			       rig_wrong(more->rig, "image %d sector %llu lost what came later",
					 more->image, (unsigned long long)sector);
	}
	return scan_sector(&scan, sector, bytes);
}

static bool check_more(struct more *more, struct memio *file)
{
	bool root = more->rig->images[more->image].parent < 0;
	struct reader reader;
	bool ok = reader_open(&reader, file) && (!root || reader_bits_full(&reader));

	if (!ok)
		(void)rig_wrong(more->rig, "image %d written after recovery: %s", more->image,
				reader.what);
	else
		ok = reader_each(&reader, !root, more_sector, more);
	for (unsigned i = 0; i < more->n && ok; i++) {
		uint8_t bytes[512];

		ok = reader_sector(&reader, more->sectors[i], true, bytes) &&
		     more_sector(more, more->sectors[i], bytes);
		if (!ok)
			(void)rig_wrong(more->rig, "image %d lost a sector that was flushed",
					more->image);
	}
	reader_close(&reader);
	return ok;
}

/* One sector in each of a few blocks, so that some are new: what recovery left behind the end would
 * show. */
static bool write_on(struct rig *rig, int image, struct vhd *disk, struct memio *file)
{
	struct more more = {.rig = rig, .image = image};
	uint64_t per_block = rig->block_size / 512;
	struct vhd_error err;
	int r = 0;

	for (uint64_t block = rng_below(&rig->rng, 4); block < 8 && more.n < 4 && r == 0; block++) {
		uint64_t sector = block * per_block + rng_below(&rig->rng, 3);

		rng_fill(&rig->rng, more.bytes[more.n], 512);
		more.sectors[more.n] = sector;
		r = vhd_write(disk, more.bytes[more.n++], 512, sector * 512, NULL, &err);
	}
	if (r == 0)
		r = vhd_flush(disk, 0, &err);
	if (r < 0)
		return rig_wrong(rig, "image %d cannot be written after recovery: %s", image,
				 err.text);
	return check_more(&more, file);
}

static bool recover(struct rig_files *files, int image, bool on)
{
	struct rig *rig = files->rig;
	struct vhd_error err;
	struct vhd *disk;
	bool ok;

	if (open_disk(files, image, VHD_WRITE | VHD_RECOVER, &disk, &err) < 0) {
		rig->refused += rig->torn;
		/* Only entries of the table have no second copy. */
		if (rig->torn && err.code == VHD_E_CORRUPT && strstr(err.text, "block table"))
			return true;
		return rig_wrong(rig, "image %d is lost: %s", image, err.text);
	}
	ok = check_file(rig, image, files->files[image]) && check_footer(rig, image, disk) &&
	     check_content(rig, image, disk);
	if (ok && on)
		ok = write_on(rig, image, disk, files->files[image]);
	vhd_close(disk);
	return ok;
}

struct nested {
	struct rig_files *files;
	int image;
};

static bool nested_state(void *ctx, const struct crash *crash, const unsigned *pick)
{
	struct nested *nested = ctx;
	struct rig_files *files = nested->files;
	struct memio *whole = files->files[nested->image];
	bool ok, before = files->rig->torn;

	files->files[nested->image] = crash_image(crash, 0, pick, NULL);
	files->rig->torn |= crash_is_torn(crash, 0, pick);
	ok = recover(files, nested->image, false);
	files->rig->torn = before;
	memio_free(files->files[nested->image]);
	files->files[nested->image] = whole;
	files->rig->nested++;
	return ok;
}

/* Recovers with a journal, and cuts at each of its points. */
static bool recover_cut(struct rig_files *files, int image)
{
	struct rig *rig = files->rig;
	struct nested nested = {files, image};
	struct memjournal *journal = memjournal_new();
	struct memio *plain = files->files[image];
	struct crash crash;
	bool ok;

	files->files[image] = memio_clone(plain, journal);
	rig_follow(rig, &crash, journal);
	crash_add(&crash, files->files[image]);
	ok = recover(files, image, false);
	while (ok && crash_step(&crash)) {
		(void)crash_each(&crash, 64, true, &rig->rng, nested_state, &nested);
		ok = rig->what[0] == '\0';
	}
	memio_free(files->files[image]);
	files->files[image] = plain;
	crash_fini(&crash);
	memjournal_free(journal);
	return ok;
}

/* ---- what was checked before ---- */

/* The versions in a state of all that is in flight in the files of a chain, and nothing else. */
static uint64_t chain_found(const struct rig *rig, const struct crash *crash, const unsigned *pick,
			    int image)
{
	uint64_t found = (uint64_t)image + 1;
	bool chain[RIG_IMAGES] = {false};

	for (int at = image; at >= 0; at = rig->images[at].parent)
		chain[at] = true;
	for (size_t i = 0; i < crash->n_choices; i++) {
		const struct crash_choice *choice = crash->choices[i];
		struct rng mix = {choice->off << 8 | choice->file << 1 | choice->is_size};

		if (pick[i] == 0 || !chain[choice->file])
			continue;
		mix.state ^= rng_next(&mix) ^ choice->version[pick[i] - 1].event;
		/* A size is found together with those before it. */
		mix.state += choice->is_size ? (uint64_t)pick[i] << 48 : 0;
		found += rng_next(&mix);
	}
	return found ? found : 1;
}

static size_t place_of(const struct rig_known *known, uint64_t found)
{
	size_t at = (size_t)(found >> 16) & (known->room - 1);

	while (known->found[at] && known->found[at] != found)
		at = (at + 1) & (known->room - 1);
	return at;
}

static void grow(struct rig_known *known)
{
	struct rig_known old = *known;

	known->room *= 2;
	known->found = must_alloc(known->room * sizeof known->found[0]);
	for (size_t i = 0; i < old.room; i++) {
		if (old.found[i])
			known->found[place_of(known, old.found[i])] = old.found[i];
	}
	must_free(old.found);
}

/* True for a chain that no state since the last flush had like this. */
static bool is_new(struct rig_known *known, uint64_t found)
{
	size_t at = place_of(known, found);

	if (known->found[at])
		return false;
	known->found[at] = found;
	if (++known->n * 2 > known->room)
		grow(known);
	return true;
}

/* Image files of one chain do not depend on those of another: a chain is looked at once in each
 * shape that it is found in. */
static bool check_chain(struct rig_files *files, const struct crash *crash, const unsigned *pick,
			int image)
{
	struct rig *rig = files->rig;
	bool ok = true;

	rig->torn = false;
	for (int at = image; at >= 0; at = rig->images[at].parent) {
		rig->torn |= crash_is_torn(crash, (unsigned)at, pick);
		if (!files->files[at])
			files->files[at] = crash_image(crash, (unsigned)at, pick, NULL);
	}
	if (rng_one_in(&rig->rng, 8))
		ok = recover_cut(files, image);
	return ok && recover(files, image, rng_one_in(&rig->rng, 4));
}

bool rig_check_state(void *ctx, const struct crash *crash, const unsigned *pick)
{
	struct rig *rig = ctx;
	struct rig_files files = {.rig = rig};
	bool ok = true, checked = false;

	for (int i = 0; i < rig->n_images && ok; i++) {
		if (!rig->images[i].active ||
		    !is_new(&rig->known, chain_found(rig, crash, pick, i)))
			continue;
		checked = true;
		ok = check_chain(&files, crash, pick, i);
	}
	for (int i = 0; i < rig->n_images; i++)
		memio_free(files.files[i]);
	rig->states += checked;
	return ok;
}
