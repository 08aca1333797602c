/* images_view.c - what is told of an image that is open. */
#include <string.h>

#include "images_table.h"

static void view_of(const struct image *image, struct images_view *ret_view)
{
	struct vhd_state state;

	vhd_state(image->disk, &state);
	ret_view->open = true;
	ret_view->failed = image->failed || state.failed;
	ret_view->measured = image->measured;
	ret_view->usage = image->usage;
	ret_view->generation = image->generation;
	ret_view->epoch_base = image->epoch_base;
	ret_view->changes = state.changes;
	ret_view->written = image->written;
}

void images_look(struct images *images, const uint8_t id[IDS_SIZE], struct images_view *ret_view)
{
	const struct image *image;

	memset(ret_view, 0, sizeof *ret_view);
	(void)pthread_mutex_lock(&images->lock);
	image = images_find(images, id);
	if (image && image->disk && !image->held)
		view_of(image, ret_view);
	else if (image && !image->disk)
		ret_view->failed = image->failed;
	(void)pthread_mutex_unlock(&images->lock);
}

void images_version(const struct image *image, struct images_view *ret_view)
{
	(void)pthread_mutex_lock(&image->images->lock);
	view_of(image, ret_view);
	(void)pthread_mutex_unlock(&image->images->lock);
}

void images_verifier(struct images *images, char ret_text[IMAGES_VERIFIER])
{
	(void)pthread_mutex_lock(&images->lock);
	memcpy(ret_text, images->verifier, IMAGES_VERIFIER);
	(void)pthread_mutex_unlock(&images->lock);
}
