/* zeroes.c - ?detect_zeroes=y. Bits that are set stay set: a zero sector is left out only where the
 * disk reads as zeroes because nobody has the sector. */
#include "zeroes.h"

#include <string.h>

#include "data.h"

enum { SECTOR = 512, RUNS = 16 };

/* A piece of a body at its place. */
struct piece {
	const uint8_t *data;
	size_t len;
	uint64_t off;
};

static bool zero(const uint8_t *sector)
{
	return sector[0] == 0 && memcmp(sector, sector + 1, SECTOR - 1) == 0;
}

/* How much of the beginning is whole sectors of zeroes. */
static size_t zeroes(const struct piece *piece)
{
	size_t n = 0;

	if (piece->off % SECTOR != 0)
		return 0;
	while (piece->len - n >= SECTOR && zero(piece->data + n))
		n += SECTOR;
	return n;
}

/* How much of the beginning has to be written in any case: up to the next sector of zeroes. */
static size_t others(const struct piece *piece)
{
	size_t n = (size_t)((SECTOR - piece->off % SECTOR) % SECTOR);

	while (n < piece->len && piece->len - n >= SECTOR && !zero(piece->data + n))
		n += SECTOR;
	return n < piece->len && piece->len - n >= SECTOR ? n : piece->len;
}

static void skip(struct piece *piece, size_t len)
{
	piece->data += len;
	piece->len -= len;
	piece->off += len;
}

static enum service_code write_some(struct api_call *call, struct piece *piece, size_t len)
{
	enum service_code code =
		service_data_write(call->data, piece->data, len, piece->off, &call->err);

	skip(piece, len);
	return code;
}

/* `len` bytes of zeroes: written where some level has the sectors. */
static enum service_code write_zeroes(struct api_call *call, struct piece *piece, size_t len)
{
	uint64_t end = piece->off + len;
	enum service_code code = SERVICE_OK;

	while (code == SERVICE_OK && piece->off < end) {
		struct service_run runs[RUNS];
		struct service_run_list list = {.runs = runs, .max = RUNS};

		code = service_data_runs(call->data, piece->off / SECTOR,
					 (end - piece->off) / SECTOR, 0, &list, &call->err);
		if (code == SERVICE_OK && list.n == 0)
			return SERVICE_INTERNAL;
		for (size_t i = 0; code == SERVICE_OK && i < list.n; i++) {
			size_t run = (size_t)runs[i].count * SECTOR;

			if (runs[i].where == SERVICE_ZERO)
				skip(piece, run);
			else
				code = write_some(call, piece, run);
		}
	}
	return code;
}

enum service_code zeroes_write(struct api_call *call, const void *data, size_t len, uint64_t off)
{
	struct piece piece = {.data = data, .len = len, .off = off};
	enum service_code code = SERVICE_OK;

	while (code == SERVICE_OK && piece.len > 0) {
		size_t n = zeroes(&piece);

		if (n > 0)
			code = write_zeroes(call, &piece, n);
		else
			code = write_some(call, &piece, others(&piece));
	}
	return code;
}
