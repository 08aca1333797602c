/* call.h - one request under way, and what handlers answer with. The states are in api.h. */
#ifndef CALL_H
#define CALL_H

#include <jansson.h>

#include "api.h"
#include "buf.h"
#include "checksum.h"
#include "gate.h"
#include "problem.h"
#include "put.h"
#include "query.h"
#include "range.h"
#include "routes.h"

/* What the head of an answer repeats of the request is limited: the memory of a connection has to
 * hold both heads. */
enum { CALL_ID = 65, CALL_KEEP_MAX = 64 << 10, CALL_REPEAT_MAX = 4 << 10 };

/* An upload under way. */
struct call_write {
	uint64_t offset;
	uint64_t length;  /* SERVICE_UNKNOWN_LENGTH: not said */
	uint64_t written; /* bytes so far */
	uint64_t stored;  /* of them, those that are part of the content for sure */
	uint64_t number;  /* in the journal of uploads; 0: not there */
	uint64_t
		declared; /* by Content-Range of a chunked body; SERVICE_UNKNOWN_LENGTH: not said */
	bool flush;
	bool detect_zeroes;
	bool collect;            /* the body is small, and is looked at before it is written */
	bool compare;            /* If-Match: written only if the ETag is still */
	char etag[SERVICE_ETAG]; /* this one */
};

/* A body that is a small head and octets. */
struct call_octets {
	size_t at; /* in what was collected; 0: there are none */
	struct content_range range;
};

struct api_call {
	const struct api *api;
	const struct http_request *request;
	const struct route *route; /* NULL until found */
	struct gate gate;
	struct query query;
	char id[CALL_ID];
	char ref[SERVICE_NAME]; /* {ref} of the path */
	char arg[SERVICE_NAME]; /* what follows it: {sector}, {code} */
	bool nowait;            /* this run is on a polling thread */
	bool consumed;          /* the body has been read to its end */

	struct buf collected;
	json_t *body; /* what was collected; an object */
	struct call_octets octets;
	struct service_data *data;
	struct call_write write;
	struct checksum checksum;
	json_t *results; /* of PATCH */
	size_t completed;

	struct problem problem;   /* with a code, it is the answer */
	struct service_error err; /* for calls of the daemon */
	struct http_response *response;

	void (*wake)(void *ctx); /* who waits for the flush */
	void *wake_ctx;
	enum service_code flushed; /* its outcome */
	route_fn *finish;          /* answers after the flush */
};

/* These are what handlers return. */
enum api_step call_fail(struct api_call *call, enum code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The image was made or changed: when the answer finds no memory, that is what it says. */
void call_done(struct api_call *call, const struct service_image *image);
enum api_step call_no_memory(struct api_call *call);
/* The daemon answered `code`, and call->err says why. Asks for a worker when it would have blocked.
 */
enum api_step call_refused(struct api_call *call, enum service_code code);
/* Steals `body`; NULL is taken for lack of memory. */
enum api_step call_json(struct api_call *call, unsigned status, json_t *body);
/* Takes what is in `put`, written as text. */
enum api_step call_put(struct api_call *call, unsigned status, struct put *put);
/* Takes what is in `buf`. */
enum api_step call_text(struct api_call *call, unsigned status, const char *type, struct buf *buf);
enum api_step call_empty(struct api_call *call, unsigned status);
/* Waits until what was written through call->data is durable, then goes on with `finish`. */
enum api_step call_flush(struct api_call *call, route_fn *finish);

/* The body has come to its end, and `n` bytes of it were written at `offset` already. False: its
 * digests are not those that the request says, and the problem is set. */
bool call_checksum(struct api_call *call, uint64_t offset, uint64_t n);

/* Adds a header to the response; does nothing after a failure. */
void call_header(struct api_call *call, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Links to the next page: the same request with `next`, "name=value", in place of the parameters
 * whose names are in `dropped`, with a blank between. */
void call_next(struct api_call *call, const char *dropped, const char *next);

/* Of this daemon. */
const struct api_limits *call_limits(const struct api_call *call);
/* Answers 413: the body that is collected, or would be. */
enum api_step call_too_large(struct api_call *call);

/* Evaluates If-Match and If-None-Match against an ETag (without quotes). False: answered, with 304
 * or 412. */
bool call_etag(struct api_call *call, const char *etag);
/* The same for a weak ETag, which no If-Match but "*" names. */
bool call_etag_weak(struct api_call *call, const char *etag);
/* The same for a strong one, in whose place If-Match may name another. */
bool call_etag_either(struct api_call *call, const char *etag, const char *other);
/* Must the request name an ETag, and has not? */
bool call_unguarded(const struct api_call *call);
/* Does the request have an If-Match that names ETags? */
bool call_compares(const struct api_call *call);

#endif
