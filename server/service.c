/* service.c - the daemon as api/ sees it: opens and closes its parts, and answers what is said of
 * the whole. */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "service_keeper.h"
#include "service_main.h"
#include "service_private.h"
#include "service_recover.h"
#include "service_unfinished.h"
#include "uploads.h"

const struct service_about *service_about(const struct service *service)
{
	return &service->about;
}

int64_t service_now(const struct service *service)
{
	(void)service;
	return clock_wall_ms();
}

/* What a person can do about it. */
static int refuse(const struct catalog_error *why, const char *path, char ret_why[SERVICE_WHY])
{
	if (why->code == CATALOG_E_DAMAGED || why->code == CATALOG_E_LOST) {
		(void)snprintf(ret_why, SERVICE_WHY,
			       "%s (%.400s); vhdd --rebuild-catalog makes a new one from the image "
			       "files and the backups%s",
			       why->text, path,
			       why->code == CATALOG_E_LOST
				       ? "; to begin an empty one, move these away"
				       : ", and keeps the old one");
		return SERVICE_MAIN_DAMAGED;
	}
	if (why->code == CATALOG_E_IO) {
		(void)snprintf(ret_why, SERVICE_WHY,
			       "%s (%.400s); its disk failed, and the catalog may be sound",
			       why->text, path);
		return SERVICE_MAIN_DISK;
	}
	(void)snprintf(ret_why, SERVICE_WHY, "%s", why->text);
	return why->code == CATALOG_E_NEWER ? SERVICE_MAIN_NEWER : SERVICE_MAIN_CANNOT;
}

static int open_parts(struct service *service, const char *state_dir, const struct config *config,
		      char ret_why[SERVICE_WHY])
{
	char path[POOL_PATH + 16];
	struct catalog_error catalog_why = {0};
	struct vhd_error why = {0};
	int r;

	(void)snprintf(path, sizeof path, "%s/images", state_dir);
	r = pool_set_open(&service->pools, path, config, &why);
	if (r < 0) {
		(void)snprintf(ret_why, SERVICE_WHY, "%s", why.text);
		return SERVICE_MAIN_CANNOT;
	}
	(void)snprintf(path, sizeof path, "%s/catalog.db", state_dir);
	r = catalog_open(path, (uint32_t)config->depth_max, &service->catalog, &catalog_why);
	if (r < 0)
		return refuse(&catalog_why, path, ret_why);
	if (service_mounts_check(service, ret_why) < 0)
		return SERVICE_MAIN_CANNOT;
	service->reconcile.catalog = service->catalog;
	service->reconcile.pools = &service->pools;
	service->reconcile.findings = service->findings;
	r = images_new(config, service->catalog, &service->pools, &service->reconcile,
		       &service->images, &why);
	if (r < 0)
		(void)snprintf(ret_why, SERVICE_WHY, "%s", why.text);
	return r < 0 ? SERVICE_MAIN_CANNOT : 0;
}

/* What was interrupted is put right before anything is compared. */
static int look_after(struct service *service, char ret_why[SERVICE_WHY])
{
	if (service_recover(service, ret_why) < 0)
		return SERVICE_MAIN_CANNOT;
	service->room = service_room_new(&service->pools);
	if (service->room)
		service->keeper = service_keeper_start(service->catalog, &service->reconcile,
						       service->room, service->unfinished);
	if (service->keeper)
		return 0;
	(void)snprintf(ret_why, SERVICE_WHY, "cannot start a thread");
	return SERVICE_MAIN_CANNOT;
}

int service_main_open(const char *state_dir, const struct config *config, const char *unix_socket,
		      struct service **ret_service, char ret_why[SERVICE_WHY])
{
	struct service *service = calloc(1, sizeof *service);
	int r;

	if (service) {
		service->findings = findings_new();
		service->uploads = uploads_new();
		service->unfinished = service_unfinished_new(service);
	}
	if (!service || !service->findings || !service->uploads || !service->unfinished) {
		(void)snprintf(ret_why, SERVICE_WHY, "out of memory");
		service_main_close(service);
		return SERVICE_MAIN_CANNOT;
	}
	service->about = (struct service_about){
		.version = VHDD_VERSION,
		.unix_socket = unix_socket,
		.default_pool = "default",
		.depth_max = (unsigned)config->depth_max,
		.depth_warn = (unsigned)config->depth_warn,
		.connections = (unsigned)config->connections,
		.header_seconds = (unsigned)config->header_seconds,
		.body_seconds = (unsigned)config->body_seconds,
		.workers = (unsigned)config->workers,
	};
	r = open_parts(service, state_dir, config, ret_why);
	if (r == 0)
		r = look_after(service, ret_why);
	if (r != 0) {
		service_main_close(service);
		return r;
	}
	*ret_service = service;
	return 0;
}

void service_main_hurry(struct service *service)
{
	atomic_store(&service->hurries, true);
}

void service_main_close(struct service *service)
{
	if (!service)
		return;
	service_keeper_stop(service->keeper);
	service_room_free(service->room);
	images_free(service->images);
	catalog_close(service->catalog);
	pool_set_close(&service->pools);
	findings_free(service->findings);
	uploads_free(service->uploads);
	service_unfinished_free(service->unfinished);
	free(service);
}

void service_ready(struct service *service, struct service_ready *ret_ready)
{
	struct service_check *catalog = &ret_ready->checks[0], *pool = &ret_ready->checks[1];
	char why[CATALOG_WHY];

	memset(ret_ready, 0, sizeof *ret_ready);
	catalog->name = "catalog";
	catalog->ok = catalog_healthy(service->catalog, why);
	(void)snprintf(catalog->text, sizeof catalog->text, "%.150s", why);
	service_room_check(service->room, pool);
	/* A damaged image keeps the others from nothing. */
	service_health_check(service, &ret_ready->checks[2]);
	ret_ready->n_checks = 3;
	ret_ready->ready = catalog->ok && pool->ok;
}

enum service_code service_find(struct service *service, const char *ref, uint8_t ret_id[IDS_SIZE],
			       struct service_error *err)
{
	struct catalog_brief brief;
	uint8_t id[IDS_SIZE];

	/* A name never looks like an id. */
	if (!ids_parse(ref, id) && catalog_id_of(service->catalog, ref, id, NULL) < 0)
		return service_fail(err, SERVICE_IMAGE_NOT_FOUND, "There is no image '%.128s'.",
				    ref);
	if (!catalog_brief(service->catalog, id, &brief) || brief.state == CATALOG_DELETING)
		return service_fail(err, SERVICE_IMAGE_NOT_FOUND, "There is no image '%.128s'.",
				    ref);
	memcpy(ret_id, id, IDS_SIZE);
	return SERVICE_OK;
}
