/* query.h - "a=1&b=2", of a URL or of a form body, decoded once; and typed looks at it. */
#ifndef QUERY_H
#define QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http.h"
#include "problem.h"

enum { QUERY_MAX = 80 }; /* pairs: a form has up to 64 labels */

struct query {
	struct http_field items[QUERY_MAX];
	size_t n;
	char *text; /* heap; the items point into it */
	bool form;  /* of a body: what is wrong is a field */
};

/* The value, by its address, of a parameter of a URL that came without '='. */
extern const char query_bare[];

/* `raw` NULL is empty. False: problem set (a bad escape, a NUL, a field without '=', a name that
 * comes twice, but for "label"). */
bool query_parse(struct query *query, const char *raw, size_t len, struct problem *problem);
void query_fini(struct query *query);

const char *query_get(const struct query *query, const char *name); /* NULL: not there */

/* Leave *value alone when the parameter is not there; a value that is not one adds to the problem.
 */
void query_size(const struct query *query, const char *name, uint64_t *value,
		struct problem *problem);
void query_bool(const struct query *query, const char *name, bool *value, struct problem *problem);
void query_limit(const struct query *query, const char *name, uint64_t max, uint64_t *value,
		 struct problem *problem); /* 1 to max */

#endif
