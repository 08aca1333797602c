/* etag.c - If-Match and If-None-Match, on every method (RFC 9110 section 13). */
#include "call.h"

#include <stdio.h>
#include <string.h>

#include "range.h"

bool call_unguarded(const struct api_call *call)
{
	return call->api->require_if_match && call->route->guarded &&
	       !http_header(call->request, "If-Match") &&
	       !http_header(call->request, "If-None-Match");
}

/* What is there is refused; asking again with the ETag that it has now would be refused, too. */
static const char *advice_of_none(const char *none)
{
	if (strcmp(none, "*") == 0)
		return "It exists already, and If-None-Match: * is for what must not: leave the "
		       "condition out, or name its ETag in If-Match.";
	return "It is still what If-None-Match names: leave the condition out, or name its ETag in "
	       "If-Match.";
}

/* `mark` is "W/" for a weak one. If-Match may also name `other`. */
static bool check_etag(struct api_call *call, const char *mark, const char *etag, const char *other)
{
	const char *match = http_header(call->request, "If-Match");
	const char *none = http_header(call->request, "If-None-Match");
	bool safe = call->request->method == HTTP_GET || call->request->method == HTTP_HEAD;
	char now[sizeof call->problem.etag];

	(void)snprintf(now, sizeof now, "%s\"%s\"", mark, etag);
	if (call_unguarded(call)) {
		(void)call_fail(call, CODE_PRECONDITION_REQUIRED,
				"%s needs If-Match here; the ETag is now %s",
				http_method_name(call->request->method), now);
	} else if (match && !range_etag_match(match, *mark ? "" : etag, true) &&
		   !range_etag_match(match, other, true)) {
		(void)call_fail(call, CODE_PRECONDITION_FAILED,
				"If-Match names %s, but the ETag is now %s", match, now);
	} else if (!none || !range_etag_match(none, etag, false)) {
		return true;
	} else if (safe) {
		(void)call_empty(call, 304);
		call_header(call, "ETag", "%s", now);
		return false;
	} else {
		call->problem.advice = advice_of_none(none);
		(void)call_fail(call, CODE_PRECONDITION_FAILED,
				"If-None-Match names %s, and the ETag is %s", none, now);
	}
	memcpy(call->problem.etag, now, sizeof now);
	return false;
}

bool call_etag(struct api_call *call, const char *etag)
{
	return check_etag(call, "", etag, etag);
}

bool call_etag_weak(struct api_call *call, const char *etag)
{
	return check_etag(call, "W/", etag, "");
}

bool call_etag_either(struct api_call *call, const char *etag, const char *other)
{
	return check_etag(call, "", etag, other);
}

bool call_compares(const struct api_call *call)
{
	const char *match = http_header(call->request, "If-Match");

	return match && strcmp(match, "*") != 0;
}
