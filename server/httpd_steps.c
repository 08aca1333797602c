/* httpd_steps.c - takes a call of api/ from step to step, here or on a worker. */
#include <microhttpd.h>

#include "actor.h"
#include "httpd_private.h"

/* The flush that the call waited for has ended. */
static void wake(void *ctx)
{
	struct httpd_request *request = ctx;

	request->step = API_REPLY;
	httpd_request_resume(request);
}

/* ---- on a worker ---- */

void httpd_steps_settle(struct httpd_request *request)
{
	while (request->step == API_TRY || request->step == API_RUN)
		request->step = api_call_run(request->call, false);
	if (request->step == API_WAIT) {
		api_call_wait(request->call, wake, request);
		return;
	}
	if (request->step == API_REPLY)
		(void)httpd_reply_make(request, false);
	httpd_request_resume(request);
}

static void work(struct workers_item *item)
{
	struct httpd_request *request = httpd_request_of(item);

	actor_set(httpd_request_name(request));
	httpd_steps_settle(request);
	actor_set(NULL);
}

/* ---- on a polling thread ---- */

static bool to_worker(struct httpd_request *request)
{
	if (!httpd_request_suspend(request))
		return false;
	request->item.run = work;
	workers_add(request->httpd->workers, &request->item);
	return true;
}

static bool wait_for_flush(struct httpd_request *request)
{
	if (!httpd_request_suspend(request))
		return false;
	api_call_wait(request->call, wake, request);
	return true;
}

/* An answer from memory is all handed over at once; a stream gets more time with each block. */
static uint64_t seconds_to_send(const struct httpd_request *request)
{
	uint64_t bytes = request->peer->sent > HTTPD_BLOCK ? request->peer->sent : HTTPD_BLOCK;

	return request->httpd->config->body_seconds * ((bytes + HTTPD_PIECE - 1) / HTTPD_PIECE);
}

static bool answer(struct httpd_request *request)
{
	enum MHD_Result result;

	if (request->cut || !request->response)
		return false;
	request->peer->lingers = request->has_body && request->phase == HTTPD_HEAD;
	request->phase = HTTPD_SENT;
	httpd_watch_within(request->peer, seconds_to_send(request));
	result = MHD_queue_response(request->connection, request->status, request->response);
	httpd_reply_drop(request);
	return result == MHD_YES;
}

/* From here on pieces come, after a 100 Continue if the client asked for one. */
static bool let_send(struct httpd_request *request)
{
	request->phase = HTTPD_BODY;
	httpd_watch_within(request->peer, request->httpd->config->body_seconds);
	return request->step == API_COLLECT || httpd_upload_begin(request);
}

bool httpd_steps_go(struct httpd_request *request)
{
	/* The library, which is being stopped, said that it took the answer, and did not. */
	if (request->phase == HTTPD_SENT)
		return false;
	if (request->cut || request->response)
		return answer(request);
	if (request->step == API_TRY) {
		actor_set(httpd_request_name(request));
		request->step = api_call_run(request->call, true);
		actor_set(NULL);
	}
	switch (request->step) {
	case API_TRY:
	case API_RUN: return to_worker(request);
	case API_COLLECT:
	case API_UPLOAD: return let_send(request);
	case API_WAIT: return wait_for_flush(request);
	case API_REPLY:
		return httpd_reply_make(request, true) ? answer(request) : to_worker(request);
	}
	return false;
}
