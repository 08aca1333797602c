/* rebuild.c - puts what was found in order, parents first, and makes a catalog of it. */
#include "rebuild.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "crash_point.h"
#include "pool_backup.h"
#include "rebuild_private.h"

enum { DEPTH_MAX = 1024, CANNOT = 1, LINE = 4096 };

/* Names of files are whatever somebody gave them: a line stays one line, and plain text. */
void rebuild_say(const struct rebuild *rebuild, const char *format, ...)
{
	char line[LINE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof line, format, args);
	va_end(args);
	for (const unsigned char *at = (const unsigned char *)line; *at; at++) {
		if (*at < 0x20 || *at >= 0x7f)
			(void)fprintf(rebuild->out, "\\x%02x", *at);
		else
			(void)fprintf(rebuild->out, *at == '\\' ? "\\%c" : "%c", *at);
	}
	(void)fputc('\n', rebuild->out);
}

/* ---- order ---- */

static struct rebuild_file *parent_of(const struct rebuild *rebuild,
				      const struct rebuild_file *file)
{
	return file->row.parent_missing ? NULL : rebuild_parents_find(rebuild, file);
}

/* The level of the nearest ancestor, or of the image itself, that has one already; or why there is
 * none.
 */
static int climb(const struct rebuild *rebuild, const struct rebuild_file *file, int *ret_steps,
		 const char **ret_why)
{
	const struct rebuild_file *parent;

	for (*ret_steps = 0; *ret_steps < DEPTH_MAX; ++*ret_steps) {
		if (file->level >= 0)
			return file->level;
		if (file->level == REBUILD_LEFT_OUT)
			*ret_why = "one of its ancestors was left out";
		if (file->level == REBUILD_LEFT_OUT)
			return REBUILD_LEFT_OUT;
		parent = parent_of(rebuild, file);
		if (!parent)
			return 0;
		file = parent;
	}
	*ret_why = "its ancestors come back to it, or are more than 1024";
	return REBUILD_LEFT_OUT;
}

static void place(const struct rebuild *rebuild, struct rebuild_file *file)
{
	const char *why = NULL;
	int steps;
	int level = climb(rebuild, file, &steps, &why);

	if (level < 0 || level + steps >= DEPTH_MAX) {
		rebuild_leave_out(rebuild, file, why ? why : "its chain is too long");
		return;
	}
	level += steps;
	for (; file && file->level == REBUILD_UNKNOWN; file = parent_of(rebuild, file))
		file->level = level--;
}

/* An image whose parent is nowhere keeps its name and labels, and waits for it. */
static void look_for_parent(const struct rebuild *rebuild, struct rebuild_file *file)
{
	char id[IDS_TEXT];

	const struct rebuild_file *parent = parent_of(rebuild, file);

	file->row.parent_missing =
		!ids_is_zero(file->row.parent_id) && (!parent || parent->level == REBUILD_LEFT_OUT);
	if (!file->row.parent_missing)
		return;
	ids_format(file->row.parent_id, id);
	rebuild_say(rebuild, "parent-missing %s: its parent %s is %s", file->row.name, id,
		    parent ? "left out" : "not there");
}

static void look_for_parents(const struct rebuild *rebuild)
{
	for (size_t i = 0; i < rebuild->n; i++) {
		if (rebuild->files[i].level == REBUILD_LEFT_OUT)
			continue;
		look_for_parent(rebuild, &rebuild->files[i]);
		rebuild_parents_tell(rebuild, &rebuild->files[i]);
	}
}

struct sorted {
	const struct rebuild_file *file;
};

static int compare_level(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	return (x->file->level > y->file->level) - (x->file->level < y->file->level);
}

/* What nobody knows any more is set to what is safe. */
static void complete(struct rebuild_file *file, int64_t now)
{
	struct catalog_image *row = &file->row;

	/* Larger than it ever was, so that no version of the content gets a name that was used. */
	row->generation = (uint64_t)now;
	row->version = (uint64_t)now;
	row->updated_at = now;
	if (!row->created_at)
		row->created_at = now;
	/* It may have been open: it is repaired when it is opened. One that is said to be frozen
	 * was not, unless its file tells that this is from before it was thawed. */
	row->dirty = !file->parent && (!row->frozen || file->unclean);
}

/* The rows, parents first. They still belong to the files. NULL: out of memory. */
static struct catalog_image *order(struct rebuild *rebuild, size_t *ret_n)
{
	CLEANUP(freep) struct sorted *sorted = calloc(rebuild->n + 1, sizeof *sorted);
	CLEANUP(freep) struct catalog_image *rows = calloc(rebuild->n + 1, sizeof *rows);
	int64_t now = clock_wall_ms();
	size_t n = 0;

	if (!sorted || !rows)
		return NULL;
	look_for_parents(rebuild);
	for (size_t i = 0; i < rebuild->n; i++) {
		if (rebuild->files[i].level == REBUILD_UNKNOWN)
			place(rebuild, &rebuild->files[i]);
	}
	for (size_t i = 0; i < rebuild->n; i++) {
		struct rebuild_file *parent = parent_of(rebuild, &rebuild->files[i]);

		if (parent && rebuild->files[i].level >= 0)
			parent->parent = true;
		if (rebuild->files[i].level >= 0)
			sorted[n++].file = &rebuild->files[i];
	}
	qsort(sorted, n, sizeof *sorted, compare_level);
	for (size_t i = 0; i < rebuild->n; i++)
		complete(&rebuild->files[i], now);
	for (size_t i = 0; i < n; i++)
		rows[i] = sorted[i].file->row;
	*ret_n = n;
	return STEAL(rows);
}

/* ---- the new catalog ---- */

static int write_catalog(struct rebuild *rebuild, const char *path)
{
	CLEANUP(freep) struct catalog_image *rows = NULL;
	struct catalog_error why = {0};
	struct catalog *catalog = NULL;
	size_t n;
	int r;

	rows = order(rebuild, &n);
	if (!rows) {
		rebuild_say(rebuild, "failed: out of memory");
		return -1;
	}
	r = catalog_open(path, DEPTH_MAX, &catalog, &why);
	if (r == 0)
		r = catalog_restore(catalog, rows, n, &why);
	catalog_close(catalog);
	if (r < 0)
		rebuild_say(rebuild, "failed: %s", why.text);
	else
		rebuild_say(rebuild, "%zu images are in the new catalog", n);
	return r;
}

static int fail(const struct rebuild *rebuild, const char *path)
{
	char text[128];

	rebuild_say(rebuild, "failed: %s: %s", path, strerror_r(errno, text, sizeof text));
	return -1;
}

static int replace(const struct rebuild *rebuild, const char *path, const char *fresh)
{
	char old[POOL_BACKUP_PATH];

	if (pool_backup_replace(path, fresh, old) < 0)
		return fail(rebuild, path);
	CRASH_POINT("rebuild.replaced");
	if (*old)
		rebuild_say(rebuild, "the old catalog is %s", old);
	return 0;
}

static int run(struct rebuild *rebuild, const char *path)
{
	char fresh[POOL_BACKUP_PATH];

	if (pool_backup_undo(path) < 0)
		return fail(rebuild, path);
	if (rebuild_scan(rebuild, path) < 0)
		return -1;
	rebuild_parents_judge(rebuild);
	if (rebuild_names(rebuild, path) < 0)
		return -1;
	CRASH_POINT("rebuild.scanned");
	if (pool_backup_begin(path, fresh) < 0 || write_catalog(rebuild, fresh) < 0)
		return -1;
	CRASH_POINT("rebuild.written");
	return replace(rebuild, path, fresh);
}

int rebuild_catalog(const char *state_dir, const struct config *config, FILE *out)
{
	struct rebuild rebuild = {.out = out};
	char path[POOL_PATH + 16];
	struct vhd_error why = {0};
	int r;

	(void)snprintf(path, sizeof path, "%.1100s/images", state_dir);
	if (pool_set_open(&rebuild.pools, path, config, &why) < 0) {
		rebuild_say(&rebuild, "failed: %s", why.text);
		return CANNOT;
	}
	(void)snprintf(path, sizeof path, "%.1100s/catalog.db", state_dir);
	r = run(&rebuild, path);
	for (size_t i = 0; i < rebuild.n; i++)
		catalog_image_fini(&rebuild.files[i].row);
	free(rebuild.files);
	pool_set_close(&rebuild.pools);
	return r < 0 ? CANNOT : 0;
}
