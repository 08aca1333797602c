/* service_adopt.c - images out of files that lie outside the pools. The catalog has no place for
 * such a path yet, so it is refused. */
#include "service_private.h"

enum service_code service_image_adopt(struct service *service, const struct service_adopt *spec,
				      struct service_adopted *ret_adopted,
				      struct service_error *err)
{
	(void)service;
	(void)spec;
	(void)ret_adopted;
	return service_fail(err, SERVICE_NOT_SUPPORTED,
			    "Files that are there already cannot be adopted yet.");
}
