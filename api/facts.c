/* facts.c - one row for each fact. */
#include "facts.h"

#include <string.h>

#include "image.h"

static const char *name(const struct service_image *image)
{
	return image->name;
}

static const char *pool(const struct service_image *image)
{
	return image->pool;
}

static const char *kind(const struct service_image *image)
{
	return image_kind_name(image->kind);
}

static const char *state(const struct service_image *image)
{
	return image_state_name(image->state);
}

static uint64_t virtual_size(const struct service_image *image)
{
	return image->virtual_size;
}

static uint64_t file(const struct service_image *image)
{
	return image->file_bytes;
}

static uint64_t allocated(const struct service_image *image)
{
	return image->allocated_bytes;
}

static uint64_t depth(const struct service_image *image)
{
	return image->depth;
}

static uint64_t children(const struct service_image *image)
{
	return image->children_count;
}

static uint64_t created_at(const struct service_image *image)
{
	return image->created_at > 0 ? (uint64_t)image->created_at : 0;
}

static uint64_t updated_at(const struct service_image *image)
{
	return image->updated_at > 0 ? (uint64_t)image->updated_at : 0;
}

static const struct fact facts[] = {
	{"name", name, NULL},
	{"pool", pool, NULL},
	{"kind", kind, NULL},
	{"state", state, NULL},
	{"virtual_size", NULL, virtual_size},
	{"usage.file", NULL, file},
	{"usage.allocated", NULL, allocated},
	{"depth", NULL, depth},
	{"children_count", NULL, children},
	{"created_at", NULL, created_at},
	{"updated_at", NULL, updated_at},
};

const struct fact *facts_find(const char *wanted, size_t len)
{
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
		if (strlen(facts[i].name) == len && strncmp(facts[i].name, wanted, len) == 0)
			return &facts[i];
	}
	return NULL;
}
