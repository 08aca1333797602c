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

enum api_step writes_list(struct api_call *call, const struct service_data_state *state)
{
	struct service_upload uploads[SERVICE_UPLOADS];
	size_t n = service_data_uploads(call->data, uploads);
	struct out items = out_array();
	struct out out = out_object();

	for (size_t i = 0; i < n; i++)
		out_add(&items, upload_json(&uploads[i]));
	out_json(&out, "items", out_take(&items));
	data_members(&out, state);
	return data_mapped(call, call_json(call, 200, out_take(&out)), state->etag);
}
