/* number.h - numbers, sizes, ids and times as text, both ways. Whatever does not parse whole is
 * refused. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits only, all `len` of them: no sign, no blank, no overflow. */
bool number_u64(const char *text, size_t len, uint64_t *ret_value);

/* "512", "10G", "1.5 GiB", "4gb": bytes, or a number with K M G T, KiB ... (powers of 1024), KB ...
 * (of 1000). */
bool number_size(const char *text, uint64_t *ret_value);

/* "y", "yes", "true", "1", "on", or their opposites. */
bool number_bool(const char *text, bool *ret_value);

/* A UUID of 36 characters, as lower case with its NUL. */
bool number_uuid(const char *text, char ret_uuid[37]);

enum { NUMBER_TEXT = 21, NUMBER_TIME = 32 };
/* Decimal digits and a NUL; returns where that is. */
char *number_text(uint64_t value, char ret_text[NUMBER_TEXT]);
/* RFC 3339 in UTC with milliseconds. */
void number_time(int64_t unix_ms, char ret_text[NUMBER_TIME]);
/* A moment: so long ago ("90", "30s", "5m", "2h", "7d", before `now_ms`), or a time of RFC 3339 in
 * UTC from 2000 on. */
bool number_moment(const char *text, int64_t now_ms, int64_t *ret_ms);
/* "2026-11-22T06:00:00Z", fraction allowed and dropped; from 2000 on: seconds since then, as VHD
 * counts. */
bool number_vhd_time(const char *text, uint32_t *ret_seconds);
void number_vhd_time_text(uint32_t seconds, char ret_text[NUMBER_TIME]);

#endif
