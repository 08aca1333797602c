/* images.h - the images that are open, by id: who uses them, who may not, and when they are made
 * durable.
 *
 * A request pins an image while it uses it. Whoever changes what an image is (create, delete) holds
 * it: then there are no pins and none can be made. Whoever makes a child seals the parent: then
 * there are no writers. All waits end after two seconds with VHD_E_BUSY, and actor_blamed() names
 * one who was waited for: a request, "(flush)", or "(daemon)".
 *
 * Images with children are open for reading, all others for writing. Failures are told in the
 * engine's words.
 */
#ifndef IMAGES_H
#define IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actor.h"
#include "catalog.h"
#include "config.h"
#include "pool_set.h"
#include "reconcile.h"
#include "vhd.h"

struct images;
struct image; /* one image that is, or is about to be, open */

enum { IMAGES_VERIFIER = 33 };

/* Everything but `config` must outlive the table. */
int images_new(const struct config *config, struct catalog *catalog, const struct pool_set *pools,
	       struct reconcile *reconcile, struct images **ret_images, struct vhd_error *err);
/* When no request is left: makes all durable and closes it. NULL is fine. */
void images_free(struct images *images);

struct vhd_engine *images_engine(struct images *images);

enum images_mode { IMAGES_READ, IMAGES_WRITE };

/* Opens the image when it is closed, and keeps it so until the pin is gone. VHD_NOWAIT: VHD_E_AGAIN
 * instead of opening or waiting. VHD_E_NOT_FOUND: there is no such image that is ready;
 * VHD_E_FROZEN: it cannot be written; VHD_E_FAILED: a sync has failed. */
int images_pin(struct images *images, const uint8_t id[IDS_SIZE], enum images_mode mode,
	       unsigned flags, struct image **ret_image, struct vhd_error *err);
void images_unpin(struct image *image, enum images_mode mode); /* never blocks */

/* Of a pinned image. */
struct vhd *images_disk(const struct image *image);
/* What its file takes now; file_bytes 0 when nobody can tell. */
void images_usage(const struct image *image, struct catalog_usage *ret_usage);
/* VHD_LOCATORS of them, as long as the pin is there. VHD_NOWAIT: VHD_E_AGAIN instead of reading
 * them. */
int images_locators(struct image *image, unsigned flags, const struct vhd_locator **ret_locators,
		    struct vhd_error *err);

/* ---- data of an image that is pinned for writing ---- */

int images_write(struct image *image, const void *buf, size_t len, uint64_t off,
		 struct vhd_accepted *ret_accepted, struct vhd_error *err);
int images_zero(struct image *image, uint64_t off, uint64_t len, struct vhd_accepted *ret_accepted,
		struct vhd_error *err);

/* The fields become so in the file, durably, with all that was written before. Whoever does it
 * holds the lock of reconcile_footer.h. Also of an image that is sealed, if images_was_writable. */
int images_set_footer(struct image *image, const struct vhd_footer *footer, struct vhd_error *err);

/* Writers share the content of an image; who compares before it writes has it alone. Each waits two
 * seconds, then VHD_E_BUSY. Same thread for both. */
int images_content_lock(struct image *image, struct vhd_error *err);
int images_content_share(struct image *image, struct vhd_error *err);
void images_content_unlock(struct image *image); /* of either */

/* Somebody who waits until `epoch` is durable. Belongs to the table from images_flush to `done`,
 * which is called once, by any thread, perhaps before images_flush returns, and must not block. */
struct images_waiter {
	uint64_t epoch; /* 0 = all that was accepted until now */
	void (*done)(struct images_waiter *waiter,
		     int code);     /* 0, VHD_E_IO, VHD_E_NOSPC or VHD_E_FAILED */
	struct images_waiter *next; /* of the table, and `result` too */
	int result;
};
void images_flush(struct image *image, struct images_waiter *waiter);

/* ---- what an image is ---- */

/* Nobody else has it or gets it, and it may be closed or not there at all yet. */
int images_hold(struct images *images, const uint8_t id[IDS_SIZE], struct image **ret_image,
		struct vhd_error *err);
/* Ends of a hold: as it was; with the disk of a new image, which is taken over, and a pin for
 * reading; or gone, its disk closed without a flush. */
void images_release(struct image *image);
void images_install(struct image *image, struct vhd *disk);
void images_discard(struct image *image);
/* Flushes, closes and marks the image clean; what a crash left in one that is closed is repaired.
 * It stays held. VHD_E_UNCLEAN: there is something to repair where nobody can write, and it was
 * read anew. VHD_E_FAILED: a sync has failed, so it cannot be closed but by images_recover or
 * images_discard. */
int images_close(struct image *image, struct vhd_error *err);

/* Gives up what a failed image holds in memory: it is closed, repaired and opened. So is one whose
 * footers are unclean although the catalog says that it was closed; a parent is VHD_E_FROZEN. Any
 * other is left as it is. */
int images_recover(struct images *images, const uint8_t id[IDS_SIZE], struct vhd_error *err);

/* Opens and pins a parent for a child; no writer is left. IMAGES_ALONE: nor anybody else who has
 * sealed it, for its file is about to change once more. */
enum images_seal_mode { IMAGES_SHARED, IMAGES_ALONE };
int images_seal(struct images *images, const uint8_t id[IDS_SIZE], enum images_seal_mode mode,
		struct image **ret_image, struct vhd_error *err);
/* `froze`: something came of it, and the catalog says that the image is frozen. */
void images_unseal(struct image *image, bool froze);
bool images_was_writable(const struct image *image); /* of a sealed one */

/* Who holds the image now; "" when nobody does. */
void images_holder(struct images *images, const uint8_t id[IDS_SIZE], char ret_name[ACTOR_NAME]);

/* ---- what is known without opening; never blocks ---- */

struct images_view {
	bool open;
	bool failed;   /* also when it is closed, as its recovery did not come to its end */
	bool measured; /* `usage` is newer than that of the catalog */
	struct catalog_usage usage;
	uint64_t generation; /* the version of the content is generation and changes, */
	uint64_t changes;
	uint64_t epoch_base; /* added to the engine's epochs it makes them grow from open to open */
	bool written; /* or the generation alone when it was not written since it was opened */
};
void images_look(struct images *images, const uint8_t id[IDS_SIZE], struct images_view *ret_view);
void images_version(const struct image *image, struct images_view *ret_view); /* of a pinned one */
/* Another one after unflushed writes may have been lost. */
void images_verifier(struct images *images, char ret_text[IMAGES_VERIFIER]);

#endif
