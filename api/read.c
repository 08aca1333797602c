/* read.c - GET of the content. What fits a small buffer is read before the status is sent, so that
 * a failure is an error and not a cut connection; the rest is a stream. */
#include "call.h"
#include "data.h"
#include "handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "range.h"
#include "scope.h"

enum { SECTOR = 512, SMALL = 128 << 10, PRESENT_RUNS = 64 };

/* The part of the disk that is sent. */
struct window {
	uint64_t offset, length;
	bool partial; /* 206 */
	bool sectors; /* asked for by ?sector= */
	bool present; /* some of those sectors exist in the chain */
};

bool read_prepare(struct api_call *call)
{
	const char *sector = query_get(&call->query, "sector");
	const char *count = query_get(&call->query, "count");
	uint64_t number = 1;

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
		(void)data_beyond_sectors(call, sector >= sectors ? sector : sector + count - 1,
					  sectors);
		return false;
	}
	*window = (struct window){
		.offset = sector * SECTOR, .length = count * SECTOR, .sectors = true};
	return true;
}

/* The Range header, unless HEAD or an If-Range of another generation make it void. */
static const char *range_header(const struct api_call *call, const char *etag)
{
	const char *guard = http_header(call->request, "If-Range");
	bool whole =
		call->request->method == HTTP_HEAD || (guard && !range_etag_match(guard, etag));

	return whole ? NULL : http_header(call->request, "Range");
}

static bool byte_window(struct api_call *call, const char *etag, struct window *window)
{
	uint64_t size = service_data_info(call->data)->size;
	struct range_set set = {.n = 0};

	if (!range_parse(range_header(call, etag), size, &set, &call->problem))
		return false;
	if (set.n > 1) {
		(void)call_fail(call, CODE_NOT_SUPPORTED,
				"several ranges in one request are not supported yet");
		return false;
	}
	*window = (struct window){.length = size};
	if (set.n == 1)
		*window = (struct window){.offset = set.items[0].first,
					  .length = set.items[0].length,
					  .partial = true};
	return true;
}

/* Does any level of the chain have one of the sectors? */
static enum service_code find_present(struct api_call *call, struct window *window)
{
	uint64_t sector = window->offset / SECTOR;
	uint64_t end = sector + window->length / SECTOR;

	while (sector < end) {
		struct service_run runs[PRESENT_RUNS];
		struct service_run_list list = {.runs = runs, .max = PRESENT_RUNS};
		enum service_code code = service_data_runs(call->data, sector, end - sector,
							   data_flags(call), &list, &call->err);

		if (code != SERVICE_OK || list.n == 0)
			return code != SERVICE_OK ? code : SERVICE_INTERNAL;
		for (size_t i = 0; i < list.n; i++)
			window->present |= runs[i].where == SERVICE_DATA;
		if (window->present)
			return SERVICE_OK;
		sector = runs[list.n - 1].sector + runs[list.n - 1].count;
	}
	return SERVICE_OK;
}

/* ---- the body
 * ------------------------------------------------------------------------------------------ */

struct stream {
	struct service_data *data;
	uint64_t offset;
};

static enum http_read stream_read(void *ctx, uint64_t off, void *buf, size_t len, bool nowait)
{
	const struct stream *stream = ctx;
	CLEANUP(freep) struct service_error *err = calloc(1, sizeof *err);
	enum service_code code = SERVICE_INTERNAL;

	if (err)
		code = service_data_read(stream->data, buf, len, stream->offset + off,
					 nowait ? SERVICE_NOWAIT : 0, err);
	if (code == SERVICE_AGAIN && nowait)
		return HTTP_READ_AGAIN;
	return code == SERVICE_OK ? HTTP_READ_OK : HTTP_READ_FAILED;
}

static void stream_free(void *ctx)
{
	struct stream *stream = ctx;

	service_data_close(stream->data);
	free(stream);
}

/* The open image goes over to the stream. */
static enum api_step send_stream(struct api_call *call, const struct window *window)
{
	struct stream *stream = malloc(sizeof *stream);
	struct http_stream body = {
		.length = window->length, .read = stream_read, .free = stream_free, .ctx = stream};

	if (!stream)
		return call_fail(call, CODE_INTERNAL, "no memory");
	*stream = (struct stream){.data = STEAL(call->data), .offset = window->offset};
	if (call_empty(call, window->partial ? 206 : 200) != API_REPLY || !call->response) {
		stream_free(stream);
		return API_REPLY;
	}
	http_response_stream(call->response, &body);
	return API_REPLY;
}

static enum api_step send_small(struct api_call *call, const struct window *window)
{
	size_t len = (size_t)window->length;
	CLEANUP(freep) char *body = malloc(len);
	enum service_code code;

	if (!body)
		return call_fail(call, CODE_INTERNAL, "no memory");
	code = service_data_read(call->data, body, len, window->offset, data_flags(call),
				 &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	(void)call_empty(call, window->partial ? 206 : 200);
	if (call->response)
		http_response_body(call->response, STEAL(body), len);
	return API_REPLY;
}

static void describe(struct api_call *call, const struct service_data_info *info,
		     const struct service_data_state *state, const struct window *window)
{
	call_header(call, "Content-Type", "application/octet-stream");
	call_header(call, "Cache-Control", "no-store, no-transform");
	call_header(call, "Accept-Ranges", "bytes");
	call_header(call, "X-Virtual-Size", "%" PRIu64, info->size);
	call_header(call, "X-Consistency", "%s", info->frozen ? "frozen" : "live");
	data_headers(call, state);
	if (window->partial)
		call_header(call, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
			    window->offset, window->offset + window->length - 1, info->size);
	else if (!window->sectors)
		call_header(call, "Content-Disposition", "attachment; filename=\"%s.raw\"",
			    info->name);
	if (window->sectors)
		call_header(call, "X-Sector-Present", "%s", window->present ? "true" : "false");
}

static enum api_step send_window(struct api_call *call, struct window *window,
				 const struct service_data_state *state)
{
	const struct service_data_info info = *service_data_info(call->data);
	enum service_code code = window->sectors ? find_present(call, window) : SERVICE_OK;
	bool head = call->request->method == HTTP_HEAD;
	enum api_step step;

	if (code != SERVICE_OK)
		return call_refused(call, code);
	step = window->length <= SMALL && !head ? send_small(call, window)
						: send_stream(call, window);
	if (step == API_REPLY && call->response)
		describe(call, &info, state, window);
	return step;
}

enum api_step read_data(struct api_call *call)
{
	enum service_code code = data_open(call, SERVICE_READ);
	struct service_data_state state = {.etag = ""};
	struct window window = {.offset = 0};

	if (code != SERVICE_OK)
		return call_refused(call, code);
	service_data_state(call->data, &state);
	if (!call_etag(call, state.etag))
		return API_REPLY;
	if (query_get(&call->query, "sector") ? !sector_window(call, &window)
					      : !byte_window(call, state.etag, &window))
		return API_REPLY;
	return send_window(call, &window, &state);
}
