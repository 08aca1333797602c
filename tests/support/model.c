/* model.c - hash tables of sectors and of blocks; slow, and too simple to be wrong. */
#include "model.h"

#include <string.h>

#include "must.h"

struct entry {
	uint64_t key; /* sector or block, plus 1; 0 = free */
	enum model_has has;
	uint8_t *bytes; /* sectors only */
};
struct table {
	struct entry *entries;
	size_t size, used;
};
struct model {
	struct model *parent;
	uint64_t size;
	uint32_t block; /* 0: flat */
	struct table sectors;
	struct table blocks; /* of an image without parent */
};

static const uint8_t zeroes[MODEL_SECTOR];

/* ---- tables ---- */

static struct entry *table_slot(const struct table *table, uint64_t key)
{
	size_t i = (size_t)(key * 0x9E3779B97F4A7C15 >> 17) % table->size;

	while (table->entries[i].key && table->entries[i].key != key)
		i = (i + 1) % table->size;
	return &table->entries[i];
}

static struct entry *table_find(const struct table *table, uint64_t number)
{
	struct entry *entry = table->size ? table_slot(table, number + 1) : NULL;

	return entry && entry->key ? entry : NULL;
}

static void table_grow(struct table *table)
{
	struct table old = *table;

	table->size = old.size ? old.size * 2 : 32;
	table->entries = must_alloc(table->size * sizeof table->entries[0]);
	for (size_t i = 0; i < old.size; i++) {
		if (old.entries[i].key)
			*table_slot(table, old.entries[i].key) = old.entries[i];
	}
	must_free(old.entries);
}

static struct entry *table_add(struct table *table, uint64_t number)
{
	struct entry *entry;

	if (table->used * 2 >= table->size)
		table_grow(table);
	entry = table_slot(table, number + 1);
	if (!entry->key) {
		entry->key = number + 1;
		table->used++;
	}
	return entry;
}

static void table_free(struct table *table)
{
	for (size_t i = 0; i < table->size; i++)
		must_free(table->entries[i].bytes);
	must_free(table->entries);
}

/* ---- images ---- */

struct model *model_new(struct model *parent, uint64_t size, uint32_t block)
{
	struct model *model = must_alloc(sizeof *model);

	model->parent = parent;
	model->size = size;
	model->block = block;
	return model;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	table_free(&model->sectors);
	table_free(&model->blocks);
	must_free(model);
}

struct model *model_parent(const struct model *model)
{
	return model->parent;
}

uint64_t model_size(const struct model *model)
{
	return model->size;
}

bool model_is_flat(const struct model *model)
{
	return model->block == 0;
}

static const uint8_t *sector_bytes(const struct model *model, uint64_t sector)
{
	for (; model && sector < model->size / MODEL_SECTOR; model = model->parent) {
		const struct entry *entry = table_find(&model->sectors, sector);

		if (entry)
			return entry->bytes;
	}
	return zeroes;
}

static void sector_set(struct model *model, uint64_t sector, const uint8_t *bytes,
		       enum model_has has)
{
	struct entry *entry = table_add(&model->sectors, sector);

	if (!entry->bytes)
		entry->bytes = must_alloc(MODEL_SECTOR);
	memcpy(entry->bytes, bytes, MODEL_SECTOR);
	entry->has = has;
}

static uint64_t block_of(const struct model *model, uint64_t sector)
{
	return sector / (model->block / MODEL_SECTOR);
}

enum model_has model_has(const struct model *model, uint64_t sector)
{
	const struct entry *entry;

	if (model_is_flat(model))
		return MODEL_YES;
	entry = model->parent ? table_find(&model->sectors, sector)
			      : table_find(&model->blocks, block_of(model, sector));
	return entry ? entry->has : MODEL_NO;
}

static void sector_write(struct model *model, uint64_t sector, const uint8_t *bytes)
{
	sector_set(model, sector, bytes, MODEL_YES);
	if (!model->parent && !model_is_flat(model))
		table_add(&model->blocks, block_of(model, sector))->has = MODEL_YES;
}

/* How many bytes of [off, off + len) lie in the sector of `off`. */
static size_t in_sector(uint64_t off, uint64_t len)
{
	size_t room = MODEL_SECTOR - off % MODEL_SECTOR;

	return len < room ? (size_t)len : room;
}

void model_write(struct model *model, const void *buf, size_t len, uint64_t off)
{
	const uint8_t *from = buf;

	while (len > 0) {
		size_t n = in_sector(off, len);
		uint8_t bytes[MODEL_SECTOR];

		memcpy(bytes, sector_bytes(model, off / MODEL_SECTOR), MODEL_SECTOR);
		memcpy(bytes + off % MODEL_SECTOR, from, n);
		sector_write(model, off / MODEL_SECTOR, bytes);
		from += n, off += n, len -= n;
	}
}

static void sector_zero(struct model *model, uint64_t sector, size_t at, size_t n)
{
	uint8_t bytes[MODEL_SECTOR];
	bool was_zero;

	memcpy(bytes, sector_bytes(model, sector), MODEL_SECTOR);
	was_zero = memcmp(bytes, zeroes, MODEL_SECTOR) == 0;
	memset(bytes + at, 0, n);
	if (model_has(model, sector) == MODEL_YES || !was_zero)
		sector_write(model, sector, bytes);
	else if (model->parent)
		sector_set(model, sector, bytes, MODEL_MAYBE);
	else
		table_add(&model->blocks, block_of(model, sector))->has = MODEL_MAYBE;
}

void model_zero(struct model *model, uint64_t off, uint64_t len)
{
	while (len > 0) {
		size_t n = in_sector(off, len);

		sector_zero(model, off / MODEL_SECTOR, (size_t)(off % MODEL_SECTOR), n);
		off += n, len -= n;
	}
}

void model_read(const struct model *model, void *buf, size_t len, uint64_t off)
{
	uint8_t *to = buf;

	while (len > 0) {
		size_t n = in_sector(off, len);

		memcpy(to, sector_bytes(model, off / MODEL_SECTOR) + off % MODEL_SECTOR, n);
		to += n, off += n, len -= n;
	}
}

int model_owner(const struct model *model, uint64_t sector, int *ret_maybe)
{
	*ret_maybe = -1;
	for (int level = 0; model && sector < model->size / MODEL_SECTOR;
	     level++, model = model->parent) {
		enum model_has has = model_has(model, sector);

		if (has == MODEL_YES)
			return level;
		if (has == MODEL_MAYBE && *ret_maybe < 0)
			*ret_maybe = level;
	}
	return -1;
}

uint64_t model_some_sector(const struct model *model, uint64_t chance)
{
	for (size_t i = 0; i < model->sectors.size; i++) {
		const struct entry *entry =
			&model->sectors.entries[(chance + i) % model->sectors.size];

		if (entry->key)
			return entry->key - 1;
	}
	return UINT64_MAX;
}
