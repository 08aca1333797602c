/* reconcile_footer.c - what a change of a footer leaves that was cut between the file and its row:
 * the file is right, and the row learns from it. */
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "reconcile.h"
#include "reconcile_private.h"

enum { TRIES = 8 }; /* against others who change the same row */

static bool differs(const struct catalog_image *row, const struct vhd_info *info)
{
	return row->vhd.saved_state != info->saved_state || row->vhd.temporary != info->temporary;
}

static int take_over(struct reconcile *reconcile, const uint8_t id[IDS_SIZE],
		     const struct vhd_info *info, struct catalog_error *err)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	int r = catalog_get(reconcile->catalog, id, &row, err);

	if (r < 0 || !differs(&row, info))
		return r;
	row.vhd.saved_state = info->saved_state;
	row.vhd.temporary = info->temporary;
	r = catalog_update(reconcile->catalog, &row, err);
	if (r == 0)
		log_info("'%s': saved_state and features are those of its file again", row.name);
	return r;
}

/* Nobody is between file and row now, so that what differs is left over. */
static void compare_alone(struct reconcile *reconcile, struct vhd_engine *engine,
			  const struct catalog_image *row, int *fd)
{
	struct catalog_error why = {.code = CATALOG_E_CHANGED};
	struct vhd_error vhd_why = {0};
	struct vhd *disk = NULL;

	if (reconcile_open(engine, fd, reconcile_hint(row->kind), &disk, &vhd_why) < 0) {
		log_warning("a footer is not compared with its row: %s", vhd_why.text);
		return;
	}
	for (int i = 0; i < TRIES && why.code == CATALOG_E_CHANGED; i++) {
		if (take_over(reconcile, row->id, vhd_info(disk), &why) == 0)
			break;
		if (why.code != CATALOG_E_CHANGED)
			log_warning("a footer is not compared with its row: %s", why.text);
	}
	vhd_close(disk);
}

void reconcile_footer(struct reconcile *reconcile, struct vhd_engine *engine,
		      const struct catalog_image *row, const struct vhd_info *info, int again)
{
	CLEANUP(closep) int fd = differs(row, info) ? dup(again) : -1;

	if (fd < 0)
		return;
	(void)pthread_mutex_lock(&reconcile->footers);
	compare_alone(reconcile, engine, row, &fd);
	(void)pthread_mutex_unlock(&reconcile->footers);
}
