/* problem.c - what went wrong with a request, as application/problem+json or as two lines of text.
 */
#include "problem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "accept.h"
#include "buf.h"
#include "out.h"
#include "scope.h"

static const char hidden[] = "The request could not be finished; the log of the daemon says more.";

/* Of the character of UTF-8 that begins with `c`; of what begins none, 1. */
static size_t bytes_of(unsigned char c)
{
	if (c < 0xc0 || c >= 0xf8)
		return 1;
	return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Takes out characters that have lost their end: what cuts text counts bytes. */
static void drop_cut(char *text)
{
	char *to = text;

	for (const char *at = text; *at != '\0';) {
		size_t want = bytes_of((unsigned char)*at);
		size_t n = 1;

		while (n < want && (at[n] & 0xc0) == 0x80)
			n++;
		memmove(to, at, n);
		to += n == want ? n : 0;
		at += n;
	}
	*to = '\0';
}

/* Printable, valid UTF-8: a name from a request may be anything. */
static void clean(char *text)
{
	CLEANUP(json_putp) json_t *valid = NULL;

	drop_cut(text);
	for (char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	valid = json_string(text);
	for (char *c = text; !valid && *c != '\0'; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
}

__attribute__((format(printf, 3, 0))) static void format_text(char *text, size_t size,
							      const char *format, va_list args)
{
	(void)vsnprintf(text, size, format, args);
	clean(text);
}

void problem_set(struct problem *problem, enum code code, const char *format, ...)
{
	va_list args;

	if (problem->code != CODE_NONE)
		return;
	problem->code = code;
	va_start(args, format);
	format_text(problem->detail, sizeof problem->detail, format, args);
	va_end(args);
}

static struct problem_item *item_new(struct problem *problem, const char *where, enum code code)
{
	struct problem_item *item = &problem->items[problem->n_items];

	if (problem->n_items == PROBLEM_ITEMS)
		return NULL;
	problem->n_items++;
	item->code = code;
	(void)snprintf(item->where, sizeof item->where, "%s", where);
	clean(item->where);
	return item;
}

void problem_field(struct problem *problem, const char *pointer, enum code code, const char *format,
		   ...)
{
	struct problem_item *item = item_new(problem, pointer, code);
	va_list args;

	if (!item)
		return;
	va_start(args, format);
	format_text(item->detail, sizeof item->detail, format, args);
	va_end(args);
	problem_set(problem, code, "%s: %s", item->where, item->detail);
}

void problem_parameter(struct problem *problem, const char *name, enum code code,
		       const char *format, ...)
{
	struct problem_item *item = item_new(problem, name, code);
	va_list args;

	if (!item)
		return;
	item->parameter = true;
	va_start(args, format);
	format_text(item->detail, sizeof item->detail, format, args);
	va_end(args);
	problem_set(problem, code, "%s: %s", item->where, item->detail);
}

void problem_known(struct problem *problem, const char *name, size_t len)
{
	size_t have = strlen(problem->known);

	(void)snprintf(problem->known + have, sizeof problem->known - have, "%s%.*s",
		       have > 0 ? ", " : "", (int)len, name);
}

void problem_service(struct problem *problem, enum service_code code,
		     const struct service_error *err)
{
	if (problem->code != CODE_NONE)
		return;
	problem->service = *err;
	problem_set(problem, codes_of_service(code), "%s", err->text);
	if (code == SERVICE_CHANGED)
		(void)snprintf(problem->etag, sizeof problem->etag, "\"%s\"", err->etag);
	if (problem->code == CODE_RANGE_NOT_SATISFIABLE)
		(void)snprintf(problem->content_range, sizeof problem->content_range,
			       "bytes */%" PRIu64, err->size);
}

/* Who prefers JSON to text may say so without "problem". */
bool problem_wants_text(const struct http_request *request)
{
	static const char *const types[] = {"application/problem+json", "application/json",
					    "text/plain"};

	return accept_best(request, types, 3) == 2;
}

/* Only what stands in a field or a parameter is told by 'errors'. */
static const char *advice_of(const struct problem *problem)
{
	if (problem->service.done)
		return "It was done all the same, and what is left to do is tried again. See what "
		       "there is: GET /v1/images/{image}";
	if (problem->advice)
		return problem->advice;
	if (problem->code == CODE_INVALID_VALUE && problem->n_items > 0)
		return "Correct it as 'detail' says; 'errors' has all that is wrong, with the "
		       "value that was sent.";
	return codes_info(problem->code)->correction;
}

/* The correction with the image it is about. */
static char *correction(const struct problem *problem)
{
	static const char mark[] = "{image}";
	const char *text = advice_of(problem);
	const char *name = problem->service.image.name[0] ? problem->service.image.name : "NAME";
	struct buf buf = {0};

	for (const char *at; (at = strstr(text, mark)) != NULL; text = at + sizeof mark - 1) {
		buf_append(&buf, text, (size_t)(at - text));
		buf_printf(&buf, "%s", name);
	}
	if (problem->known[0])
		buf_printf(&buf, "Known here: %s. ", problem->known);
	buf_printf(&buf, "%s", text);
	return buf_take(&buf, NULL);
}

static const char *detail(const struct problem *problem)
{
	if (codes_info(problem->code)->status == 500)
		return hidden;
	return problem->detail[0] ? problem->detail : codes_info(problem->code)->title;
}

/* Bytes of a URL may be no text. */
static void put_value(struct out *out, const char *value)
{
	char text[sizeof((struct problem_item *)0)->value];

	(void)snprintf(text, sizeof text, "%s", value);
	clean(text);
	out_text(out, "value", text);
}

static json_t *items_json(const struct problem *problem)
{
	struct out list = out_array();

	for (size_t i = 0; i < problem->n_items; i++) {
		const struct problem_item *item = &problem->items[i];
		struct out out = out_object();

		out_text(&out, item->parameter ? "parameter" : "pointer", item->where);
		out_text(&out, "code", codes_info(item->code)->name);
		out_text(&out, "detail", item->detail);
		if (item->value[0])
			put_value(&out, item->value);
		out_add(&list, out_take(&out));
	}
	return out_take(&list);
}

/* The image the daemon named, and the names related to it. */
static void put_service(struct out *out, const struct service_error *err)
{
	struct out image = out_object();
	struct out names = out_array();
	bool children = err->code == SERVICE_IMAGE_HAS_CHILDREN;

	out_text(&image, "id", err->image.id);
	out_text(&image, "name", err->image.name);
	for (size_t i = 0; i < err->n_related && i < SERVICE_RELATED; i++)
		out_add_text(&names, err->related[i]);
	if (err->image.id[0])
		out_json(out, "image", json_incref(image.json));
	if (err->n_related > 0)
		out_json(out, children ? "children" : "related", json_incref(names.json));
	if (err->holder[0])
		out_text(out, "holder", err->holder);
	if (err->related_total > err->n_related)
		out_number(out, "related_total", err->related_total);
	out->failed |= image.failed || names.failed;
	json_decref(image.json);
	json_decref(names.json);
}

static void put_head(struct out *out, const struct problem *problem, const char *request_id,
		     const char *advice)
{
	const struct code_info *info = codes_info(problem->code);

	out_json(out, "type", json_sprintf("/problems/%s", info->name));
	out_text(out, "title", info->title);
	out_number(out, "status", info->status);
	out_text(out, "code", info->name);
	out_text(out, "detail", detail(problem));
	out_text(out, "cause", info->cause);
	out_text(out, "correction", advice);
	out_bool(out, "retryable", info->retryable);
	out_text(out, "request_id", request_id);
	out_text(out, "instance", request_id);
}

static json_t *written_json(const struct problem *problem)
{
	struct out out = out_object();

	out_number(&out, "offset", problem->written_offset);
	out_number(&out, "length", problem->written_length);
	return out_take(&out);
}

static char *problem_json(const struct problem *problem, const char *request_id, const char *advice)
{
	struct out out = out_object();
	CLEANUP(json_putp) json_t *body = NULL;
	CLEANUP(freep) char *text = NULL;
	struct buf buf = {0};

	put_head(&out, problem, request_id, advice);
	if (problem->n_items > 0)
		out_json(&out, "errors", items_json(problem));
	put_service(&out, &problem->service);
	if (problem->etag[0])
		out_text(&out, "current_etag", problem->etag);
	if (problem->has_completed)
		out_number(&out, "completed", problem->completed);
	if (problem->has_written)
		out_json(&out, "written", written_json(problem));
	if (codes_info(problem->code)->status == 500)
		out_text(&out, "report", request_id);
	body = out_take(&out);
	text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	if (!text)
		return NULL;
	buf_printf(&buf, "%s\n", text);
	return buf_take(&buf, NULL);
}

static char *problem_text(const struct problem *problem, const char *advice)
{
	struct buf buf = {0};

	buf_printf(&buf, "%s: ", codes_info(problem->code)->name);
	buf_line(&buf, detail(problem), strlen(detail(problem)));
	buf_printf(&buf, "\n%s\n", advice);
	return buf_take(&buf, NULL);
}

static bool add_headers(struct http_response *response, const struct problem *problem, bool text)
{
	const struct code_info *info = codes_info(problem->code);
	unsigned wait = problem->service.retry_after_s > 0 ? problem->service.retry_after_s : 1;
	bool ok = http_response_header(response, "Content-Type", "%s",
				       text ? "text/plain; charset=utf-8"
					    : "application/problem+json") &&
		  http_response_header(response, "X-Error-Code", "%s", info->name);

	if (ok && info->retryable)
		ok = http_response_header(response, "Retry-After", "%u", wait);
	if (ok && problem->allow[0])
		ok = http_response_header(response, "Allow", "%s", problem->allow);
	if (ok && problem->accept_patch)
		ok = http_response_header(response, "Accept-Patch", "%s", problem->accept_patch);
	if (ok && problem->content_range[0])
		ok = http_response_header(response, "Content-Range", "%s", problem->content_range);
	if (ok && problem->etag[0])
		ok = http_response_header(response, "ETag", "%s", problem->etag);
	return ok;
}

struct http_response *problem_response(const struct problem *problem, const char *request_id,
				       bool text)
{
	struct http_response *response = http_response_new(codes_info(problem->code)->status);
	CLEANUP(freep) char *advice = correction(problem);
	char *body = NULL;

	if (response && advice)
		body = text ? problem_text(problem, advice)
			    : problem_json(problem, request_id, advice);
	if (!body || !add_headers(response, problem, text)) {
		free(body);
		http_response_free(response);
		return NULL;
	}
	http_response_body(response, body, strlen(body));
	response->close = problem->close;
	return response;
}
