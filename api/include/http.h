/* http.h - a request and a response, as api/ sees them: no socket, no library.
 *
 * server/httpd.c makes a `struct http_request` of what arrived and sends the `struct http_response`
 * it is given. Nothing here blocks. A request is borrowed: all it points to must live until the
 * call that uses it is freed.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_UNKNOWN, /* any other word */
};

enum http_method http_method_parse(const char *word); /* case-sensitive, as the RFC says */
const char *http_method_name(enum http_method method);

/* One header line, or one parameter. Neither pointer is NULL; a header without value has "". */
struct http_field {
	const char *name;
	const char *value;
};

/* The head of a request, nothing decoded, nothing merged: a header that came twice is there twice.
 */
struct http_request {
	enum http_method method;
	const char *path;  /* raw, before the first '?'; "" is possible, and so is "*" */
	const char *query; /* raw, after the first '?'; NULL when there is no '?' */
	const struct http_field *headers;
	size_t n_headers;
	const char *id;        /* made by server/ for this request: 1 to 64 of A-Z a-z 0-9 . _ - */
	const char *authority; /* of a target in absolute form, else NULL */
	bool http_1_0;         /* the client speaks HTTP/1.0 or less */
	bool garbled;    /* a line of the head is folded, has a NUL, or does not end in CR LF */
	bool local_only; /* came by a Unix socket: Host names nothing and is not compared */
};

/* Value of the first header of that name (any case), or NULL. */
const char *http_header(const struct http_request *request, const char *name);
/* The same of the next header of that name, from the one of number *at on, which moves behind it.
 */
const char *http_header_next(const struct http_request *request, const char *name, size_t *at);
/* Does Content-Type name that type, whatever its parameters? */
bool http_body_is(const struct http_request *request, const char *type);
/* How many headers have that name (any case). */
size_t http_header_count(const struct http_request *request, const char *name);

/* How the body of a request is framed; found by the gate of api/ (api_call_body), never by
 * guessing. */
enum http_body {
	HTTP_BODY_NONE,    /* neither Content-Length nor Transfer-Encoding, or Content-Length: 0 */
	HTTP_BODY_SIZED,   /* Content-Length, not 0 */
	HTTP_BODY_CHUNKED, /* length unknown */
};

/* Result of reading a stream. */
enum http_read {
	HTTP_READ_OK,     /* the buffer is full */
	HTTP_READ_AGAIN,  /* only with nowait: would block; read again on a worker */
	HTTP_READ_FAILED, /* cut the connection: the length was promised and cannot be kept */
};

/* Octets of known length that are produced while they are sent. `read` fills all of `buf` with the
 * bytes [off, off + len) of the body, which lie inside `length`. One thread at a time, which may
 * change. */
struct http_stream {
	uint64_t length;
	enum http_read (*read)(void *ctx, uint64_t off, void *buf, size_t len, bool nowait);
	void (*free)(void *ctx);
	void *ctx;
};

enum { HTTP_HEADERS_MAX = 24 }; /* of one response */

/* A header of a response, which owns its value. */
struct http_line {
	const char *name; /* lives for ever */
	char *value;
};

/* A response owns its headers and its body. Content-Length, Date and Connection are not in
 * `headers`: server/ adds them. Values never hold CR, LF or other control characters.
 *
 * A response to HEAD is the one GET would have got: server/ sends its headers and length but no
 * body, and never reads the stream. */
struct http_response {
	unsigned status;
	struct http_line headers[HTTP_HEADERS_MAX];
	size_t n_headers;
	char *body; /* heap, or NULL */
	size_t body_length;
	struct http_stream stream; /* when stream.read is set, it is the body and `body` is NULL */
	const char *fixed_body;    /* when set, it is the body: lives for ever, nothing to free */
	bool close;                /* close the connection after this response */
};

/* Answers NULL when memory is out. */
struct http_response *http_response_new(unsigned status);
void http_response_free(struct http_response *response); /* NULL is fine */

/* Appends a header, formatted; the name must live for ever. Control characters of the value become
 * '?'. False: no memory, or no room. */
bool http_response_header(struct http_response *response, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool http_response_vheader(struct http_response *response, const char *name, const char *format,
			   va_list args) __attribute__((format(printf, 3, 0)));
/* The same of a value that is text already. */
bool http_response_add(struct http_response *response, const char *name, const char *value);
/* Value of the first header of that name (any case), or NULL. */
const char *http_response_get(const struct http_response *response, const char *name);

/* Make the body; what was there before is freed. The first takes over `body` (heap), the second the
 * stream. */
void http_response_body(struct http_response *response, char *body, size_t length);
void http_response_stream(struct http_response *response, const struct http_stream *stream);
void http_response_fixed(struct http_response *response, const char *body, size_t length);

/* Length of the body, whatever it is made of. */
uint64_t http_response_length(const struct http_response *response);

#endif
