/* seal.h - whether a file is what it was when it became a parent. Looks at sizes, times, footers,
 * header and block table, not at data. */
#ifndef SEAL_H
#define SEAL_H

#include <stdbool.h>

#include "catalog.h"
#include "vhd.h"

int seal_take(int fd, struct catalog_seal *ret_seal, struct vhd_error *err);

enum seal_verdict {
	SEAL_HOLDS,
	SEAL_TOUCHED, /* another time or another file, the same content */
	SEAL_BROKEN,  /* `err` says how */
};
/* Reads the file when its size, time and number agree too only if `thorough`. Negative: it could
 * not be read. */
int seal_check(int fd, const struct catalog_seal *seal, bool thorough, struct vhd_error *err);

#endif
