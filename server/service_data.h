/* service_data.h - one request at the data of an image, as service_data*.c and service_where.c
 * share it. */
#ifndef SERVICE_DATA_H
#define SERVICE_DATA_H

#include "service_private.h"

struct service_data_name {
	char id[SERVICE_ID];
	char name[SERVICE_NAME];
	char path[SERVICE_NAME + POOL_NAME];
};

struct service_data {
	struct service *service;
	struct image *image;
	enum images_mode mode;
	uint8_t id[IDS_SIZE];
	char request[ACTOR_NAME]; /* that opened it; "": the daemon */
	struct service_data_info info;
	struct service_data_name *levels; /* each found when asked for; NULL: none was */
	uint64_t epoch;                   /* of the last write; 0 = there was none */
	uint64_t change;                  /* vhd_state.changes after it, or at our open */
	uint64_t alike;                   /* would be the same, if only we had written */
	char verifier[IMAGES_VERIFIER];   /* at our open */
	uint32_t allocated; /* blocks the image had allocated since its open, at ours */
	bool alone;         /* nobody else writes: service_data_lock */
	struct images_waiter waiter;
	service_done_fn *done;
	void *done_ctx;
};

/* Why an operation on the data failed. */
enum service_code service_data_failed(const struct service_data *data, const struct vhd_error *why,
				      struct service_error *err);
/* Whether the parent of its last image is missing. */
bool service_data_broken(const struct service_data *data);

#endif
