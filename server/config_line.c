/* config_line.c - what inih would drop of a line without a word: a comment after a value, what
 * stands after a section, a byte order mark; and `:`, which it takes for `=`. */
#include "config_private.h"

#include <ctype.h>
#include <string.h>

static const char blanks[] = " \t\r\n\v\f";

/* After a blank inih takes `;` for a comment, and a reader `#` as well. */
static bool has_comment(const char *value)
{
	for (const char *at = value; *at != '\0'; at++) {
		if (isspace((unsigned char)at[0]) && (at[1] == ';' || at[1] == '#'))
			return true;
	}
	return false;
}

static const char *flaw_of_section(const char *text)
{
	const char *end = strchr(text, ']');

	if (end && end[1 + strspn(end + 1, blanks)] != '\0')
		return "text after ']': a key, or a comment, needs a line of its own";
	return NULL;
}

static const char *flaw_of_value(const char *value)
{
	return has_comment(value) ? "';' or '#' after a blank: a comment needs a line of its own"
				  : NULL;
}

static const char *flaw_of_key(const char *text)
{
	const char *end = text + strcspn(text, "=:");

	if (*end == ':')
		return "':' instead of '=': write key = value";
	return *end == '=' ? flaw_of_value(end + 1) : NULL;
}

const char *config_line_flaw(const char *line, bool *has_key)
{
	const char *text = line + strspn(line, blanks);

	if (strncmp(line, "\xef\xbb\xbf", 3) == 0)
		return "a byte order mark: save the file as UTF-8 without one";
	if (*text == '\0' || *text == ';' || *text == '#')
		return NULL;
	/* A line that begins with a blank goes on with the value of the key before. */
	if (*has_key && text > line)
		return flaw_of_value(text);
	*has_key = *text != '[';
	return *has_key ? flaw_of_key(text) : flaw_of_section(text);
}
