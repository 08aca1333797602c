/* accept.c - reads Accept: the most precise of its ranges that fits decides, and q=0 is a no. */
#include "accept.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "call.h"

/* How precisely the range names the type: 0 not at all, 1 by all, 2 by its first half, 3 whole. */
static unsigned fit(const char *range, size_t len, const char *type)
{
	size_t whole = strcspn(type, ";");
	size_t half = strcspn(type, "/") + 1;

	if (len == 3 && strncmp(range, "*/*", 3) == 0)
		return 1;
	if (len == half + 1 && range[half] == '*' && strncasecmp(range, type, half) == 0)
		return 2;
	return len == whole && strncasecmp(range, type, whole) == 0 ? 3 : 0;
}

/* Is there a parameter q that is nothing but zeroes? */
static bool refused(const char *item, size_t len)
{
	const char *end = item + len;
	const char *at = item;

	while ((at = memchr(at, ';', (size_t)(end - at))) != NULL) {
		at += 1 + strspn(at + 1, " \t");
		if (end - at >= 3 && strncasecmp(at, "q=0", 3) == 0)
			return at + 3 + strspn(at + 3, ".0") >= end ||
			       strchr(" \t;", at[3 + strspn(at + 3, ".0")]) != NULL;
	}
	return false;
}

static bool allows(const char *accept, const char *type)
{
	unsigned best = 0;
	bool allowed = false;

	while (*accept != '\0') {
		size_t len;
		unsigned fits;

		accept += strspn(accept, " \t,");
		len = strcspn(accept, ",");
		fits = fit(accept, strcspn(accept, "; \t,"), type);
		if (fits > best) {
			best = fits;
			allowed = !refused(accept, len);
		}
		accept += len;
	}
	return allowed;
}

bool accept_allows(const char *accept, const char *type)
{
	bool parts = strncasecmp(type, "multipart/byteranges", 20) == 0;

	/* An empty one says nothing. */
	return accept[strspn(accept, " \t,")] == '\0' || allows(accept, type) ||
	       (parts && allows(accept, "application/octet-stream"));
}

/* What probes and people ask for is sent whatever they accept, and so is what a change has become.
 */
void accept_check(struct api_call *call)
{
	const struct http_request *request = call->request;
	const char *accept = http_header(request, "Accept");
	const char *type =
		call->response ? http_response_get(call->response, "Content-Type") : NULL;

	if (!accept || !type || (request->method != HTTP_GET && request->method != HTTP_HEAD) ||
	    strncmp(request->path, "/v1", 3) != 0 || query_get(&call->query, "format") ||
	    accept_allows(accept, type))
		return;
	(void)call_fail(call, CODE_NOT_ACCEPTABLE, "Accept says '%s'; there is %.*s%s", accept,
			(int)strcspn(type, ";"), type,
			routes_listed(call->route->parameters, "format")
				? ", and what ?format= asks for"
				: "");
}
