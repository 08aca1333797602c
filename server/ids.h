/* ids.h - unique ids: 16 bytes in the order of RFC 4122, and their text in lower case. */
#ifndef IDS_H
#define IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IDS_SIZE = 16, IDS_TEXT = 37 }; /* bytes; characters with the NUL */

/* A version 4 id. Without randomness the process aborts: two images with one id would lose data. */
void ids_random(uint8_t ret_id[IDS_SIZE]);
void ids_random_bytes(void *ret_bytes, size_t len);
void ids_format(const uint8_t id[IDS_SIZE], char ret_text[IDS_TEXT]);
bool ids_parse(const char *text, uint8_t ret_id[IDS_SIZE]);
bool ids_equal(const uint8_t a[IDS_SIZE], const uint8_t b[IDS_SIZE]);
bool ids_is_zero(const uint8_t id[IDS_SIZE]);

#endif
