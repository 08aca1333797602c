/* catalog_row.c - moves images between rows and structs. The order of columns is that of
 * IMAGE_COLUMNS. */
#include "catalog_sql.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

struct binding {
	sqlite3_stmt *stmt;
	int column;
};

static void put_number(struct binding *to, uint64_t value)
{
	(void)sqlite3_bind_int64(to->stmt, to->column++, (sqlite3_int64)value);
}

static void put_text(struct binding *to, const char *text)
{
	(void)sqlite3_bind_text(to->stmt, to->column++, text ? text : "", -1, SQLITE_STATIC);
}

static void put_text_or_null(struct binding *to, const char *text)
{
	if (text)
		put_text(to, text);
	else
		(void)sqlite3_bind_null(to->stmt, to->column++);
}

static const uint8_t no_id[IDS_SIZE];

static void put_id(struct binding *to, const uint8_t id[IDS_SIZE])
{
	if (ids_is_zero(id))
		(void)sqlite3_bind_null(to->stmt, to->column++);
	else
		(void)sqlite3_bind_blob(to->stmt, to->column++, id, IDS_SIZE, SQLITE_STATIC);
}

static void put_vhd(struct binding *to, const struct catalog_vhd *vhd)
{
	put_number(to, vhd->size);
	put_number(to, vhd->block_size);
	put_number(to, vhd->timestamp);
	put_number(to, vhd->parent_timestamp);
	put_number(to, vhd->creator_version);
	put_text(to, vhd->creator);
	put_text(to, vhd->creator_os);
	put_number(to, vhd->cylinders);
	put_number(to, vhd->heads);
	put_number(to, vhd->sectors_per_track);
	put_number(to, vhd->saved_state);
	put_number(to, vhd->temporary);
}

static void put_usage(struct binding *to, const struct catalog_usage *usage)
{
	put_number(to, usage->file_bytes);
	put_number(to, usage->blocks);
	put_number(to, (uint64_t)usage->measured_at);
}

static void put_place(struct binding *to, const struct catalog_image *image)
{
	put_text_or_null(to, image->root);
	put_text_or_null(to, image->path);
	put_number(to, image->linked);
}

static void put_seal(struct binding *to, const struct catalog_image *image)
{
	if (!image->sealed)
		return; /* what is not bound is NULL */
	put_number(to, image->seal.file_bytes);
	put_number(to, (uint64_t)image->seal.mtime_ns);
	put_number(to, image->seal.ino);
	(void)sqlite3_bind_blob(to->stmt, to->column++, image->seal.sha256,
				sizeof image->seal.sha256, SQLITE_STATIC);
}

void catalog_row_bind(sqlite3_stmt *statement, const struct catalog_image *image)
{
	struct binding to = {statement, 1};

	put_id(&to, image->id);
	put_id(&to, image->parent_missing ? no_id : image->parent_id);
	put_text(&to, image->name);
	put_number(&to, image->kind);
	put_number(&to, image->state);
	put_number(&to, image->frozen);
	put_number(&to, image->dirty);
	put_number(&to, image->generation);
	put_vhd(&to, &image->vhd);
	put_usage(&to, &image->usage);
	put_text(&to, image->pool);
	put_text(&to, image->description);
	put_number(&to, image->version);
	put_number(&to, (uint64_t)image->created_at);
	put_number(&to, (uint64_t)image->updated_at);
	put_place(&to, image);
	put_id(&to, image->parent_missing ? image->parent_id : no_id);
	put_seal(&to, image);
}

int catalog_row_insert_labels(struct catalog *catalog, const struct catalog_image *image,
			      struct catalog_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < image->n_labels; i++) {
		sqlite3_stmt *stmt = catalog_sql_use_id(catalog, SQL_LABEL_INSERT, image->id);

		(void)sqlite3_bind_text(stmt, 2, image->labels[i].key, -1, SQLITE_STATIC);
		(void)sqlite3_bind_text(stmt, 3, image->labels[i].value, -1, SQLITE_STATIC);
		r = catalog_sql_run(catalog, stmt, err);
	}
	return r;
}

int catalog_row_insert(struct catalog *catalog, const struct catalog_image *image,
		       struct catalog_error *err)
{
	sqlite3_stmt *stmt = catalog_sql_use(catalog, SQL_IMAGE_INSERT);
	int r;

	catalog_row_bind(stmt, image);
	r = catalog_sql_run(catalog, stmt, err);
	return r < 0 ? r : catalog_row_insert_labels(catalog, image, err);
}

void catalog_row_bind_facts(sqlite3_stmt *statement, const struct catalog_vhd *vhd,
			    const struct catalog_usage *usage)
{
	struct binding to = {statement, 2};

	put_vhd(&to, vhd);
	put_usage(&to, usage);
}

static uint64_t get_number(struct binding *from)
{
	return (uint64_t)sqlite3_column_int64(from->stmt, from->column++);
}

static void get_text(struct binding *from, char *ret_text, size_t size)
{
	const unsigned char *text = sqlite3_column_text(from->stmt, from->column++);

	(void)snprintf(ret_text, size, "%s", text ? (const char *)text : "");
}

static void get_id(struct binding *from, uint8_t ret_id[IDS_SIZE])
{
	int column = from->column++;
	const void *id = sqlite3_column_blob(from->stmt, column);

	if (id && sqlite3_column_bytes(from->stmt, column) == IDS_SIZE)
		memcpy(ret_id, id, IDS_SIZE);
	else
		memset(ret_id, 0, IDS_SIZE);
}

static void get_missing(struct binding *from, struct catalog_image *image)
{
	uint8_t id[IDS_SIZE];

	get_id(from, id);
	image->parent_missing = !ids_is_zero(id);
	if (image->parent_missing)
		memcpy(image->parent_id, id, IDS_SIZE);
}

static void get_vhd(struct binding *from, struct catalog_vhd *vhd)
{
	vhd->size = get_number(from);
	vhd->block_size = (uint32_t)get_number(from);
	vhd->timestamp = (uint32_t)get_number(from);
	vhd->parent_timestamp = (uint32_t)get_number(from);
	vhd->creator_version = (uint32_t)get_number(from);
	get_text(from, vhd->creator, sizeof vhd->creator);
	get_text(from, vhd->creator_os, sizeof vhd->creator_os);
	vhd->cylinders = (uint16_t)get_number(from);
	vhd->heads = (uint8_t)get_number(from);
	vhd->sectors_per_track = (uint8_t)get_number(from);
	vhd->saved_state = get_number(from) != 0;
	vhd->temporary = get_number(from) != 0;
}

static void get_seal(struct binding *from, struct catalog_image *image)
{
	int at = from->column;
	const void *sha256 = sqlite3_column_blob(from->stmt, at + 3);

	if (!sha256 || sqlite3_column_bytes(from->stmt, at + 3) != sizeof image->seal.sha256)
		return;
	image->sealed = true;
	memcpy(image->seal.sha256, sha256, sizeof image->seal.sha256);
	image->seal.file_bytes = get_number(from);
	image->seal.mtime_ns = (int64_t)get_number(from);
	image->seal.ino = get_number(from);
}

/* Heap; NULL where the column is, and where it is "". False: out of memory. */
static bool get_copy(struct binding *from, char **ret_text)
{
	const unsigned char *text = sqlite3_column_text(from->stmt, from->column++);

	if (!text || !*text)
		return true;
	*ret_text = strdup((const char *)text);
	return *ret_text != NULL;
}

/* Everything but the labels. */
static int get_image(sqlite3_stmt *stmt, struct catalog_image *image)
{
	struct binding from = {stmt, 0};
	bool all;

	get_id(&from, image->id);
	get_id(&from, image->parent_id);
	get_text(&from, image->name, sizeof image->name);
	image->kind = (enum catalog_kind)get_number(&from);
	image->state = (enum catalog_state)get_number(&from);
	image->frozen = get_number(&from) != 0;
	image->dirty = get_number(&from) != 0;
	image->generation = get_number(&from);
	get_vhd(&from, &image->vhd);
	image->usage.file_bytes = get_number(&from);
	image->usage.blocks = get_number(&from);
	image->usage.measured_at = (int64_t)get_number(&from);
	get_text(&from, image->pool, sizeof image->pool);
	all = get_copy(&from, &image->description);
	image->version = get_number(&from);
	image->created_at = (int64_t)get_number(&from);
	image->updated_at = (int64_t)get_number(&from);
	all = get_copy(&from, &image->root) && all;
	all = get_copy(&from, &image->path) && all;
	image->linked = get_number(&from) != 0;
	get_missing(&from, image);
	get_seal(&from, image);
	return all ? 0 : CATALOG_E_NOMEM;
}

/* Room for all labels that an image may have, cut to size by who keeps the image. */
static int add_label(struct catalog_image *image, struct binding *from)
{
	struct catalog_label *label;

	if (image->n_labels == CATALOG_LABELS_MAX)
		return CATALOG_E_DAMAGED;
	if (!image->labels)
		image->labels = calloc(CATALOG_LABELS_MAX, sizeof *image->labels);
	if (!image->labels)
		return CATALOG_E_NOMEM;
	label = &image->labels[image->n_labels++];
	get_text(from, label->key, sizeof label->key);
	get_text(from, label->value, sizeof label->value);
	return 0;
}

static int get_labels(struct catalog *catalog, struct catalog_image *image,
		      struct catalog_error *err)
{
	sqlite3_stmt *stmt = catalog_sql_use_id(catalog, SQL_LABEL_LOAD, image->id);
	int result, r = 0;

	while (r == 0 && (result = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct binding from = {stmt, 0};

		r = add_label(image, &from);
	}
	if (r == CATALOG_E_DAMAGED)
		(void)catalog_sql_fail(err, r, "catalog: damaged: '%s' has more than %d labels",
				       image->name, CATALOG_LABELS_MAX);
	if (r == 0 && result != SQLITE_DONE)
		r = catalog_sql_error(catalog, "labels", err);
	(void)sqlite3_reset(stmt);
	return r;
}

/* What the constraints of the tables allow, where the rest of the daemon would go wrong without. */
static bool is_sound(const struct catalog_image *image)
{
	return !ids_is_zero(image->id) && image->kind <= CATALOG_DIFFERENCING &&
	       image->state <= CATALOG_DELETING;
}

/* The row that the statement is at, and its labels, below its parent in the index. */
static int load_row(struct catalog *catalog, sqlite3_stmt *stmt, struct catalog_error *err)
{
	CLEANUP(catalog_image_fini) struct catalog_image image = {.version = 0};
	int r = get_image(stmt, &image);

	if (r == 0 && !is_sound(&image))
		return catalog_sql_fail(err, CATALOG_E_DAMAGED,
					"catalog: damaged: a row that is no image");
	if (r == 0 && catalog_index_find(&catalog->index, image.id))
		return catalog_sql_fail(err, CATALOG_E_DAMAGED,
					"catalog: damaged: two images with one id");
	if (r == 0)
		r = get_labels(catalog, &image, err);
	if (r == 0)
		r = catalog_index_add(&catalog->index, &image);
	return r == CATALOG_E_NOMEM ? catalog_sql_fail(err, r, "catalog: out of memory") : r;
}

/* Rows come parents first. One that does not come has lost its parent, or is in a cycle. */
static int check_all_came(struct catalog *catalog, struct catalog_error *err)
{
	sqlite3_stmt *stmt = catalog_sql_use(catalog, SQL_ROW_COUNT);
	int64_t rows;

	if (sqlite3_step(stmt) != SQLITE_ROW)
		return catalog_sql_error(catalog, "count", err);
	rows = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_reset(stmt);
	if ((uint64_t)rows != catalog->index.n)
		return catalog_sql_fail(err, CATALOG_E_DAMAGED,
					"catalog: damaged: %zu of %lld images have their parents",
					catalog->index.n, (long long)rows);
	return 0;
}

int catalog_row_load(struct catalog *catalog, struct catalog_error *err)
{
	sqlite3_stmt *stmt = catalog_sql_use(catalog, SQL_IMAGE_LOAD);
	int result, r = 0;

	while (r == 0 && (result = sqlite3_step(stmt)) == SQLITE_ROW)
		r = load_row(catalog, stmt, err);
	if (r == 0 && result != SQLITE_DONE)
		r = catalog_sql_error(catalog, "load", err);
	(void)sqlite3_reset(stmt);
	return r < 0 ? r : check_all_came(catalog, err);
}
