/* images.c - the table: pins, seals and holds. */
#include "images.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "clock.h"
#include "failure.h"
#include "images_table.h"
#include "workers.h"

static void lock(struct images *images)
{
	(void)pthread_mutex_lock(&images->lock);
}

static void unlock(struct images *images)
{
	(void)pthread_mutex_unlock(&images->lock);
}

static struct image **bucket(struct images *images, const uint8_t id[IDS_SIZE])
{
	uint32_t key;

	memcpy(&key, id, sizeof key); /* ids are drawn by chance, mostly */
	return &images->buckets[(key ^ key >> 16) % IMAGES_BUCKETS];
}

struct image *images_find(struct images *images, const uint8_t id[IDS_SIZE])
{
	struct image *image = *bucket(images, id);

	while (image && !ids_equal(image->id, id))
		image = image->next;
	return image;
}

static struct image *find_or_add(struct images *images, const uint8_t id[IDS_SIZE])
{
	struct image *image = images_find(images, id);
	struct image **at = bucket(images, id);

	if (image)
		return image;
	image = calloc(1, sizeof *image);
	if (!image)
		return NULL;
	image->images = images;
	memcpy(image->id, id, IDS_SIZE);
	(void)pthread_mutex_init(&image->first_write, NULL);
	images_content_init(image);
	image->next = *at;
	*at = image;
	return image;
}

void images_remove(struct image *image)
{
	struct image **at = bucket(image->images, image->id);

	images_flush_unqueue(image);
	while (*at != image)
		at = &(*at)->next;
	*at = image->next;
	(void)pthread_rwlock_destroy(&image->content);
	(void)pthread_mutex_destroy(&image->first_write);
	free(image);
}

/* Gives the lock away for a while. False: two seconds are over, or it is the turn of a client, for
 * which too many wait already. */
static bool wait_changed(struct images *images, const struct timespec *deadline, bool for_client)
{
	bool aside = workers_step_aside();
	int r;

	if (!aside && for_client)
		return false;
	r = pthread_cond_timedwait(&images->changed, &images->lock, deadline);
	if (aside)
		workers_step_back();
	return r == 0;
}

/* Others use it, as long as their clients take; what holds it only takes as long as a disk. */
static bool waits_for_clients(const struct image *image)
{
	return image->pins > 0 && !image->held;
}

/* The file of a child that is being made or deleted may come, or come back, as long as it has a
 * row: after a crash, or after a commit of which nobody knows whether it is on the disk. */
static bool waits_for_child(enum images_mode mode, const struct catalog_brief *brief)
{
	return mode == IMAGES_WRITE && brief->children;
}

/* A closed image that nobody waits for needs no place in the table, but to be known as failed; a
 * waiter looks it up again. */
static void ended(struct image *image)
{
	struct images *images = image->images;

	if (!image->disk && !image->held && !image->pins && !image->failed)
		images_remove(image);
	(void)pthread_cond_broadcast(&images->changed);
}

/* ---- pins ---- */

/* Whether the catalog lets the image be used so. On success `ret_brief` is what it says. */
static int allowed(struct images *images, const uint8_t id[IDS_SIZE], enum images_mode mode,
		   struct catalog_brief *ret_brief, struct vhd_error *err)
{
	if (!catalog_brief(images->catalog, id, ret_brief) || ret_brief->state != CATALOG_READY)
		return failure(err, VHD_E_NOT_FOUND, "there is no such image");
	if (mode == IMAGES_WRITE && (ret_brief->frozen || ret_brief->born))
		return failure(err, VHD_E_FROZEN, "the image is frozen");
	if (mode == IMAGES_WRITE && ret_brief->broken)
		return failure(err, VHD_E_PARENT_MISSING,
			       "an image is written only with all its ancestors");
	return 0;
}

/* Opens it without the lock, and as nobody else. */
static int open_held(struct image *image, enum images_mode mode, struct vhd_error *err)
{
	struct images *images = image->images;
	int r;

	images_users_hold(image);
	unlock(images);
	r = images_open_disk(image, mode, err);
	lock(images);
	image->held = false;
	ended(image);
	return r;
}

enum verdict { ENTER, WAIT, OPEN };

/* Whether an ancestor has come since it was opened: nobody may look past the break any longer. */
static bool has_grown(const struct image *image, const struct catalog_brief *brief)
{
	return image->broken &&
	       (!brief->broken || memcmp(image->missing_id, brief->missing_id, IDS_SIZE) != 0);
}

/* What stands between a request and the image now. */
static enum verdict judge(const struct image *image, enum images_mode mode,
			  const struct catalog_brief *brief)
{
	if (image->held || waits_for_child(mode, brief))
		return WAIT;
	if (!image->disk)
		return OPEN;
	if (has_grown(image, brief))
		return image->pins || image->flushing ? WAIT : OPEN;
	if (mode == IMAGES_READ)
		return ENTER;
	if (image->seals)
		return WAIT;
	if (image->writable && !image->frozen)
		return ENTER;
	/* It has been a parent: writing starts with nobody else in it. */
	return image->pins || image->flushing ? WAIT : OPEN;
}

static bool wait_for(const struct image *image, enum images_mode mode,
		     const struct catalog_brief *brief, const struct timespec *deadline)
{
	bool child = waits_for_child(mode, brief);

	if (child && images_users_left_child(image->images, image->id))
		return false;
	return wait_changed(image->images, deadline, child || waits_for_clients(image));
}

/* It may have gone while it was waited for. */
static int give_up(struct images *images, const uint8_t id[IDS_SIZE], enum images_mode mode,
		   struct vhd_error *err)
{
	const struct image *image = images_find(images, id);
	struct catalog_brief brief;

	/* It is none of its users whom this waited for. */
	if (catalog_brief(images->catalog, id, &brief) && waits_for_child(mode, &brief))
		return failure(err, VHD_E_BUSY, "a child of the image is neither there nor gone");
	if (image)
		images_users_blame(image, mode == IMAGES_WRITE && image->seals ? IMAGES_SEALS
									       : IMAGES_ANY_USE);
	return failure(err, VHD_E_BUSY, "the image is in use");
}

/* With the lock: waits and opens until the image can be entered; on success the lock has been held
 * since. */
static int enter(struct images *images, const uint8_t id[IDS_SIZE], enum images_mode mode,
		 unsigned flags, struct image **ret_image, struct vhd_error *err)
{
	struct timespec deadline = clock_deadline(IMAGES_WAIT_MS);

	for (;;) {
		struct image *image;
		enum verdict verdict;
		struct catalog_brief brief;
		int r = allowed(images, id, mode, &brief, err);

		if (r < 0)
			return r;
		image = find_or_add(images, id);
		if (!image)
			return failure(err, VHD_E_NOMEM, "out of memory");
		if (mode == IMAGES_WRITE && image->failed && image->disk)
			return failure(err, VHD_E_FAILED, "an earlier sync of the image failed");
		verdict = judge(image, mode, &brief);
		*ret_image = image;
		if (verdict == ENTER)
			return 0;
		if (flags & VHD_NOWAIT) {
			if (verdict == OPEN)
				ended(image);
			return VHD_E_AGAIN;
		}
		if (verdict == WAIT && !wait_for(image, mode, &brief, &deadline))
			return give_up(images, id, mode, err);
		if (verdict == OPEN)
			r = open_held(image, mode, err);
		if (r < 0)
			return r;
	}
}

int images_pin(struct images *images, const uint8_t id[IDS_SIZE], enum images_mode mode,
	       unsigned flags, struct image **ret_image, struct vhd_error *err)
{
	struct image *image;
	int r;

	actor_blame("");
	lock(images);
	r = enter(images, id, mode, flags, &image, err);
	if (r == 0) {
		images_users_add(image, (int)mode);
		image->pins++;
		image->writers += mode == IMAGES_WRITE;
		*ret_image = image;
	}
	unlock(images);
	return r;
}

/* With the lock, when whoever may have met a sync that failed leaves the image. */
static void see_failed(struct image *image)
{
	struct vhd_state state;

	vhd_state(image->disk, &state);
	if (state.failed && !image->failed)
		images_flush_failed(image);
}

void images_unpin(struct image *image, enum images_mode mode)
{
	struct images *images = image->images;

	lock(images);
	if (mode == IMAGES_WRITE)
		see_failed(image);
	images_users_remove(image, (int)mode);
	image->pins--;
	image->writers -= mode == IMAGES_WRITE;
	image->used_ms = clock_monotonic_ms();
	ended(image);
	unlock(images);
}

struct vhd *images_disk(const struct image *image)
{
	return image->disk;
}

/* ---- holds ---- */

static bool in_use(const struct image *image)
{
	return image->held || image->pins || image->flushing;
}

int images_hold(struct images *images, const uint8_t id[IDS_SIZE], struct image **ret_image,
		struct vhd_error *err)
{
	struct timespec deadline = clock_deadline(IMAGES_WAIT_MS);
	struct image *image;
	int r = 0;

	actor_blame("");
	lock(images);
	while ((image = find_or_add(images, id)) != NULL && in_use(image)) {
		if (r < 0) {
			images_users_blame(image, IMAGES_ANY_USE);
			break;
		}
		if (!wait_changed(images, &deadline, waits_for_clients(image)))
			r = failure(err, VHD_E_BUSY, "the image is in use");
	}
	if (!image)
		r = failure(err, VHD_E_NOMEM, "out of memory");
	else if (!in_use(image))
		r = 0;
	if (r == 0) {
		images_users_hold(image);
		*ret_image = image;
	}
	unlock(images);
	return r;
}

void images_release(struct image *image)
{
	struct images *images = image->images;

	lock(images);
	if (image->disk)
		see_failed(image);
	image->held = false;
	ended(image);
	unlock(images);
}

void images_install(struct image *image, struct vhd *disk)
{
	images_open_install(image, disk);
	lock(image->images);
	images_users_add(image, IMAGES_READ);
	image->pins++;
	unlock(image->images);
	images_release(image);
}

void images_discard(struct image *image)
{
	images_open_drop(image);
	lock(image->images);
	image->failed = false;
	unlock(image->images);
	images_release(image);
}

int images_close(struct image *image, struct vhd_error *err)
{
	if (image->failed && image->disk)
		return failure(err, VHD_E_FAILED, "an earlier sync of the image failed");
	return image->disk ? images_open_close(image, err) : images_open_repair(image, err);
}

/* ---- seals ---- */

/* With the lock: gives a seal back. */
static void unseal(struct image *image)
{
	images_users_remove(image, IMAGES_SEALS);
	image->seals--;
	image->pins--;
	image->used_ms = clock_monotonic_ms();
	ended(image);
}

static int wait_for_others(struct image *image, enum images_seal_mode mode, struct vhd_error *err)
{
	struct timespec deadline = clock_deadline(IMAGES_WAIT_MS);
	bool in_time = true;

	while (image->writers || image->alone || (mode == IMAGES_ALONE && image->granted)) {
		if (in_time) {
			in_time = wait_changed(image->images, &deadline, image->writers > 0);
			continue;
		}
		images_users_blame(image, image->writers ? IMAGES_WRITE : IMAGES_SEALS);
		return failure(err, VHD_E_BUSY, "others are changing the image");
	}
	return 0;
}

static int grant(struct image *image, enum images_seal_mode mode, struct vhd_error *err)
{
	int r = wait_for_others(image, mode, err);

	if (r == 0 && image->failed)
		r = failure(err, VHD_E_FAILED, "an earlier sync of the parent failed");
	/* What is frozen counts as closed in good order. */
	if (r == 0 && image->unrepaired)
		r = failure(err, VHD_E_READONLY, "the file may need repair, and cannot be written");
	if (r < 0)
		return r;
	image->granted++;
	image->alone = mode == IMAGES_ALONE;
	return 0;
}

/* With the lock: closes what could not be repaired when it was opened, so that it is opened anew.
 */
static int close_unrepaired(struct images *images, const uint8_t id[IDS_SIZE],
			    struct vhd_error *err)
{
	struct timespec deadline = clock_deadline(IMAGES_WAIT_MS);
	struct image *image;

	while ((image = images_find(images, id)) && image->unrepaired && in_use(image))
		if (!wait_changed(images, &deadline, waits_for_clients(image)))
			return give_up(images, id, IMAGES_READ, err);
	if (!image || !image->unrepaired)
		return 0;
	images_users_hold(image);
	unlock(images);
	(void)images_open_close(image, NULL); /* there is nothing to flush */
	lock(images);
	image->held = false;
	ended(image);
	return 0;
}

int images_seal(struct images *images, const uint8_t id[IDS_SIZE], enum images_seal_mode mode,
		struct image **ret_image, struct vhd_error *err)
{
	struct image *image;
	int r;

	actor_blame("");
	lock(images);
	r = close_unrepaired(images, id, err);
	if (r == 0)
		r = enter(images, id, IMAGES_READ, 0, &image, err);
	if (r == 0) {
		images_users_add(image, IMAGES_SEALS);
		image->pins++;
		image->seals++;
		r = grant(image, mode, err);
		if (r < 0)
			unseal(image);
		else
			*ret_image = image;
	}
	unlock(images);
	return r;
}

bool images_was_writable(const struct image *image)
{
	struct images *images = image->images;
	bool answer;

	lock(images);
	answer = image->writable && !image->frozen;
	unlock(images);
	return answer;
}

/* With the lock, as the last one who was granted a seal, and nothing came of any: nobody was told
 * that it is frozen, and writers need not wait until those who read have gone. */
static void thaw_sealed(struct image *image)
{
	int r;

	image->alone = true; /* so that nobody freezes it meanwhile */
	unlock(image->images);
	r = vhd_thaw(image->disk, NULL);
	lock(image->images);
	image->frozen = r < 0;
}

void images_unseal(struct image *image, bool froze)
{
	struct images *images = image->images;
	struct catalog_brief row;
	/* While it is sealed nobody makes it dirty. */
	bool clean = !catalog_brief(images->catalog, image->id, &row) || !row.dirty;

	lock(images);
	see_failed(image);
	/* The next write thaws it, and begins a new generation; if nothing came of the seal, what
	 * was written is told apart by the old one still. */
	if (froze)
		image->frozen = image->frozen || image->writable;
	else if (image->granted == 1 && image->writable && !image->frozen)
		thaw_sealed(image);
	if (clean)
		image->written = false;
	image->granted--;
	image->alone = false;
	unseal(image);
	unlock(images);
}
