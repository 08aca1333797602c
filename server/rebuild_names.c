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

	if (!file)
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
	memcpy(row->name, image->name, sizeof row->name);
	row->frozen = image->frozen;
	row->created_at = image->created_at;
	return 0;
}

static bool salvage(struct rebuild *rebuild, const char *path)
{
	struct catalog_error why = {0};

	if (catalog_salvage(path, take, rebuild, &why) < 0) {
		(void)fprintf(rebuild->out, "%s\n", why.text);
		return false;
	}
	(void)fprintf(rebuild->out, "names and labels come from %s\n", path);
	return true;
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

/* The name itself is in the tree; false: out of memory, or somebody has it. */
static bool claim(void **names, const char *name)
{
	void *const *slot = tsearch(name, names, compare);

	return slot && *slot == name;
}

static int make_up_names(struct rebuild *rebuild, size_t *ret_n)
{
	void *names = NULL;
	size_t i;

	*ret_n = 0;
	for (i = 0; i < rebuild->n; i++) {
		if (*rebuild->files[i].row.name)
			(void)claim(&names, rebuild->files[i].row.name);
	}
	for (i = 0; i < rebuild->n; i++) {
		struct catalog_image *row = &rebuild->files[i].row;

		if (*row->name)
			continue;
		++*ret_n;
		make_up(row, 4);
		if (claim(&names, row->name))
			continue;
		make_up(row, IDS_SIZE);
		if (!claim(&names, row->name))
			break;
	}
	tdestroy(names, keep);
	return i < rebuild->n ? -1 : 0;
}

int rebuild_names(struct rebuild *rebuild, const char *catalog_path)
{
	char backup[POOL_BACKUP_PATH];
	size_t made_up;

	if (!salvage(rebuild, catalog_path) &&
	    (pool_backup_newest(catalog_path, backup) < 0 || !salvage(rebuild, backup)))
		(void)fprintf(rebuild->out,
			      "there is no backup of the catalog to take names from\n");
	if (make_up_names(rebuild, &made_up) < 0)
		return -1;
	if (made_up)
		(void)fprintf(rebuild->out, "%zu images got new names, img-...\n", made_up);
	return 0;
}
