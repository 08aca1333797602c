/* hash.c - eight bytes at a time. Each step is one to one, so no single change goes unseen. */
#include "hash.h"

#include <string.h>

static uint64_t step(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15); /* the golden ratio, odd */
	return hash ^ hash >> 32;
}

uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
	const char *at = data;
	size_t left = len;
	uint64_t word;

	for (; left >= sizeof word; at += sizeof word, left -= sizeof word) {
		memcpy(&word, at, sizeof word);
		hash = step(hash, word);
	}
	word = 0;
	memcpy(&word, at, left);
	return step(step(hash, word), len);
}

void hash_suffix(uint64_t hash, char ret_text[HASH_SUFFIX])
{
	static const char digits[] = "0123456789abcdef";

	*ret_text++ = '-';
	for (int shift = 60; shift >= 0; shift -= 4)
		*ret_text++ = digits[hash >> shift & 0xf];
	*ret_text = '\0';
}
