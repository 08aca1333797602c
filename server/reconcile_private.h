/* reconcile_private.h - what reconcile*.c share. */
#ifndef RECONCILE_PRIVATE_H
#define RECONCILE_PRIVATE_H

#include "reconcile.h"

/* An engine for looks at single files, which knows nothing of those that are open. NULL: out of
 * memory.
 */
struct vhd_engine *reconcile_engine(void);
/* The file alone, whoever else has it; takes over the descriptor, which is -1 then. */
int reconcile_open(struct vhd_engine *engine, int *fd, struct vhd **ret_disk,
		   struct vhd_error *err);

void reconcile_with(struct reconcile *reconcile, struct vhd_engine *engine,
		    const uint8_t id[IDS_SIZE]);

#endif
