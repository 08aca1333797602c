/* failure.h - says in the engine's words why something failed that is not the engine's. */
#ifndef FAILURE_H
#define FAILURE_H

#include "vhd.h"

/* Fill in `err`, unless it is NULL, and answer `code`. The second one has an errno. */
int failure(struct vhd_error *err, enum vhd_code code, const char *format, ...) VHD_PRINTF(3, 4);
int failure_sys(struct vhd_error *err, enum vhd_code code, int sys, const char *format, ...)
	VHD_PRINTF(4, 5);

#endif
