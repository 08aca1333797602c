/* content.h - the body of a GET of content: octets of a disk, with text between them when there are
 * several ranges. */
#ifndef CONTENT_H
#define CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "http.h"
#include "range.h"
#include "service.h"

enum { CONTENT_PARTS = 2 * RANGE_MAX + 1 };

/* Zero it, set `data` (borrowed), add parts in order. */
struct content {
	struct service_data *data;
	uint64_t length; /* of the body */
	struct buf text;
	size_t n;
	struct content_part {
		uint64_t at, length; /* in the body */
		uint64_t from;       /* in `text`, or on the disk */
		bool text;
	} parts[CONTENT_PARTS];
};

void content_octets(struct content *content, uint64_t offset, uint64_t length);
void content_text(struct content *content, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void content_fini(struct content *content);

/* Bytes [off, off + len) of the body, which lie inside it. */
enum service_code content_read(const struct content *content, uint64_t off, void *buf, size_t len,
			       unsigned flags, struct service_error *err);

/* Empties `content` into a stream, which takes over `data`. False: no memory, and nothing has
 * changed. */
bool content_stream(struct content *content, struct http_stream *ret_stream);

#endif
