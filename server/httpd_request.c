/* httpd_request.c - a request from its first line to its end, and its suspensions. */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "httpd_private.h"

/* Absolute form ("GET http://host/path") is what proxies get. The authority moves one to the left,
 * so that there is room for its end. */
static char *split_authority(struct httpd_request *request)
{
	char *uri = request->uri, *colon = strstr(uri, "://");
	size_t length;

	if (*uri == '/' || !colon)
		return uri;
	length = strcspn(colon + 3, "/?");
	memmove(colon + 2, colon + 3, length);
	colon[2 + length] = '\0';
	request->head.authority = colon + 2;
	return colon + 3 + length;
}

static void split_uri(struct httpd_request *request)
{
	char *path = split_authority(request);
	char *mark = strchr(path, '?');

	request->head.path = path;
	if (mark) {
		*mark = '\0';
		request->head.query = mark + 1;
	}
	if (*path == '\0' && request->head.authority)
		request->head.path = "/"; /* RFC 9110 section 4.2.3 */
}

/* The prefix, and the number as 8 hexadecimal digits, or 16 once they do not suffice. */
static void name_request(struct httpd_request *request, unsigned long long number)
{
	size_t len = sizeof request->httpd->id_prefix - 1;

	memcpy(request->id, request->httpd->id_prefix, len);
	for (int shift = number >> 32 ? 60 : 28; shift >= 0; shift -= 4)
		request->id[len++] = "0123456789abcdef"[number >> shift & 0xf];
}

const char *httpd_request_name(const struct httpd_request *request)
{
	return request->call ? api_call_id(request->call) : request->id;
}

struct httpd_request *httpd_request_new(struct httpd *httpd, struct httpd_connection *peer,
					struct MHD_Connection *connection, const char *uri)
{
	struct httpd_request *request = calloc(1, sizeof *request);

	if (!request)
		return NULL;
	request->uri = strdup(uri);
	if (!request->uri) {
		free(request);
		return NULL;
	}
	request->httpd = httpd;
	request->peer = peer;
	peer->sent = 0;
	request->connection = connection;
	request->started_ms = clock_monotonic_ms();
	name_request(request, atomic_fetch_add(&httpd->n_requests, 1));
	request->head.id = request->id;
	split_uri(request);
	(void)atomic_fetch_add(&httpd->in_flight, 1);
	return request;
}

void httpd_request_free(struct httpd_request *request)
{
	struct httpd *httpd = request->httpd;

	httpd_reply_drop(request);
	api_call_free(request->call);
	httpd_upload_free(request->upload);
	free(request->headers);
	free(request->uri);
	free(request);
	(void)atomic_fetch_sub(&httpd->in_flight, 1);
}

bool httpd_suspend(struct httpd_connection *peer, struct MHD_Connection *connection)
{
	struct httpd *httpd = peer->httpd;

	/* Counted first: whoever sees `cutting` set and nobody suspended may stop the library. */
	(void)atomic_fetch_add(&httpd->suspended, 1);
	if (atomic_load(&httpd->cutting)) {
		(void)atomic_fetch_sub(&httpd->suspended, 1);
		return false;
	}
	httpd_watch_pause(peer);
	MHD_suspend_connection(connection);
	return true;
}

void httpd_resume(struct httpd_loop *loop, struct MHD_Connection *connection)
{
	MHD_resume_connection(connection);
	httpd_loop_wake(loop);
	(void)atomic_fetch_sub(&loop->httpd->suspended, 1);
}

bool httpd_request_suspend(struct httpd_request *request)
{
	request->waited = true;
	return httpd_suspend(request->peer, request->connection);
}

void httpd_request_resume(struct httpd_request *request)
{
	httpd_watch_within(request->peer, request->httpd->config->body_seconds);
	httpd_resume(request->peer->loop, request->connection);
}
