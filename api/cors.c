/* cors.c - answers for pages of the origins that the configuration allows; all others get no word
 * of it, and browsers keep the answer from them. */
#include "cors.h"

#include <string.h>

/* Of the headers of an answer, those that a script may look at besides the usual ones. */
static const char exposed[] =
	"ETag, Location, Link, Content-Range, Content-Disposition, Accept-Ranges, Allow, "
	"Retry-After, X-Error-Code, X-Request-Id, X-Virtual-Size, X-Consistency, X-Sector-Present, "
	"X-Write-Epoch, X-Durable-Epoch, X-Write-Verifier";

/* The origin of the request when it is an allowed one, else NULL. */
static const char *allowed(const struct api *api, const struct http_request *request)
{
	const char *origin = http_header(request, "Origin");

	return origin && gate_listed(origin, api->origins) ? origin : NULL;
}

static void refuse(struct api_call *call, size_t len)
{
	call->problem.advice = "Ask for fewer headers.";
	(void)call_fail(call, CODE_HEADERS_TOO_LARGE,
			"Access-Control-Request-Headers has %zu bytes, more than %d", len,
			CALL_REPEAT_MAX);
}

bool cors_preflight(struct api_call *call)
{
	const struct http_request *request = call->request;
	const char *method = http_header(request, "Access-Control-Request-Method");
	const char *headers = http_header(request, "Access-Control-Request-Headers");

	if (request->method != HTTP_OPTIONS || !allowed(call->api, request) || !method ||
	    http_method_parse(method) == HTTP_UNKNOWN)
		return false;
	if (headers && strlen(headers) > CALL_REPEAT_MAX) {
		refuse(call, strlen(headers));
		return true;
	}
	(void)call_empty(call, 204);
	call_header(call, "Access-Control-Allow-Methods", "%s", method);
	if (headers)
		call_header(call, "Access-Control-Allow-Headers", "%s", headers);
	if (http_header(request, "Access-Control-Request-Private-Network"))
		call_header(call, "Access-Control-Allow-Private-Network", "true");
	call_header(call, "Access-Control-Max-Age", "600");
	return true;
}

bool cors_headers(const struct api *api, const struct http_request *request,
		  struct http_response *response)
{
	const char *origin = allowed(api, request);

	if (!api->origins || !*api->origins)
		return true;
	return http_response_header(response, "Vary", "Origin") &&
	       (!origin ||
		(http_response_header(response, "Access-Control-Allow-Origin", "%s", origin) &&
		 http_response_header(response, "Access-Control-Expose-Headers", "%s", exposed)));
}
