/* service_private.h - what service*.c share. */
#ifndef SERVICE_PRIVATE_H
#define SERVICE_PRIVATE_H

#include <stdatomic.h>

#include "catalog.h"
#include "config.h"
#include "images.h"
#include "pool_set.h"
#include "reconcile.h"
#include "service.h"
#include "service_main.h"

struct service_keeper;
struct service_unfinished;
struct service_room;
struct uploads;

struct service {
	struct service_about about;
	struct catalog *catalog;
	struct images *images;
	struct pool_set pools;
	struct findings *findings;
	struct reconcile reconcile;
	struct service_room *room;
	struct uploads *uploads;
	struct service_keeper *keeper;
	struct service_unfinished *unfinished;
	atomic_bool hurries;
};

enum service_code service_fail(struct service_error *err, enum service_code code,
			       const char *format, ...) __attribute__((format(printf, 3, 4)));

/* service_codes.c: what a failure below means to a client. What the client is not told is logged.
 */
enum service_code service_codes_vhd(const struct vhd_error *why, struct service_error *err);
enum service_code service_codes_catalog(const struct catalog_error *why, struct service_error *err);
/* The same with the image it is about, and its children when it has some. */
enum service_code service_codes_image(struct service *service, const uint8_t id[IDS_SIZE],
				      const struct vhd_error *why, struct service_error *err);
void service_codes_name(struct service *service, const uint8_t id[IDS_SIZE],
			struct service_error *err);
/* The id is taken, as *err says: adds by which image, or says what the deletion of that waits for.
 */
enum service_code service_codes_taken(struct service *service, const uint8_t id[IDS_SIZE],
				      struct service_error *err);
/* The image that has `name`. */
void service_codes_named(struct service *service, const char *name, struct service_error *err);
/* Of a change of the image, or for it: says who makes one that is not there for others yet. */
enum service_code service_codes_change(struct service *service, const uint8_t id[IDS_SIZE],
				       const struct catalog_error *why, struct service_error *err);
/* It is not there for others yet. */
enum service_code service_codes_creating(struct service *service, const uint8_t id[IDS_SIZE],
					 struct service_error *err);
/* What failed was to tell of it, after it was done to the image: adds that. */
enum service_code service_codes_done(const uint8_t id[IDS_SIZE], const char *name,
				     struct service_error *err);
/* Nobody makes it any more, and it waits to be undone; `who`: how the text begins. */
enum service_code service_codes_unmade(struct service *service, const uint8_t id[IDS_SIZE],
				       const char *who, struct service_error *err);
void service_codes_children(struct service *service, const uint8_t id[IDS_SIZE],
			    struct service_error *err);
/* What the image waits for when it has only children that are being made or deleted; *err stays as
 * it is when none is any more. */
enum service_code service_codes_unsettled(struct service *service, const uint8_t id[IDS_SIZE],
					  struct service_error *err);

/* An id or a name. */
enum service_code service_find(struct service *service, const char *ref, uint8_t ret_id[IDS_SIZE],
			       struct service_error *err);

/* service_mounts.c: negative, and a line for a person, when a pool seems not to be mounted. */
int service_mounts_check(struct service *service, char ret_why[SERVICE_WHY]);

/* service_images.c */
enum service_code service_images_fill(struct service *service, const struct catalog_image *row,
				      struct service_image *ret_image, struct service_error *err);
enum service_code service_images_fill_all(struct service *service,
					  const struct catalog_images *rows,
					  struct service_images *ret_images,
					  struct service_error *err);
/* The same of one, and what only its file says: of an image that can be opened. SERVICE_NOWAIT:
 * SERVICE_AGAIN. */
enum service_code service_images_tell(struct service *service, const struct catalog_image *row,
				      unsigned flags, struct service_image *ret_image,
				      struct service_error *err);
/* `frozen`: the content cannot change before the image is thawed. */
void service_images_etag(const char id[SERVICE_ID], const struct images_view *view, bool frozen,
			 char ret_etag[SERVICE_ETAG]);
/* service_update.c: is the row of the version that was asked for? 0 = any. */
enum service_code service_update_compare(const struct catalog_image *row, uint64_t version,
					 struct service_error *err);
enum service_code service_update_check(struct service *service, const uint8_t id[IDS_SIZE],
				       uint64_t version, struct service_error *err);
/* service_health.c. Whether the image and its ancestors may be served: looks again at what was
 * found. */
enum service_code service_health_chain(struct service *service, const uint8_t id[IDS_SIZE],
				       unsigned flags, struct service_error *err);
/* Whether the file is that of the image, or not there, so that it may, and can, be removed. */
enum service_code service_health_file(struct service *service, const uint8_t id[IDS_SIZE],
				      struct service_error *err);
enum service_code service_health_tell(struct service *service, const struct finding *finding,
				      bool ancestor, struct service_error *err);
/* Of one that is ready: changes its state when there is a reason, and says whether it is damaged.
 */
void service_health_state(struct service *service, const uint8_t id[IDS_SIZE],
			  struct service_image *image);
void service_health_check(struct service *service, struct service_check *ret_check);
/* service_orphan.c: of an image whose chain misses a parent, which one, and where it is said to be.
 * Adds that to the text; both do nothing when the chain is whole. May open a file. */
void service_orphan_tell(struct service *service, const uint8_t id[IDS_SIZE],
			 struct service_error *err);
enum service_code service_orphan_refuse(struct service *service, const uint8_t id[IDS_SIZE],
					struct service_error *err);
/* service_facts.c: what the file of an image says for its row, */
void service_facts_vhd(const struct vhd *disk, struct catalog_vhd *ret_vhd);
enum catalog_kind service_facts_kind(enum vhd_type type);
/* whether a parent was modified when its child says; */
bool service_facts_same_time(uint32_t parent_timestamp, int64_t mtime);
/* what a request does; false: out of memory; */
bool service_facts_texts(struct catalog_image *row, const char *description,
			 const struct service_label *labels, size_t n_labels);
/* and the name of one that nobody named: eight digits of its id, or all when another image has
 * those. */
void service_facts_name(struct service *service, struct catalog_image *row);

#endif
