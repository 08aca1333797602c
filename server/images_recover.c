/* images_recover.c - the way back of an image whose sync has failed. */
#include "images_table.h"

static void draw_verifier(struct images *images)
{
	(void)pthread_mutex_lock(&images->lock);
	images_open_draw_verifier(images);
	(void)pthread_mutex_unlock(&images->lock);
}

/* Nothing is flushed: the catalog knows it as dirty, so the next open reads what the disk holds and
 * repairs it. Somebody else may have done so while this waited. */
static int give_up(struct images *images, const uint8_t id[IDS_SIZE], struct vhd_error *err)
{
	struct vhd_state state = {.failed = false};
	struct image *image;
	int r = images_hold(images, id, &image, err);

	if (r < 0)
		return r;
	if (image->disk)
		vhd_state(image->disk, &state);
	if (!image->failed && !state.failed) {
		images_release(image);
		return 0;
	}
	images_discard(image);
	draw_verifier(images);
	return 0;
}

int images_recover(struct images *images, const uint8_t id[IDS_SIZE], struct vhd_error *err)
{
	struct images_view view;
	struct image *image;
	int r;

	images_look(images, id, &view);
	if (view.open && !view.failed)
		return 0;
	r = view.failed ? give_up(images, id, err) : 0;
	if (r == 0)
		r = images_pin(images, id, IMAGES_READ, 0, &image, err);
	if (r == 0)
		images_unpin(image, IMAGES_READ);
	return r;
}
