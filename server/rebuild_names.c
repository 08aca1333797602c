/* rebuild_names.c - what only a catalog knows of an image: from the old one, else from a backup,
 * else made up. */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "pool_backup.h"
#include "pool_mount.h"
#include "rebuild_private.h"

struct naming {
	struct rebuild *rebuild;
	void *names; /* those that are taken, a tree; they lie in the rows */
	bool more;   /* a catalog was read, and lacks some */
	bool knows;  /* one that had images was read */
	size_t seen; /* in the last one */
	size_t n;    /* that the last one named */
	char away[2 * POOL_MOUNT_WHY];
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

static bool lacks_name(const struct rebuild_file *file)
{
	return file->level != REBUILD_LEFT_OUT && !*file->row.name;
}

/* All but the name, of the newest that knows it. */
static int describe(struct catalog_image *row, const struct catalog_image *image)
{
	if (row->created_at)
		return 0;
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
	return 0;
}

static bool is_unmounted(struct naming *naming, const struct catalog_image *image)
{
	const struct pool_set *pools = &naming->rebuild->pools;

	for (size_t i = 1; i < pools->n; i++) {
		const struct pool_set_item *pool = &pools->items[i];

		if (pool_mount_holds(pools, pool, image) && pool_mount_empty(pool)) {
			pool_mount_tell(pool, image->name, naming->away);
			return true;
		}
	}
	return false;
}

/* It may be no copy: a pool can have got another name, and a file another place. */
static void tell_copy(struct naming *naming, const struct rebuild_file *file)
{
	size_t n = strlen(naming->away);
	struct catalog_place at;
	char text[PLACE_TEXT];

	catalog_place_of(&file->row, &at);
	place_text(&at, text);
	(void)snprintf(naming->away + n, sizeof naming->away - n,
		       "; likewise if it is %.300s now, which has its id", text);
}

/* Whether its file may be there although it is not seen. A copy that is somewhere else is not it;
 * where older backups have images means less. */
static bool is_away(struct naming *naming, const struct catalog_image *image,
		    const struct rebuild_file *file)
{
	bool away;

	if (naming->knows)
		return !file && is_unmounted(naming, image);
	away = !(file && file->placed) &&
	       (is_unmounted(naming, image) ||
		pool_mount_away(&naming->rebuild->pools, image, naming->away));
	if (away && file)
		tell_copy(naming, file);
	return away;
}

static int take(void *ctx, const struct catalog_image *image)
{
	struct naming *naming = ctx;
	struct rebuild_file *file = rebuild_find(naming->rebuild, image->id);
	char *name;
	int r;

	naming->seen++;
	if (image->state == CATALOG_DELETING) { /* its name is free */
		if (file && file->row.state == CATALOG_DELETING)
			memcpy(file->row.name, image->name, sizeof file->row.name);
		return 0;
	}
	if (is_away(naming, image, file))
		return CATALOG_E_BUSY;
	if (!file && !naming->more)
		rebuild_say(naming->rebuild, "left out image '%s': no file is that image",
			    image->name);
	if (!file || !lacks_name(file))
		return 0;
	r = describe(&file->row, image);
	if (r < 0)
		return r;
	name = file->row.name;
	memcpy(name, image->name, sizeof file->row.name);
	r = claim(&naming->names, name);
	if (r == 0)
		*name = '\0';
	naming->n += r > 0;
	return r < 0 ? CATALOG_E_NOMEM : 0;
}

static bool all_named(const struct rebuild *rebuild)
{
	for (size_t i = 0; i < rebuild->n; i++) {
		if (lacks_name(&rebuild->files[i]))
			return false;
	}
	return true;
}

static int salvage(struct naming *naming, const char *path)
{
	struct catalog_error why = {0};
	int r;

	naming->n = 0;
	naming->seen = 0;
	r = catalog_salvage(path, take, naming, &why);
	if (r < 0)
		rebuild_say(naming->rebuild, "%s%s", r == CATALOG_E_DAMAGED ? "" : "failed: ",
			    *naming->away ? naming->away : why.text);
	else if (!naming->more || naming->n > 0)
		rebuild_say(naming->rebuild, "names and labels%s come from %s",
			    naming->more ? " that it lacks" : "", path);
	naming->more |= r == 0;
	naming->knows |= r == 0 && naming->seen > 0;
	return r == CATALOG_E_DAMAGED ? 0 : r;
}

/* From the newest one on: it may be one of a catalog that was lost already. */
static int salvage_backups(struct naming *naming, const char *catalog_path)
{
	char backup[POOL_BACKUP_PATH];
	int there = pool_backup_newest(catalog_path, backup), r = 0;

	while (r == 0 && there == 0 && !(naming->more && all_named(naming->rebuild))) {
		r = salvage(naming, backup);
		if (r == 0)
			there = pool_backup_older(catalog_path, backup);
	}
	if (there == POOL_BACKUP_UNREADABLE)
		rebuild_say(naming->rebuild, "failed: the folder of %s cannot be read",
			    catalog_path);
	else if (r == 0 && !naming->more)
		rebuild_say(naming->rebuild,
			    "there is no backup of the catalog to take names from");
	return there == POOL_BACKUP_UNREADABLE ? there : r;
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
		if (!lacks_name(&rebuild->files[i]))
			continue;
		n++;
		if (make_up_name(&naming->names, &rebuild->files[i].row) < 0) {
			rebuild_say(rebuild, "failed: out of memory");
			return -1;
		}
	}
	if (n)
		rebuild_say(rebuild, "%zu images got new names, img-...", n);
	return 0;
}

/* What the catalog lacks, its backups may have: it may have been begun anew without them. */
int rebuild_names(struct rebuild *rebuild, const char *catalog_path)
{
	struct naming naming = {.rebuild = rebuild};
	int r = salvage(&naming, catalog_path);

	if (r == 0 && !(naming.more && all_named(rebuild)))
		r = salvage_backups(&naming, catalog_path);
	if (r == 0)
		r = make_up_names(&naming);
	tdestroy(naming.names, keep);
	return r < 0 ? -1 : 0;
}
