/* httpd_serve.c - what the library calls: connections and requests, pieces of bodies, and their
 * ends. */
#include "httpd_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

enum {
	/* The longest head, what the library notes of its 128 fields and the head of an answer fit.
	 * The library zeroes all of it after each request; half is what a piece of an upload can
	 * have. */
	CONNECTION_MEMORY = 48 << 10,
};

/* ---- connections ---- */

static void end_request(struct httpd_request *request, bool cut)
{
	request->peer->request = NULL;
	httpd_access_log(request, cut);
	if (request->upload && !httpd_upload_abandon(request))
		return;
	httpd_watch_within(request->peer, HTTPD_IDLE_SECONDS);
	httpd_request_free(request);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	const struct httpd_share *share = ctx;
	struct httpd *httpd = share->loop->httpd;
	struct httpd_connection *peer = *socket_context;
	const union MHD_ConnectionInfo *info;
	unsigned others;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		others = atomic_fetch_add(&httpd->n_connections, 1);
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		peer = info ? calloc(1, sizeof *peer) : NULL;
		*socket_context = peer;
		if (!peer)
			return; /* its requests are cut */
		peer->httpd = httpd;
		peer->loop = share->loop;
		peer->fd = info->connect_fd;
		peer->surplus = others >= httpd->config->connections;
		httpd_access_peer(peer);
		httpd_watch_within(peer, httpd->config->header_seconds);
		httpd_watch_moved(peer);
		httpd_watch_add(peer);
		return;
	}
	(void)atomic_fetch_sub(&httpd->n_connections, 1);
	share->loop->again = true;
	/* The library forgets to tell of the end when epoll does not take the connection back. */
	if (peer && peer->request)
		end_request(peer->request, true);
	if (peer && peer->lingers)
		httpd_linger_add(peer->httpd, peer->fd);
	if (peer)
		httpd_watch_remove(peer);
	free(peer);
}

/* The first line of a request has come: what is returned is the request's from now on. */
static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
	const struct httpd_share *share = ctx;
	struct httpd *httpd = share->loop->httpd;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct httpd_connection *peer = info ? info->socket_context : NULL;
	struct httpd_request *request;

	if (!peer)
		return NULL;
	httpd_watch_within(peer, httpd->config->header_seconds);
	request = httpd_request_new(httpd, peer, connection, uri);
	if (request)
		request->head.local_only = address_is_unix(share->listener->address);
	peer->request = request;
	return request;
}

/* ---- the head ---- */

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	size_t *n = ctx;

	(void)kind;
	(void)name;
	(void)value;
	(*n)++;
	return MHD_YES;
}

static enum MHD_Result add_header(void *ctx, enum MHD_ValueKind kind, const char *name,
				  const char *value)
{
	struct httpd_request *request = ctx;

	(void)kind;
	request->headers[request->head.n_headers++] =
		(struct http_field){.name = name, .value = value ? value : ""};
	return MHD_YES;
}

static bool collect_headers(struct httpd_request *request, const char *version)
{
	size_t n = 0;

	(void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_header, &n);
	request->headers = calloc(n + 1, sizeof *request->headers);
	if (!request->headers)
		return false;
	(void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, add_header, request);
	request->head.headers = request->headers;
	request->head.garbled = !httpd_lines_ok(&request->head, version);
	return true;
}

/* Whether the client announces a body, as the library understands it too. */
static bool has_body(const struct http_request *head)
{
	const char *length = http_header(head, "Content-Length");

	return http_header(head, "Transfer-Encoding") || (length && strcmp(length, "0") != 0);
}

/* A refused body that is small, and that the client sends unasked, is read and dropped: that costs
 * less than a new connection. */
static bool drops_body(const struct httpd_request *request)
{
	return request->step == API_REPLY && request->call &&
	       api_call_body(request->call) == HTTP_BODY_SIZED &&
	       api_call_body_length(request->call) <= HTTPD_DROP &&
	       !http_header(&request->head, "Expect");
}

static bool begin(struct httpd_request *request, const char *method, const char *version)
{
	struct httpd *httpd = request->httpd;

	request->begun = true;
	request->head.method = http_method_parse(method);
	request->head.http_1_0 = strcmp(version, "HTTP/1.1") != 0;
	if (!collect_headers(request, version))
		return false;
	request->has_body = has_body(&request->head);
	if (atomic_load(&httpd->stopping)) {
		httpd_reply_refuse(request, SERVICE_SHUTTING_DOWN);
	} else if (request->peer->surplus) {
		httpd_reply_refuse(request, SERVICE_OVERLOADED);
	} else {
		request->call = api_call_new(httpd->api, &request->head);
		if (!request->call)
			return false;
		request->step = api_call_begin(request->call);
	}
	if (drops_body(request)) {
		request->phase = HTTPD_BODY;
		httpd_watch_within(request->peer, httpd->config->body_seconds);
		return true;
	}
	/* An answer to the first call means to the library that the body is refused, and it closes
	 * the connection. Without a body its second call, for the end of it, follows at once. */
	return !request->has_body || httpd_steps_go(request);
}

/* ---- the body ---- */

/* A body whose outcome is settled is read on for a while, for only at its end an answer can be
 * sent. */
static bool drop(struct httpd_request *request, size_t len)
{
	request->dropped += len;
	return request->dropped <= API_DRAIN_MAX;
}

static bool collect(struct httpd_request *request, const char *piece, size_t *len)
{
	size_t n = *len;

	*len = 0;
	return api_call_collect(request->call, piece, n) || drop(request, n);
}

static bool upload(struct httpd_request *request, const char *piece, size_t *len)
{
	size_t taken = httpd_upload_take(request, piece, *len);
	size_t rest = *len - taken;

	*len = rest;
	if (request->cut)
		return false;
	if (!rest || !httpd_upload_failed(request))
		return true;
	*len = 0;
	return drop(request, rest);
}

static bool give_piece(struct httpd_request *request, const char *piece, size_t *len)
{
	if (request->step == API_COLLECT)
		return collect(request, piece, len);
	if (request->step == API_UPLOAD)
		return upload(request, piece, len);
	*len = 0; /* refused, and dropped */
	return true;
}

static bool take_piece(struct httpd_request *request, const char *piece, size_t *len)
{
	size_t offered = *len;
	bool ok;

	request->moved += offered;
	if (request->moved >= HTTPD_PIECE) {
		request->moved = 0;
		httpd_watch_within(request->peer, request->httpd->config->body_seconds);
	}
	ok = give_piece(request, piece, len);
	request->received += offered - *len;
	return ok;
}

static bool end_of_body(struct httpd_request *request)
{
	request->phase = HTTPD_ENDING;
	if (request->step == API_REPLY)
		return httpd_steps_go(request);
	if (request->step == API_UPLOAD)
		return httpd_upload_end(request);
	request->step = api_call_collected(request->call);
	return httpd_steps_go(request);
}

/* Called with the head, then with each piece, then with the end, and again after each suspension.
 */
/* The library chose the parameters. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *piece,
				  size_t *len, void **state)
{
	const struct httpd_share *share = ctx;
	struct httpd_request *request = *state;
	bool ok;

	(void)connection;
	(void)url;
	if (!request)
		return MHD_NO;
	httpd_watch_moved(request->peer);
	pulse_begin(&share->loop->httpd->pulse);
	if (!request->begun)
		ok = begin(request, method, version);
	else if (request->phase == HTTPD_BODY && *len)
		ok = take_piece(request, piece, len);
	else if (request->phase == HTTPD_BODY)
		ok = end_of_body(request);
	else
		ok = httpd_steps_go(request);
	pulse_end(&share->loop->httpd->pulse);
	return ok ? MHD_YES : MHD_NO;
}

/* ---- the end ---- */

static void on_completed(void *ctx, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode why)
{
	struct httpd_request *request = *state;

	(void)ctx;
	(void)connection;
	*state = NULL;
	if (request)
		end_request(request, why != MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

/* ---- the daemon of a share ---- */

static void on_message(void *ctx, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void on_message(void *ctx, const char *format, va_list args)
{
	int sys = errno;
	char text[256];

	(void)ctx;
	(void)vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("http: %s", text);
	errno = sys; /* why it does not start */
}

/* The longest silence that is allowed anywhere; the watch ends those that may be silent for less.
 */
static unsigned silence(const struct config *config)
{
	uint64_t seconds = HTTPD_IDLE_SECONDS;

	if (seconds < config->header_seconds)
		seconds = config->header_seconds;
	if (seconds < config->body_seconds)
		seconds = config->body_seconds;
	return (unsigned)seconds;
}

int httpd_serve_start(struct httpd_share *share)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	unsigned seconds = silence(share->loop->httpd->config);
	unsigned limit = share->loop->httpd->connections_each;
	int fd = fcntl(share->listener->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* Whether it closes the socket when it fails depends on why; the daemon ends then. */
	share->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, share, MHD_OPTION_EXTERNAL_LOGGER, on_message,
		NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, limit,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, seconds, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
		share, MHD_OPTION_NOTIFY_COMPLETED, on_completed, share,
		MHD_OPTION_URI_LOG_CALLBACK, on_uri, share, MHD_OPTION_END);
	return share->daemon ? 0 : -1;
}

void httpd_serve_refuse(struct httpd_share *share)
{
	MHD_socket fd = MHD_quiesce_daemon(share->daemon);

	if (fd != MHD_INVALID_SOCKET)
		(void)close(fd);
}

void httpd_serve_stop(struct httpd_share *share)
{
	MHD_stop_daemon(share->daemon);
	share->daemon = NULL;
}
