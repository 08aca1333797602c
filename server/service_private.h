/* service_private.h - what service*.c share. */
#ifndef SERVICE_PRIVATE_H
#define SERVICE_PRIVATE_H

#include "catalog.h"
#include "config.h"
#include "images.h"
#include "pool_set.h"
#include "service.h"

struct service {
	struct service_about about;
	struct catalog *catalog;
	struct images *images;
	struct pool_set pools;
	uint32_t depth_warn;
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
void service_codes_children(struct service *service, const uint8_t id[IDS_SIZE],
			    struct service_error *err);

/* An id or a name. */
enum service_code service_find(struct service *service, const char *ref, uint8_t ret_id[IDS_SIZE],
			       struct service_error *err);

/* service_images.c */
enum service_code service_images_fill(struct service *service, const struct catalog_image *row,
				      struct service_image *ret_image, struct service_error *err);
void service_images_etag(const struct images_view *view, char ret_etag[SERVICE_ETAG]);
/* service_update.c: is the row of the version that was asked for? 0 = any. */
enum service_code service_update_compare(const struct catalog_image *row, uint64_t version,
					 struct service_error *err);
/* service_create.c */
void service_create_facts(const struct vhd *disk, struct catalog_vhd *ret_vhd);

#endif
