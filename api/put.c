/* put.c - JSON as text, member by member. */
#include "put.h"

#include <string.h>

/* What stands before a value: a comma, and its name. */
static void begin(struct buf *buf, const char *name)
{
	if (buf->len > 0 && !strchr("{[:", buf->data[buf->len - 1]))
		buf_append(buf, ",", 1);
	if (!name)
		return;
	buf_json(buf, name);
	buf_append(buf, ":", 1);
}

static void put_word(struct buf *buf, const char *name, const char *word)
{
	begin(buf, name);
	buf_append(buf, word, strlen(word));
}

void put_open(struct buf *buf, const char *name, char bracket)
{
	begin(buf, name);
	buf_append(buf, &bracket, 1);
}

void put_close(struct buf *buf, char bracket)
{
	buf_append(buf, &bracket, 1);
}

void put_string(struct buf *buf, const char *name, const char *text)
{
	begin(buf, name);
	buf_json(buf, text);
}

void put_string_or_null(struct buf *buf, const char *name, const char *text)
{
	if (*text)
		put_string(buf, name, text);
	else
		put_null(buf, name);
}

void put_number(struct buf *buf, const char *name, uint64_t number)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	begin(buf, name);
	buf_append(buf, digits + at, sizeof digits - at);
}

void put_bool(struct buf *buf, const char *name, bool value)
{
	put_word(buf, name, value ? "true" : "false");
}

void put_null(struct buf *buf, const char *name)
{
	put_word(buf, name, "null");
}

json_t *put_parse(const struct buf *buf)
{
	return buf->failed ? NULL : json_loadb(buf->data, buf->len, 0, NULL);
}
