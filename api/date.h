/* date.h - times as HTTP writes them (RFC 9110 section 5.6.7). */
#ifndef DATE_H
#define DATE_H

#include <stdbool.h>
#include <stdint.h>

enum { DATE_TEXT = 32 }; /* with NUL */

/* Seconds since 1970 as "Sun, 06 Nov 1994 08:49:37 GMT". */
void date_text(int64_t seconds, char ret_text[DATE_TEXT]);
/* False: not of that form; the two obsolete forms are none either. */
bool date_parse(const char *text, int64_t *ret_seconds);

#endif
