/* base64.h - octets as text (RFC 4648 section 4, padding required). */
#ifndef BASE64_H
#define BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Decodes into `ret_data`, which has room for len / 4 * 3 bytes. False: not base64. */
bool base64_decode(const char *text, size_t len, unsigned char *ret_data, size_t *ret_len);
/* Into `ret_text`, which has room for (len + 2) / 3 * 4 + 1 bytes. */
void base64_encode(const unsigned char *data, size_t len, char *ret_text);

#endif
