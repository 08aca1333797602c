/* image.c - from the bytes of one file to struct image, and the table of the open ones. */
#include "image.h"

#include <inttypes.h>
#include <search.h>
#include <stdio.h>

#include "bytes.h"
#include "cleanup.h"
#include "error.h"
#include "index.h"
#include "locator.h"
#include "writer.h"

void image_id_text(const uint8_t id[VHD_ID_SIZE], char ret_text[ID_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < VHD_ID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*ret_text++ = '-';
		*ret_text++ = digits[id[i] >> 4];
		*ret_text++ = digits[id[i] & 15];
	}
	*ret_text = '\0';
}

bool image_id_is_zero(const uint8_t id[VHD_ID_SIZE])
{
	static const uint8_t zero[VHD_ID_SIZE];

	return memcmp(id, zero, VHD_ID_SIZE) == 0;
}

int image_refuse_raw(struct vhd_error *err)
{
	return vhd_fail(err, VHD_E_UNSUPPORTED,
			"header: parent id 0 at 40: a raw parent, which is not followed");
}

static void printable(const uint8_t raw[4], char ret_text[5])
{
	for (int i = 0; i < 4; i++)
		ret_text[i] = (char)(raw[i] >= 0x20 && raw[i] < 0x7f ? raw[i] : '?');
	ret_text[4] = '\0';
}

static void fill_info(struct image *image, unsigned footers)
{
	const struct footer *footer = &image->footer;
	struct vhd_info *info = &image->info;

	*info = (struct vhd_info){
		.type = footer->type,
		.size = footer->current_size,
		.original_size = footer->original_size,
		.timestamp = footer->timestamp,
		.creator_version = footer->creator_version,
		.cylinders = footer->cylinders,
		.heads = footer->heads,
		.sectors_per_track = footer->sectors_per_track,
		.saved_state = footer->saved_state,
		.temporary = footer->features & FOOTER_TEMPORARY,
		.footers = footers,
		.depth = 1,
	};
	memcpy(info->id, footer->id, VHD_ID_SIZE);
	printable(footer->creator, info->creator);
	printable(footer->creator_os, info->creator_os);
	image->sectors = info->size / VHD_SECTOR;
}

static struct image *image_new(struct vhd_engine *engine)
{
	struct image *image = calloc(1, sizeof *image);

	if (!image)
		return NULL;
	pthread_mutex_init(&image->meta.lock, NULL);
	image->meta.drop = index_drop_object;
	image->engine = engine;
	return image;
}

void image_free(struct image *image)
{
	if (!image)
		return;
	writer_free(image->writer);
	index_free(image);
	bat_free(image);
	pthread_mutex_destroy(&image->meta.lock);
	vhd_io_close(&image->io);
	free(image->levels);
	free(image);
}

void image_freep(struct image **image)
{
	image_free(*image);
}

static int by_offset(const void *a, const void *b)
{
	const struct area *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* blktap's batmap follows the table; only creator "tap" 1.2 and later is known to have one.
 * FORMAT.md 7. */
static bool has_batmap(const struct image *image)
{
	return memcmp(image->footer.creator, "tap", 4) == 0 &&
	       image->footer.creator_version >= 0x00010002;
}

static uint64_t table_bytes(const struct image *image)
{
	return round_up((uint64_t)image->header.max_entries * 4, VHD_SECTOR);
}

int image_areas(const struct image *image, struct area ret_areas[IMAGE_AREAS_MAX])
{
	const struct header *header = &image->header;
	uint64_t table_end = header->table_offset + table_bytes(image);
	int n = 0;

	if (image_flat(image))
		return 0;
	ret_areas[n++] = (struct area){VHD_REGION_FOOTER_COPY, 0, 0, FOOTER_SIZE};
	ret_areas[n++] =
		(struct area){VHD_REGION_HEADER, 0, image->footer.data_offset, HEADER_SIZE};
	ret_areas[n++] = (struct area){VHD_REGION_BAT, 0, header->table_offset, table_bytes(image)};
	if (has_batmap(image))
		ret_areas[n++] = (struct area){
			VHD_REGION_BATMAP, 0, table_end,
			VHD_SECTOR + round_up(div_up(header->max_entries, 8), VHD_SECTOR)};
	for (uint32_t i = 0; i < VHD_LOCATORS && image->info.type == VHD_DIFF; i++) {
		const struct locator_entry *entry = &header->locators[i];

		/* One that lies elsewhere is only not readable: nothing depends on it. */
		if (entry->code != 0 && entry->data_length > 0 &&
		    range_ok(entry->data_offset, entry->data_length, image->file_size))
			ret_areas[n++] = (struct area){VHD_REGION_LOCATOR, i, entry->data_offset,
						       round_up(entry->data_length, VHD_SECTOR)};
	}
	qsort(ret_areas, (size_t)n, sizeof *ret_areas, by_offset);
	return n;
}

bool area_is_vital(const struct area *area)
{
	return area->kind != VHD_REGION_LOCATOR && area->kind != VHD_REGION_BATMAP;
}

/* What a locator reserves, if that can be: many writers give sectors for bytes or the reverse. */
static uint64_t locator_end(const struct image *image, const struct locator_entry *entry)
{
	uint64_t space = locator_space(entry), limit = image->file_size - image->tail_size;

	if (space < entry->data_length || !range_ok(entry->data_offset, space, limit))
		space = round_up(entry->data_length, VHD_SECTOR);
	return entry->data_offset + space;
}

uint64_t image_metadata_end(const struct image *image)
{
	struct area areas[IMAGE_AREAS_MAX];
	int n = image_areas(image, areas);
	uint64_t end = image->floor;

	for (int i = 0; i < n; i++) {
		uint64_t at = areas[i].offset + areas[i].length;

		if (areas[i].kind == VHD_REGION_LOCATOR)
			at = locator_end(image, &image->header.locators[areas[i].index]);
		if (at > end && at <= image->file_size - image->tail_size)
			end = at;
	}
	return round_up(end, VHD_SECTOR);
}

static void set_shape(struct image *image)
{
	struct area areas[IMAGE_AREAS_MAX];
	int n;

	image->info.block_size = image->header.block_size;
	image->info.blocks = (uint32_t)div_up(image->info.size, image->header.block_size);
	image->block_sectors = image->header.block_size / VHD_SECTOR;
	image->unit_sectors =
		image->block_sectors < UNIT_SECTORS_MAX ? image->block_sectors : UNIT_SECTORS_MAX;
	image->bitmap_size = (uint32_t)round_up(div_up(image->block_sectors, 8), VHD_SECTOR);
	if (image->info.type == VHD_DIFF) {
		memcpy(image->info.parent_id, image->header.parent_id, VHD_ID_SIZE);
		image->info.parent_timestamp = image->header.parent_timestamp;
	}
	n = image_areas(image, areas);
	for (int i = 0; i < n; i++)
		if (area_is_vital(&areas[i]) && areas[i].offset + areas[i].length > image->floor)
			image->floor = areas[i].offset + areas[i].length;
}

static int load_header(struct image *image, struct vhd_error *err)
{
	uint8_t raw[HEADER_SIZE];
	uint64_t at = image->footer.data_offset;
	int r;

	if (!range_ok(at, HEADER_SIZE, image->file_size))
		return vhd_fail(err, VHD_E_CORRUPT,
				"footer: data offset %" PRIu64
				" at 16: the header passes the end of the file",
				at);
	r = io_read(&image->io, raw, sizeof raw, at, err);
	if (r == 0)
		r = header_decode(raw, at, image->info.size, image->file_size, &image->header, err);
	if (r < 0)
		return r;
	set_shape(image);
	image->bat =
		calloc(div_up(image->info.blocks, BAT_PAGE_ENTRIES), sizeof(struct bat_page *));
	return image->bat
		       ? 0
		       : vhd_fail(err, VHD_E_NOMEM, "no memory for %u blocks", image->info.blocks);
}

/* Writing needs all footers in place: what comes after an unclean stop goes through recovery first.
 */
static int require_clean(const struct footers *footers, struct vhd_error *err)
{
	const unsigned both = VHD_FOOTER_EOF | VHD_FOOTER_HEAD;

	if (footers->footer.type == VHD_FIXED && footers->found & VHD_FOOTER_EOF511)
		return vhd_fail(err, VHD_E_UNCLEAN,
				"footer: the one at the end of a file of %" PRIu64
				" bytes has only 511",
				footers->file_size);
	if (footers->footer.type != VHD_FIXED && (footers->found & both) != both)
		return vhd_fail(err, VHD_E_UNCLEAN,
				"footer: the copy at the %s of a file of %" PRIu64
				" bytes is missing, damaged or short, and the other one is good",
				footers->found & VHD_FOOTER_EOF ? "start" : "end",
				footers->file_size);
	if (footers->found & VHD_FOOTER_DIFFER)
		return vhd_fail(err, VHD_E_UNCLEAN,
				"footer: the copies at the start and the end of a file of %" PRIu64
				" bytes differ",
				footers->file_size);
	return 0;
}

static uint32_t tail_size(unsigned found)
{
	if (found & VHD_FOOTER_EOF)
		return FOOTER_SIZE;
	return found & VHD_FOOTER_EOF511 ? FOOTER_SIZE_OLD : 0;
}

int image_load(struct vhd_engine *engine, struct vhd_io *io, unsigned flags,
	       struct image **ret_image, struct vhd_error *err)
{
	CLEANUP(image_freep) struct image *image = image_new(engine);
	struct footers footers;
	int r;

	if (!image)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for an image");
	r = footers_read(io, flags & VHD_RECOVER && !(flags & VHD_WRITE), &footers, err);
	if (r == 0 && flags & VHD_WRITE)
		r = require_clean(&footers, err);
	if (r < 0)
		return r;
	image->footer = footers.footer;
	memcpy(image->footer_raw, footers.raw, FOOTER_SIZE);
	image->file_size = footers.file_size;
	image->tail_size = tail_size(footers.found);
	fill_info(image, footers.found);
	image->io = *io;
	if (image->info.type != VHD_FIXED)
		r = load_header(image, err);
	if (r == 0 && flags & VHD_WRITE)
		r = writer_new(image, &image->writer, err);
	if (r < 0) {
		image->io = (struct vhd_io){0}; /* still the caller's */
		return r;
	}
	*io = (struct vhd_io){0};
	*ret_image = STEAL(image);
	return 0;
}

int image_load_raw(struct vhd_engine *engine, struct vhd_io *io, struct image **ret_image,
		   struct vhd_error *err)
{
	CLEANUP(image_freep) struct image *image = image_new(engine);
	uint64_t size;
	int r;

	if (!image)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for an image");
	r = io_size(io, &size, err);
	if (r == 0 && size % VHD_SECTOR != 0)
		r = vhd_fail(err, VHD_E_SIZE,
			     "a raw file of %" PRIu64 " bytes: not a multiple of 512", size);
	if (r < 0)
		return r;
	image->file_size = size;
	image->sectors = size / VHD_SECTOR;
	image->info = (struct vhd_info){.type = VHD_RAW, .size = size, .depth = 1};
	image->io = *io;
	*io = (struct vhd_io){0};
	*ret_image = STEAL(image);
	return 0;
}

/* ---- the table and the counts; engine->lock is held
 * -------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct image *)a)->info.id, ((const struct image *)b)->info.id,
		      VHD_ID_SIZE);
}

struct image *image_find(struct vhd_engine *engine, const uint8_t id[VHD_ID_SIZE])
{
	struct image key;
	void *node;

	memcpy(key.info.id, id, VHD_ID_SIZE);
	node = tfind(&key, &engine->table, by_id);
	return node ? *(struct image **)node : NULL;
}

static int by_file(const void *a, const void *b)
{
	return io_identity_compare(&((const struct image *)a)->file,
				   &((const struct image *)b)->file);
}

int image_find_file(struct vhd_engine *engine, const struct vhd_io *io, struct image **ret_image,
		    struct vhd_error *err)
{
	struct image key;
	void *node;
	int r = io_identity(io, &key.file, err);

	if (r < 0)
		return r;
	node = tfind(&key, &engine->files, by_file);
	*ret_image = node ? *(struct image **)node : NULL;
	return 0;
}

/* Fails when another image compares as the same. */
static int insert(struct image *image, void **tree, int (*compare)(const void *, const void *),
		  const char *what, struct vhd_error *err)
{
	struct image **node = tsearch(image, tree, compare);
	char id[ID_TEXT];

	if (!node)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for an open image");
	image_id_text((*node)->info.id, id);
	if (*node != image)
		return vhd_fail(err, VHD_E_EXISTS, "%s with the unique id %s is open", what, id);
	return 0;
}

int image_register(struct image *image, struct vhd_error *err)
{
	struct vhd_engine *engine = image->engine;
	int r = io_identity(&image->io, &image->file, err);

	if (r == 0)
		r = insert(image, &engine->table, by_id, "another file", err);
	if (r < 0)
		return r;
	r = insert(image, &engine->files, by_file, "the same file", err);
	if (r < 0)
		tdelete(image, &engine->table, by_id);
	image->shared = r == 0;
	return r;
}

static void unregister(struct image *image)
{
	tdelete(image, &image->engine->table, by_id);
	tdelete(image, &image->engine->files, by_file);
}

void image_unref(struct image *image)
{
	while (image && --image->refs == 0) {
		struct image *parent = image->parent;

		if (image->shared)
			unregister(image);
		if (parent)
			parent->children--;
		image_free(image);
		image = parent;
	}
}

int image_attach(struct image *child, struct image *parent, struct vhd_error *err)
{
	int r = parent->writer ? writer_freeze(parent, err) : 0;

	if (r < 0)
		return vhd_wrap(err, r, "freeze the parent");
	parent->refs++;
	parent->children++;
	parent->freezes++;
	child->parent = parent;
	return 0;
}

static int set_levels(struct image *image, struct vhd_error *err)
{
	struct image *at = image;

	if (image->levels)
		return 0;
	image->levels = calloc(image->info.depth, sizeof(struct image *));
	if (!image->levels)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for a chain of %u", image->info.depth);
	for (unsigned i = 0; i < image->info.depth; i++, at = at->parent)
		image->levels[i] = at;
	return 0;
}

int image_handle(struct image *image, unsigned flags, struct vhd **ret_disk, struct vhd_error *err)
{
	CLEANUP(freep) struct vhd *disk = calloc(1, sizeof *disk);
	int r;

	if (!disk)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for a handle");
	r = set_levels(image, err);
	if (r == 0)
		r = index_prepare(image, err);
	if (r < 0)
		return r;
	*disk = (struct vhd){.image = image, .writable = flags & VHD_WRITE};
	image->refs++;
	*ret_disk = STEAL(disk);
	return 0;
}
