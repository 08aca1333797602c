/* images_open.c - opens and closes the files of images. Parents are found by unique id in the
 * catalog, never by what a file says about paths. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "crash_point.h"
#include "failure.h"
#include "images_table.h"
#include "log.h"
#include "pool_place.h"

/* The store of an image that the catalog knows. */
static int open_store(struct images *images, const uint8_t id[IDS_SIZE], bool write,
		      struct vhd_io *ret_io, struct vhd_error *err)
{
	CLEANUP(closep) int fd = -1;
	struct catalog_brief brief;
	struct catalog_place at;
	char text[IDS_TEXT];
	int r;

	ids_format(id, text);
	if (!catalog_brief(images->catalog, id, &brief) || !catalog_place(images->catalog, id, &at))
		return failure(err, VHD_E_PARENT_MISSING, "the catalog has no image %s", text);
	r = place_open_id(images->pools, &at, write, &fd, err);
	if (r == 0)
		r = reconcile_opened(images->reconcile, id, &brief, fd, err);
	if (r == 0)
		r = vhd_io_from_fd(fd, ret_io, err);
	if (r < 0)
		return r;
	fd = -1; /* the store owns it */
	/* A guest can write what looks like metadata; the catalog knows better. */
	ret_io->hint = brief.kind == CATALOG_FIXED ? VHD_IS_FIXED : VHD_NOT_FIXED;
	return 0;
}

/* Whether the file of an image is gone, or something else lies in its place; puts it on record. */
static bool is_gone(struct images *images, const uint8_t id[IDS_SIZE])
{
	struct finding finding;

	(void)reconcile_image(images->reconcile, id);
	return findings_serious(images->reconcile->findings, id, &finding) &&
	       findings_effect(finding.kind) == FINDING_MISSING;
}

/* A chain that is being opened, and the file of it that was opened last. */
struct opening {
	struct images *images;
	uint8_t at[IDS_SIZE];
};

static int resolve(void *ctx, const struct vhd_parent_ref *ref, struct vhd_io *ret_io,
		   struct vhd_error *err)
{
	struct opening *opening = ctx;
	int r = open_store(opening->images, ref->id, false, ret_io, err);

	memcpy(opening->at, ref->id, IDS_SIZE);
	if ((r == VHD_E_NOT_FOUND || r == VHD_E_FORBIDDEN) &&
	    (is_gone(opening->images, ref->id) || r == VHD_E_NOT_FOUND)) {
		r = VHD_E_PARENT_MISSING;
		if (err)
			err->code = VHD_E_PARENT_MISSING;
	}
	return r;
}

/* Puts on record what is wrong with the file; what a look at it does not see is said by the engine,
 * who wanted to repair it. */
static void look_why(const struct opening *opening, const struct vhd_error *why)
{
	struct reconcile *reconcile = opening->images->reconcile;
	struct finding finding;

	if (why->code != VHD_E_CORRUPT && why->code != VHD_E_NOT_VHD &&
	    why->code != VHD_E_UNSUPPORTED && why->code != VHD_E_UNCLEAN)
		return;
	(void)reconcile_image(reconcile, opening->at);
	if (why->code == VHD_E_CORRUPT &&
	    !findings_serious(reconcile->findings, opening->at, &finding))
		reconcile_met(reconcile, opening->at, why);
}

static int open_once(struct image *image, unsigned flags, struct vhd **ret_disk,
		     struct vhd_error *ret_err)
{
	struct opening opening = {.images = image->images};
	const struct vhd_resolver resolver = {.open = resolve, .ctx = &opening};
	struct vhd_io io;
	int r = open_store(image->images, image->id, (flags & VHD_WRITE) != 0, &io, ret_err);

	if (r == VHD_E_NOT_FOUND || r == VHD_E_FORBIDDEN)
		(void)is_gone(image->images, image->id);
	if (r < 0)
		return r;
	memcpy(opening.at, image->id, IDS_SIZE);
	r = vhd_open(image->images->engine, &io, flags, &resolver, ret_disk, ret_err);
	if (r == 0)
		return 0;
	vhd_io_close(&io);
	look_why(&opening, ret_err);
	return r;
}

/* Where no more files may be open, images go that nobody uses, with those of their chains. */
static int open_with(struct image *image, unsigned flags, struct vhd **ret_disk,
		     struct vhd_error *err)
{
	struct vhd_error why = {0};
	int r = open_once(image, flags, ret_disk, &why);

	while (r < 0 && why.sys == EMFILE && images_flush_close_idle(image->images))
		r = open_once(image, flags, ret_disk, &why);
	if (r < 0 && err)
		*err = why;
	return r;
}

/* The file may be read, but not written: qemu-img looks at it, its mode says so, or its file system
 * is read-only. */
static bool is_denied(int r)
{
	return r == VHD_E_BUSY || r == VHD_E_FORBIDDEN || r == VHD_E_READONLY;
}

static void set_disk(struct image *image, struct vhd *disk, uint64_t generation)
{
	struct images *images = image->images;

	(void)pthread_mutex_lock(&images->lock);
	images->n_open += image->disk == NULL;
	if (image->failed) /* what was told of it, and of its list, holds no more */
		images_open_draw_verifier(images);
	image->failed = false;
	image->disk = disk;
	image->frozen = false;
	image->written = false;
	image->generation = generation;
	image->epoch_base = images->epoch_high;
	image->dirty_ms = 0;
	image->used_ms = clock_monotonic_ms();
	(void)pthread_mutex_unlock(&images->lock);
	catalog_checked(images->catalog, image->id, clock_wall_ms());
}

void images_open_install(struct image *image, struct vhd *disk)
{
	struct catalog_brief brief = {.generation = 0};

	(void)catalog_brief(image->images->catalog, image->id, &brief);
	image->writable = true;
	image->broken = false;
	image->blocks = 0;
	set_disk(image, disk, brief.generation);
	/* It has children already when they have waited for it. */
	(void)pthread_mutex_lock(&image->images->lock);
	image->frozen = brief.children > 0;
	(void)pthread_mutex_unlock(&image->images->lock);
}

void images_open_drop(struct image *image)
{
	struct images *images = image->images;
	struct vhd_state state;
	struct vhd *disk = image->disk;

	if (!disk)
		return;
	vhd_state(disk, &state);
	(void)pthread_mutex_lock(&images->lock);
	images->n_open--;
	if (images->epoch_high < image->epoch_base + state.epoch_open)
		images->epoch_high = image->epoch_base + state.epoch_open;
	free(image->locators);
	image->locators = NULL;
	image->disk = NULL;
	image->dirty_ms = 0;
	(void)pthread_mutex_unlock(&images->lock);
	vhd_close(disk);
}

/* It was a parent, or is open for reading only, and shall be written. */
static int make_writable(struct image *image, struct vhd_error *err)
{
	int r;

	if (image->writable) {
		r = vhd_thaw(image->disk, err);
		(void)pthread_mutex_lock(&image->images->lock);
		image->frozen = r < 0;
		(void)pthread_mutex_unlock(&image->images->lock);
		return r;
	}
	r = images_open_close(image, err);
	return r < 0 ? r : images_open_disk(image, IMAGES_WRITE, err);
}

/* Parents are compared with what their children say, by the engine; the leaf with the catalog,
 * here. */
static int check_identity(const struct image *image, const struct catalog_brief *brief,
			  struct vhd *disk, struct vhd_error *err)
{
	const struct vhd_info *info = vhd_info(disk);

	if (ids_equal(info->id, image->id) && ids_equal(info->parent_id, brief->parent_id) &&
	    info->size == brief->size)
		return 0;
	vhd_close(disk);
	(void)reconcile_image(image->images->reconcile, image->id);
	return failure(err, VHD_E_NOT_FOUND, "the file is not that of the image");
}

/* One that is being made is not looked through yet: it may come to nothing. */
static int open_above_break(struct image *image, unsigned flags, struct vhd **ret_disk,
			    struct vhd_error *err)
{
	struct catalog *catalog = image->images->catalog;
	struct catalog_orphan orphan;
	struct catalog_brief parent;

	if (!catalog_orphan_of(catalog, image->id, &orphan))
		return failure(err, VHD_E_BUSY, "the missing parent has just come");
	if (ids_equal(orphan.id, image->id))
		return open_with(image, VHD_NO_PARENT | flags, ret_disk, err);
	if (catalog_brief(catalog, orphan.parent_id, &parent))
		return failure(err, VHD_E_BUSY, "the missing parent is being made");
	return open_with(image, VHD_BROKEN | flags, ret_disk, err);
}

static int open_for_reading(struct image *image, unsigned flags, struct vhd **ret_disk,
			    struct vhd_error *err)
{
	return image->broken ? open_above_break(image, flags, ret_disk, err)
			     : open_with(image, flags, ret_disk, err);
}

/* Nobody can write the file, for the reason `r` and *err: it is read if there is nothing to repair
 * in it. */
static int open_unrepaired(struct image *image, int r, struct vhd **ret_disk, struct vhd_error *err)
{
	struct vhd_error why = {0};
	int again = open_for_reading(image, VHD_RECOVER, ret_disk, &why);

	image->unrepaired = again == 0;
	if (again == VHD_E_UNCLEAN || is_denied(again))
		return r;
	if (again < 0 && err)
		*err = why;
	return again;
}

/* For writing when nothing forbids it; a reader is content with less. */
static int open_leaf(struct image *image, enum images_mode mode, bool dirty, struct vhd **ret_disk,
		     struct vhd_error *err)
{
	unsigned flags = VHD_WRITE | (dirty ? VHD_RECOVER : 0);
	int r = open_with(image, flags, ret_disk, err);

	image->writable = r == 0;
	if (mode == IMAGES_WRITE || !is_denied(r))
		return r;
	return dirty ? open_unrepaired(image, r, ret_disk, err)
		     : open_with(image, 0, ret_disk, err);
}

/* A crash before this line costs a look at a file that is in order. */
static void mark_clean(const struct image *image, const struct catalog_usage *usage)
{
	struct catalog_error why;

	if (catalog_mark_clean(image->images->catalog, image->id, usage, &why) < 0)
		log_warning("%s", why.text);
}

/* What a crash left is repaired: for that the file needs no parent. */
static int repair(struct image *image, struct vhd_error *err)
{
	struct catalog_usage usage = {.measured_at = clock_wall_ms()};
	uint32_t blocks = 0;
	struct vhd *disk;
	int r = open_with(image, VHD_WRITE | VHD_RECOVER | VHD_NO_PARENT, &disk, err);

	if (r < 0)
		return r;
	r = vhd_file_size(disk, &usage.file_bytes, err);
	if (r == 0)
		r = vhd_allocated_blocks(disk, &blocks, err);
	usage.blocks = blocks;
	vhd_close(disk);
	if (r == 0)
		mark_clean(image, &usage);
	return r;
}

int images_open_repair(struct image *image, struct vhd_error *err)
{
	struct vhd_error why = {0};
	struct catalog_brief brief;
	struct vhd *disk;
	int r, again;

	if (!catalog_brief(image->images->catalog, image->id, &brief) || !brief.dirty)
		return 0;
	r = repair(image, err);
	if (!is_denied(r))
		return r;
	/* There may be nothing to repair. */
	again = open_with(image, VHD_RECOVER | VHD_NO_PARENT, &disk, &why);
	if (again == 0)
		vhd_close(disk);
	if (again == VHD_E_UNCLEAN && r == VHD_E_BUSY) /* it can be repaired in a moment */
		return r;
	if (again < 0 && err)
		*err = why;
	return again;
}

/* Of a file that nobody writes any more. */
static int open_settled(struct image *image, bool dirty, struct vhd **ret_disk,
			struct vhd_error *err)
{
	int r = dirty ? repair(image, err) : 0;

	if (is_denied(r))
		return open_unrepaired(image, r, ret_disk, err);
	return r < 0 ? r : open_for_reading(image, 0, ret_disk, err);
}

static void measure(struct image *image)
{
	struct catalog_usage usage;

	images_usage(image, &usage);
	(void)pthread_mutex_lock(&image->images->lock);
	image->usage = usage;
	image->measured = true;
	(void)pthread_mutex_unlock(&image->images->lock);
}

int images_open_disk(struct image *image, enum images_mode mode, struct vhd_error *err)
{
	struct catalog_brief brief;
	struct vhd *disk;
	uint32_t blocks;
	int r = 0;

	if (image->disk && image->broken)
		r = images_open_close(image, err);
	if (r < 0)
		return r;
	if (image->disk)
		return make_writable(image, err);
	if (!catalog_brief(image->images->catalog, image->id, &brief))
		return failure(err, VHD_E_NOT_FOUND, "there is no such image");
	image->writable = false;
	image->unrepaired = false;
	image->broken = brief.broken;
	memcpy(image->missing_id, brief.missing_id, IDS_SIZE);
	if (brief.broken || brief.children || brief.frozen)
		r = open_settled(image, brief.dirty, &disk, err);
	else
		r = open_leaf(image, mode, brief.dirty, &disk, err);
	if (r == 0)
		r = check_identity(image, &brief, disk, err);
	if (r < 0)
		return r;
	/* The catalog's numbers are from the last close; after a crash, or a failure, the file
	 * tells. */
	image->blocks = brief.blocks;
	if (brief.dirty && vhd_allocated_blocks(disk, &blocks, NULL) == 0)
		image->blocks = blocks;
	set_disk(image, disk, brief.generation);
	if (brief.dirty)
		measure(image);
	return 0;
}

void images_usage(const struct image *image, struct catalog_usage *ret_usage)
{
	struct vhd_state state;

	*ret_usage = (struct catalog_usage){.measured_at = clock_wall_ms()};
	vhd_state(image->disk, &state);
	ret_usage->blocks = image->blocks + state.allocated;
	if (vhd_file_size(image->disk, &ret_usage->file_bytes, NULL) < 0)
		ret_usage->file_bytes = 0;
}

int images_open_close(struct image *image, struct vhd_error *err)
{
	struct catalog_usage usage;
	struct catalog_brief brief;
	int r = 0;

	if (!image->disk)
		return 0;
	if (image->writable && !image->failed)
		r = vhd_flush(image->disk, 0, err);
	if (r < 0)
		return r;
	images_usage(image, &usage);
	images_open_drop(image);
	CRASH_POINT("close.dropped");
	if (!image->failed && image->writable &&
	    catalog_brief(image->images->catalog, image->id, &brief) && brief.dirty)
		mark_clean(image, &usage);
	return 0;
}

void images_open_draw_verifier(struct images *images)
{
	uint8_t bytes[16];

	ids_random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		(void)snprintf(images->verifier + 2 * i, 3, "%02x", bytes[i]);
}

/* ---- the table as a whole ---- */

static void destroy(struct images *images)
{
	vhd_engine_free(images->engine);
	(void)pthread_cond_destroy(&images->keeper_wakes);
	(void)pthread_cond_destroy(&images->flush_added);
	(void)pthread_cond_destroy(&images->changed);
	(void)pthread_mutex_destroy(&images->lock);
	free(images);
}

int images_new(const struct config *config, struct catalog *catalog, const struct pool_set *pools,
	       struct reconcile *reconcile, struct images **ret_images, struct vhd_error *err)
{
	/* The limit of depth is for new images. */
	const struct vhd_engine_args args = {.cache_size = config->cache_size};
	struct images *images = calloc(1, sizeof *images);
	int r;

	if (!images)
		return failure(err, VHD_E_NOMEM, "out of memory");
	images->catalog = catalog;
	images->pools = pools;
	images->reconcile = reconcile;
	images->flush_bytes = config->flush_bytes;
	images->flush_blocks = config->flush_blocks;
	images->flush_ms = (int64_t)config->flush_ms;
	images->open_max = config->images_open;
	images->flush_last = &images->flush_first;
	(void)pthread_mutex_init(&images->lock, NULL);
	clock_cond_init(&images->changed);
	clock_cond_init(&images->flush_added);
	clock_cond_init(&images->keeper_wakes);
	images_open_draw_verifier(images);
	r = vhd_engine_new(&args, &images->engine, err);
	if (r == 0 && images_flush_start(images) < 0)
		r = failure(err, VHD_E_NOMEM, "cannot start threads");
	if (r < 0) {
		images_flush_stop(images);
		destroy(images);
		return r;
	}
	*ret_images = images;
	return 0;
}

static void close_last(struct image *image)
{
	struct vhd_error err = {0};
	char text[IDS_TEXT];

	ids_format(image->id, text);
	if (images_open_close(image, &err) < 0) {
		log_error("image %s: %s; it is repaired when it is opened next", text, err.text);
		images_open_drop(image);
	}
	images_remove(image);
}

void images_free(struct images *images)
{
	if (!images)
		return;
	images_flush_stop(images);
	for (size_t i = 0; i < IMAGES_BUCKETS; i++) {
		while (images->buckets[i])
			close_last(images->buckets[i]);
	}
	destroy(images);
}

struct vhd_engine *images_engine(struct images *images)
{
	return images->engine;
}
