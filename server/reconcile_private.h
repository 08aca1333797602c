/* reconcile_private.h - what reconcile*.c share. */
#ifndef RECONCILE_PRIVATE_H
#define RECONCILE_PRIVATE_H

#include "reconcile.h"

/* An engine for looks at single files, which knows nothing of those that are open. NULL: out of
 * memory.
 */
struct vhd_engine *reconcile_engine(void);
/* The file alone, whoever else has it; takes over the descriptor, which is -1 then. `hint`: of
 * struct vhd_io, for a file that leaves it open. */
int reconcile_open(struct vhd_engine *engine, int *fd, unsigned hint, struct vhd **ret_disk,
		   struct vhd_error *err);
unsigned reconcile_hint(enum catalog_kind kind);
/* What an unclean stop has left of its footers, for people; NULL: nothing. */
const char *reconcile_unclean(const struct vhd_info *info);

/* The fields of a footer that may change, of an image that is in order: when they differ from those
 * of the row, the row gets what the file has. `again`: a descriptor of the file. */
void reconcile_footer(struct reconcile *reconcile, struct vhd_engine *engine,
		      const struct catalog_image *row, const struct vhd_info *info, int again);

void reconcile_with(struct reconcile *reconcile, struct vhd_engine *engine,
		    const uint8_t id[IDS_SIZE]);

#endif
