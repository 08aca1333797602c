/* rebuild_deleted.c - deletions that were cut short: the next start goes on with them, as it would
 * have done without a rebuild. */
#include <string.h>

#include "pool_place.h"
#include "rebuild_private.h"

static bool is_parent(const struct rebuild *rebuild, const uint8_t id[IDS_SIZE])
{
	for (size_t i = 0; i < rebuild->n; i++) {
		if (ids_equal(rebuild->files[i].row.parent_id, id))
			return true;
	}
	return false;
}

static void keep(const struct rebuild *rebuild, struct rebuild_file *file, const char *how)
{
	struct catalog_place at;
	char text[PLACE_TEXT];

	file->row.state = CATALOG_DELETING;
	catalog_place_of(&file->row, &at);
	place_text(&at, text);
	rebuild_say(rebuild, "%s was being deleted%s", text, how);
}

/* What a backup says may be long over, a damaged catalog may not mean it, and what lies elsewhere,
 * or is read through, is not what was to be removed. */
void rebuild_deleted_judge(const struct rebuild *rebuild, struct rebuild_file *file, bool is_newest)
{
	if (is_newest && file->placed && !is_parent(rebuild, file->row.id))
		keep(rebuild, file, ": the next start removes it, unless it is moved away");
	else
		rebuild_leave_out(rebuild, file,
				  "it was being deleted: remove it, or POST /v1/images with its "
				  "path as source adopts it");
}

/* ---- without a file ---- */

/* Nobody asks what a file holds that is to go. */
static bool describe(struct catalog_image *row, const struct catalog_image *image)
{
	memcpy(row->id, image->id, IDS_SIZE);
	memcpy(row->name, image->name, sizeof row->name);
	memcpy(row->pool, image->pool, sizeof row->pool);
	row->kind = CATALOG_FIXED;
	row->vhd.size = VHD_SECTOR;
	if (!image->path)
		return true;
	row->root = strdup(image->root);
	row->path = strdup(image->path);
	row->linked = image->linked;
	return row->root && row->path;
}

static int take(void *ctx, const struct catalog_image *image)
{
	struct rebuild *rebuild = ctx;
	struct rebuild_file *file = rebuild_find(rebuild, image->id);

	if (image->state != CATALOG_DELETING || (file && file->placed) ||
	    is_parent(rebuild, image->id))
		return 0;
	file = rebuild_files_add(rebuild);
	if (!file || !describe(&file->row, image))
		return CATALOG_E_NOMEM;
	file->known = file->placed = true;
	keep(rebuild, file,
	     ", and is gone, away or left out: a start that finds it there removes it");
	rebuild_files_sort(rebuild);
	return 0;
}

int rebuild_deleted_carry(struct rebuild *rebuild, const char *catalog_path)
{
	struct catalog_error why = {0};
	int r = catalog_salvage(catalog_path, take, rebuild, &why);

	if (r < 0)
		rebuild_say(rebuild, "failed: %s", why.text);
	return r;
}
