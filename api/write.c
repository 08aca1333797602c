/* write.c - PUT of content. All that can be refused is refused before the first byte of the body is
 * read. */
#include "call.h"
#include "data.h"
#include "handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "range.h"
#include "writes.h"
#include "zeroes.h"

enum { SECTOR = 512 };

/* Where the body goes, by ?offset=, Content-Range or nothing. */
static bool parse_offset(struct api_call *call, struct content_range *range, bool *ret_ranged)
{
	const char *header = http_header(call->request, "Content-Range");
	const char *offset = query_get(&call->query, "offset");
	uint64_t at = 0;

	query_size(&call->query, "offset", &at, &call->problem);
	if (http_header_count(call->request, "Content-Range") > 1)
		(void)call_fail(call, CODE_CONTENT_RANGE_MISMATCH,
				"more than one Content-Range header");
	if (call->problem.code != CODE_NONE)
		return false;
	if (header && !range_content(header, range, &call->problem))
		return false;
	if (header && offset && at != range->first) {
		(void)call_fail(call, CODE_CONTENT_RANGE_MISMATCH,
				"offset says %" PRIu64 ", Content-Range says %" PRIu64, at,
				range->first);
		return false;
	}
	if (!header)
		range->first = at;
	*ret_ranged = header != NULL;
	return true;
}

static bool parse_length(struct api_call *call, const struct content_range *range)
{
	struct call_write *write = &call->write;
	bool known = call->gate.body == HTTP_BODY_SIZED;

	write->offset = range->first;
	write->length = known ? call->gate.length : SERVICE_UNKNOWN_LENGTH;
	if (!known && range->has_last && range->last < UINT64_MAX)
		write->length = range->last - range->first + 1;
	return range_content_spans(range, known ? write->length : SERVICE_UNKNOWN_LENGTH,
				   &call->problem);
}

static bool parse_aligned(struct api_call *call)
{
	const struct call_write *write = &call->write;
	bool aligned = false;

	query_bool(&call->query, "aligned", &aligned, &call->problem);
	if (!aligned || call->problem.code != CODE_NONE)
		return call->problem.code == CODE_NONE;
	if (write->length == SERVICE_UNKNOWN_LENGTH)
		(void)call_fail(call, CODE_UNALIGNED, "the length of the body is not known");
	else if (write->offset % SECTOR != 0 || write->length % SECTOR != 0)
		(void)call_fail(call, CODE_UNALIGNED, "%" PRIu64 " byte%s at %" PRIu64,
				write->length, write->length == 1 ? "" : "s", write->offset);
	return call->problem.code == CODE_NONE;
}

/* JSON is operations, and the others put something around the content. */
static bool is_content_type(const char *type)
{
	static const char json[] = "json"; /* at the end of all such types */
	size_t len = strcspn(type, "; \t"), n = sizeof json - 1;

	return (len < n || strncasecmp(type + len - n, json, n) != 0) &&
	       strncasecmp(type, "message/", 8) != 0 && strncasecmp(type, "multipart/", 10) != 0;
}

static bool is_content(struct api_call *call)
{
	const char *type = http_header(call->request, "Content-Type");

	if (!type || is_content_type(type))
		return true;
	call->problem.advice = "Send operations with PATCH, and content as it is (curl -T FILE): "
			       "application/octet-stream, or without a Content-Type.";
	(void)call_fail(call, CODE_UNSUPPORTED_MEDIA_TYPE, "Content-Type '%.100s'", type);
	return false;
}

bool write_prepare(struct api_call *call)
{
	struct content_range range = {.first = 0};
	bool ranged = false;

	if (!is_content(call))
		return false;
	call->write.flush = true;
	query_bool(&call->query, "flush", &call->write.flush, &call->problem);
	query_bool(&call->query, "detect_zeroes", &call->write.detect_zeroes, &call->problem);
	return parse_offset(call, &range, &ranged) && parse_length(call, &range) &&
	       parse_aligned(call);
}

/* The complete length of Content-Range can be judged only now that the size of the disk is known.
 */
static bool fits(struct api_call *call)
{
	const struct call_write *write = &call->write;
	const char *header = http_header(call->request, "Content-Range");
	uint64_t length =
		call->gate.body == HTTP_BODY_SIZED ? write->length : SERVICE_UNKNOWN_LENGTH;
	struct content_range range;

	if (header && (!range_content(header, &range, &call->problem) ||
		       !range_content_fits(&range, length, service_data_info(call->data)->size,
					   &call->problem)))
		return false;
	/* A body of unknown length has one byte at least. */
	return data_inside(call, write->offset,
			   write->length == SERVICE_UNKNOWN_LENGTH ? 1 : write->length);
}

/* If-Match makes a compare-and-write: small, so that it can be collected, and then be compared and
 * written at once. A digest of a small body is verified before the body is written. False:
 * answered. */
static bool compares(struct api_call *call)
{
	struct call_write *write = &call->write;
	uint64_t most = call_limits(call)->body;
	struct service_data_state state = {.etag = ""};

	service_data_state(call->data, &state);
	if (!call_etag(call, state.etag))
		return false;
	write->compare = call_compares(call);
	write->collect = write->compare || (call->checksum.wanted && write->length <= most);
	memcpy(write->etag, state.etag, sizeof write->etag);
	if (!write->compare || write->length == SERVICE_UNKNOWN_LENGTH || write->length <= most)
		return true;
	(void)call_too_large(call);
	return false;
}

enum api_step write_begin(struct api_call *call)
{
	enum service_code code = data_open(call, SERVICE_WRITE);

	if (code == SERVICE_OK && (!compares(call) || !fits(call)))
		return API_REPLY;
	if (code == SERVICE_OK)
		code = service_data_reserve(call->data, call->write.offset, call->write.length,
					    data_flags(call), &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	writes_begin(call);
	return API_UPLOAD;
}

/* Whom it fails must know which bytes of his may be part of the content: the first `given`. Of
 * those that a write was given which failed there may be none, some or all. */
static void may_hold(struct api_call *call, uint64_t given)
{
	call->problem.has_written = given > 0;
	call->problem.written_offset = call->write.offset;
	call->problem.written_length = given;
}

static bool piece_fits(struct api_call *call, size_t len)
{
	const struct call_write *write = &call->write;

	if (!data_inside(call, write->offset + write->written, len))
		return false;
	if (write->length == SERVICE_UNKNOWN_LENGTH || len <= write->length - write->written)
		return true;
	(void)call_fail(call, CODE_CONTENT_RANGE_MISMATCH,
			"the body is longer than the %" PRIu64 " bytes it was said to have",
			write->length);
	return false;
}

bool write_piece(struct api_call *call, const void *data, size_t len)
{
	struct call_write *write = &call->write;
	enum service_code code;

	may_hold(call, write->stored);
	if (!piece_fits(call, len) || (write->collect && !api_call_collect(call, data, len)))
		return false;
	if (write->collect)
		code = SERVICE_OK;
	else if (write->detect_zeroes)
		code = zeroes_write(call, data, len, write->offset + write->written);
	else
		code = service_data_write(call->data, data, len, write->offset + write->written,
					  &call->err);
	if (code != SERVICE_OK) {
		may_hold(call, write->written + len);
		(void)call_refused(call, code);
		return false;
	}
	write->written += len;
	if (!write->collect)
		write->stored = write->written;
	writes_note(call);
	checksum_add(&call->checksum, data, len);
	return true;
}

/* ---- answers ---- */

static enum api_step write_answer(struct api_call *call)
{
	const struct call_write *write = &call->write;
	struct service_data_state state = {.etag = ""};
	struct out out = out_object();
	enum api_step step;

	service_data_result(call->data, &state);
	out_number(&out, "offset", write->offset);
	out_number(&out, "length", write->written);
	out_bool(&out, "flushed", write->flush);
	out_number(&out, "allocated_blocks", state.allocated_blocks);
	data_members(&out, &state);
	step = call_json(call, 200, out_take(&out));
	data_headers(call, &state);
	return step;
}

/* The whole body has come. Of a large one, what it holds was written already: the ETag is another
 * one. */
static bool intact(struct api_call *call)
{
	const struct call_write *write = &call->write;
	struct service_data_state state = {.etag = ""};

	if (call_checksum(call, write->offset, write->stored))
		return true;
	service_data_state(call->data, &state);
	(void)snprintf(call->problem.etag, sizeof call->problem.etag, "\"%s\"", state.etag);
	return false;
}

/* What was collected, if nobody else has written since. */
static enum service_code write_collected(struct api_call *call)
{
	struct call_write *write = &call->write;
	const struct buf *body = &call->collected;
	enum service_code code = SERVICE_OK;

	if (write->compare)
		code = service_data_lock(call->data, write->etag, &call->err);
	if (code != SERVICE_OK)
		return code;
	if (write->detect_zeroes)
		code = zeroes_write(call, body->data, body->len, write->offset);
	else
		code = service_data_write(call->data, body->data, body->len, write->offset,
					  &call->err);
	if (write->compare)
		service_data_unlock(call->data);
	if (code == SERVICE_OK)
		write->stored = write->written;
	else
		may_hold(call, write->written);
	return code;
}

enum api_step write_end(struct api_call *call)
{
	const struct call_write *write = &call->write;
	enum service_code code;

	if (write->written == 0)
		return call_fail(call, CODE_INVALID_VALUE, "the body is empty");
	if (write->length != SERVICE_UNKNOWN_LENGTH && write->written != write->length) {
		may_hold(call, write->stored);
		return call_fail(call, CODE_CONTENT_RANGE_MISMATCH,
				 "the body has %" PRIu64 " bytes instead of %" PRIu64,
				 write->written, write->length);
	}
	if (!intact(call))
		return API_REPLY;
	code = write->collect ? write_collected(call) : SERVICE_OK;
	if (code != SERVICE_OK)
		return call_refused(call, code);
	may_hold(call, write->stored); /* when the flush fails */
	return write->flush ? call_flush(call, write_answer) : write_answer(call);
}

static enum api_step flush_answer(struct api_call *call)
{
	struct service_data_state state = {.etag = ""};
	struct out out = out_object();
	enum api_step step;

	service_data_result(call->data, &state);
	out_bool(&out, "flushed", true);
	data_members(&out, &state);
	step = call_json(call, 200, out_take(&out));
	data_headers(call, &state);
	return step;
}

enum api_step write_flush(struct api_call *call)
{
	const char *op = query_get(&call->query, "op");
	struct service_data_state state = {.etag = ""};
	enum api_step step;

	if (!op || strcmp(op, "flush") != 0) {
		problem_parameter(&call->problem, "op", CODE_INVALID_VALUE,
				  "is required, and must be flush");
		return API_REPLY;
	}
	return data_begin(call, &state, &step) ? call_flush(call, flush_answer) : step;
}
