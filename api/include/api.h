/* api.h - from the head of a request to its response, one `struct api_call` per request.
 *
 * A call is a small state machine. server/httpd.c owns sockets and threads and asks the call what
 * comes next: api_call_new(), api_call_begin(), and then what the step says, until it is API_REPLY.
 *
 * - API_REPLY: api_call_response(), send it, api_call_free().
 * - API_TRY: api_call_run(call, true) here, on the polling thread, which never blocks. Next is
 *   REPLY, RUN, WAIT or UPLOAD.
 * - API_RUN: api_call_run(call, false) on a worker, the connection suspended. Next is REPLY, WAIT
 *   or UPLOAD.
 * - API_COLLECT: let the client send (100 Continue), hand pieces to api_call_collect() as they
 *   come, at the end api_call_collected(): memory only, any thread. Next is REPLY, TRY or RUN.
 * - API_UPLOAD: let the client send, hand pieces to api_call_write() on a worker, in order; at the
 *   end api_call_written() on a worker. Next is REPLY or WAIT.
 * - API_WAIT: suspend, then api_call_wait(call, wake, ctx). When wake() is called: REPLY.
 *
 * So everything that decides about an upload is decided by api_call_run before its body is read,
 * small bodies are collected before the handler runs, and who waits for a flush holds no thread. A
 * call is used by one thread at a time; server/ orders hand-overs (queue and resume do). The
 * request must outlive the call.
 *
 * Step REPLY before the body was read (API_REPLY from begin or run while api_call_body() is not
 * NONE): send the response at once. It has `close` set unless the body is small enough to be read
 * and dropped.
 *
 * Late failures: once api_call_collect or api_call_write answered false, the outcome is settled.
 * server/ drops what still comes, at most API_DRAIN_MAX bytes, then goes on with api_call_collected
 * or api_call_written, which reply with the failure; beyond that bound it cuts the connection. */
#ifndef API_H
#define API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http.h"
#include "service.h"

/* What requests may ask for at most: the standard, which the configuration may change. */
struct api_limits {
	uint64_t body;       /* bytes of a body that is collected */
	uint64_t json_depth; /* levels of JSON */
	uint64_t head;       /* bytes of the target, and of all headers */
	uint64_t headers;
	uint64_t ranges;  /* of a Range header, 64 at most */
	uint64_t sectors; /* of one look-up */
	uint64_t page;    /* runs, extents or regions of one answer */
	uint64_t list;    /* images of one answer, 1000 at most */
};
enum {
	API_BODY = 1 << 20,
	API_JSON_DEPTH = 32,
	API_HEAD = 32 << 10,
	API_HEADERS = 128,
	API_RANGES = 64,
	API_SECTORS = 10000,
	API_PAGE = 10000,
	API_LIST = 1000,
};
#define API_LIMITS                                                                        \
	{                                                                                 \
		API_BODY, API_JSON_DEPTH, API_HEAD, API_HEADERS, API_RANGES, API_SECTORS, \
			API_PAGE, API_LIST                                                \
	}

/* What holds for all calls; the caller's memory, must outlive them. */
struct api {
	struct service *service;
	const char *const *hosts; /* names that Host may say besides literal addresses and
				     localhost; NULL at the end */
	const char *const
		*origins; /* foreign origins whose pages may change things; NULL at the end */
	struct api_limits limits;
	bool require_if_match; /* changes of images and of content must name an ETag */
};

enum {
	API_DRAIN_MAX = 1 << 20, /* bytes dropped after a failure before the connection is cut */
};

enum api_step { API_REPLY, API_TRY, API_RUN, API_COLLECT, API_UPLOAD, API_WAIT };

struct api_call;

/* NULL when memory is out. */
struct api_call *api_call_new(const struct api *api, const struct http_request *request);
/* At any step but API_WAIT after api_call_wait (before wake): e.g. when the client went away.
 * Closes what the call has open; an upload that was cut stays as far as it was written. Does not
 * block. NULL is fine. */
void api_call_free(struct api_call *call);

/* Route, method, framing, browser checks and parameters. Pure: no service is asked. */
enum api_step api_call_begin(struct api_call *call);

/* May answer API_RUN only with nowait. */
enum api_step api_call_run(struct api_call *call, bool nowait);

/* One piece of a body that is collected. False: too large, or no memory; the rest may be dropped.
 */
bool api_call_collect(struct api_call *call, const void *piece, size_t len);
enum api_step api_call_collected(struct api_call *call);

/* One piece of an upload, any length. False: failed; the rest may be dropped. */
bool api_call_write(struct api_call *call, const void *piece, size_t len);
enum api_step api_call_written(struct api_call *call);

/* Starts the flush. `wake` is called exactly once, by any thread, perhaps before this returns; it
 * must not block and must not free the call. From the call to wake() nobody else touches the call.
 */
void api_call_wait(struct api_call *call, void (*wake)(void *ctx), void *ctx);

/* The response; the caller owns it. NULL when memory is out: cut the connection. A stream in it
 * holds on to what it needs: the call may be freed while the response is still being sent. */
struct http_response *api_call_response(struct api_call *call);

/* ---- about the call, for framing, logs and counters; valid after api_call_begin ---- */

enum http_body api_call_body(const struct api_call *call);
uint64_t api_call_body_length(const struct api_call *call); /* of HTTP_BODY_SIZED, else 0 */
const char *
api_call_route(const struct api_call *call); /* template: "/v1/images/{ref}/data", or "-" */
const char *
api_call_id(const struct api_call *call); /* the client's X-Request-Id if valid, else request->id */
const char *
api_call_code(const struct api_call *call); /* error code of the response, NULL for a success */

/* A problem response outside any call: overloaded, shutting down. Closes the connection. NULL: no
 * memory. */
struct http_response *api_refuse(const struct api *api, const struct http_request *request,
				 enum service_code code);

#endif
