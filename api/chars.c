/* chars.c - a table instead of strspn(), which makes one of its set in each call. */
#include "chars.h"

enum { BOTH = CHARS_NAME | CHARS_TOKEN };

/* clang-format off */
static const unsigned char sets[256] = {
	['a' ... 'z'] = BOTH, ['A' ... 'Z'] = BOTH, ['0' ... '9'] = BOTH,
	['.'] = BOTH, ['_'] = BOTH, ['-'] = BOTH,
	['!'] = CHARS_TOKEN, ['#'] = CHARS_TOKEN, ['$'] = CHARS_TOKEN, ['%'] = CHARS_TOKEN,
	['&'] = CHARS_TOKEN, ['\''] = CHARS_TOKEN, ['*'] = CHARS_TOKEN, ['+'] = CHARS_TOKEN,
	['^'] = CHARS_TOKEN, ['`'] = CHARS_TOKEN, ['|'] = CHARS_TOKEN, ['~'] = CHARS_TOKEN,
};
/* clang-format on */

bool chars_only(const char *word, enum chars set)
{
	while (sets[(unsigned char)*word] & set)
		word++;
	return *word == '\0';
}
