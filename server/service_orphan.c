/* service_orphan.c - what is told of a chain whose last known image has a parent that the catalog
 * does not know. */
#include <stdio.h>
#include <string.h>

#include "service_private.h"

/* Where the file says that its parent is: "'a', 'b'". */
static void add_locators(const struct vhd_locator *locators, char *text, size_t size)
{
	size_t n = 0;

	for (uint32_t i = 0; i < VHD_LOCATORS && n < size; i++) {
		if (locators[i].code == 0 || locators[i].text[0] == '\0')
			continue;
		n += (size_t)snprintf(text + n, size - n, "%s'%.120s'", n ? ", " : "",
				      locators[i].text);
	}
}

static void read_locators(struct service *service, const uint8_t id[IDS_SIZE], char *ret_text,
			  size_t size)
{
	const struct vhd_locator *locators;
	struct image *image;

	*ret_text = '\0';
	if (images_pin(service->images, id, IMAGES_READ, 0, &image, NULL) < 0)
		return;
	if (images_locators(image, 0, &locators, NULL) == 0)
		add_locators(locators, ret_text, size);
	images_unpin(image, IMAGES_READ);
}

void service_orphan_tell(struct service *service, const uint8_t id[IDS_SIZE],
			 struct service_error *err)
{
	struct catalog_orphan orphan;
	char parent[IDS_TEXT], names[300];
	size_t n = strlen(err->text);

	if (!catalog_orphan_of(service->catalog, id, &orphan))
		return;
	ids_format(orphan.parent_id, parent);
	read_locators(service, orphan.id, names, sizeof names);
	(void)snprintf(err->text + n, sizeof err->text - n,
		       "%sthe parent %s of '%.60s' is not in the catalog%s%s", n ? "; " : "",
		       parent, orphan.name, *names ? "; its locators name " : "", names);
}

enum service_code service_orphan_refuse(struct service *service, const uint8_t id[IDS_SIZE],
					struct service_error *err)
{
	struct catalog_orphan orphan;

	if (!catalog_orphan_of(service->catalog, id, &orphan))
		return SERVICE_OK;
	(void)service_fail(err, SERVICE_PARENT_MISSING, "%s", "");
	service_codes_name(service, id, err);
	service_orphan_tell(service, id, err);
	return SERVICE_PARENT_MISSING;
}
