/* read.c - GET of the content. What fits a small buffer is read before the status is sent, so that
 * a failure is an error and not a cut connection; the rest is a stream. */
#include "call.h"
#include "content.h"
#include "data.h"
#include "handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "date.h"
#include "number.h"
#include "range.h"
#include "scope.h"
#include "writes.h"

enum { SECTOR = 512, SMALL = 128 << 10, PRESENT_RUNS = 64 };

/* What of the disk is sent. */
struct window {
	struct range_set ranges; /* one at least */
	bool partial;            /* 206 */
	bool sectors;            /* asked for by ?sector= */
	bool present;            /* some of those sectors exist in the chain */
};

bool read_prepare(struct api_call *call)
{
	const char *sector = query_get(&call->query, "sector");
	const char *count = query_get(&call->query, "count");
	const char *op = query_get(&call->query, "op");
	uint64_t number = 1;

	if (op && strcmp(op, "writes") != 0)
		problem_parameter(&call->problem, "op", CODE_INVALID_VALUE,
				  "'%.60s' is not writes; flush is an op of POST", op);
	else if (op && (sector || count || http_header(call->request, "Range")))
		problem_parameter(&call->problem, "op", CODE_INVALID_VALUE,
				  "cannot be combined with sector, count or the header Range");
	query_size(&call->query, "sector", &number, &call->problem);
	query_size(&call->query, "count", &number, &call->problem);
	if (count && !sector)
		problem_parameter(&call->problem, "count", CODE_INVALID_VALUE, "needs sector");
	else if (count && number == 0)
		problem_parameter(&call->problem, "count", CODE_INVALID_VALUE, "must not be 0");
	if (sector && http_header(call->request, "Range"))
		problem_parameter(&call->problem, "sector", CODE_INVALID_VALUE,
				  "cannot be combined with the header Range");
	return call->problem.code == CODE_NONE;
}

static bool sector_window(struct api_call *call, struct window *window)
{
	uint64_t sectors = service_data_info(call->data)->size / SECTOR;
	uint64_t sector = 0;
	uint64_t count = 1;

	query_size(&call->query, "sector", &sector, &call->problem);
	query_size(&call->query, "count", &count, &call->problem);
	if (sector >= sectors || count > sectors - sector) {
		(void)data_beyond(call, "sector", sector >= sectors ? sector : sector + count - 1,
				  sectors);
		return false;
	}
	window->ranges.n = 1;
	window->ranges.items[0] =
		(struct range){.first = sector * SECTOR, .length = count * SECTOR};
	window->sectors = true;
	return true;
}

/* If-Range: a strong ETag, or exactly the date, which is told only when it is old enough to be a
 * strong one too. */
static bool same_content(const struct api_call *call, const char *guard, const char *etag)
{
	int64_t frozen_at = service_data_info(call->data)->frozen_at;
	int64_t date = 0;

	if (date_parse(guard, &date))
		return frozen_at != 0 && date == frozen_at / 1000;
	return strcmp(guard, "*") != 0 && range_etag_match(guard, etag, true);
}

/* The Range header, unless HEAD or an If-Range of other content make it void. */
static const char *range_header(const struct api_call *call, const char *etag)
{
	const char *guard = http_header(call->request, "If-Range");
	bool whole =
		call->request->method == HTTP_HEAD || (guard && !same_content(call, guard, etag));

	return whole ? NULL : http_header(call->request, "Range");
}

static bool byte_window(struct api_call *call, const char *etag, struct window *window)
{
	uint64_t size = service_data_info(call->data)->size;

	if (!range_parse(range_header(call, etag), size, call_limits(call)->ranges, &window->ranges,
			 &call->problem))
		return false;
	window->partial = window->ranges.n > 0;
	if (!window->partial) {
		window->ranges.n = 1;
		window->ranges.items[0] = (struct range){.length = size};
	}
	return true;
}

/* The first run before `end` that is `where`; of no sector if there is none. */
static enum service_code find_run(struct api_call *call, uint64_t sector, uint64_t end,
				  enum service_where where, struct service_run *ret_run)
{
	*ret_run = (struct service_run){.where = where};
	while (sector < end && ret_run->count == 0) {
		struct service_run runs[PRESENT_RUNS];
		struct service_run_list list = {.runs = runs, .max = PRESENT_RUNS};
		enum service_code code = service_data_runs(call->data, sector, end - sector,
							   data_flags(call), &list, &call->err);

		if (code != SERVICE_OK || list.n == 0)
			return code != SERVICE_OK ? code : SERVICE_INTERNAL;
		for (size_t i = 0; i < list.n && ret_run->count == 0; i++) {
			if (runs[i].where == where)
				*ret_run = runs[i];
		}
		sector = runs[list.n - 1].sector + runs[list.n - 1].count;
	}
	return SERVICE_OK;
}

/* Does any level of the chain have one of the sectors? */
static enum service_code find_present(struct api_call *call, struct window *window)
{
	uint64_t sector = window->ranges.items[0].first / SECTOR;
	uint64_t end = sector + window->ranges.items[0].length / SECTOR;
	struct service_run run = {.count = 0};
	enum service_code code = SERVICE_AGAIN; /* it may be a long way */

	if (!call->nowait || end - sector <= SMALL / SECTOR)
		code = find_run(call, sector, end, SERVICE_DATA, &run);
	window->present = run.count > 0;
	return code;
}

/* What only a missing parent has is sought, and asked for. */
static enum service_code find_unknown(struct api_call *call, const struct range *range)
{
	uint64_t end = (range->first + range->length + SECTOR - 1) / SECTOR;
	struct service_run run;
	enum service_code code = find_run(call, range->first / SECTOR, end, SERVICE_UNKNOWN, &run);
	char byte;

	if (code != SERVICE_OK || run.count == 0)
		return code;
	return service_data_read(call->data, &byte, 1, run.sector * SECTOR, data_flags(call),
				 &call->err);
}

/* A stream that has begun cannot say that it fails. */
static enum service_code look_ahead(struct api_call *call, const struct window *window)
{
	/* Of an image whose sync has failed nothing can be read. */
	enum service_code code =
		service_data_read(call->data, NULL, 0, 0, data_flags(call), &call->err);

	if (code != SERVICE_OK || !service_data_info(call->data)->broken)
		return code;
	if (call->nowait)
		return SERVICE_AGAIN; /* likewise */
	for (size_t i = 0; code == SERVICE_OK && i < window->ranges.n; i++)
		code = find_unknown(call, &window->ranges.items[i]);
	return code;
}

/* ---- the body ---- */

/* Between the parts of several ranges; an id of a request is made of what a boundary may have. */
#define BOUNDARY "vhdd-%s"

static void fill(struct api_call *call, const struct window *window, struct content *content)
{
	uint64_t size = service_data_info(call->data)->size;
	const struct range_set *ranges = &window->ranges;

	for (size_t i = 0; i < ranges->n; i++) {
		const struct range *range = &ranges->items[i];

		if (ranges->n > 1)
			content_text(
				content,
				"%s--" BOUNDARY "\r\nContent-Type: application/octet-stream\r\n"
				"Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
				i > 0 ? "\r\n" : "", call->request->id, range->first,
				range->first + range->length - 1, size);
		content_octets(content, range->first, range->length);
	}
	if (ranges->n > 1)
		content_text(content, "\r\n--" BOUNDARY "--\r\n", call->request->id);
}

/* The open image goes over to the stream. */
static enum api_step send_stream(struct api_call *call, unsigned status, struct content *content)
{
	struct http_stream body;

	if (call_empty(call, status) != API_REPLY || !call->response)
		return API_REPLY;
	if (!content_stream(content, &body))
		return call_no_memory(call);
	call->data = NULL;
	http_response_stream(call->response, &body);
	return API_REPLY;
}

static enum api_step send_small(struct api_call *call, unsigned status,
				const struct content *content)
{
	size_t len = (size_t)content->length;
	CLEANUP(freep) char *body = content->text.failed ? NULL : malloc(len + 1);
	enum service_code code;

	if (!body)
		return call_no_memory(call);
	code = content_read(content, 0, body, len, data_flags(call), &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	(void)call_empty(call, status);
	if (call->response)
		http_response_body(call->response, STEAL(body), len);
	return API_REPLY;
}

static void describe_range(struct api_call *call, const struct service_data_info *info,
			   const struct window *window)
{
	const struct range *range = &window->ranges.items[0];

	if (window->ranges.n > 1)
		call_header(call, "Content-Type", "multipart/byteranges; boundary=" BOUNDARY,
			    call->request->id);
	else
		call_header(call, "Content-Type", "application/octet-stream");
	if (window->ranges.n == 1 && window->partial)
		call_header(call, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
			    range->first, range->first + range->length - 1, info->size);
	if (!window->partial && !window->sectors)
		call_header(call, "Content-Disposition", "attachment; filename=\"%s.raw\"",
			    info->name);
	if (window->sectors)
		call_header(call, "X-Sector-Present", "%s", window->present ? "true" : "false");
}

static void describe(struct api_call *call, const struct service_data_info *info,
		     const struct service_data_state *state, const struct window *window)
{
	describe_range(call, info, window);
	data_cache(call, info);
	call_header(call, "Accept-Ranges", "bytes");
	call_header(call, "X-Virtual-Size", "%" PRIu64, info->size);
	call_header(call, "X-Consistency", "%s", info->frozen ? "frozen" : "live");
	data_headers(call, state);
}

static enum api_step send_window(struct api_call *call, struct window *window,
				 const struct service_data_state *state)
{
	const struct service_data_info info = *service_data_info(call->data);
	CLEANUP(content_fini) struct content content = {.data = call->data};
	enum service_code code = window->sectors ? find_present(call, window) : SERVICE_OK;
	unsigned status = window->partial ? 206 : 200;
	enum api_step step;

	if (code == SERVICE_OK)
		code = look_ahead(call, window);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	fill(call, window, &content);
	if (content.length <= SMALL && call->request->method != HTTP_HEAD)
		step = send_small(call, status, &content);
	else
		step = send_stream(call, status, &content);
	if (step == API_REPLY && call->response)
		describe(call, &info, state, window);
	return step;
}

/* If-Modified-Since, which counts when there is no If-None-Match. Content that is not frozen has no
 * date, and has always been modified. */
static bool modified(struct api_call *call, const struct service_data_state *state)
{
	const struct service_data_info *info = service_data_info(call->data);
	const char *text = http_header(call->request, "If-Modified-Since");
	int64_t since = 0;

	if (!text || http_header(call->request, "If-None-Match") || info->frozen_at == 0 ||
	    !date_parse(text, &since) || since < info->frozen_at / 1000)
		return true;
	(void)call_empty(call, 304);
	data_headers(call, state);
	data_cache(call, info);
	return false;
}

enum api_step read_data(struct api_call *call)
{
	struct service_data_state state = {.etag = ""};
	struct window window = {.partial = false};
	enum api_step step;

	if (query_get(&call->query, "op"))
		return data_look(call, &state, &step) ? writes_list(call, &state) : step;
	if (!data_begin(call, &state, &step))
		return step;
	if (!modified(call, &state))
		return step;
	if (query_get(&call->query, "sector") ? !sector_window(call, &window)
					      : !byte_window(call, state.etag, &window))
		return API_REPLY;
	return send_window(call, &window, &state);
}
