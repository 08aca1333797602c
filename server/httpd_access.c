/* httpd_access.c - tells the log of every request when it has ended, and by whom it was sent. */
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "clock.h"
#include "httpd_private.h"
#include "log.h"

static void unix_peer(struct httpd_connection *peer)
{
	struct ucred who = {0};
	socklen_t length = sizeof who;

	if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0)
		(void)snprintf(peer->name, sizeof peer->name, "unix:uid=%u,pid=%d", who.uid,
			       (int)who.pid);
}

static void inet_peer(struct httpd_connection *peer, const struct sockaddr_storage *address,
		      socklen_t length)
{
	char host[INET6_ADDRSTRLEN], port[6];

	if (getnameinfo((const struct sockaddr *)(const void *)address, length, host, sizeof host,
			port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		(void)snprintf(peer->name, sizeof peer->name,
			       address->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

void httpd_access_peer(struct httpd_connection *peer)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof address;

	(void)snprintf(peer->name, sizeof peer->name, "?");
	if (getpeername(peer->fd, (struct sockaddr *)(void *)&address, &length) < 0)
		return;
	if (address.ss_family == AF_UNIX)
		unix_peer(peer);
	else
		inet_peer(peer, &address, length);
}

/* What the library answered by itself to what it could not read. */
static unsigned status_of_library(const struct httpd_request *request)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_HTTP_STATUS);

	return info ? info->http_status : 0;
}

void httpd_access_log(const struct httpd_request *request, bool cut)
{
	const struct api_call *call = request->call;
	const struct log_access access = {
		.id = httpd_request_name(request),
		.peer = request->peer->name,
		.method = request->begun ? http_method_name(request->head.method) : "?",
		.route = call ? api_call_route(call) : "-",
		.path = request->head.path,
		/* Without an answer a worker may still have the call. */
		.code = call && request->status ? api_call_code(call) : NULL,
		.status = request->status ? request->status : status_of_library(request),
		.received = request->received,
		.sent = request->peer->sent,
		.duration_ms = clock_monotonic_ms() - request->started_ms,
		.cut = cut,
	};

	log_access(&access);
}
