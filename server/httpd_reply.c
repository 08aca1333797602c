/* httpd_reply.c - makes a response of the library out of one of api/. Short bodies are sent from a
 * buffer; long ones are produced block by block while they are sent, in the polling thread when the
 * bytes are in memory, else by a worker while the connection is suspended. */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "httpd_private.h"

/* A long body. Lives as long as the response of the library, which may be longer than the request.
 */
struct stream {
	struct http_stream source;
	struct httpd *httpd;
	struct httpd_connection *peer;
	struct MHD_Connection *connection;
	struct workers_item item;
	char *block; /* what a worker has read */
	size_t block_length;
	uint64_t block_offset;
	bool failed;
};

static void responsep(struct http_response *const *response)
{
	http_response_free(*response);
}

void httpd_reply_drop(struct httpd_request *request)
{
	if (request->response)
		MHD_destroy_response(request->response);
	http_response_free(request->made);
	request->response = NULL;
	request->made = NULL;
}

/* ---- long bodies ---- */

static void free_stream(void *ctx)
{
	struct stream *stream = ctx;

	if (stream->source.free)
		stream->source.free(stream->source.ctx);
	free(stream->block);
	free(stream);
}

static void fill_block(struct workers_item *item)
{
	struct stream *stream =
		(struct stream *)(void *)((char *)item - offsetof(struct stream, item));

	stream->failed =
		stream->source.read(stream->source.ctx, stream->block_offset, stream->block,
				    stream->block_length, false) != HTTP_READ_OK;
	httpd_resume(stream->peer->loop, stream->connection);
}

/* Lets a worker read what could not be read at once. */
static ssize_t wait_for_block(struct stream *stream, uint64_t offset, size_t length)
{
	if (!stream->block)
		stream->block = malloc(HTTPD_BLOCK);
	if (!stream->block)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	stream->block_offset = offset;
	stream->block_length = length;
	if (!httpd_suspend(stream->peer, stream->connection))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	stream->item.run = fill_block;
	workers_add(stream->httpd->workers, &stream->item);
	return 0;
}

static ssize_t next_bytes(struct stream *stream, uint64_t offset, char *buf, size_t max)
{
	size_t length = max < HTTPD_BLOCK ? max : HTTPD_BLOCK;

	if (stream->failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	httpd_watch_within(stream->peer,
			   stream->httpd->config->body_seconds * (HTTPD_BLOCK / HTTPD_PIECE));
	if (stream->block_length && offset == stream->block_offset) {
		length = stream->block_length < max ? stream->block_length : max;
		memcpy(buf, stream->block, length);
		stream->block_length = 0;
		stream->peer->sent += length;
		return (ssize_t)length;
	}
	switch (stream->source.read(stream->source.ctx, offset, buf, length, true)) {
	case HTTP_READ_OK: stream->peer->sent += length; return (ssize_t)length;
	case HTTP_READ_AGAIN: return wait_for_block(stream, offset, length);
	case HTTP_READ_FAILED: break;
	}
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t read_stream(void *ctx, uint64_t offset, char *buf, size_t max)
{
	struct stream *stream = ctx;
	struct pulse *pulse = &stream->httpd->pulse;
	ssize_t n;

	httpd_watch_moved(stream->peer);
	pulse_begin(pulse);
	n = next_bytes(stream, offset, buf, max);
	pulse_end(pulse);
	return n;
}

static struct MHD_Response *from_stream(struct httpd_request *request, struct http_stream *source)
{
	struct stream *stream = calloc(1, sizeof *stream);
	struct MHD_Response *response;

	if (!stream)
		return NULL;
	stream->httpd = request->httpd;
	stream->peer = request->peer;
	stream->connection = request->connection;
	response = MHD_create_response_from_callback(source->length, HTTPD_BLOCK, read_stream,
						     stream, free_stream);
	if (!response) {
		free(stream);
		return NULL;
	}
	stream->source = *source;
	*source = (struct http_stream){.length = 0}; /* it has moved */
	return response;
}

/* ---- short bodies ---- */

/* Reads a short stream into a body, so that it needs no suspension while it is sent. */
static enum http_read flatten(struct http_response *response, bool nowait)
{
	size_t length = (size_t)response->stream.length;
	CLEANUP(freep) char *body = malloc(length ? length : 1);
	enum http_read result;

	if (!body)
		return HTTP_READ_FAILED;
	result = response->stream.read(response->stream.ctx, 0, body, length, nowait);
	if (result == HTTP_READ_OK)
		http_response_body(response, STEAL(body), length);
	return result;
}

/* The library sends the head together with a buffer, and sees that this was all when it comes by
 * again, unless it has read the request a moment ago; a client of a Unix socket that has its answer
 * and leaves in the meantime would seem to be cut off. A vector is sent after the head, and its end
 * is seen at once. One of a single part would be made a buffer. */
static struct MHD_Response *from_memory(const struct httpd_request *request, char *body,
					size_t length, bool fixed)
{
	if (length > 1 && request->waited && request->head.local_only)
		return MHD_create_response_from_iovec(
			(struct MHD_IoVec[]){{body, 1}, {body + 1, length - 1}}, 2,
			fixed ? NULL : free, body);
	return MHD_create_response_from_buffer(
		length, body, fixed ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
}

static struct MHD_Response *from_body(const struct httpd_request *request,
				      struct http_response *from)
{
	struct MHD_Response *response;
	char *fixed;

	if (from->fixed_body) {
		memcpy(&fixed, &from->fixed_body, sizeof fixed);
		return from_memory(request, fixed, from->body_length, true);
	}
	if (!from->body)
		return from_memory(request, NULL, 0, true);
	response = from_memory(request, from->body, from->body_length, false);
	if (response)
		from->body = NULL;
	return response;
}

static bool add_headers(const struct httpd_request *request, struct MHD_Response *to,
			const struct http_response *from)
{
	bool close = from->close || atomic_load(&request->httpd->stopping);

	for (size_t i = 0; i < from->n_headers; i++) {
		/* The library refuses empty values, which say nothing anyway. */
		if (*from->headers[i].value &&
		    MHD_add_response_header(to, from->headers[i].name, from->headers[i].value) !=
			    MHD_YES)
			return false;
	}
	return !close || MHD_add_response_header(to, "Connection", "close") == MHD_YES;
}

static void convert(struct httpd_request *request, struct http_response *from)
{
	struct MHD_Response *response;

	if (from && from->stream.read)
		response = from_stream(request, &from->stream);
	else
		response = from ? from_body(request, from) : NULL;
	if (response && !add_headers(request, response, from)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	request->response = response;
	request->status = from ? from->status : 0;
	request->peer->sent = from && request->head.method != HTTP_HEAD ? from->body_length : 0;
	request->cut = response == NULL;
}

void httpd_reply_refuse(struct httpd_request *request, enum service_code code)
{
	CLEANUP(responsep)
	struct http_response *response = api_refuse(request->httpd->api, &request->head, code);

	convert(request, response);
}

bool httpd_reply_make(struct httpd_request *request, bool nowait)
{
	struct http_response *response = request->made;
	enum http_read result = HTTP_READ_OK;

	if (!response)
		response = api_call_response(request->call);
	request->made = NULL;
	if (response && response->stream.read && request->head.method != HTTP_HEAD &&
	    response->stream.length <= HTTPD_BLOCK)
		result = flatten(response, nowait);
	if (result == HTTP_READ_AGAIN) {
		request->made = response;
		return false;
	}
	if (result == HTTP_READ_FAILED)
		httpd_reply_refuse(request, SERVICE_IO_ERROR);
	else
		convert(request, response);
	http_response_free(response);
	return true;
}
