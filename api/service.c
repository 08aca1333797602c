/* service.c - ETags, and what the answers of the daemon own. */
#include "service.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "number.h"

void service_meta_etag(const char id[SERVICE_ID], uint64_t version, const char *parent,
		       const char *root, char ret_etag[SERVICE_ETAG])
{
	uint64_t hash = hash_bytes(0, id, strlen(id));

	if (*parent) {
		hash = hash_bytes(hash, parent, strlen(parent));
		hash = hash_bytes(hash, root, strlen(root));
	}
	ret_etag[0] = 'm';
	hash_suffix(hash, number_text(version, ret_etag + 1));
}

void service_etag_of(const char id[SERVICE_ID], char etag[SERVICE_ETAG])
{
	hash_suffix(hash_bytes(0, id, strlen(id)), etag + strlen(etag));
}

void service_image_fini(struct service_image *image)
{
	free(image->description);
	free(image->labels);
	free(image->locators);
	memset(image, 0, sizeof *image);
}

void service_adopted_fini(struct service_adopted *adopted)
{
	service_images_fini(&adopted->images);
	service_images_fini(&adopted->known);
	adopted->n_warnings = 0;
}

void service_fields_fini(struct service_fields *fields)
{
	for (size_t i = 0; i < fields->n; i++)
		free(fields->items[i].text);
	free(fields->items);
	memset(fields, 0, sizeof *fields);
}

void service_pools_fini(struct service_pools *pools)
{
	free(pools->items);
	memset(pools, 0, sizeof *pools);
}

void service_images_fini(struct service_images *images)
{
	for (size_t i = 0; i < images->n; i++)
		service_image_fini(&images->items[i]);
	free(images->items);
	memset(images, 0, sizeof *images);
}
