/* service.c - releases what the answers of the daemon own. */
#include "service.h"

#include <stdlib.h>
#include <string.h>

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
