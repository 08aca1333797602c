/* model.h - what a chain must contain, kept in the simplest way: each image a map from sector to
 * 512 bytes, and a parent. Shares no code and no idea of blocks with the engine, but for one rule:
 * an image without parent has a whole block as soon as it has one sector of it. */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_SECTOR = 512 };

enum model_has {
	MODEL_NO,    /* the parent, or nobody, has the sector */
	MODEL_YES,   /* this image has it */
	MODEL_MAYBE, /* zeroed where it read as zeroes before: an image may note that or not */
};

struct model;

/* `block` (bytes) matters for images without parent; 0 = all sectors are always there (fixed, raw).
 */
struct model *model_new(struct model *parent, uint64_t size, uint32_t block);
void model_free(struct model *model); /* not its parent */
struct model *model_parent(const struct model *model);
uint64_t model_size(const struct model *model);
bool model_is_flat(const struct model *model);

void model_write(struct model *model, const void *buf, size_t len, uint64_t off);
void model_zero(struct model *model, uint64_t off, uint64_t len);
void model_read(const struct model *model, void *buf, size_t len, uint64_t off);

enum model_has model_has(const struct model *model, uint64_t sector);
/* The first level from the leaf on that has it for certain, or -1; *ret_maybe the first that may
 * have it before that one, or -1. */
int model_owner(const struct model *model, uint64_t sector, int *ret_maybe);
/* Any sector the image itself was ever told about, chosen by `chance`; UINT64_MAX when there is
 * none. */
uint64_t model_some_sector(const struct model *model, uint64_t chance);

#endif
