/* cells.c - a row of small numbers that share bytes. */
#include "cells.h"

#include <stdlib.h>

#include "bytes.h"
#include "error.h"

/* Four bytes hold any number, though it may begin at any bit of the first. */
enum { WORD = 4, BITS_MAX = 25 };

int cells_init(struct cells *cells, uint32_t n, uint32_t most, struct vhd_error *err)
{
	uint64_t room;

	*cells = (struct cells){.bits = 1};
	while (cells->bits < BITS_MAX && most >> cells->bits != 0)
		cells->bits++;
	room = (uint64_t)(CELLS_MAX - WORD) * 8 / cells->bits;
	cells->n = n < room ? n : (uint32_t)room;
	/* Pages in which nothing is set take no memory. */
	cells->raw = calloc(1, (size_t)((uint64_t)cells->n * cells->bits / 8) + WORD);
	return cells->raw ? 0 : vhd_fail(err, VHD_E_NOMEM, "no memory for %u blocks", cells->n);
}

void cells_fini(struct cells *cells)
{
	free(cells->raw);
	cells->raw = NULL;
}

/* How far the number is from the low end of the four bytes from its first one on. */
static unsigned shift(const struct cells *cells, uint64_t bit)
{
	return WORD * 8 - cells->bits - (unsigned)(bit % 8);
}

static uint32_t mask(const struct cells *cells)
{
	return (UINT32_C(1) << cells->bits) - 1;
}

uint32_t cells_get(const struct cells *cells, uint32_t i)
{
	uint64_t bit = (uint64_t)i * cells->bits;

	return get_be32(cells->raw + bit / 8) >> shift(cells, bit) & mask(cells);
}

void cells_set(struct cells *cells, uint32_t i, uint32_t value)
{
	uint64_t bit = (uint64_t)i * cells->bits;
	uint8_t *raw = cells->raw + bit / 8;
	uint32_t others = get_be32(raw) & ~(mask(cells) << shift(cells, bit));

	put_be32(raw, others | value << shift(cells, bit));
}
