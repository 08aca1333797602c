/* pool_world.c - files by the engine, rows by what the files say. */
#include "pool_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "must.h"
#include "seal.h"
#include "test.h"

enum { PATHS = 8, DEFAULT_SIZE = 1 << 20 };

struct pool_world *pool_world_new(void)
{
	struct pool_world *world = must_alloc(sizeof *world);
	struct vhd_error err = {0};
	char images[128];

	/* Where syncs cost nothing. */
	(void)snprintf(world->folder, sizeof world->folder, "%s/vhdd-world-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(world->folder));
	(void)snprintf(world->path, sizeof world->path, "%s/catalog.db", world->folder);
	(void)snprintf(images, sizeof images, "%s/images", world->folder);
	config_init(&world->config);
	assert_int_equal(pool_set_open(&world->pools, images, &world->config, &err), 0);
	assert_int_equal(vhd_engine_new(&(struct vhd_engine_args){.cache_size = 1 << 20},
					&world->engine, &err),
			 0);
	world->reconcile.findings = findings_new();
	world->reconcile.pools = &world->pools;
	pool_world_open(world);
	return world;
}

void pool_world_open(struct pool_world *world)
{
	assert_int_equal(catalog_open(world->path, 1024, &world->catalog, &world->err), 0);
	world->reconcile.catalog = world->catalog;
}

void pool_world_close(struct pool_world *world)
{
	catalog_close(world->catalog);
	world->catalog = NULL;
}

void pool_world_free(struct pool_world *world)
{
	char command[128];

	pool_world_close(world);
	findings_free(world->reconcile.findings);
	vhd_engine_free(world->engine);
	pool_set_close(&world->pools);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", world->folder);
	assert_int_equal(system(command), 0);
	must_free(world);
}

void pool_world_id(unsigned number, uint8_t ret_id[IDS_SIZE])
{
	memset(ret_id, 0, IDS_SIZE);
	ret_id[0] = 0xee;
	ret_id[12] = (uint8_t)(number >> 24);
	ret_id[13] = (uint8_t)(number >> 16);
	ret_id[14] = (uint8_t)(number >> 8);
	ret_id[15] = (uint8_t)number;
}

const char *pool_world_path(const struct pool_world *world, const char *name)
{
	static char paths[PATHS][256];
	static unsigned at;
	char *path = paths[at++ % PATHS];

	(void)snprintf(path, sizeof paths[0], "%s/images/%s", world->folder, name);
	return path;
}

const char *pool_world_file(const struct pool_world *world, unsigned number)
{
	uint8_t id[IDS_SIZE];
	char name[POOL_NAME];

	pool_world_id(number, id);
	pool_file_name(id, name);
	return pool_world_path(world, name);
}

static struct vhd_io open_io(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	struct vhd_io io;

	assert_true(fd >= 0);
	assert_int_equal(vhd_io_from_fd(fd, &io, NULL), 0);
	return io;
}

static int resolve(void *ctx, const struct vhd_parent_ref *ref, struct vhd_io *ret_io,
		   struct vhd_error *err)
{
	const uint8_t *id = ref->id;
	unsigned number =
		(unsigned)id[12] << 24 | (unsigned)id[13] << 16 | (unsigned)id[14] << 8 | id[15];

	(void)err;
	*ret_io = open_io(pool_world_file(ctx, number), O_RDONLY);
	return 0;
}

static struct vhd *open_chain(struct pool_world *world, unsigned number)
{
	const struct vhd_resolver resolver = {.open = resolve, .ctx = world};
	struct vhd_io io = open_io(pool_world_file(world, number), O_RDONLY);
	struct vhd *disk = NULL;

	assert_int_equal(vhd_open(world->engine, &io, 0, &resolver, &disk, NULL), 0);
	return disk;
}

static struct vhd *open_alone(struct pool_world *world, unsigned number)
{
	struct vhd_io io = open_io(pool_world_file(world, number), O_RDONLY);
	struct vhd *disk = NULL;

	assert_int_equal(vhd_open(world->engine, &io, VHD_NO_PARENT, NULL, &disk, NULL), 0);
	return disk;
}

void pool_world_write(struct pool_world *world, const struct pool_image *image)
{
	struct vhd_create_args args = {
		.type = image->parent ? VHD_DIFF : image->type,
		.size = image->size,
		.block_size = image->block_size,
		.timestamp = 1,
		.parent_timestamp = world->parent_timestamp,
		.parent_path = pool_world_file(world, image->parent),
		.child_path = pool_world_file(world, image->number),
	};
	struct vhd_io io;
	struct vhd *disk = NULL;
	struct vhd_error err = {0};
	int r;

	if (!image->parent && !image->size)
		args.size = DEFAULT_SIZE;
	pool_world_id(image->number, args.id);
	if (image->parent)
		args.parent = open_chain(world, image->parent);
	(void)unlink(pool_world_file(world, image->number));
	io = open_io(pool_world_file(world, image->number), O_RDWR | O_CREAT | O_EXCL);
	r = vhd_create(world->engine, &io, &args, &disk, &err);
	if (r < 0)
		fail_msg("image %u: %s", image->number, err.text);
	vhd_close(disk);
	vhd_close(args.parent);
}

static void fill_row(struct pool_world *world, const struct pool_image *image,
		     struct catalog_image *row)
{
	struct vhd *disk = open_alone(world, image->number);
	const struct vhd_info *info = vhd_info(disk);

	pool_world_id(image->number, row->id);
	if (image->parent)
		pool_world_id(image->parent, row->parent_id);
	(void)snprintf(row->name, sizeof row->name, "image-%u", image->number);
	(void)snprintf(row->pool, sizeof row->pool, "default");
	row->state = CATALOG_READY;
	row->version = 1;
	row->kind = CATALOG_DYNAMIC;
	if (info->type == VHD_FIXED)
		row->kind = CATALOG_FIXED;
	if (image->parent)
		row->kind = CATALOG_DIFFERENCING;
	row->vhd.size = info->size;
	row->vhd.block_size = info->block_size;
	assert_int_equal(vhd_file_size(disk, &row->usage.file_bytes, NULL), 0);
	vhd_close(disk);
}

static void seal_row(struct pool_world *world, unsigned number, struct catalog_image *row)
{
	int fd = open(pool_world_file(world, number), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(seal_take(fd, &row->seal, NULL), 0);
	row->sealed = true;
	(void)close(fd);
}

/* The parent of a row, in the catalog or before it. */
static bool has_row(const struct pool_world *world, const struct catalog_image *rows, size_t n,
		    const struct catalog_image *child)
{
	struct catalog_brief brief;

	for (size_t i = 0; i < n; i++) {
		if (ids_equal(rows[i].id, child->parent_id))
			return true;
	}
	return catalog_brief(world->catalog, child->parent_id, &brief);
}

void pool_world_rows(struct pool_world *world, const struct pool_image *images, size_t n)
{
	struct catalog_image *rows = must_alloc(n * sizeof *rows);

	for (size_t i = 0; i < n; i++) {
		fill_row(world, &images[i], &rows[i]);
		rows[i].parent_missing = images[i].parent && !has_row(world, rows, i, &rows[i]);
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++) {
			if (images[k].number == images[i].parent && !rows[k].sealed)
				seal_row(world, images[k].number, &rows[k]);
		}
	}
	if (catalog_restore(world->catalog, rows, n, &world->err) < 0)
		fail_msg("%s", world->err.text);
	must_free(rows);
}
