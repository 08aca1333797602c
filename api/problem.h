/* problem.h - what went wrong with a request, and the RFC 9457 body that says so. */
#ifndef PROBLEM_H
#define PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codes.h"
#include "http.h"
#include "service.h"

enum { PROBLEM_DETAIL = 640, PROBLEM_ITEMS = 16 };

struct problem {
	enum code code; /* CODE_NONE: nothing yet */
	char detail[PROBLEM_DETAIL];
	struct problem_item { /* one field or parameter each; the first one decides `code` and
				 `detail` */
		enum code code;
		bool parameter; /* of the query; else a field of the body */
		char where[80]; /* "limit", or a JSON pointer */
		char detail[200];
		char value[80]; /* what the request says there, cut; "": nothing */
	} items[PROBLEM_ITEMS];
	size_t n_items;
	struct service_error service; /* when the daemon said so: image, children, size */
	const char *advice;           /* instead of what the code says; static, or NULL */
	char known[PROBLEM_DETAIL];   /* of unknown-field, unknown-parameter: what there is */
	char allow[64];               /* of method-not-allowed */
	const char *accept_patch;     /* of unsupported-media-type and OPTIONS; static, or NULL */
	char content_range[64];       /* of 416: where the disk ends */
	char etag[80];                /* of precondition-failed: the ETag now */
	bool has_completed;           /* of PATCH: so many operations were done before this */
	size_t completed;
	bool has_written; /* of an upload: so many bytes may have been written nevertheless */
	uint64_t written_offset, written_length;
	bool close; /* the connection cannot go on */
};

/* Sets what went wrong; the first problem stays. */
void problem_set(struct problem *problem, enum code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds one field (a JSON pointer) or one parameter that is wrong. */
void problem_field(struct problem *problem, const char *pointer, enum code code, const char *format,
		   ...) __attribute__((format(printf, 4, 5)));
void problem_parameter(struct problem *problem, const char *name, enum code code,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Adds to `known`. */
void problem_known(struct problem *problem, const char *name, size_t len);
/* What the daemon answered; err is copied. */
void problem_service(struct problem *problem, enum service_code code,
		     const struct service_error *err);

/* Is text preferred to JSON? Who takes neither gets JSON. */
bool problem_wants_text(const struct http_request *request);

/* NULL: no memory. */
struct http_response *problem_response(const struct problem *problem, const char *request_id,
				       bool text);

#endif
