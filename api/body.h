/* body.h - a small request body as a JSON object, whether it was JSON or a form. */
#ifndef BODY_H
#define BODY_H

#include <jansson.h>
#include <stdbool.h>

#include "problem.h"

/* What JSON takes for a blank (RFC 8259 section 2). */
static inline bool body_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* By the first byte that is not blank: '{' or '[' is JSON, all else a form ("a.b=c" is
 * {"a":{"b":"c"}}). An empty body is {}. JSON has at most `depth` levels. The caller decrefs. NULL:
 * problem set. */
json_t *body_parse(const char *data, size_t len, unsigned depth, struct problem *problem);
/* Lines of JSON objects, which become the array {"name": [...]}; it is left to the caller to refuse
 * more than `max`, where this stops. */
json_t *body_parse_lines(const char *data, size_t len, unsigned depth, const char *name, size_t max,
			 struct problem *problem);

#endif
