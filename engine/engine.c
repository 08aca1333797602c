/* engine.c - opening chains: each file once, parents by unique id, leaf to root without recursion.
 */
#include "cleanup.h"
#include "error.h"
#include "image.h"
#include "locator.h"
#include "writer.h"

static const size_t cache_default = 128U << 20;
/* Tables are only needed where a unit is built: a sixteenth of the budget is theirs. */
enum { TABLES_SHARE = 16 };

int vhd_engine_new(const struct vhd_engine_args *args, struct vhd_engine **ret_engine,
		   struct vhd_error *err)
{
	struct vhd_engine *engine;
	size_t budget;

	if (args && args->depth_max > VHD_DEPTH_MAX)
		return vhd_fail(err, VHD_E_INVALID, "a depth limit of %u: at most %d",
				args->depth_max, VHD_DEPTH_MAX);
	engine = calloc(1, sizeof *engine);
	if (!engine)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for an engine");
	pthread_mutex_init(&engine->lock, NULL);
	budget = args && args->cache_size ? args->cache_size : cache_default;
	cache_init(&engine->tables, budget / TABLES_SHARE);
	cache_init(&engine->units, budget - budget / TABLES_SHARE);
	engine->depth_max = args && args->depth_max ? args->depth_max : VHD_DEPTH_MAX;
	*ret_engine = engine;
	return 0;
}

void vhd_engine_free(struct vhd_engine *engine)
{
	if (!engine)
		return;
	cache_fini(&engine->units);
	cache_fini(&engine->tables);
	pthread_mutex_destroy(&engine->lock);
	free(engine);
}

size_t vhd_engine_cached(const struct vhd_engine *engine)
{
	return engine->units.used + engine->tables.used;
}

/* Locks and loads one file. */
static int load_file(struct vhd_engine *engine, struct vhd_io *io, unsigned flags, bool raw,
		     struct image **ret_image, struct vhd_error *err)
{
	enum vhd_lock mode = flags & VHD_WRITE ? VHD_LOCK_WRITE : VHD_LOCK_READ;
	int r = flags & VHD_NO_LOCK ? 0 : io_lock(io, mode, err);

	if (r < 0)
		return r;
	if (flags & VHD_REREAD)
		r = io_reread(io, err);
	if (r == 0)
		r = raw ? image_load_raw(engine, io, ret_image, err)
			: image_load(engine, io, flags, ret_image, err);
	if (r < 0 && !(flags & VHD_NO_LOCK))
		(void)io_lock(io, VHD_LOCK_NONE, NULL);
	return r;
}

static int check_id(const struct image *parent, const uint8_t wanted[VHD_ID_SIZE],
		    struct vhd_error *err)
{
	char want[ID_TEXT], got[ID_TEXT];

	if (memcmp(parent->info.id, wanted, VHD_ID_SIZE) == 0)
		return 0;
	image_id_text(wanted, want);
	image_id_text(parent->info.id, got);
	return vhd_fail(err, VHD_E_PARENT_MISMATCH,
			"the file has the unique id %s, the child wants %s", got, want);
}

static int load_parent(struct vhd_engine *engine, struct vhd_io *io, const uint8_t id[VHD_ID_SIZE],
		       unsigned flags, struct image **ret_parent, struct vhd_error *err)
{
	CLEANUP(image_freep) struct image *parent = NULL;
	int r = load_file(engine, io, flags & VHD_NO_LOCK, image_id_is_zero(id), &parent, err);

	if (r == 0)
		r = check_id(parent, id, err);
	if (r == 0)
		*ret_parent = STEAL(parent);
	return r;
}

/* One call of vhd_open. */
struct opening {
	struct vhd_engine *engine;
	struct image *leaf;
	struct image *parent; /* of those that were open before */
	struct image *behind; /* likewise; it is flushed before it is frozen */
	unsigned flags;
	const struct vhd_resolver *resolver;
};

/* Asks the caller where the parent is. */
static int resolve_parent(const struct opening *opening, const struct image *child, unsigned level,
			  struct image **ret_parent, struct vhd_error *err)
{
	CLEANUP(freep) struct vhd_locator *locators = calloc(VHD_LOCATORS, sizeof *locators);
	CLEANUP(vhd_io_close) struct vhd_io io = {0};
	struct vhd_parent_ref ref = {.timestamp = child->header.parent_timestamp,
				     .name = child->header.parent_name,
				     .locators = locators,
				     .level = level};
	int r;

	if (!locators)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for locators");
	memcpy(ref.id, child->header.parent_id, VHD_ID_SIZE);
	if (image_id_is_zero(ref.id) && !(opening->flags & VHD_RAW_PARENT))
		return image_refuse_raw(err);
	if (!opening->resolver)
		return vhd_fail(err, VHD_E_PARENT_MISSING, "nobody knows where it is");
	(void)image_locators(child, locators, NULL); /* a hint: the unique id decides */
	r = opening->resolver->open(opening->resolver->ctx, &ref, &io, err);
	return r < 0 ? r : load_parent(child->engine, &io, ref.id, opening->flags, ret_parent, err);
}

/* Whether the parent of `child` is one of the files that were opened on the way to it. */
static int check_cycle(const struct image *leaf, const struct image *child, struct vhd_error *err)
{
	const uint8_t *id = child->header.parent_id;

	for (const struct image *image = leaf; !image_id_is_zero(id); image = image->parent) {
		if (memcmp(image->info.id, id, VHD_ID_SIZE) == 0)
			return vhd_fail(err, VHD_E_CYCLE, "the chain comes back to itself");
		if (image == child)
			break;
	}
	return 0;
}

static int find_parent(const struct opening *opening, const struct image *child, unsigned level,
		       struct image **ret_parent, struct vhd_error *err)
{
	const uint8_t *wanted = child->header.parent_id;
	uint32_t depth_max = child->engine->depth_max;
	char id[ID_TEXT];
	int r = check_cycle(opening->leaf, child, err);

	if (r == 0 && level >= depth_max)
		r = vhd_fail(err, VHD_E_DEPTH, "the chain is longer than %u images", depth_max);
	if (r == 0) {
		*ret_parent = image_id_is_zero(wanted) ? NULL : image_find(child->engine, wanted);
		if (*ret_parent)
			return 0;
		r = resolve_parent(opening, child, level, ret_parent, err);
	}
	image_id_text(wanted, id);
	return r < 0 ? vhd_wrap(err, r, "parent %s", id) : 0;
}

static bool is_absence(int r)
{
	return r == VHD_E_PARENT_MISSING || r == VHD_E_PARENT_MISMATCH;
}

/* Hangs the parent under `child`. *ret_parent is NULL when the chain needs no more: the parent was
 * open, and so is its chain, or the caller can do without. */
static int add_parent(struct opening *opening, struct image *child, unsigned level,
		      struct image **ret_parent, struct vhd_error *err)
{
	struct image *parent = NULL;
	struct vhd_error why;
	int r;

	*ret_parent = NULL;
	child->lone = opening->flags & VHD_NO_PARENT;
	if (child->lone)
		return 0;
	r = find_parent(opening, child, level, &parent, &why);
	child->lone = is_absence(r) && opening->flags & VHD_BROKEN;
	if (child->lone)
		return 0;
	if (r < 0 || !parent)
		return vhd_pass(err, &why, r);
	if (!opening->behind && writer_is_behind(parent)) {
		parent->refs++;
		opening->behind = parent;
		return VHD_E_AGAIN;
	}
	r = image_attach(child, parent, err);
	if (r < 0)
		return r;
	if (parent->refs == 1)
		*ret_parent = parent;
	else
		opening->parent = parent;
	return 0;
}

/* Hangs the ancestors under a loaded leaf. On failure those that were loaded hang there too: they
 * go with it. */
static int add_ancestors(struct opening *opening, struct vhd_error *err)
{
	struct image *child = opening->leaf;
	int r = 0;

	for (unsigned level = 1; r == 0 && child && child->info.type == VHD_DIFF; level++)
		r = add_parent(opening, child, level, &child, err);
	return r;
}

/* Depths from the leaf down to the first image that has its own already. */
static int set_depths(struct image *leaf, struct vhd_error *err)
{
	uint32_t depth_max = leaf->engine->depth_max;
	unsigned depth = 0;

	for (struct image *image = leaf; image; image = image->parent) {
		if (image->refs > 1) {
			depth += image->info.depth;
			break;
		}
		depth++;
	}
	if (depth > depth_max)
		return vhd_fail(err, VHD_E_DEPTH, "the chain has %u images: at most %u", depth,
				depth_max);
	for (struct image *image = leaf; image && image->refs <= 1; image = image->parent)
		image->info.depth = depth--;
	return 0;
}

enum { PRIVATE = VHD_NO_PARENT | VHD_BROKEN | VHD_NO_LOCK }; /* such a view is not for others */

static int register_chain(struct image *leaf, unsigned flags, struct vhd_error *err)
{
	int r = 0;

	for (struct image *image = leaf; image && !image->shared && r == 0; image = image->parent)
		if (!(flags & PRIVATE) && image->info.type != VHD_RAW)
			r = image_register(image, err);
	return r;
}

/* A file that is not open must not have the unique id of one that is. */
static int refuse_twin(struct vhd_engine *engine, const struct vhd_io *io, unsigned flags,
		       struct vhd_error *err)
{
	struct footers footers;
	int r = footers_read(io, flags & VHD_RECOVER, &footers, err);

	if (r == 0 && image_find(engine, footers.footer.id))
		return vhd_fail(err, VHD_E_EXISTS, "another file with the same unique id is open");
	return r;
}

/* Another handle to a file that is open already; *ret_disk stays NULL when it is not. */
static int share(struct vhd_engine *engine, struct vhd_io *io, unsigned flags,
		 struct vhd **ret_disk, struct vhd_error *err)
{
	/* Not by its footers: they move while another handle writes. */
	struct image *image = NULL;
	int r = image_find_file(engine, io, &image, err);

	if (r < 0)
		return r;
	if (!image)
		return refuse_twin(engine, io, flags, err);
	if (flags & VHD_WRITE && !image->writer)
		return vhd_fail(err, VHD_E_BUSY, "the image is open for reading");
	r = image_handle(image, flags, ret_disk, err);
	if (r == 0)
		vhd_io_close(io);
	return r;
}

int image_unfreeze(struct image *image, int r, struct vhd_error *err)
{
	struct vhd_error why;

	if (--image->freezes > 0 || !image->writer || writer_thaw(image, &why) == 0)
		return r;
	image->freezes++;
	return vhd_wrap(err, r, "the parent stays frozen (%s)", why.text);
}

/* Frees a leaf that never got a handle, with the ancestors that were opened for it. `r`: why. */
static int abandon(const struct opening *opening, struct vhd_io *io, int r, struct vhd_error *err)
{
	struct image *leaf = opening->leaf;

	*io = leaf->io; /* still the caller's */
	(void)io_lock(io, VHD_LOCK_NONE, NULL);
	leaf->io = (struct vhd_io){0};
	leaf->refs = 1;
	image_unref(leaf);
	return opening->parent ? image_unfreeze(opening->parent, r, err) : r;
}

static int open_chain(struct opening *opening, struct vhd_io *io, struct vhd **ret_disk,
		      struct vhd_error *err)
{
	unsigned flags = opening->flags;
	int r = load_file(opening->engine, io, flags, false, &opening->leaf, err);

	if (r < 0 || !opening->leaf)
		return r;
	r = add_ancestors(opening, err);
	if (r == 0)
		r = set_depths(opening->leaf, err);
	if (r == 0)
		r = register_chain(opening->leaf, flags, err);
	if (r == 0)
		r = image_handle(opening->leaf, flags, ret_disk, err);
	return r < 0 ? abandon(opening, io, r, err) : 0;
}

static int open_locked(struct opening *opening, struct vhd_io *io, struct vhd **ret_disk,
		       struct vhd_error *err)
{
	struct vhd *disk = NULL;
	unsigned flags = opening->flags;
	int r;

	pthread_mutex_lock(&opening->engine->lock);
	r = flags & PRIVATE ? 0 : share(opening->engine, io, flags, &disk, err);
	if (r == 0 && !disk)
		r = open_chain(opening, io, &disk, err);
	pthread_mutex_unlock(&opening->engine->lock);
	if (r == 0)
		*ret_disk = disk;
	return r;
}

/* Most of what waits is written before opens and closes have to wait for the rest. */
static int catch_up(struct opening *opening, struct vhd_error *err)
{
	int r = writer_flush(opening->behind, 0, err);

	pthread_mutex_lock(&opening->engine->lock);
	image_unref(opening->behind);
	pthread_mutex_unlock(&opening->engine->lock);
	return r < 0 ? vhd_wrap(err, r, "freeze the parent") : 0;
}

static int check_flags(unsigned flags, struct vhd_error *err)
{
	if (flags & VHD_RECOVER && flags & VHD_NO_LOCK)
		return vhd_fail(err, VHD_E_INVALID, "recovery needs the lock of the image");
	if (flags & VHD_WRITE && flags & (VHD_NO_LOCK | VHD_BROKEN))
		return vhd_fail(err, VHD_E_INVALID,
				"an image is written only with its lock and its whole chain");
	return 0;
}

/* Recovery may take long, so the engine is not locked; the file is, and nobody else of this process
 * may have it. */
static int recover(struct vhd_engine *engine, struct vhd_io *io, unsigned flags,
		   struct vhd_error *err)
{
	bool write = flags & VHD_WRITE;
	struct image *open = NULL;
	int r;

	pthread_mutex_lock(&engine->lock);
	r = image_find_file(engine, io, &open, err);
	pthread_mutex_unlock(&engine->lock);
	if (r < 0)
		return r;
	if (open)
		return vhd_fail(err, VHD_E_BUSY,
				"the image is open: close it before it is recovered");
	r = io_lock(io, write ? VHD_LOCK_WRITE : VHD_LOCK_READ, err);
	if (r == 0)
		r = write ? recover_image(io, err) : recover_check(io, err);
	if (r < 0)
		(void)io_lock(io, VHD_LOCK_NONE, NULL);
	return r;
}

int vhd_open(struct vhd_engine *engine, struct vhd_io *io, unsigned flags,
	     const struct vhd_resolver *resolver, struct vhd **ret_disk, struct vhd_error *err)
{
	struct opening opening = {.engine = engine, .flags = flags, .resolver = resolver};
	int r = check_flags(flags, err);

	if (r == 0 && flags & VHD_RECOVER)
		r = recover(engine, io, flags, err);
	if (r < 0)
		return r;
	if (!(flags & VHD_WRITE))
		opening.flags &= ~(unsigned)VHD_RECOVER;
	r = open_locked(&opening, io, ret_disk, err);
	if (r < 0 && opening.behind) {
		r = catch_up(&opening, err);
		if (r == 0)
			r = open_locked(&opening, io, ret_disk, err);
	}
	return r;
}

void vhd_close(struct vhd *disk)
{
	struct vhd_engine *engine;

	if (!disk)
		return;
	engine = disk->image->engine;
	pthread_mutex_lock(&engine->lock);
	image_unref(disk->image);
	pthread_mutex_unlock(&engine->lock);
	free(disk);
}

/* ---- frozen and thawed ---- */

static int freeze(struct image *image, bool creating, struct vhd_error *err)
{
	/* Most of what waits is written before opens and closes have to wait for the rest. */
	int r = image->writer ? writer_flush(image, 0, err) : 0;

	if (r < 0)
		return r;
	pthread_mutex_lock(&image->engine->lock);
	r = image->writer ? writer_freeze(image, err) : 0;
	image->freezes += r == 0;
	image->creating += r == 0 && creating;
	pthread_mutex_unlock(&image->engine->lock);
	return r;
}

int image_hold(struct image *image, struct vhd_error *err)
{
	return image ? freeze(image, true, err) : 0;
}

int image_let_go(struct image *image, int r, struct vhd_error *err)
{
	if (!image)
		return r;
	pthread_mutex_lock(&image->engine->lock);
	image->creating--;
	r = image_unfreeze(image, r, err);
	pthread_mutex_unlock(&image->engine->lock);
	return r;
}

int image_disown(struct vhd *disk, int r, struct vhd_error *err)
{
	struct vhd_engine *engine = disk->image->engine;
	struct image *parent = disk->image->parent;

	pthread_mutex_lock(&engine->lock);
	image_unref(disk->image);
	if (parent)
		r = image_unfreeze(parent, r, err);
	pthread_mutex_unlock(&engine->lock);
	free(disk);
	return r;
}

int vhd_freeze(struct vhd *disk, struct vhd_error *err)
{
	return freeze(disk->image, false, err);
}

static int thaw(struct image *image, struct vhd_error *err)
{
	int r;

	if (image->children > 0)
		return vhd_fail(err, VHD_E_BUSY, "%u open children read from this image",
				image->children);
	if (image->creating > 0)
		return vhd_fail(err, VHD_E_BUSY, "a child of this image is being made");
	r = writer_thaw(image, err);
	if (r == 0)
		image->freezes = 0;
	return r;
}

int vhd_thaw(struct vhd *disk, struct vhd_error *err)
{
	struct vhd_engine *engine = disk->image->engine;
	int r;

	if (!disk->image->writer || !disk->writable)
		return vhd_fail(err, VHD_E_READONLY, "the image was opened for reading");
	pthread_mutex_lock(&engine->lock);
	r = thaw(disk->image, err);
	pthread_mutex_unlock(&engine->lock);
	return r;
}
