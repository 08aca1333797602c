/* cells.h - a row of small numbers, each in as few bits as the largest needs, in bounded memory. */
#ifndef CELLS_H
#define CELLS_H

#include <stdint.h>

#include "vhd.h"

struct cells {
	uint8_t *raw;
	uint32_t n;
	unsigned bits;
};

enum { CELLS_MAX = 60 << 20 }; /* bytes */
/* `n` numbers up to `most`, all 0 at first, or as many of them as there is room for. */
int cells_init(struct cells *cells, uint32_t n, uint32_t most, struct vhd_error *err);
void cells_fini(struct cells *cells);

uint32_t cells_get(const struct cells *cells, uint32_t i);
void cells_set(struct cells *cells, uint32_t i, uint32_t value);

#endif
