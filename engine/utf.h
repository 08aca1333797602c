/* utf.h - UTF-8 and UTF-16, one character at a time and whole texts. */
#ifndef UTF_H
#define UTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF_MALFORMED   UINT32_MAX
#define UTF_REPLACEMENT 0xFFFDU

/* The first character of `len` > 0 bytes; returns how many it takes. One byte and UTF_MALFORMED
 * when they do not begin with a well-formed character (overlong forms, surrogates and what is past
 * U+10FFFF are not). */
size_t utf8_next(const char *text, size_t len, uint32_t *ret_char);

/* Code units of one character, 1 or 2. `c` is at most 0x10FFFF. */
size_t utf16_put(uint32_t c, bool big_endian, uint8_t ret_units[4]);

/* `ret_text` is NUL-terminated and cut on a character border; lone surrogates become U+FFFD; stops
 * at a NUL unit. `size` is at least 1. Returns bytes written without the NUL. */
size_t utf16_to_utf8(const uint8_t *units, size_t n_units, bool big_endian, char *ret_text,
		     size_t size);

/* Returns the number of code units, or -1 when `text` is not UTF-8 or needs more than `max_units`.
 * No NUL unit is written. */
long utf8_to_utf16(const char *text, bool big_endian, uint8_t *ret_units, size_t max_units);

#endif
