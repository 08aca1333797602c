/* data.c - what all requests for the content of an image share. */
#include "data.h"

#include "date.h"
#include "hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

unsigned data_flags(const struct api_call *call)
{
	return call->nowait ? SERVICE_NOWAIT : 0;
}

enum service_code data_open(struct api_call *call, enum service_mode mode)
{
	if (call->data)
		return SERVICE_OK;
	return service_data_open(call->api->service, call->ref, mode, data_flags(call), &call->data,
				 &call->err);
}

bool data_look(struct api_call *call, struct service_data_state *ret_state, enum api_step *ret_step)
{
	enum service_code code = data_open(call, SERVICE_READ);

	if (code != SERVICE_OK) {
		*ret_step = call_refused(call, code);
		return false;
	}
	service_data_state(call->data, ret_state);
	return true;
}

bool data_begin(struct api_call *call, struct service_data_state *ret_state,
		enum api_step *ret_step)
{
	if (!data_look(call, ret_state, ret_step))
		return false;
	*ret_step = API_REPLY;
	if (call_etag(call, ret_state->etag))
		return true;
	data_cache(call, service_data_info(call->data)); /* of 304 */
	return false;
}

void data_cache(struct api_call *call, const struct service_data_info *info)
{
	char date[DATE_TEXT];

	call_header(call, "Cache-Control", "%s, no-transform",
		    info->frozen ? "private, no-cache" : "no-store");
	if (info->frozen_at == 0)
		return;
	date_text(info->frozen_at / 1000, date);
	call_header(call, "Last-Modified", "%s", date);
}

enum api_step data_tagged(struct api_call *call, enum api_step step, const char *etag)
{
	call_header(call, "ETag", "\"%s\"", etag);
	data_cache(call, service_data_info(call->data));
	return step;
}

enum api_step data_mapped(struct api_call *call, enum api_step step, const char *etag)
{
	const struct http_response *whole = call->response;
	size_t len = strlen(etag);
	char own[SERVICE_ETAG + HASH_SUFFIX];
	bool varies;

	if (call->problem.code != CODE_NONE || !whole)
		return step;
	varies = http_response_get(whole, "Vary") != NULL;
	memcpy(own, etag, len + 1);
	hash_suffix(hash_bytes(0, whole->body, whole->body_length), own + len);
	if (call_etag_either(call, own, etag))
		return data_tagged(call, step, own);
	data_cache(call, service_data_info(call->data)); /* of 304 */
	if (varies)
		call_header(call, "Vary", "Accept");
	return API_REPLY;
}

bool data_inside(struct api_call *call, uint64_t offset, uint64_t length)
{
	uint64_t size = service_data_info(call->data)->size;
	bool one = length == 1;

	if (offset <= size && length <= size - offset)
		return true;
	(void)call_fail(call, CODE_RANGE_NOT_SATISFIABLE,
			"%" PRIu64 " byte%s at %" PRIu64 " pass%s the end of the disk at %" PRIu64,
			length, one ? "" : "s", offset, one ? "es" : "", size);
	(void)snprintf(call->problem.content_range, sizeof call->problem.content_range,
		       "bytes */%" PRIu64, size);
	return false;
}

void data_next(struct api_call *call, const char *names, uint64_t next, uint64_t end)
{
	int first = (int)strcspn(names, " ");
	char text[80];

	(void)snprintf(text, sizeof text, "%.*s=%" PRIu64 "&%s=%" PRIu64, first, names, next,
		       names + first + 1, end - next);
	if (next < end)
		call_next(call, names, text);
}

enum api_step data_beyond(struct api_call *call, const char *unit, uint64_t at, uint64_t n)
{
	(void)snprintf(call->problem.content_range, sizeof call->problem.content_range,
		       "%ss */%" PRIu64, unit, n);
	return call_fail(call, CODE_RANGE_NOT_SATISFIABLE,
			 "%s %" PRIu64 " is beyond the last one, %" PRIu64, unit, at, n - 1);
}

void data_headers(struct api_call *call, const struct service_data_state *state)
{
	if (state->etag[0])
		call_header(call, "ETag", "\"%s\"", state->etag);
	if (call->problem.code == CODE_NONE && !data_epochs(call->response, state))
		(void)call_no_memory(call);
}

bool data_epochs(struct http_response *response, const struct service_data_state *state)
{
	return http_response_header(response, "X-Write-Epoch", "%" PRIu64, state->write_epoch) &&
	       http_response_header(response, "X-Durable-Epoch", "%" PRIu64,
				    state->durable_epoch) &&
	       http_response_add(response, "X-Write-Verifier", state->verifier);
}

void data_members(struct out *out, const struct service_data_state *state)
{
	out_text_or_null(out, "etag", state->etag);
	out_number(out, "write_epoch", state->write_epoch);
	out_number(out, "durable_epoch", state->durable_epoch);
	out_text(out, "write_verifier", state->verifier);
}
