/* view.h - a file that is a piece of memory, for reading only. */
#ifndef VIEW_H
#define VIEW_H

#include "vhd.h"

struct view {
	const uint8_t *bytes;
	size_t size;
};

/* `view` is the caller's, and lives as long as what was opened on it. */
struct vhd_io view_io(struct view *view);

#endif
