/* reconcile_all.c - the pass over all rows, and over all names of the pools. */
#include "reconcile.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "crash_point.h"
#include "log.h"
#include "pool_place.h"
#include "reconcile_private.h"

struct pass {
	struct reconcile *reconcile;
	struct vhd_engine *engine;
	struct pool_dir *pool;
	const char *pool_name;
};

struct vhd_engine *reconcile_engine(void)
{
	const struct vhd_engine_args args = {.cache_size = 1 << 20};
	struct vhd_engine *engine = NULL;

	return vhd_engine_new(&args, &engine, NULL) < 0 ? NULL : engine;
}

unsigned reconcile_hint(enum catalog_kind kind)
{
	return kind == CATALOG_FIXED ? VHD_IS_FIXED : VHD_NOT_FIXED;
}

int reconcile_open(struct vhd_engine *engine, int *fd, unsigned hint, struct vhd **ret_disk,
		   struct vhd_error *err)
{
	const unsigned flags = VHD_NO_PARENT | VHD_NO_LOCK;
	struct vhd_io io;
	int r = vhd_io_from_fd(*fd, &io, err);

	if (r < 0)
		return r;
	*fd = -1;
	r = vhd_open(engine, &io, flags, NULL, ret_disk, err);
	if (r == VHD_E_AMBIGUOUS && hint) {
		io.hint = hint;
		r = vhd_open(engine, &io, flags, NULL, ret_disk, err);
	}
	if (r < 0)
		vhd_io_close(&io);
	return r;
}

const char *reconcile_unclean(const struct vhd_info *info)
{
	unsigned wanted = VHD_FOOTER_EOF | (info->type == VHD_FIXED ? 0 : VHD_FOOTER_HEAD);

	if (!(info->footers & VHD_FOOTER_EOF))
		return "has no footer at its end";
	if ((info->footers & wanted) != wanted)
		return "has no footer at its start";
	return info->footers & VHD_FOOTER_DIFFER ? "has two different footers" : NULL;
}

/* ---- names ---- */

static void find(const struct pass *pass, enum finding_kind kind, const char *name,
		 const char *format, ...) VHD_PRINTF(4, 5);

static void find(const struct pass *pass, enum finding_kind kind, const char *name,
		 const char *format, ...)
{
	struct finding finding = {.kind = kind};
	char text[128];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	(void)snprintf(finding.text, sizeof finding.text, "%.60s/%.70s %.110s", pass->pool_name,
		       name, text);
	findings_add(pass->reconcile->findings, &finding);
}

/* Whether the image has its file here, under this name. */
static bool is_adopted_here(const struct pass *pass, const uint8_t id[IDS_SIZE], const char *name)
{
	struct catalog_place at;

	if (!catalog_place(pass->reconcile->catalog, id, &at))
		return false;
	place_settle(pass->reconcile->pools, &at);
	return strcmp(at.path, name) == 0 && strcmp(at.root, pool_path(pass->pool)) == 0;
}

/* A name that no row has: what is it? */
static void look_at_stranger(const struct pass *pass, const char *name)
{
	CLEANUP(closep) int fd = -1;
	struct catalog_brief brief;
	struct vhd *disk = NULL;
	char id[IDS_TEXT];
	struct vhd_error why = {0};

	if (pool_look_open(pass->pool, name, &fd, &why) < 0) {
		if (why.code != VHD_E_NOT_FOUND) /* gone meanwhile */
			find(pass, FINDING_FOREIGN_FILE, name, "cannot be opened");
		return;
	}
	if (reconcile_open(pass->engine, &fd, 0, &disk, &why) < 0) {
		find(pass, FINDING_FOREIGN_FILE, name, "is no image");
		return;
	}
	ids_format(vhd_info(disk)->id, id);
	if (is_adopted_here(pass, vhd_info(disk)->id, name))
		;
	else if (catalog_brief(pass->reconcile->catalog, vhd_info(disk)->id, &brief))
		find(pass, FINDING_DUPLICATE_ID, name, "has the id of image %s", id);
	else
		find(pass, FINDING_UNKNOWN_IMAGE, name, "is the image %s, which the catalog lacks",
		     id);
	vhd_close(disk);
}

static bool is_left_over(const char *name)
{
	return strncmp(name, ".new-", 5) == 0;
}

static int look_at_entry(void *ctx, const char *name)
{
	const struct pass *pass = ctx;
	struct catalog_brief brief;
	struct pool_facts facts;
	uint8_t id[IDS_SIZE];

	if (pass->reconcile->stop)
		return VHD_E_CANCELED;
	if (pool_look_id(name, id) && catalog_brief(pass->reconcile->catalog, id, &brief) &&
	    !brief.adopted && strcmp(brief.pool, pass->pool_name) == 0)
		return 0;
	if (pool_look(pass->pool, name, &facts, NULL) < 0)
		return 0;
	if (is_left_over(name)) {
		/* A creation that goes on has a row. */
		if (!ids_parse(name + 5, id) ||
		    !catalog_brief(pass->reconcile->catalog, id, &brief))
			find(pass, FINDING_LEFT_OVER, name,
			     "was left over, and belongs to no image");
	} else if (facts.kind == POOL_REGULAR) {
		look_at_stranger(pass, name);
	} else {
		find(pass, FINDING_FOREIGN_FILE, name, "is a %s",
		     facts.kind == POOL_SYMLINK  ? "symbolic link"
		     : facts.kind == POOL_FOLDER ? "folder"
						 : "special file");
	}
	return 0;
}

/* ---- the pass ---- */

static int look_at_row(void *ctx, const struct catalog_image *image)
{
	const struct pass *pass = ctx;

	if (pass->reconcile->stop)
		return CATALOG_E_BUSY;
	reconcile_with(pass->reconcile, pass->engine, image->id);
	pass->reconcile->done++;
	CRASH_POINT("reconcile.row");
	return 0;
}

static void look_at_pools(struct pass *pass)
{
	const struct pool_set *pools = pass->reconcile->pools;
	struct vhd_error why = {0};

	for (size_t i = 0; i < pools->n && !pass->reconcile->stop; i++) {
		pass->pool = pools->items[i].pool;
		pass->pool_name = pools->items[i].name;
		if (pool_look_each(pass->pool, look_at_entry, pass, &why) < 0 &&
		    !pass->reconcile->stop)
			log_error("%s", why.text);
	}
}

int reconcile_all(struct reconcile *reconcile)
{
	static const uint8_t files[IDS_SIZE];
	struct pass pass = {.reconcile = reconcile, .engine = reconcile_engine()};
	struct catalog_error why = {0};
	int r;

	if (!pass.engine)
		return -1;
	reconcile->done = 0;
	findings_set(reconcile->findings, files, NULL, 0);
	r = catalog_each(reconcile->catalog, CATALOG_READY, look_at_row, &pass, &why);
	if (r < 0 && !reconcile->stop)
		log_error("catalog and pools are not compared: %s", why.text);
	if (r == 0)
		look_at_pools(&pass);
	CRASH_POINT("reconcile.pools");
	vhd_engine_free(pass.engine);
	return r < 0 ? -1 : 0;
}
