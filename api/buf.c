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

void buf_json(struct buf *buf, const char *text)
{
	buf_append(buf, "\"", 1);
	while (*text != '\0') {
		size_t plain = 0;

		while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' &&
		       text[plain] != '\\')
			plain++;
		buf_append(buf, text, plain);
		text += plain;
		if (*text != '\0')
			buf_printf(buf, "\\u%04x", (unsigned)(unsigned char)*text++);
	}
	buf_append(buf, "\"", 1);
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
