/* http.c - reads requests and makes responses. */
#include "http.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const methods[] = {
	[HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
	[HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
	[HTTP_OPTIONS] = "OPTIONS", [HTTP_UNKNOWN] = "?",
};

enum http_method http_method_parse(const char *word)
{
	for (int i = 0; i < HTTP_UNKNOWN; i++) {
		if (strcmp(word, methods[i]) == 0)
			return (enum http_method)i;
	}
	return HTTP_UNKNOWN;
}

const char *http_method_name(enum http_method method)
{
	return methods[method];
}

/* In any case. Nearly all differ in the first letter. */
static bool same_name(const char *a, const char *b)
{
	return ((*a ^ *b) & ~0x20) == 0 && strcasecmp(a, b) == 0;
}

const char *http_header_next(const struct http_request *request, const char *name, size_t *at)
{
	while (*at < request->n_headers) {
		const struct http_field *header = &request->headers[(*at)++];

		if (same_name(header->name, name))
			return header->value;
	}
	return NULL;
}

const char *http_header(const struct http_request *request, const char *name)
{
	size_t at = 0;

	return http_header_next(request, name, &at);
}

bool http_body_is(const struct http_request *request, const char *type)
{
	const char *value = http_header(request, "Content-Type");
	size_t len = value ? strcspn(value, "; \t") : 0;

	return value && len == strlen(type) && strncasecmp(value, type, len) == 0;
}

size_t http_header_count(const struct http_request *request, const char *name)
{
	size_t at = 0;
	size_t n = 0;

	while (http_header_next(request, name, &at))
		n++;
	return n;
}

struct http_response *http_response_new(unsigned status)
{
	struct http_response *response = calloc(1, sizeof *response);

	if (response)
		response->status = status;
	return response;
}

static void drop_body(struct http_response *response)
{
	if (response->stream.free)
		response->stream.free(response->stream.ctx);
	memset(&response->stream, 0, sizeof response->stream);
	free(response->body);
	response->body = NULL;
	response->fixed_body = NULL;
	response->body_length = 0;
}

void http_response_free(struct http_response *response)
{
	if (!response)
		return;
	drop_body(response);
	for (size_t i = 0; i < response->n_headers; i++)
		free(response->headers[i].value);
	free(response);
}

/* Takes over the value. */
static bool add_header(struct http_response *response, const char *name, char *value)
{
	if (!value || response->n_headers == HTTP_HEADERS_MAX) {
		free(value);
		return false;
	}
	for (char *c = value; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	response->headers[response->n_headers++] = (struct http_line){.name = name, .value = value};
	return true;
}

bool http_response_vheader(struct http_response *response, const char *name, const char *format,
			   va_list args)
{
	char *value = NULL;

	return vasprintf(&value, format, args) >= 0 && add_header(response, name, value);
}

bool http_response_header(struct http_response *response, const char *name, const char *format, ...)
{
	va_list args;
	bool ok;

	va_start(args, format);
	ok = http_response_vheader(response, name, format, args);
	va_end(args);
	return ok;
}

bool http_response_add(struct http_response *response, const char *name, const char *value)
{
	return add_header(response, name, strdup(value));
}

const char *http_response_get(const struct http_response *response, const char *name)
{
	for (size_t i = 0; i < response->n_headers; i++) {
		if (same_name(response->headers[i].name, name))
			return response->headers[i].value;
	}
	return NULL;
}

void http_response_body(struct http_response *response, char *body, size_t length)
{
	drop_body(response);
	response->body = body;
	response->body_length = length;
}

void http_response_stream(struct http_response *response, const struct http_stream *stream)
{
	drop_body(response);
	response->stream = *stream;
}

void http_response_fixed(struct http_response *response, const char *body, size_t length)
{
	drop_body(response);
	response->fixed_body = body;
	response->body_length = length;
}

uint64_t http_response_length(const struct http_response *response)
{
	return response->stream.read ? response->stream.length : response->body_length;
}
