/* rebuild_scan.c - finds the images in the pools. */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "pool_look.h"
#include "rebuild_private.h"
#include "reconcile_private.h"
#include "service_private.h"

enum { NO_MEMORY = -1000 };

struct scan {
	struct rebuild *rebuild;
	struct vhd_engine *engine;
	const struct pool_set_item *item;
};

static int compare(const void *a, const void *b)
{
	const struct rebuild_file *x = a, *y = b;

	return memcmp(x->row.id, y->row.id, IDS_SIZE);
}

struct rebuild_file *rebuild_find(const struct rebuild *rebuild, const uint8_t id[IDS_SIZE])
{
	struct rebuild_file key;

	if (!rebuild->n)
		return NULL;
	memcpy(key.row.id, id, IDS_SIZE);
	return bsearch(&key, rebuild->files, rebuild->n, sizeof key, compare);
}

void rebuild_leave_out(const struct rebuild *rebuild, struct rebuild_file *file, const char *why)
{
	file->level = REBUILD_LEFT_OUT;
	(void)fprintf(rebuild->out, "left out %s/%s: %s\n", file->row.pool, file->file, why);
}

static enum catalog_kind kind_of(enum vhd_type type)
{
	switch (type) {
	case VHD_RAW:
	case VHD_DYNAMIC: return CATALOG_DYNAMIC;
	case VHD_FIXED: return CATALOG_FIXED;
	case VHD_DIFF: return CATALOG_DIFFERENCING;
	}
	return CATALOG_DYNAMIC;
}

static int add(struct scan *scan, const char *name, struct vhd *disk)
{
	const struct vhd_info *info = vhd_info(disk);
	struct rebuild *rebuild = scan->rebuild;
	struct rebuild_file file = {.level = REBUILD_UNKNOWN}, *files;
	uint32_t blocks = 0;

	if (rebuild->n == rebuild->room) {
		size_t room = rebuild->room ? 2 * rebuild->room : 64;

		files = realloc(rebuild->files, room * sizeof *files);
		if (!files)
			return NO_MEMORY;
		rebuild->files = files;
		rebuild->room = room;
	}
	memcpy(file.row.id, info->id, IDS_SIZE);
	memcpy(file.row.parent_id, info->parent_id, IDS_SIZE);
	file.row.kind = kind_of(info->type);
	file.row.state = CATALOG_READY;
	service_create_facts(disk, &file.row.vhd);
	if (vhd_file_size(disk, &file.row.usage.file_bytes, NULL) < 0 ||
	    vhd_allocated_blocks(disk, &blocks, NULL) < 0)
		file.row.usage.file_bytes = 0;
	file.row.usage.blocks = blocks;
	file.row.usage.measured_at = clock_wall_ms();
	(void)snprintf(file.row.pool, sizeof file.row.pool, "%s", scan->item->name);
	(void)snprintf(file.file, sizeof file.file, "%s", name);
	rebuild->files[rebuild->n++] = file;
	return 0;
}

/* What cannot be an image of the catalog, for nobody would serve it. */
static const char *objection(const char *name, const struct pool_facts *facts,
			     const struct vhd_info *info)
{
	uint8_t id[IDS_SIZE];

	if (facts->names != 1)
		return "it has more than one name";
	if (!pool_look_id(name, id) || !ids_equal(id, info->id))
		return "its name is not <id>.vhd with the id it has inside";
	if (info->size == 0 || info->size % VHD_SECTOR != 0)
		return "its size is not a multiple of 512";
	if (info->type == VHD_DIFF && ids_is_zero(info->parent_id))
		return "its parent is a raw file";
	return NULL;
}

static int look_at(void *ctx, const char *name)
{
	struct scan *scan = ctx;
	CLEANUP(closep) int fd = -1;
	struct pool_facts facts;
	struct vhd_error why = {0};
	struct vhd *disk = NULL;
	const char *no;
	int r = 0;

	if (strncmp(name, ".new-", 5) == 0 || pool_look(scan->item->pool, name, &facts, &why) < 0 ||
	    facts.kind != POOL_REGULAR)
		return 0;
	if (pool_look_open(scan->item->pool, name, &fd, &why) < 0 ||
	    reconcile_open(scan->engine, &fd, &disk, &why) < 0) {
		(void)fprintf(scan->rebuild->out, "left out %s/%s: %s\n", scan->item->name, name,
			      why.text);
		return 0;
	}
	no = objection(name, &facts, vhd_info(disk));
	if (no)
		(void)fprintf(scan->rebuild->out, "left out %s/%s: %s\n", scan->item->name, name,
			      no);
	else
		r = add(scan, name, disk);
	vhd_close(disk);
	return r;
}

static void drop_duplicates(struct rebuild *rebuild)
{
	size_t n = 0;

	for (size_t i = 0; i < rebuild->n; i++) {
		if (n > 0 && ids_equal(rebuild->files[n - 1].row.id, rebuild->files[i].row.id))
			rebuild_leave_out(rebuild, &rebuild->files[i],
					  "another pool has an image with its id");
		else
			rebuild->files[n++] = rebuild->files[i];
	}
	rebuild->n = n;
}

int rebuild_scan(struct rebuild *rebuild)
{
	struct scan scan = {.rebuild = rebuild, .engine = reconcile_engine()};
	struct vhd_error why = {0};
	int r = scan.engine ? 0 : -1;

	for (size_t i = 0; r == 0 && i < rebuild->pools.n; i++) {
		scan.item = &rebuild->pools.items[i];
		r = pool_look_each(scan.item->pool, look_at, &scan, &why);
	}
	vhd_engine_free(scan.engine);
	if (r < 0) {
		(void)fprintf(rebuild->out, "failed: %s\n", *why.text ? why.text : "out of memory");
		return -1;
	}
	if (rebuild->n > 0)
		qsort(rebuild->files, rebuild->n, sizeof *rebuild->files, compare);
	drop_duplicates(rebuild);
	return 0;
}
