/* gate.h - what a request must be before anything looks at what it asks: framed without doubt, for
 * this host, at a plain path, and not sent by a foreign page. Pure. */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "api.h"
#include "http.h"
#include "problem.h"

struct gate {
	enum http_body body;
	uint64_t length; /* of HTTP_BODY_SIZED */
	bool has_length; /* Content-Length was there, perhaps 0 */
};

/* How the body is framed. False: problem set, with `close`. */
bool gate_framing(const struct http_request *request, const struct api_limits *limits,
		  struct gate *ret_gate, struct problem *problem);
/* Is it meant for this daemon? `hosts` ends with NULL, or is NULL. */
bool gate_host(const struct http_request *request, const char *const *hosts,
	       struct problem *problem);
/* Is the name in the list, in any case? NULL is an empty one. */
bool gate_listed(const char *name, const char *const *list);
bool gate_path(const struct http_request *request, struct problem *problem);
/* Only for methods that change something. */
bool gate_origin(const struct http_request *request, const char *const *origins,
		 struct problem *problem);

/* A name as images have it; not one that looks like a UUID. */
bool gate_name(const char *name);

#endif
