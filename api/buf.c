/* buf.c - text that grows. */
#include "buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 1024 };

/* Room for `len` more bytes and a NUL. */
static bool grow(struct buf *buf, size_t len)
{
	size_t need;
	size_t room = buf->room > 0 ? buf->room : FIRST_ROOM;
	char *data;

	if (buf->failed || __builtin_add_overflow(buf->len, len, &need) || need > SIZE_MAX / 4) {
		buf->failed = true;
		return false;
	}
	if (need < buf->room)
		return true;
	while (room <= need)
		room *= 2;
	data = realloc(buf->data, room);
	if (!data) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->room = room;
	return true;
}

void buf_append(struct buf *buf, const void *data, size_t len)
{
	if (len >= buf->room - buf->len && !grow(buf, len))
		return;
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	int n;

	if (!grow(buf, 0))
		return;
	va_start(args, format);
	n = vsnprintf(buf->data + buf->len, buf->room - buf->len, format, args);
	va_end(args);
	if (n >= 0 && (size_t)n >= buf->room - buf->len && grow(buf, (size_t)n)) {
		va_start(args, format);
		n = vsnprintf(buf->data + buf->len, buf->room - buf->len, format, args);
		va_end(args);
	}
	if (n < 0)
		buf->failed = true;
	if (!buf->failed)
		buf->len += (size_t)n;
}

/* What does not stand for itself in a JSON string, nor ends it. */
static const bool escaped[256] = {[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true};

static size_t plain_length(const char *text)
{
	size_t len = 0;

	while (!escaped[(unsigned char)text[len]])
		len++;
	return len;
}

static void escape(struct buf *buf, const char *text)
{
	while (*text != '\0') {
		size_t plain = plain_length(text);

		buf_append(buf, text, plain);
		text += plain;
		if (*text != '\0')
			buf_printf(buf, "\\u%04x", (unsigned)(unsigned char)*text++);
	}
}

void buf_json(struct buf *buf, const char *text)
{
	size_t plain = plain_length(text);

	if (text[plain] == '\0' && plain + 3 < buf->room - buf->len) { /* nearly always */
		char *at = buf->data + buf->len;

		*at = '"';
		memcpy(at + 1, text, plain);
		memcpy(at + 1 + plain, "\"", 2);
		buf->len += plain + 2;
		return;
	}
	buf_byte(buf, '"');
	escape(buf, text);
	buf_byte(buf, '"');
}

/* Bytes at `text` that are one such character: C0, DEL, C1, U+2028 to U+202E, U+2066 to U+2069,
 * U+200E, U+200F. 0: it is another one. */
static size_t unseen(const char *text, size_t len)
{
	unsigned char first = (unsigned char)text[0];
	unsigned char second = len > 1 ? (unsigned char)text[1] : 0;
	unsigned char third = len > 2 ? (unsigned char)text[2] : 0;

	if (first < 0x20 || first == 0x7f)
		return 1;
	if (first == 0xc2 && second >= 0x80 && second < 0xa0)
		return 2;
	if (first != 0xe2)
		return 0;
	if ((second == 0x80 &&
	     ((third >= 0xa8 && third <= 0xae) || third == 0x8e || third == 0x8f)) ||
	    (second == 0x81 && third >= 0xa6 && third <= 0xa9))
		return 3;
	return 0;
}

void buf_line(struct buf *buf, const char *text, size_t len)
{
	while (len > 0) {
		size_t n = unseen(text, len);

		buf_append(buf, n ? "???" : text, n ? n : 1);
		text += n ? n : 1;
		len -= n ? n : 1;
	}
}

char *buf_take(struct buf *buf, size_t *ret_len)
{
	char *data = buf->data;

	if (buf->failed) {
		free(data);
		data = NULL;
	} else if (ret_len) {
		*ret_len = buf->len;
	}
	memset(buf, 0, sizeof *buf);
	return data;
}

void buf_fini(struct buf *buf)
{
	free(buf->data);
	memset(buf, 0, sizeof *buf);
}
