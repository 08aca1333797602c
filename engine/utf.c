/* utf.c - UTF-8 and UTF-16. Nothing here trusts its input, and nothing reads past its end. */
#include "utf.h"

#include <string.h>

enum {
	HIGH_SURROGATE = 0xD800,
	LOW_SURROGATE = 0xDC00,
	SURROGATES_END = 0xE000,
	BMP_END = 0x10000
};

/* How many bytes a character takes by its first one; 0 when none begins so. */
static size_t utf8_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xC2 && first < 0xE0)
		return 2;
	if (first >= 0xE0 && first < 0xF0)
		return 3;
	return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

/* Two bytes need no check of their own: 0xC0 and 0xC1 begin nothing. */
static bool utf8_well_formed(uint32_t c, size_t n)
{
	if (n == 3)
		return c >= 0x800 && (c < HIGH_SURROGATE || c >= SURROGATES_END);
	return n < 4 || (c >= BMP_END && c <= 0x10FFFF);
}

size_t utf8_next(const char *text, size_t len, uint32_t *ret_char)
{
	uint8_t first = (uint8_t)text[0];
	size_t n = utf8_length(first);
	uint32_t c = n == 1 ? first : first & (0x7FU >> n);

	*ret_char = UTF_MALFORMED;
	if (n == 0 || n > len)
		return 1;
	for (size_t i = 1; i < n; i++) {
		uint8_t next = (uint8_t)text[i];

		if ((next & 0xC0) != 0x80)
			return 1;
		c = c << 6 | (next & 0x3F);
	}
	if (!utf8_well_formed(c, n))
		return 1;
	*ret_char = c;
	return n;
}

static size_t utf8_put(uint32_t c, char ret_text[4])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < BMP_END ? 3 : 4;

	if (n == 1) {
		ret_text[0] = (char)c;
		return 1;
	}
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		ret_text[i] = (char)(0x80 | (c & 0x3F));
	ret_text[0] = (char)((0xF00U >> n & 0xFF) | c);
	return n;
}

static uint32_t unit_get(const uint8_t *p, bool big_endian)
{
	return big_endian ? (uint32_t)(p[0] << 8 | p[1]) : (uint32_t)(p[1] << 8 | p[0]);
}

static void unit_put(uint8_t *p, uint32_t unit, bool big_endian)
{
	p[big_endian ? 0 : 1] = (uint8_t)(unit >> 8);
	p[big_endian ? 1 : 0] = (uint8_t)unit;
}

size_t utf16_put(uint32_t c, bool big_endian, uint8_t ret_units[4])
{
	if (c < BMP_END) {
		unit_put(ret_units, c, big_endian);
		return 1;
	}
	c -= BMP_END;
	unit_put(ret_units, HIGH_SURROGATE | c >> 10, big_endian);
	unit_put(ret_units + 2, LOW_SURROGATE | (c & 0x3FF), big_endian);
	return 2;
}

/* One character of n > 0 units; returns how many units it takes. */
static size_t utf16_next(const uint8_t *units, size_t n, bool big_endian, uint32_t *ret_char)
{
	uint32_t low, c = unit_get(units, big_endian);

	*ret_char = c;
	if (c < HIGH_SURROGATE || c >= SURROGATES_END)
		return 1;
	*ret_char = UTF_REPLACEMENT;
	if (c >= LOW_SURROGATE || n < 2)
		return 1;
	low = unit_get(units + 2, big_endian);
	if (low < LOW_SURROGATE || low >= SURROGATES_END)
		return 1;
	*ret_char = BMP_END + ((c & 0x3FF) << 10 | (low & 0x3FF));
	return 2;
}

size_t utf16_to_utf8(const uint8_t *units, size_t n_units, bool big_endian, char *ret_text,
		     size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < n_units;) {
		char text[4];
		size_t len;
		uint32_t c;

		i += utf16_next(units + i * 2, n_units - i, big_endian, &c);
		len = utf8_put(c, text);
		if (c == 0 || len >= size - used)
			break;
		memcpy(ret_text + used, text, len);
		used += len;
	}
	ret_text[used] = '\0';
	return used;
}

long utf8_to_utf16(const char *text, bool big_endian, uint8_t *ret_units, size_t max_units)
{
	size_t used = 0, len = strlen(text);

	for (size_t i = 0; i < len;) {
		uint8_t units[4];
		uint32_t c;
		size_t n;

		i += utf8_next(text + i, len - i, &c);
		if (c == UTF_MALFORMED)
			return -1;
		n = utf16_put(c, big_endian, units);
		if (n > max_units - used)
			return -1;
		memcpy(ret_units + used * 2, units, n * 2);
		used += n;
	}
	return (long)used;
}
