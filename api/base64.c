/* base64.c - octets as text. */
#include "base64.h"

#include <stdint.h>

static int value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

void base64_encode(const unsigned char *data, size_t len, char *ret_text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
	enum { PADDING = 64 };

	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)data[i] << 16;

		bits |= i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0;
		bits |= i + 2 < len ? data[i + 2] : 0;
		*ret_text++ = digits[bits >> 18];
		*ret_text++ = digits[bits >> 12 & 63];
		*ret_text++ = digits[i + 1 < len ? bits >> 6 & 63 : PADDING];
		*ret_text++ = digits[i + 2 < len ? bits & 63 : PADDING];
	}
	*ret_text = '\0';
}

bool base64_decode(const char *text, size_t len, unsigned char *ret_data, size_t *ret_len)
{
	size_t pad = len > 0 && text[len - 1] == '=' ? 1 : 0;
	size_t out = 0;
	uint32_t bits = 0;

	if (len % 4 != 0)
		return false;
	pad += pad == 1 && text[len - 2] == '=';
	for (size_t i = 0; i < len; i++) {
		int v = i < len - pad ? value(text[i]) : 0;

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 != 3)
			continue;
		ret_data[out++] = (unsigned char)(bits >> 16);
		ret_data[out++] = (unsigned char)(bits >> 8);
		ret_data[out++] = (unsigned char)bits;
	}
	*ret_len = out - pad;
	return true;
}
