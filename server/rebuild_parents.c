/* rebuild_parents.c - children whose parents may have been written without them. A parent is not
 * written while the catalog has its children, so one that was is told: a child that was forgotten
 * is not brought back over it. */
#include "rebuild_private.h"
#include "service_private.h"

enum { STEPS_MAX = 1024 }; /* ancestors of a chain, unless it is a loop */

struct rebuild_file *rebuild_parents_find(const struct rebuild *rebuild,
					  const struct rebuild_file *file)
{
	return ids_is_zero(file->row.parent_id) ? NULL : rebuild_find(rebuild, file->row.parent_id);
}

/* By the times, as adoption compares them. A parent that is not there is not known to be another.
 */
static bool is_changed(const struct rebuild_file *file, const struct rebuild_file *parent)
{
	return parent && !service_facts_same_time(file->row.vhd.parent_timestamp, parent->mtime);
}

static void leave_out(const struct rebuild *rebuild, struct rebuild_file *file)
{
	const struct rebuild_file *parent = rebuild_parents_find(rebuild, file);
	char why[256], id[IDS_TEXT];

	ids_format(file->row.parent_id, id);
	(void)snprintf(why, sizeof why,
		       "no catalog knows it, and %s %s was written since, so that its content may "
		       "be another; its file stays, and POST /v1/images with its path as source "
		       "adopts it",
		       is_changed(file, parent) ? "its parent" : "an ancestor of its parent", id);
	rebuild_leave_out(rebuild, file, why);
}

/* Whether it, or what it reads through and nobody knows either, is over such a parent. */
static bool is_stale(const struct rebuild *rebuild, const struct rebuild_file *file)
{
	for (int i = 0; i < STEPS_MAX && file && !file->known; i++) {
		const struct rebuild_file *parent = rebuild_parents_find(rebuild, file);

		if (is_changed(file, parent))
			return true;
		file = parent;
	}
	return false;
}

void rebuild_parents_judge(struct rebuild *rebuild)
{
	for (size_t i = 0; i < rebuild->n; i++) {
		if (is_stale(rebuild, &rebuild->files[i]))
			leave_out(rebuild, &rebuild->files[i]);
	}
}

void rebuild_parents_tell(const struct rebuild *rebuild, const struct rebuild_file *file)
{
	const struct rebuild_file *parent = rebuild_parents_find(rebuild, file);

	if (!is_changed(file, parent) || parent->level == REBUILD_LEFT_OUT)
		return;
	rebuild_say(rebuild,
		    "parent-changed %s: its parent %s was written since, by the time of its file: "
		    "compare what it reads with a copy, or delete it",
		    file->row.name, parent->row.name);
}
