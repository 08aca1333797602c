/* rebuild_deleted.c - deletions that were cut short: the next start goes on with them, as it would
 * have done without a rebuild. */
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

/* What a backup says may be long over, a damaged catalog may not mean it, and what lies elsewhere,
 * or is read through, is not what was to be removed. */
void rebuild_deleted_judge(const struct rebuild *rebuild, struct rebuild_file *file, bool is_newest)
{
	struct catalog_place at;
	char text[PLACE_TEXT];

	if (!is_newest || !file->placed || is_parent(rebuild, file->row.id)) {
		rebuild_leave_out(rebuild, file,
				  "it was being deleted: remove it, or POST /v1/images with its "
				  "path as source adopts it");
		return;
	}
	file->row.state = CATALOG_DELETING;
	catalog_place_of(&file->row, &at);
	place_text(&at, text);
	rebuild_say(rebuild,
		    "%s was being deleted: the next start removes it, unless it is moved away",
		    text);
}
