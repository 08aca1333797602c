/* patch_body.c - the shapes in which a PATCH of content comes: JSON or a form, JSON by lines, and
 * octets behind a small head of their own (message/byterange). */
#include "call.h"
#include "handlers.h"
#include "patch.h"

#include <inttypes.h>
#include <string.h>

#include "body.h"
#include "number.h"

enum { LINE = 256 }; /* of the head of a part, with NUL */

static const char blanks[] = " \t";

/* ---- message/byterange ---- */

struct part {
	const char *at;
	size_t left;
	bool has_range, has_length;
	uint64_t length;
};

/* A control character, and a NUL, is none of a line. */
static bool is_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
			return false;
	}
	return true;
}

/* Without its CR LF. False: there is none of such length. */
static bool take_line(struct part *part, char ret_line[LINE])
{
	/* What has no bytes has no place either. */
	const char *end = part->left > 0 ? memmem(part->at, part->left, "\r\n", 2) : NULL;
	size_t len = end ? (size_t)(end - part->at) : LINE;

	if (len >= LINE || !is_text(part->at, len))
		return false;
	memcpy(ret_line, part->at, len);
	ret_line[len] = '\0';
	part->at += len + 2;
	part->left -= len + 2;
	return true;
}

static bool take_range(struct api_call *call, struct part *part, const char *value)
{
	if (part->has_range)
		(void)call_fail(call, CODE_CONTENT_RANGE_MISMATCH,
				"the part has more than one Content-Range");
	part->has_range = true;
	return call->problem.code == CODE_NONE &&
	       range_content(value, &call->octets.range, &call->problem);
}

static bool take_length(struct api_call *call, struct part *part, const char *value)
{
	if (part->has_length || !number_u64(value, strlen(value), &part->length))
		(void)call_fail(call, CODE_INVALID_VALUE,
				"Content-Length of the part is not one number: '%s'", value);
	part->has_length = true;
	return call->problem.code == CODE_NONE;
}

/* What says something that would be ignored is refused. */
static bool take_field(struct api_call *call, struct part *part, char *line)
{
	size_t name = strcspn(line, ":");
	char *value = line + name + (line[name] == ':');
	size_t len;

	line[name] = '\0';
	value += strspn(value, blanks);
	len = strlen(value);
	while (len > 0 && strchr(blanks, value[len - 1]))
		value[--len] = '\0';
	if (strcasecmp(line, "Content-Range") == 0)
		return take_range(call, part, value);
	if (strcasecmp(line, "Content-Length") == 0)
		return take_length(call, part, value);
	if (strcasecmp(line, "Content-Type") == 0)
		return true; /* octets are octets */
	(void)call_fail(call, CODE_UNKNOWN_FIELD, "the part has a field '%s'", line);
	return false;
}

static bool take_head(struct api_call *call, struct part *part)
{
	char line[LINE];

	for (;;) {
		if (!take_line(part, line)) {
			(void)call_fail(call, CODE_INVALID_VALUE,
					"the part has no head of lines that end in CR LF, and an "
					"empty one before the octets");
			return false;
		}
		if (line[0] == '\0')
			return true;
		if (!take_field(call, part, line))
			return false;
	}
}

static bool take_part(struct api_call *call)
{
	struct part part = {.at = call->collected.data, .left = call->collected.len};

	if (!take_head(call, &part))
		return false;
	if (!part.has_range)
		(void)call_fail(call, CODE_CONTENT_RANGE_MISMATCH, "the part has no Content-Range");
	else if (part.left == 0)
		(void)call_fail(call, CODE_INVALID_VALUE, "the part has no octets");
	else if (part.has_length && part.length != part.left)
		(void)call_fail(call, CODE_INVALID_VALUE,
				"Content-Length of the part says %" PRIu64 ", it has %zu bytes",
				part.length, part.left);
	if (call->problem.code != CODE_NONE)
		return false;
	call->octets.at = call->collected.len - part.left;
	call->body = json_object();
	if (!call->body)
		(void)call_no_memory(call);
	return call->body != NULL;
}

/* ---- all of them ---- */

/* curl says "form" whatever it sends, so JSON is what begins like it. */
static bool is_json(const struct api_call *call)
{
	const struct buf *buf = &call->collected;
	size_t at = 0;

	while (at < buf->len && body_is_blank(buf->data[at]))
		at++;
	return (at < buf->len && buf->data[at] == '{') ||
	       !http_header(call->request, "Content-Type") ||
	       http_body_is(call->request, "application/json") ||
	       http_body_is(call->request, "application/x-www-form-urlencoded");
}

void patch_refuse(struct api_call *call, const char *types)
{
	call->problem.accept_patch = types;
	(void)call_fail(call, CODE_UNSUPPORTED_MEDIA_TYPE, "Content-Type '%s'; there is %s",
			http_header(call->request, "Content-Type"), types);
}

bool patch_body(struct api_call *call)
{
	const struct buf *buf = &call->collected;
	unsigned depth = (unsigned)call_limits(call)->json_depth;

	if (http_body_is(call->request, "message/byterange"))
		return take_part(call);
	if (http_body_is(call->request, "application/vnd.vhdd.ops+ndjson")) {
		call->body = body_parse_lines(buf->data, buf->len, depth, "ops", PATCH_OPS_MAX,
					      &call->problem);
	} else if (is_json(call)) {
		call->body = body_parse(buf->data, buf->len, depth, &call->problem);
	} else {
		call->problem.advice = "Send it with a type that Accept-Patch names.";
		patch_refuse(call, patch_types);
	}
	buf_fini(&call->collected);
	return call->body != NULL;
}
