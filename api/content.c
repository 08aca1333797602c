/* content.c - octets of a disk and text, read as one body. */
#include "content.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scope.h"

enum { TEXT_MAX = 256 };

static void add(struct content *content, uint64_t from, uint64_t length, bool text)
{
	assert(content->n < CONTENT_PARTS);
	content->parts[content->n++] = (struct content_part){
		.at = content->length, .length = length, .from = from, .text = text};
	content->length += length;
}

void content_octets(struct content *content, uint64_t offset, uint64_t length)
{
	add(content, offset, length, false);
}

void content_text(struct content *content, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	add(content, content->text.len, strlen(text), true);
	buf_append(&content->text, text, strlen(text));
}

void content_fini(struct content *content)
{
	buf_fini(&content->text);
}

enum service_code content_read(const struct content *content, uint64_t off, void *buf, size_t len,
			       unsigned flags, struct service_error *err)
{
	enum service_code code = SERVICE_OK;
	uint8_t *to = buf;

	for (size_t i = 0; code == SERVICE_OK && len > 0 && i < content->n; i++) {
		const struct content_part *part = &content->parts[i];
		uint64_t skip = off - part->at;
		size_t n;

		if (skip >= part->length)
			continue;
		n = len < part->length - skip ? len : (size_t)(part->length - skip);
		if (part->text)
			memcpy(to, content->text.data + part->from + skip, n);
		else
			code = service_data_read(content->data, to, n, part->from + skip, flags,
						 err);
		to += n;
		off += n;
		len -= n;
	}
	return code;
}

/* ---- as a stream ---- */

static enum http_read stream_read(void *ctx, uint64_t off, void *buf, size_t len, bool nowait)
{
	CLEANUP(freep) struct service_error *err = calloc(1, sizeof *err);
	enum service_code code = SERVICE_INTERNAL;

	if (err)
		code = content_read(ctx, off, buf, len, nowait ? SERVICE_NOWAIT : 0, err);
	if (code == SERVICE_AGAIN && nowait)
		return HTTP_READ_AGAIN;
	return code == SERVICE_OK ? HTTP_READ_OK : HTTP_READ_FAILED;
}

static void stream_free(void *ctx)
{
	struct content *content = ctx;

	service_data_close(content->data);
	content_fini(content);
	free(content);
}

bool content_stream(struct content *content, struct http_stream *ret_stream)
{
	struct content *copy = content->text.failed ? NULL : malloc(sizeof *copy);

	if (!copy)
		return false;
	*copy = *content;
	*ret_stream = (struct http_stream){
		.length = copy->length, .read = stream_read, .free = stream_free, .ctx = copy};
	memset(content, 0, sizeof *content);
	return true;
}
