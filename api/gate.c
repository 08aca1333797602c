/* gate.c - refuses what is ambiguous before anything looks at what is asked. */
#include "gate.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "chars.h"
#include "number.h"

static bool refuse(struct problem *problem, enum code code, const char *detail)
{
	problem_set(problem, code, "%s", detail);
	problem->close = true;
	return false;
}

/* Is there a control character? A tab is none here. */
static bool has_control(const char *value)
{
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

static bool size_ok(const struct http_request *request, const struct api_limits *limits,
		    struct problem *problem)
{
	size_t target = strlen(request->path) + (request->query ? strlen(request->query) : 0);
	size_t headers = 0;

	if (target > limits->head) {
		problem_set(problem, CODE_TARGET_TOO_LONG,
			    "the URL has %zu bytes, more than %" PRIu64, target, limits->head);
		problem->close = true;
		return false;
	}
	for (size_t i = 0; i < request->n_headers; i++)
		headers += strlen(request->headers[i].name) + strlen(request->headers[i].value);
	if (headers <= limits->head && request->n_headers <= limits->headers)
		return true;
	problem_set(problem, CODE_HEADERS_TOO_LARGE,
		    "%zu headers of %zu bytes; there may be %" PRIu64 " of %" PRIu64,
		    request->n_headers, headers, limits->headers, limits->head);
	problem->close = true;
	return false;
}

/* A line with one blank more can be parted in two ways. */
static bool target_ok(const struct http_request *request, struct problem *problem)
{
	const char *parts[] = {request->path, request->query ? request->query : ""};

	for (size_t i = 0; i < 2; i++) {
		if (strchr(parts[i], ' ') || strchr(parts[i], '\t') || has_control(parts[i]))
			return refuse(problem, CODE_BAD_FRAMING,
				      "the target has a blank or a control character");
	}
	return true;
}

static bool header_lines(const struct http_request *request, struct problem *problem)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		const char *name = request->headers[i].name;

		if (*name == '\0' || !chars_only(name, CHARS_TOKEN))
			return refuse(problem, CODE_BAD_FRAMING,
				      "a header name has a character that it must not have");
		if (has_control(request->headers[i].value))
			return refuse(problem, CODE_BAD_FRAMING,
				      "a header value has a control character");
	}
	return true;
}

static bool host_count(const struct http_request *request, struct problem *problem)
{
	size_t n = http_header_count(request, "Host");

	if (n > 1)
		return refuse(problem, CODE_BAD_FRAMING, "more than one Host header");
	if (n == 0 && !request->http_1_0)
		return refuse(problem, CODE_BAD_FRAMING, "no Host header");
	if (n == 1 && request->authority &&
	    strcasecmp(request->authority, http_header(request, "Host")) != 0)
		return refuse(problem, CODE_BAD_FRAMING, "the target and Host name two hosts");
	return true;
}

static bool chunked(const struct http_request *request, struct gate *gate, struct problem *problem)
{
	if (http_header_count(request, "Transfer-Encoding") > 1)
		return refuse(problem, CODE_BAD_FRAMING, "more than one Transfer-Encoding header");
	if (request->http_1_0)
		return refuse(problem, CODE_BAD_FRAMING, "Transfer-Encoding in HTTP/1.0");
	if (strcasecmp(http_header(request, "Transfer-Encoding"), "chunked") != 0)
		return refuse(problem, CODE_NOT_SUPPORTED, "Transfer-Encoding other than chunked");
	gate->body = HTTP_BODY_CHUNKED;
	return true;
}

bool gate_framing(const struct http_request *request, const struct api_limits *limits,
		  struct gate *ret_gate, struct problem *problem)
{
	struct gate gate = {.body = HTTP_BODY_NONE};
	const char *length = http_header(request, "Content-Length");
	const char *coding = http_header(request, "Transfer-Encoding");

	if (request->garbled)
		return refuse(problem, CODE_BAD_FRAMING,
			      "a line of the head is folded, has a NUL, or does not end in CR LF");
	if (!size_ok(request, limits, problem) || !target_ok(request, problem) ||
	    !header_lines(request, problem) || !host_count(request, problem))
		return false;
	if (length && coding)
		return refuse(problem, CODE_BAD_FRAMING,
			      "both Content-Length and Transfer-Encoding");
	if (http_header_count(request, "Content-Length") > 1)
		return refuse(problem, CODE_BAD_FRAMING, "more than one Content-Length header");
	if (length && !number_u64(length, strlen(length), &gate.length))
		return refuse(problem, CODE_BAD_FRAMING, "Content-Length is not a number");
	gate.has_length = length != NULL;
	if (gate.length > 0)
		gate.body = HTTP_BODY_SIZED;
	if (coding && !chunked(request, &gate, problem))
		return false;
	*ret_gate = gate;
	return true;
}

/* Host without its port and without the brackets of an IPv6 address. */
static bool host_name(const char *host, char *name, size_t size)
{
	const char *end = *host == '[' ? strchr(host, ']') : strchr(host, ':');
	size_t len = end ? (size_t)(end - host) : strlen(host);
	size_t skip = *host == '[';

	if (len < skip || len - skip >= size || (*host == '[' && !end))
		return false;
	memcpy(name, host + skip, len - skip);
	name[len - skip] = '\0';
	return true;
}

bool gate_listed(const char *name, const char *const *list)
{
	for (; list && *list; list++) {
		if (strcasecmp(name, *list) == 0)
			return true;
	}
	return false;
}

bool gate_host(const struct http_request *request, const char *const *hosts,
	       struct problem *problem)
{
	const char *host = http_header(request, "Host");
	unsigned char address[sizeof(struct in6_addr)];
	char name[256];

	if (request->local_only || !host)
		return true;
	if (host_name(host, name, sizeof name) &&
	    (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1 ||
	     strcasecmp(name, "localhost") == 0 || gate_listed(name, hosts)))
		return true;
	problem_set(problem, CODE_HOST_NOT_ALLOWED, "Host '%s' is not served", host);
	return false;
}

/* One segment of a path: not empty, not a dot or two. */
static bool segment_ok(const char *segment, size_t len)
{
	return len > 0 && !(segment[0] == '.' && (len == 1 || (len == 2 && segment[1] == '.')));
}

bool gate_path(const struct http_request *request, struct problem *problem)
{
	const char *at = request->path;

	for (const char *c = at; *c != '\0'; c++) {
		if (*c == '%' || (unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f) {
			problem_set(problem, CODE_INVALID_PATH,
				    "the path has an escape or a character "
				    "that no id or name has");
			return false;
		}
	}
	while (*at == '/' && at[1] != '\0') {
		size_t len = strcspn(at + 1, "/");

		if (!segment_ok(at + 1, len)) {
			problem_set(problem, CODE_INVALID_PATH,
				    "'%s' has an empty, '.' or '..' segment", request->path);
			return false;
		}
		at += 1 + len;
	}
	if (strcmp(at, "/") == 0 || (*at == '\0' && at != request->path))
		return true;
	problem_set(problem, CODE_INVALID_PATH, "'%s' does not begin with '/'", request->path);
	return false;
}

/* Is it the origin of the daemon itself: a scheme, then what Host says? */
static bool own_origin(const struct http_request *request, const char *origin)
{
	const char *host = http_header(request, "Host");
	const char *rest = strstr(origin, "://");

	return host && rest && strcasecmp(rest + 3, host) == 0;
}

bool gate_origin(const struct http_request *request, const char *const *origins,
		 struct problem *problem)
{
	const char *origin = http_header(request, "Origin");
	const char *site = http_header(request, "Sec-Fetch-Site");

	if (origin && gate_listed(origin, origins))
		return true;
	if (site && (strcasecmp(site, "cross-site") == 0 || strcasecmp(site, "same-site") == 0)) {
		problem_set(problem, CODE_CROSS_ORIGIN, "Sec-Fetch-Site is '%s'", site);
		return false;
	}
	if (origin && !own_origin(request, origin)) {
		problem_set(problem, CODE_CROSS_ORIGIN, "Origin is '%s'", origin);
		return false;
	}
	return true;
}

bool gate_name(const char *name)
{
	size_t len = strlen(name);
	char uuid[37];

	return len > 0 && len < SERVICE_NAME && chars_only(name, CHARS_NAME) && name[0] != '.' &&
	       name[0] != '_' && name[0] != '-' && !number_uuid(name, uuid);
}
