/* images_recover.c - the way back of an image whose sync has failed, or whose file is unclean. */
#include "failure.h"
#include "images_table.h"

/* Nothing is flushed: the catalog knows it as dirty, so the next open reads what the disk holds and
 * repairs it: until that comes to its end it is failed. Somebody else may have done so while this
 * waited. */
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
	images_open_drop(image);
	(void)pthread_mutex_lock(&images->lock);
	image->failed = true;
	images_open_draw_verifier(images);
	(void)pthread_mutex_unlock(&images->lock);
	images_release(image);
	return 0;
}

/* The catalog takes its file for one that was closed as it should be, and it is not. */
static bool is_unclean(struct images *images, const uint8_t id[IDS_SIZE])
{
	struct finding finding;

	(void)reconcile_image(images->reconcile, id);
	return findings_serious(images->reconcile->findings, id, &finding) &&
	       finding.kind == FINDING_UNCLEAN_FOOTER;
}

/* The next open repairs what is dirty. The file of a parent changes under no child. */
static int distrust(struct images *images, const uint8_t id[IDS_SIZE], struct vhd_error *err)
{
	struct catalog_brief brief = {.children = 0};
	struct catalog_error why;
	struct image *image;
	uint64_t generation;
	int r = images_hold(images, id, &image, err);

	if (r < 0)
		return r;
	if (catalog_brief(images->catalog, id, &brief) && brief.born)
		r = failure(err, VHD_E_FROZEN,
			    "its footers are not what they should be, and while images read "
			    "through it its file is not repaired: forget them (DELETE with "
			    "keep_file=1), recover it, and adopt them again");
	else if (brief.children)
		r = failure(err, VHD_E_BUSY, "a child of the image is neither there nor gone");
	if (r == 0)
		r = images_close(image, err);
	if (r == 0 && catalog_mark_dirty(images->catalog, id, &generation, &why) < 0)
		r = failure(err, VHD_E_IO, "%s", why.text);
	images_release(image);
	return r;
}

int images_recover(struct images *images, const uint8_t id[IDS_SIZE], struct vhd_error *err)
{
	struct images_view view;
	struct image *image;
	int r = is_unclean(images, id) ? distrust(images, id, err) : 0;

	if (r < 0)
		return r;
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
