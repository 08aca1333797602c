/* buf.h - text that grows. After a failed allocation it stays failed, so that only buf_take needs a
 * check. */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* heap; NUL-terminated when not NULL */
	size_t len, room;
	bool failed;
};

void buf_append(struct buf *buf, const void *data, size_t len);
/* The same of one byte, at the least cost. */
static inline void buf_byte(struct buf *buf, char byte)
{
	if (buf->room - buf->len < 2) {
		buf_append(buf, &byte, 1);
		return;
	}
	buf->data[buf->len++] = byte;
	buf->data[buf->len] = '\0';
}
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As a JSON string with its quotes. Bytes that are not ASCII are passed on: the text is UTF-8. */
void buf_json(struct buf *buf, const char *text);
/* For a terminal: what ends a line, moves the cursor or turns the order of characters comes out as
 * question marks, one for each byte. */
void buf_line(struct buf *buf, const char *text, size_t len);
/* The text, which the caller frees; the buffer is empty afterwards. NULL: memory was out. */
char *buf_take(struct buf *buf, size_t *ret_len);
void buf_fini(struct buf *buf);

#endif
