/* catalog_use.c - see the header. */
#include "catalog_use.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "log.h"
#include "service_main.h"
#include "service_private.h"
#include "service_recover.h"
#include "service_unfinished.h"
#include "uploads.h"

enum { PATH = 64, IMAGES_MAX = 1000 };

static char folder[PATH];
static struct service service; /* of all runs: its pool stays open */

/* ---- the folder ---- */

static void remove_files(void)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	if (!dir)
		abort();
	while ((entry = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	(void)closedir(dir);
}

static void remove_folder(void)
{
	char images[PATH + 8];

	remove_files();
	(void)snprintf(images, sizeof images, "%s/images", folder);
	(void)rmdir(images);
	(void)rmdir(folder);
	pool_set_close(&service.pools);
	findings_free(service.findings);
	service_unfinished_free(service.unfinished);
	uploads_free(service.uploads);
}

/* Where syncs cost nothing. */
static void make_folder(void)
{
	static struct config config;
	char images[PATH + 8];

	(void)snprintf(folder, sizeof folder, "%s/vhdd-fuzz-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(folder))
		abort();
	(void)snprintf(images, sizeof images, "%s/images", folder);
	config_init(&config);
	log_start(LOG_LEVEL_ERROR);
	service.findings = findings_new();
	service.unfinished = service_unfinished_new(&service);
	service.uploads = uploads_new();
	if (!service.findings || !service.unfinished || !service.uploads ||
	    pool_set_open(&service.pools, images, &config, NULL) < 0)
		abort();
	service.reconcile.findings = service.findings;
	service.reconcile.pools = &service.pools;
	(void)atexit(remove_folder);
}

const char *catalog_use_path(void)
{
	static char path[PATH + 16];

	if (!*folder)
		make_folder();
	(void)snprintf(path, sizeof path, "%s/catalog.db", folder);
	return path;
}

void catalog_use_write(const uint8_t *bytes, size_t size)
{
	const char *path = catalog_use_path();
	int fd;

	remove_files();
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	(void)close(fd);
}

/* ---- what is asked ---- */

static void look_at_chain(const struct catalog_image *image)
{
	const struct catalog_image *last;
	struct catalog_images chain;

	if (catalog_chain(service.catalog, image->id, &chain, NULL) < 0)
		return;
	last = &chain.items[chain.n - 1];
	fuzz_require(chain.n + last->parent_missing == image->depth + 1,
		     "a chain is as long as it says, with the parent that it misses");
	fuzz_require(memcmp(chain.items[0].id, image->id, IDS_SIZE) == 0,
		     "a chain begins with its leaf");
	fuzz_require(ids_is_zero(last->parent_id) || last->parent_missing,
		     "and ends with a root, or with an orphan");
	catalog_images_fini(&chain);
}

static int look_at_image(void *ctx, const struct catalog_image *image)
{
	struct catalog_brief brief;
	struct catalog_place place;
	char names[4][CATALOG_NAME];
	size_t *n = ctx;

	++*n;
	fuzz_require(catalog_brief(service.catalog, image->id, &brief), "what is listed is there");
	fuzz_require(catalog_place(service.catalog, image->id, &place), "and has a place");
	(void)catalog_children(service.catalog, image->id, names, 4);
	look_at_chain(image);
	return 0;
}

/* How many images are ready. The others may take more than one start, where rows stand in each
 * other's way as no catalog of ours has them. */
static size_t ask(void)
{
	struct catalog_images list;
	struct finding found[4];
	struct findings_count count;
	size_t ready = 0, others = 0;

	for (int state = CATALOG_CREATING; state <= CATALOG_DELETING; state++)
		(void)catalog_each(service.catalog, (enum catalog_state)state, look_at_image,
				   state == CATALOG_READY ? &ready : &others, NULL);
	if (catalog_list(service.catalog, NULL, IMAGES_MAX, true, &list, NULL) == 0)
		catalog_images_fini(&list);
	(void)findings_list(service.findings, found, 4, &count);
	return ready;
}

/* False: refused, and says why. */
static bool start(void)
{
	struct catalog_error err = {.text = ""};
	char why[SERVICE_WHY];
	int r = catalog_open(catalog_use_path(), 1024, &service.catalog, &err);

	if (r < 0) {
		fuzz_require((int)err.code == r && err.text[0], "a failure has a code and a text");
		return false;
	}
	service.reconcile.catalog = service.catalog;
	if (service_recover(&service, why) == 0)
		(void)reconcile_all(&service.reconcile);
	return true;
}

void catalog_use(bool forged)
{
	size_t before, after;

	if (!start())
		return;
	fuzz_accepted();
	before = ask();
	catalog_close(service.catalog);
	if (!start()) {
		fuzz_require(forged, "what was started starts again");
		return;
	}
	after = ask();
	catalog_close(service.catalog);
	fuzz_require(before == after, "and has the same images that are ready");
}
