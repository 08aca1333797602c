/* rebuild_names.c - what only a catalog knows of an image: from the old one, else from its newest
 * backup, else made up. */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "pool_backup.h"
#include "rebuild_private.h"

struct naming {
	struct rebuild *rebuild;
	void *names; /* those that are taken, a tree; they lie in the rows */
	bool more;   /* a catalog was read, and lacks some */
};

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void keep(void *name)
{
	(void)name;
}

/* The name itself is in the tree. 1, 0 when somebody has it, or -1: out of memory. */
static int claim(void **names, const char *name)
{
	void *const *slot = tsearch(name, names, compare);

	return slot ? *slot == name : -1;
}

static int take(void *ctx, const struct catalog_image *image)
{
	struct naming *naming = ctx;
	struct rebuild_file *file = rebuild_find(naming->rebuild, image->id);
	struct catalog_image *row;
	int r;

	if (!file && !naming->more)
		(void)fprintf(naming->rebuild->out, "left out image '%s': no file is that image\n",
			      image->name);
	if (!file || *file->row.name)
		return 0;
	row = &file->row;
	if (image->description) {
		row->description = strdup(image->description);
		if (!row->description)
			return CATALOG_E_NOMEM;
	}
	if (image->n_labels) {
		row->labels = calloc(image->n_labels, sizeof *row->labels);
		if (!row->labels)
			return CATALOG_E_NOMEM;
		memcpy(row->labels, image->labels, image->n_labels * sizeof *row->labels);
		row->n_labels = image->n_labels;
	}
	row->frozen = image->frozen;
	row->created_at = image->created_at;
	memcpy(row->name, image->name, sizeof row->name);
	r = claim(&naming->names, row->name);
	if (r == 0)
		*row->name = '\0';
	return r < 0 ? CATALOG_E_NOMEM : 0;
}

static int salvage(struct naming *naming, const char *path)
{
	struct catalog_error why = {0};
	int r = catalog_salvage(path, take, naming, &why);

	if (r == 0)
		(void)fprintf(naming->rebuild->out, "names and labels%s come from %s\n",
			      naming->more ? " that it lacks" : "", path);
	else
		(void)fprintf(naming->rebuild->out, "%s%s\n",
			      r == CATALOG_E_DAMAGED ? "" : "failed: ", why.text);
	return r;
}

/* From the newest backup. */
static int salvage_backup(struct naming *naming, const char *catalog_path)
{
	char backup[POOL_BACKUP_PATH];
	int r = pool_backup_newest(catalog_path, backup);

	if (r == POOL_BACKUP_UNREADABLE) {
		(void)fprintf(naming->rebuild->out, "failed: the folder of %s cannot be read\n",
			      catalog_path);
		return r;
	}
	r = r == 0 ? salvage(naming, backup) : CATALOG_E_DAMAGED;
	if (r == CATALOG_E_DAMAGED)
		(void)fprintf(naming->rebuild->out,
			      "there is no backup of the catalog to take names from\n");
	return r;
}

static bool all_named(const struct rebuild *rebuild)
{
	for (size_t i = 0; i < rebuild->n; i++) {
		if (!*rebuild->files[i].row.name)
			return false;
	}
	return true;
}

static void make_up(struct catalog_image *row, size_t bytes)
{
	size_t n = (size_t)snprintf(row->name, sizeof row->name, "img-");

	for (size_t i = 0; i < bytes; i++)
		n += (size_t)snprintf(row->name + n, sizeof row->name - n, "%02x", row->id[i]);
}

static int make_up_name(void **names, struct catalog_image *row)
{
	int r;

	make_up(row, 4);
	r = claim(names, row->name);
	if (r != 0)
		return r;
	make_up(row, IDS_SIZE);
	return claim(names, row->name);
}

static int make_up_names(struct naming *naming)
{
	struct rebuild *rebuild = naming->rebuild;
	size_t n = 0;

	for (size_t i = 0; i < rebuild->n; i++) {
		if (*rebuild->files[i].row.name)
			continue;
		n++;
		if (make_up_name(&naming->names, &rebuild->files[i].row) < 0) {
			(void)fprintf(rebuild->out, "failed: out of memory\n");
			return -1;
		}
	}
	if (n)
		(void)fprintf(rebuild->out, "%zu images got new names, img-...\n", n);
	return 0;
}

/* A daemon that finds no catalog makes an empty one: what the catalog lacks, its backup may have.
 */
int rebuild_names(struct rebuild *rebuild, const char *catalog_path)
{
	struct naming naming = {.rebuild = rebuild};
	int r = salvage(&naming, catalog_path);

	naming.more = r == 0;
	if (r == CATALOG_E_DAMAGED || (r == 0 && !all_named(rebuild)))
		r = salvage_backup(&naming, catalog_path);
	r = r < 0 && r != CATALOG_E_DAMAGED ? -1 : make_up_names(&naming);
	tdestroy(naming.names, keep);
	return r;
}
