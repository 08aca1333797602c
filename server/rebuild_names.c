/* rebuild_names.c - what only a catalog knows of an image: from the old one, or its newest backup,
 * or made up. */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "pool_backup.h"
#include "rebuild_private.h"

static int take(void *ctx, const struct catalog_image *image)
{
	const struct rebuild *rebuild = ctx;
	struct rebuild_file *file = rebuild_find(rebuild, image->id);
	struct catalog_image *row;

	if (!file) {
		(void)fprintf(rebuild->out, "left out image '%s': no file is that image\n",
			      image->name);
		return 0;
	}
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
	memcpy(row->name, image->name, sizeof row->name);
	row->frozen = image->frozen;
	row->created_at = image->created_at;
	return 0;
}

static int salvage(struct rebuild *rebuild, const char *path)
{
	struct catalog_error why = {0};
	int r = catalog_salvage(path, take, rebuild, &why);

	if (r == 0)
		(void)fprintf(rebuild->out, "names and labels come from %s\n", path);
	else
		(void)fprintf(rebuild->out, "%s%s\n",
			      r == CATALOG_E_DAMAGED ? "" : "failed: ", why.text);
	return r;
}

/* From the newest backup. */
static int salvage_backup(struct rebuild *rebuild, const char *catalog_path)
{
	char backup[POOL_BACKUP_PATH];
	int r = pool_backup_newest(catalog_path, backup);

	if (r == POOL_BACKUP_UNREADABLE) {
		(void)fprintf(rebuild->out, "failed: the folder of %s cannot be read\n",
			      catalog_path);
		return r;
	}
	r = r == 0 ? salvage(rebuild, backup) : CATALOG_E_DAMAGED;
	if (r == CATALOG_E_DAMAGED)
		(void)fprintf(rebuild->out,
			      "there is no backup of the catalog to take names from\n");
	return r;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void keep(void *name)
{
	(void)name;
}

static void make_up(struct catalog_image *row, size_t bytes)
{
	size_t n = (size_t)snprintf(row->name, sizeof row->name, "img-");

	for (size_t i = 0; i < bytes; i++)
		n += (size_t)snprintf(row->name + n, sizeof row->name - n, "%02x", row->id[i]);
}

/* The name itself is in the tree. 1, 0 when somebody has it, or -1: out of memory. */
static int claim(void **names, const char *name)
{
	void *const *slot = tsearch(name, names, compare);

	return slot ? *slot == name : -1;
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

static int make_up_names(struct rebuild *rebuild, size_t *ret_n)
{
	void *names = NULL;
	int r = 1;

	*ret_n = 0;
	for (size_t i = 0; r >= 0 && i < rebuild->n; i++) {
		if (*rebuild->files[i].row.name)
			r = claim(&names, rebuild->files[i].row.name);
	}
	for (size_t i = 0; r >= 0 && i < rebuild->n; i++) {
		if (*rebuild->files[i].row.name)
			continue;
		++*ret_n;
		r = make_up_name(&names, &rebuild->files[i].row);
	}
	tdestroy(names, keep);
	return r < 0 ? -1 : 0;
}

int rebuild_names(struct rebuild *rebuild, const char *catalog_path)
{
	size_t made_up;
	int r = salvage(rebuild, catalog_path);

	if (r == CATALOG_E_DAMAGED)
		r = salvage_backup(rebuild, catalog_path);
	if (r < 0 && r != CATALOG_E_DAMAGED)
		return -1;
	if (make_up_names(rebuild, &made_up) < 0) {
		(void)fprintf(rebuild->out, "failed: out of memory\n");
		return -1;
	}
	if (made_up)
		(void)fprintf(rebuild->out, "%zu images got new names, img-...\n", made_up);
	return 0;
}
