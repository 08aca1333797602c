/* rebuild_scan.c - finds the images in the pools. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "clock.h"
#include "failure.h"
#include "pool_backup.h"
#include "pool_look.h"
#include "rebuild_private.h"
#include "reconcile_private.h"
#include "service_private.h"

enum { NO_MEMORY = -1000, UNREADABLE = -1001 };

/* What the catalog, or its backup, says of every image. */
struct known {
	uint8_t id[IDS_SIZE];
	enum catalog_kind kind;
	char pool[CATALOG_NAME]; /* that has its file as <id>.vhd; "": it was adopted */
	bool left_out;           /* the file that is there */
	bool deleting;
};

struct scan {
	struct known *known; /* heap; the sorted ones, by id, come first */
	size_t n_known, n_sorted, room_known;
	size_t n_told; /* images, by the last catalog or backup that was read */
	struct rebuild *rebuild;
	size_t n_adopted; /* the first of its files, by path, once all of those are found */
	struct vhd_engine *engine;
	const struct pool_set_item *item;
	int64_t mtime;        /* of the file that is looked at */
	bool knows;           /* `known` has all of a catalog, and that is something */
	bool is_newest;       /* of the catalog itself, that is, and not of a backup */
	struct vhd_error why; /* of what stopped it; "" = memory */
};

/* Whether another try may succeed: what is left out for good has another reason. */
static bool may_be_readable(const struct vhd_error *why)
{
	switch (why->sys) {
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case EXDEV: return false;
	default: return why->sys || why->code == VHD_E_IO || why->code == VHD_E_NOMEM;
	}
}

/* A file that cannot be read now would lose its name. */
static int give_up(struct scan *scan, const char *file, const struct vhd_error *why)
{
	scan->why = *why;
	(void)snprintf(scan->why.text, sizeof scan->why.text, "%.300s: %.150s; nothing is changed",
		       file, why->text);
	return UNREADABLE;
}

static int leave_out(const struct scan *scan, const char *file, const char *why)
{
	rebuild_say(scan->rebuild, "left out %s: %s", file, why);
	return 0;
}

/* `adopted`: where it is when the catalog said so, or NULL. */
static int add(struct scan *scan, struct vhd *disk, const struct catalog_place *adopted)
{
	const struct vhd_info *info = vhd_info(disk);
	struct rebuild_file *file = rebuild_files_add(scan->rebuild);
	uint32_t blocks = 0;

	if (!file)
		return NO_MEMORY;
	memcpy(file->row.id, info->id, IDS_SIZE);
	memcpy(file->row.parent_id, info->parent_id, IDS_SIZE);
	file->row.kind = service_facts_kind(info->type);
	file->row.state = CATALOG_READY;
	file->unclean = reconcile_unclean(info) != NULL;
	file->mtime = scan->mtime;
	service_facts_vhd(disk, &file->row.vhd);
	if (vhd_file_size(disk, &file->row.usage.file_bytes, NULL) < 0 ||
	    vhd_allocated_blocks(disk, &blocks, NULL) < 0)
		file->row.usage.file_bytes = 0;
	file->row.usage.blocks = blocks;
	file->row.usage.measured_at = clock_wall_ms();
	(void)snprintf(file->row.pool, sizeof file->row.pool, "%s",
		       adopted ? adopted->pool : scan->item->name);
	if (adopted) {
		file->row.root = strdup(adopted->root);
		file->row.path = strdup(adopted->path);
		file->row.linked = adopted->linked;
	}
	return adopted && (!file->row.root || !file->row.path) ? NO_MEMORY : 0;
}

/* ---- adopted ---- */

/* What cannot be in a catalog. */
static const char *misfit(const struct vhd_info *info)
{
	if (info->size == 0 || info->size % VHD_SECTOR != 0)
		return "its size is not a multiple of 512";
	if (info->type == VHD_DIFF && ids_is_zero(info->parent_id))
		return "its parent is a raw file";
	return NULL;
}

/* Before the engine takes the descriptor. */
static int take_time(struct scan *scan, int fd, struct vhd_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return failure_sys(err, VHD_E_IO, errno, "its time cannot be read");
	scan->mtime = clock_bounded(st.st_mtim.tv_sec);
	return 0;
}

static int look_at_adopted(struct scan *scan, const struct catalog_image *image, bool *ret_left_out)
{
	CLEANUP(closep) int fd = -1;
	struct catalog_place at, now;
	struct vhd_error why = {0};
	struct vhd *disk = NULL;
	char text[PLACE_TEXT];
	const char *no;
	int r;

	catalog_place_of(image, &at);
	now = at;
	place_settle(&scan->rebuild->pools, &now);
	place_text(&now, text);
	r = place_open_id(&scan->rebuild->pools, &at, false, &fd, &why);
	/* A link, too: the file may be where it leads. */
	*ret_left_out = r != VHD_E_NOT_FOUND;
	if (r == 0)
		r = take_time(scan, fd, &why);
	if (r == 0)
		r = reconcile_open(scan->engine, &fd, reconcile_hint(image->kind), &disk, &why);
	if (r < 0)
		return may_be_readable(&why) ? give_up(scan, text, &why)
					     : leave_out(scan, text, why.text);
	no = ids_equal(vhd_info(disk)->id, image->id) ? misfit(vhd_info(disk))
						      : "it is another image now";
	*ret_left_out = no;
	/* The files of a pool are compared with it; a root may be a link only for a while. */
	r = no ? leave_out(scan, text, no) : add(scan, disk, *at.pool ? &now : &at);
	vhd_close(disk);
	return r;
}

static int compare_known(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return memcmp(x->id, y->id, IDS_SIZE);
}

static struct known *find_known(const struct scan *scan, const uint8_t id[IDS_SIZE])
{
	struct known key;

	if (!scan->n_sorted)
		return NULL;
	memcpy(key.id, id, IDS_SIZE);
	return bsearch(&key, scan->known, scan->n_sorted, sizeof key, compare_known);
}

static int remember(struct scan *scan, const struct catalog_image *image)
{
	struct known *known;

	if (scan->n_known == scan->room_known) {
		size_t room = scan->room_known ? 2 * scan->room_known : 64;

		known = reallocarray(scan->known, room, sizeof *known);
		if (!known)
			return NO_MEMORY;
		scan->known = known;
		scan->room_known = room;
	}
	known = &scan->known[scan->n_known++];
	*known = (struct known){
		.kind = image->kind,
		.deleting = image->state == CATALOG_DELETING,
	};
	memcpy(known->id, image->id, IDS_SIZE);
	if (!image->path)
		memcpy(known->pool, image->pool, sizeof known->pool);
	return 0;
}

static int take(void *ctx, const struct catalog_image *image)
{
	struct scan *scan = ctx;
	int r;

	scan->n_told++;
	if (find_known(scan, image->id)) /* a newer one, which is damaged, has told it */
		return 0;
	r = remember(scan, image);
	if (r == 0 && image->path)
		r = look_at_adopted(scan, image, &scan->known[scan->n_known - 1].left_out);
	return r < 0 ? CATALOG_E_NOMEM : 0;
}

/* Where a file is. */
struct way {
	const char *root, *path;
};

static int compare_way(const void *key, const void *file)
{
	const struct way *way = key;
	const struct catalog_image *row = &((const struct rebuild_file *)file)->row;
	int order = strcmp(way->path, row->path);

	return order ? order : strcmp(way->root, row->root);
}

static int compare_ways(const void *a, const void *b)
{
	const struct catalog_image *row = &((const struct rebuild_file *)a)->row;
	const struct way way = {row->root, row->path};

	return compare_way(&way, b);
}

/* A file of a pool that has another name than <id>.vhd. */
static bool is_adopted(const struct scan *scan, const char *name)
{
	const struct way way = {pool_path(scan->item->pool), name};

	return scan->n_adopted > 0 && bsearch(&way, scan->rebuild->files, scan->n_adopted,
					      sizeof *scan->rebuild->files, compare_way);
}

static int read_known(struct scan *scan, const char *path)
{
	struct catalog_error why = {0};
	int r;

	scan->n_told = 0;
	r = catalog_salvage(path, take, scan, &why);
	scan->knows = r == 0 && scan->n_told > 0;
	if (scan->n_known > 0)
		qsort(scan->known, scan->n_known, sizeof *scan->known, compare_known);
	scan->n_sorted = scan->n_known;
	if (r == 0 || r == CATALOG_E_DAMAGED)
		return 0;
	if (!*scan->why.text)
		(void)snprintf(scan->why.text, sizeof scan->why.text, "%s", why.text);
	return UNREADABLE;
}

/* An empty one may have been begun in the place of a lost one, and been backed up. */
static int read_all(struct scan *scan, const char *catalog_path)
{
	char backup[POOL_BACKUP_PATH];
	int r = read_known(scan, catalog_path);
	int there = pool_backup_newest(catalog_path, backup);

	scan->is_newest = scan->knows;
	while (r == 0 && there == 0 && !scan->knows) {
		r = read_known(scan, backup);
		there = pool_backup_older(catalog_path, backup);
	}
	if (r < 0 || scan->knows || there != POOL_BACKUP_UNREADABLE)
		return r;
	(void)snprintf(scan->why.text, sizeof scan->why.text, "the folder of %.400s cannot be read",
		       catalog_path);
	return UNREADABLE;
}

/* Every file of a pool will be looked up among them. */
static int scan_adopted(struct scan *scan, const char *catalog_path)
{
	struct rebuild *rebuild = scan->rebuild;
	int r = read_all(scan, catalog_path);

	scan->n_adopted = rebuild->n;
	if (rebuild->n > 0)
		qsort(rebuild->files, rebuild->n, sizeof *rebuild->files, compare_ways);
	return r;
}

/* ---- in the pools ---- */

/* What cannot be an image of the catalog, for nobody would serve it. */
static const char *objection(const char *name, const struct pool_facts *facts,
			     const struct vhd_info *info)
{
	uint8_t id[IDS_SIZE];

	if (facts->names != 1)
		return "it has more than one name";
	if (!pool_look_id(name, id) || !ids_equal(id, info->id))
		return "its name is not <id>.vhd with the id it has inside";
	return misfit(info);
}

static struct known *find_named(const struct scan *scan, const char *name)
{
	uint8_t id[IDS_SIZE];

	return pool_look_id(name, id) ? find_known(scan, id) : NULL;
}

static unsigned hint_of(const struct scan *scan, const char *name)
{
	const struct known *known = find_named(scan, name);

	return known ? reconcile_hint(known->kind) : 0;
}

/* The catalog is asked only where the file leaves open what it is. */
static int open_disk(struct scan *scan, const char *name, struct vhd **ret_disk,
		     struct vhd_error *err)
{
	CLEANUP(closep) int fd = -1, again = -1;
	int r = pool_look_open(scan->item->pool, name, &fd, err);

	if (r == 0)
		r = take_time(scan, fd, err);
	if (r == 0)
		r = reconcile_open(scan->engine, &fd, 0, ret_disk, err);
	if (r != VHD_E_AMBIGUOUS)
		return r;
	r = pool_look_open(scan->item->pool, name, &again, err);
	return r < 0 ? r : reconcile_open(scan->engine, &again, hint_of(scan, name), ret_disk, err);
}

/* It may be damaged, or a link, but it is the file that the catalog means. */
static int reject(const struct scan *scan, const char *name, const char *file, const char *why)
{
	struct known *known = find_named(scan, name);

	if (known && strcmp(known->pool, scan->item->name) == 0)
		known->left_out = true;
	return leave_out(scan, file, why);
}

static bool is_candidate(const struct scan *scan, const char *name)
{
	return strncmp(name, ".new-", 5) != 0 && !is_adopted(scan, name);
}

static int look_at(void *ctx, const char *name)
{
	struct scan *scan = ctx;
	struct pool_facts facts;
	struct vhd_error why = {0};
	struct vhd *disk = NULL;
	char file[PLACE_TEXT];
	const char *no;
	int r;

	if (!is_candidate(scan, name))
		return 0;
	(void)snprintf(file, sizeof file, "%s/%s", scan->item->name, name);
	r = pool_look(scan->item->pool, name, &facts, &why);
	if (r == 0 && facts.kind != POOL_REGULAR)
		return find_named(scan, name) ? reject(scan, name, file, "it is not a regular file")
					      : 0;
	if (r == 0)
		r = open_disk(scan, name, &disk, &why);
	if (r < 0)
		return may_be_readable(&why) ? give_up(scan, file, &why)
					     : reject(scan, name, file, why.text);
	no = objection(name, &facts, vhd_info(disk));
	r = no ? reject(scan, name, file, no) : add(scan, disk, NULL);
	vhd_close(disk);
	return r;
}

/* The file that the catalog means may only have to be rid of a second name: were a copy taken in
 * its place, nobody would notice that the image is an old one. */
static int doubt(struct scan *scan, const struct rebuild_file *file)
{
	struct catalog_place at;
	char text[PLACE_TEXT];

	catalog_place_of(&file->row, &at);
	place_text(&at, text);
	(void)snprintf(
		scan->why.text, sizeof scan->why.text,
		"%.300s may be an old copy: the file that the catalog has was left out, as told "
		"above; mend it, or move one of the two out of its folder; nothing is changed",
		text);
	return UNREADABLE;
}

static int compare_with_known(struct scan *scan, struct rebuild_file *file)
{
	const struct known *known = find_known(scan, file->row.id);

	file->known = !scan->knows || known;
	file->placed = file->row.path || (known && strcmp(known->pool, file->row.pool) == 0);
	if (known && known->deleting) {
		rebuild_deleted_judge(scan->rebuild, file, scan->is_newest);
		return 0;
	}
	return known && known->left_out && !file->placed ? doubt(scan, file) : 0;
}

/* What the callbacks did not say is said by the list itself. */
static int scan_pool(struct scan *scan)
{
	struct vhd_error why = {0};
	int r = pool_look_each(scan->item->pool, look_at, scan, &why);

	if (r < 0 && !*scan->why.text)
		scan->why = why;
	return r;
}

int rebuild_scan(struct rebuild *rebuild, const char *catalog_path)
{
	struct scan scan = {.rebuild = rebuild, .engine = reconcile_engine()};
	int r = scan.engine ? scan_adopted(&scan, catalog_path) : NO_MEMORY;

	for (size_t i = 0; r == 0 && i < rebuild->pools.n; i++) {
		scan.item = &rebuild->pools.items[i];
		r = scan_pool(&scan);
	}
	for (size_t i = 0; r == 0 && i < rebuild->n; i++)
		r = compare_with_known(&scan, &rebuild->files[i]);
	vhd_engine_free(scan.engine);
	free(scan.known);
	if (r < 0) {
		rebuild_say(rebuild, "failed: %s",
			    *scan.why.text ? scan.why.text : "out of memory");
		return -1;
	}
	rebuild_files_sort(rebuild);
	return scan.is_newest ? rebuild_deleted_carry(rebuild, catalog_path) : 0;
}
