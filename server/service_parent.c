/* service_parent.c - freezes an image, and takes its seal. */
#include "service_parent.h"

#include "cleanup.h"
#include "crash_point.h"
#include "pool_place.h"
#include "seal.h"

static int take_seal(const struct place *place, struct catalog_seal *ret_seal,
		     struct vhd_error *err)
{
	CLEANUP(closep) int fd = -1;
	int r = place_open(place, false, &fd, err);

	if (r == 0)
		r = seal_take(fd, ret_seal, err);
	CRASH_POINT("create.sealed");
	return r;
}

int service_parent_freeze(struct service *service, const struct catalog_place *at,
			  struct service_parent *parent, struct vhd_error *err)
{
	CLEANUP(place_leave) struct place place = {.mine = false};
	struct catalog_brief brief;
	struct catalog_usage usage;
	int r = place_reach(&service->pools, at, &place, err);

	if (r == 0)
		r = vhd_freeze(images_disk(parent->image), err);
	if (r == 0)
		r = place_mtime(&place, &parent->mtime, err);
	if (r < 0 || (catalog_brief(service->catalog, at->id, &brief) && brief.sealed))
		return r;
	r = take_seal(&place, &parent->seal, err);
	images_usage(parent->image, &usage);
	parent->seal.blocks = usage.blocks;
	parent->has_seal = r == 0;
	return r;
}
