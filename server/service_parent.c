/* service_parent.c - freezes an image, and takes its seal. */
#include "service_parent.h"

#include <errno.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "clock.h"
#include "crash_point.h"
#include "failure.h"
#include "pool_place.h"
#include "seal.h"

/* Somebody may have put another file in the place of the one that is open: what is read through the
 * child would be that one from the next start on, and its seal would hold. */
static int open_same(const struct place *place, const struct vhd *disk, int *ret_fd,
		     int64_t *ret_mtime, struct vhd_error *err)
{
	CLEANUP(closep) int fd = -1;
	struct stat st;
	uint64_t id[2] = {0};
	int r = place_open(place, false, &fd, err);

	if (r == 0)
		r = vhd_file_id(disk, id, err);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return failure_sys(err, VHD_E_IO, errno, "cannot look at %.200s", place->name);
	if (st.st_dev != id[0] || st.st_ino != id[1])
		return failure(err, VHD_E_NOT_FOUND,
			       "%.200s is another file than the one that is open as the image: put "
			       "that one back",
			       place->name);
	*ret_mtime = clock_bounded(st.st_mtim.tv_sec);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int service_parent_freeze(struct service *service, const struct catalog_place *at,
			  struct service_parent *parent, struct vhd_error *err)
{
	CLEANUP(place_leave) struct place place = {.mine = false};
	CLEANUP(closep) int fd = -1;
	struct catalog_brief brief;
	struct catalog_usage usage;
	int r = place_reach(&service->pools, at, &place, err);

	if (r == 0)
		r = vhd_freeze(images_disk(parent->image), err);
	if (r == 0)
		r = open_same(&place, images_disk(parent->image), &fd, &parent->mtime, err);
	if (r < 0 || (catalog_brief(service->catalog, at->id, &brief) && brief.sealed))
		return r;
	r = seal_take(fd, &parent->seal, err);
	CRASH_POINT("create.sealed");
	images_usage(parent->image, &usage);
	parent->seal.blocks = usage.blocks;
	parent->has_seal = r == 0;
	return r;
}
