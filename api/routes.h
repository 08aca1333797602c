/* routes.h - every resource of the API is a row. */
#ifndef ROUTES_H
#define ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "api.h"
#include "http.h"

typedef enum api_step route_fn(struct api_call *call);

enum route_kind {
	ROUTE_PURE, /* answers at once: it asks the daemon nothing that can block */
	ROUTE_TRY,  /* may be tried on a polling thread */
	ROUTE_WORK, /* always on a worker */
};
enum route_body { ROUTE_NO_BODY, ROUTE_COLLECT, ROUTE_UPLOAD };

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): a row reads like a request */
struct route {
	enum http_method method;
	const char *path; /* template; {ref} and one more {x} are captured */
	route_fn *handle;
	enum route_kind kind;
	enum route_body body;
	const char *parameters; /* of the query, with a blank between */
	const char *flags;      /* those of them that are y or n */
	const char *later;      /* those of later stages: 501, not 400 */
	/* Looks at parameters and headers before anything else; false: it has set the problem. May
	 * be NULL. */
	bool (*prepare)(struct api_call *call);
	/* ROUTE_COLLECT: makes call->body of what was collected; false: it has set the problem.
	 * NULL: JSON or a form. */
	bool (*parse)(struct api_call *call);
	/* ROUTE_UPLOAD: one piece, and the end. */
	bool (*piece)(struct api_call *call, const void *data, size_t len);
	route_fn *end;
	const char *patches; /* what OPTIONS says of a PATCH; may be NULL */
	const char *instead; /* ROUTE_NO_BODY: what to do with a body; may be NULL */
	bool makes;          /* {ref} names what is made */
	bool tagged;         /* has an ETag, and looks at If-Match and If-None-Match itself */
	bool guarded;        /* must name one of them where the configuration says so */
	bool epochs;         /* of content: all answers say how durable it is */
};

const struct route *routes_all(size_t *ret_n);

/* The row for a method (HEAD is GET) and raw path, with call->ref and call->arg; NULL: problem set,
 * or, for OPTIONS of a path that exists, `ret_allow` filled and no problem. */
const struct route *routes_find(struct api_call *call, char ret_allow[64]);

/* Is `name` among the words of `list`, which have a blank between them? NULL is an empty list. */
bool routes_listed(const char *list, const char *name);

#endif
