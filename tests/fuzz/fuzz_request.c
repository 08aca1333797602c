/* fuzz_request.c - a whole request. One byte says how it comes and in what state it finds the
 * daemon ('@' is the plain way), one how many bytes of the body come at once; then its head and,
 * after an empty line, its body. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "fuzz_api.h"

enum { HEADERS = 200 };

enum {
	OLD = 1 << 0,        /* HTTP/1.0 */
	LOCAL = 1 << 1,      /* by a Unix socket */
	BLOCKS = 1 << 2,     /* the daemon never answers at once */
	FAILS = 1 << 3,      /* writes and questions fail */
	LATE_FLUSH = 1 << 4, /* a flush waits, and fails */
	RACE = 1 << 5,       /* somebody is faster */
	GUARDED = 1 << 7,    /* changes need If-Match */
};

/* Cuts `text` after its first line; what follows, or NULL. */
static char *cut_line(char *text)
{
	char *end = strchr(text, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	return end + 1;
}

/* "METHOD TARGET", then "Name: value" lines. What has no colon is garbled, as server/ finds it. */
static void parse_head(char *head, struct http_request *request, struct http_field *headers)
{
	char *rest = cut_line(head), *target = strchr(head, ' '), *query;

	if (target)
		*target++ = '\0';
	request->method = http_method_parse(head);
	request->path = target ? target : "";
	query = target ? strchr(target, '?') : NULL;
	if (query)
		*query++ = '\0';
	request->query = query;
	while (rest && *rest != '\0' && request->n_headers < HEADERS) {
		char *name = rest, *value;

		rest = cut_line(rest);
		value = strstr(name, ": ");
		if (!value) {
			request->garbled = true;
			continue;
		}
		*value = '\0';
		headers[request->n_headers++] = (struct http_field){name, value + 2};
	}
}

static struct service *service_of(uint8_t state)
{
	struct service *service = fuzz_service();

	service->again = state & BLOCKS;
	service->race = state & RACE;
	fuzz_guarded = state & GUARDED;
	service->defer = state & LATE_FLUSH;
	service->flushed = state & LATE_FLUSH ? SERVICE_IO_ERROR : SERVICE_OK;
	if (state & FAILS) {
		service->fail = SERVICE_NO_SPACE;
		service->fail_text = "full";
		service->fail_after = 1;
	}
	return service;
}

static bool changes(const struct http_request *request)
{
	return request->method != HTTP_GET && request->method != HTTP_HEAD &&
	       request->method != HTTP_OPTIONS;
}

static void try_request(const struct http_request *request, const char *body, size_t length,
			uint8_t state, size_t piece)
{
	struct service *service = service_of(state);
	struct http_response *response = fuzz_ask(service, request, body, length, piece);

	if (!changes(request))
		fuzz_require(service->n == 2 && service->writes == 0 && service->flushes == 0,
			     "who only asks changes nothing");
	if (response->status >= 400 && !(state & (FAILS | LATE_FLUSH)))
		fuzz_require(service->n == 2 && !service->images[1].gone,
			     "what is refused is not done");
	http_response_free(response);
	fuzz_service_done(service); /* after the response: its stream holds on to what it reads */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_field headers[HEADERS];
	struct http_request request = {.headers = headers, .id = "fuzz"};
	const char *body;
	char *text, *end;
	size_t length;

	if (size < 2 || size > 64 << 10)
		return 0;
	text = fuzz_text(data + 2, size - 2);
	end = strstr(text, "\n\n");
	body = end ? end + 2 : text + size - 2;
	length = size - 2 - (size_t)(body - text);
	if (end)
		*end = '\0';
	request.http_1_0 = data[0] & OLD;
	request.local_only = data[0] & LOCAL;
	request.garbled = strlen(text) != (size_t)((end ? end : text + size - 2) - text);
	parse_head(text, &request, headers);
	try_request(&request, body, length, data[0], data[1]);
	free(text);
	return 0;
}
