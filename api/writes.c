/* writes.c - the journal of uploads, and GET of it. */
#include "writes.h"

#include "data.h"
#include "handlers.h"
#include "out.h"

void writes_begin(struct api_call *call)
{
	struct call_write *write = &call->write;

	write->number =
		service_data_upload_begin(call->data, call->id, write->offset, write->length);
}

void writes_note(struct api_call *call)
{
	if (call->write.number > 0)
		service_data_upload_note(call->data, call->write.number, call->write.stored, NULL);
}

void writes_end(struct api_call *call, bool cut)
{
	struct call_write *write = &call->write;
	const char *outcome = write->flush ? "durable" : "accepted";

	if (write->number == 0)
		return;
	if (call->problem.code != CODE_NONE)
		outcome = codes_info(call->problem.code)->name;
	else if (cut)
		outcome = "cut";
	service_data_upload_note(call->data, write->number, write->stored, outcome);
	write->number = 0;
}

/* ---- the list ---- */

static json_t *upload_json(const struct service_upload *upload)
{
	struct out out = out_object();
	bool known = upload->requested != SERVICE_UNKNOWN_LENGTH;

	out_text(&out, "request_id", upload->request);
	out_number(&out, "offset", upload->offset);
	out_json(&out, "requested",
		 known ? json_integer((json_int_t)upload->requested) : json_null());
	out_number(&out, "written", upload->written);
	out_number(&out, "next_offset", upload->offset + upload->written);
	out_text(&out, "outcome", upload->ended_at > 0 ? upload->outcome : "running");
	out_time(&out, "began_at", upload->began_at);
	if (upload->ended_at > 0)
		out_time(&out, "ended_at", upload->ended_at);
	else
		out_json(&out, "ended_at", json_null());
	return out_take(&out);
}

/* The journal has no ETag; who compares means that of the content. */
static enum service_code compare(struct api_call *call)
{
	struct service_data_state state = {.etag = ""};
	enum service_code code;

	if (!http_header(call->request, "If-Match") && !http_header(call->request, "If-None-Match"))
		return SERVICE_OK;
	code = data_open(call, SERVICE_READ);
	if (code != SERVICE_OK)
		return code;
	service_data_state(call->data, &state);
	(void)call_etag(call, state.etag);
	return SERVICE_OK;
}

enum api_step writes_list(struct api_call *call)
{
	struct service_upload uploads[SERVICE_UPLOADS];
	struct out items = out_array();
	struct out out = out_object();
	size_t n = 0;
	enum service_code code = compare(call);

	if (code == SERVICE_OK)
		code = service_image_uploads(call->api->service, call->ref, uploads, &n,
					     &call->err);
	for (size_t i = 0; code == SERVICE_OK && i < n; i++)
		out_add(&items, upload_json(&uploads[i]));
	out_json(&out, "items", out_take(&items));
	if (code == SERVICE_OK && call->problem.code == CODE_NONE && !call->response)
		return call_json(call, 200, out_take(&out));
	json_decref(out_take(&out));
	return code == SERVICE_OK ? API_REPLY : call_refused(call, code);
}
