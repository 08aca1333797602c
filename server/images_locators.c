/* images_locators.c - what the file of an open image says of its parent's paths, read once. */
#include <stdlib.h>

#include "cleanup.h"
#include "failure.h"
#include "images_table.h"

/* Keeps what was read first, when two read at once. */
static const struct vhd_locator *keep_locators(struct image *image, struct vhd_locator *read)
{
	CLEANUP(freep) struct vhd_locator *spare = read;
	const struct vhd_locator *kept;

	(void)pthread_mutex_lock(&image->images->lock);
	if (!image->locators)
		image->locators = STEAL(spare);
	kept = image->locators;
	(void)pthread_mutex_unlock(&image->images->lock);
	return kept;
}

int images_locators(struct image *image, unsigned flags, const struct vhd_locator **ret_locators,
		    struct vhd_error *err)
{
	CLEANUP(freep) struct vhd_locator *read = NULL;
	const struct vhd_locator *kept;
	int r;

	(void)pthread_mutex_lock(&image->images->lock);
	kept = image->locators;
	(void)pthread_mutex_unlock(&image->images->lock);
	if (!kept && (flags & VHD_NOWAIT))
		return VHD_E_AGAIN;
	if (!kept) {
		read = calloc(VHD_LOCATORS, sizeof *read);
		if (!read)
			return failure(err, VHD_E_NOMEM, "out of memory");
		r = vhd_locators(image->disk, read, err);
		if (r < 0)
			return r;
		kept = keep_locators(image, STEAL(read));
	}
	*ret_locators = kept;
	return 0;
}
