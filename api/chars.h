/* chars.h - the letters, digits and signs that words of a kind may have. */
#ifndef CHARS_H
#define CHARS_H

#include <stdbool.h>

enum chars {
	CHARS_NAME = 1,  /* of an image, of a request */
	CHARS_TOKEN = 2, /* RFC 9110, 5.6.2 */
};

/* Whether `word` has no others; it may be empty. */
bool chars_only(const char *word, enum chars set);

#endif
