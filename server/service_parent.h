/* service_parent.h - an image that gets a child: from then on its file is what it is now. */
#ifndef SERVICE_PARENT_H
#define SERVICE_PARENT_H

#include "service_private.h"

struct service_parent {
	struct image *image; /* sealed by images_seal; NULL: there is none */
	int64_t mtime;       /* of its last change, seconds since 1970 */
	bool has_seal;       /* it is its first child: */
	struct catalog_seal seal;
};

/* Its last change is a flush; then it is looked at. `at` is where its file lies. */
int service_parent_freeze(struct service *service, const struct catalog_place *at,
			  struct service_parent *parent, struct vhd_error *err);

#endif
