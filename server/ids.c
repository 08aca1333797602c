/* ids.c - the only source of chance in the daemon. */
#include "ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uuid/uuid.h>

void ids_random_bytes(void *ret_bytes, size_t len)
{
	ssize_t n;

	/* Not uuid_generate_random(): it falls back to the clock when there is no randomness. Up to
	 * 256 bytes getrandom() answers whole; it may be interrupted while the system starts. */
	do
		n = getrandom(ret_bytes, len, 0);
	while (n < 0 && errno == EINTR);
	if (len > 256 || n != (ssize_t)len)
		abort();
}

void ids_random(uint8_t ret_id[IDS_SIZE])
{
	ids_random_bytes(ret_id, IDS_SIZE);
	ret_id[6] = (uint8_t)((ret_id[6] & 0x0f) | 0x40);
	ret_id[8] = (uint8_t)((ret_id[8] & 0x3f) | 0x80);
}

void ids_format(const uint8_t id[IDS_SIZE], char ret_text[IDS_TEXT])
{
	uuid_unparse_lower(id, ret_text);
}

bool ids_parse(const char *text, uint8_t ret_id[IDS_SIZE])
{
	uuid_t id;

	if (uuid_parse(text, id) != 0)
		return false;
	memcpy(ret_id, id, IDS_SIZE);
	return true;
}

bool ids_equal(const uint8_t a[IDS_SIZE], const uint8_t b[IDS_SIZE])
{
	return memcmp(a, b, IDS_SIZE) == 0;
}

bool ids_is_zero(const uint8_t id[IDS_SIZE])
{
	static const uint8_t zero[IDS_SIZE];

	return ids_equal(id, zero);
}
