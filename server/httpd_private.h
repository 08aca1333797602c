/* httpd_private.h - what httpd*.c share. libmicrohttpd is met in the .c files only.
 *
 * The polling threads run the library and its handler, and never block. A request that has to wait
 * is suspended: from then until its connection is resumed it belongs to whoever was given it (a
 * worker, a flush), and the polling thread does not look at it.
 */
#ifndef HTTPD_PRIVATE_H
#define HTTPD_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "httpd.h"
#include "pulse.h"
#include "workers.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

enum {
	HTTPD_BLOCK = 256 << 10, /* bytes of a response that are produced at once */
	HTTPD_BUFFER = 1 << 20,  /* each of the two buffers of an upload */
	HTTPD_PIECE = 64 << 10,  /* of a body must move within `body_seconds` */
	HTTPD_IDLE_SECONDS = 60, /* a connection without request */
	HTTPD_GRACE_MS = 10000,  /* for requests under way when the daemon stops */
	HTTPD_ID = 32,
	HTTPD_PEER = 72,
	HTTPD_LINGERING = 64, /* connections, at most */
	HTTPD_LISTENERS = 16,
	HTTPD_LOOPS = 8,
	HTTPD_DROP = 64 << 10, /* bytes of a refused body that are read for the next request */
};

/* A connection, for the watchdog. */
struct httpd_connection {
	struct httpd *httpd;
	struct httpd_loop *loop;
	struct httpd_request *request; /* that the library has not ended yet */
	int fd;
	char name[HTTPD_PEER];       /* address and port, or who is behind a Unix socket */
	uint64_t sent;               /* bytes of the body of the answer under way */
	bool lingers;                /* ended by us while the client sends */
	bool surplus;                /* came when there were as many as may be: gets 503 */
	_Atomic int64_t deadline_ms; /* 0 = the daemon is the one that waits */
	atomic_bool heard;           /* since the watch has looked */
	unsigned stuck;              /* times that its loop found it so */
	struct httpd_connection *next,
		*previous; /* guarded by watch_lock, as is the life of `fd` */
};

struct httpd_lingering {
	int fd;
	int64_t until_ms; /* 0: the place is free */
};

struct httpd_listener {
	struct address *address;
	int fd;
};

/* The part of a listener that a loop has: a daemon of the library. */
struct httpd_share {
	struct httpd_loop *loop;
	const struct httpd_listener *listener;
	struct MHD_Daemon *daemon;
};

/* A polling thread. */
struct httpd_loop {
	struct httpd *httpd;
	struct httpd_share shares[HTTPD_LISTENERS];
	size_t n_shares;
	int wake_fd;       /* an eventfd */
	atomic_bool woken; /* it has been written to, or will be at once */
	atomic_bool ends;
	bool moved; /* the library has called us */
	unsigned idle_rounds;
	bool again; /* the library can go on without being woken; the loop's own */
	bool has_thread;
	pthread_t thread;
};

struct httpd {
	const struct api *api;
	const struct config *config;
	struct workers *workers;
	struct httpd_listener listeners[HTTPD_LISTENERS];
	size_t n_listeners;
	struct httpd_loop loops[HTTPD_LOOPS];
	size_t n_loops;
	unsigned connections_each; /* of a share, at most */
	char id_prefix[9];
	struct pulse pulse;       /* of the polling threads and the watch */
	atomic_ullong n_requests; /* ever */
	atomic_uint n_connections;
	atomic_uint in_flight; /* requests whose end the library has not told yet */
	atomic_uint suspended; /* of those, the ones that may not be there when the library stops */
	atomic_uint accepting; /* loops that have not seen `stopping` */
	atomic_bool stopping;  /* new requests get 503 */
	atomic_bool cutting;   /* nothing is suspended any more */

	pthread_mutex_t watch_lock; /* guards the lists and `watch_ends` */
	pthread_cond_t watch_wakes;
	struct httpd_connection *connections;
	struct httpd_lingering lingering[HTTPD_LINGERING];
	bool watch_ends, has_watch;
	pthread_t watch;
};

enum httpd_phase {
	HTTPD_HEAD,   /* before the body, if any, may come */
	HTTPD_BODY,   /* pieces of it come */
	HTTPD_ENDING, /* it is complete */
	HTTPD_SENT,   /* the response is the library's */
};

/* An upload: the polling thread fills one buffer while a worker writes the other. */
struct httpd_upload {
	pthread_mutex_t lock; /* guards what follows */
	size_t used[2];       /* bytes of each buffer */
	unsigned filling;     /* index of the buffer that takes pieces */
	bool full;            /* the other one waits for the worker, or is with it */
	bool draining;        /* a worker has the call */
	bool waiting;         /* the connection is suspended until a buffer is free */
	bool ended;           /* suspended until all is written */
	bool failed;          /* the outcome is settled; drop what comes */
	bool abandoned;       /* the client has gone; the worker frees the request */
	size_t capacity;      /* of each buffer */
	char bytes[];         /* of one buffer and of the other */
};

struct httpd_request {
	struct httpd *httpd;
	struct httpd_connection *peer;
	struct MHD_Connection *connection;
	struct workers_item item;
	char id[HTTPD_ID];
	char *uri; /* raw; path and query are parts of it */
	struct http_field *headers;
	struct http_request head;
	struct api_call *call;
	enum httpd_phase phase;
	enum api_step step;
	bool begun;
	bool waited;                /* was suspended once */
	bool has_body;              /* the client announced one */
	struct http_response *made; /* of the call; its short stream has to be read by a worker */
	struct MHD_Response *response; /* ready to be queued */
	unsigned status;
	bool cut; /* close the connection without a response */
	uint64_t dropped;
	uint64_t moved; /* bytes of the body since the deadline was set */
	uint64_t received;
	struct httpd_upload *upload;
	int64_t started_ms;
};

/* httpd_listen.c */
int httpd_listen(struct address *address, char ret_why[HTTPD_WHY]); /* a socket, or -1 */
void httpd_listen_end(const struct address *address);

/* httpd_loop.c: threads for all listeners; -1 and a line for a person. */
int httpd_loops_start(struct httpd *httpd, char ret_why[HTTPD_WHY]);
void httpd_loops_refuse(struct httpd *httpd); /* once `stopping`: no new connections */
void httpd_loops_stop(struct httpd *httpd);
void httpd_loop_wake(struct httpd_loop *loop);

/* httpd_watch.c */
int httpd_watch_start(struct httpd *httpd);
void httpd_watch_stop(struct httpd *httpd);
void httpd_watch_add(struct httpd_connection *peer);
void httpd_watch_remove(struct httpd_connection *peer);
void httpd_watch_within(struct httpd_connection *peer, uint64_t seconds);
void httpd_watch_pause(struct httpd_connection *peer);
void httpd_watch_cut_all(struct httpd *httpd);
/* The loop has nothing to do, and its library has: cuts the connections that it is for, if they are
 * when asked again. */
void httpd_watch_stuck(struct httpd_loop *loop);
/* The library has called for this connection. */
void httpd_watch_moved(struct httpd_connection *peer);

/* httpd_linger.c: a copy of `fd` outlives it for a while; those whose time has come are closed,
 * with the watch_lock. */
void httpd_linger_add(struct httpd *httpd, int fd);
void httpd_linger_end(struct httpd *httpd, int64_t now_ms);

/* httpd_request.c */
struct httpd_request *httpd_request_new(struct httpd *httpd, struct httpd_connection *peer,
					struct MHD_Connection *connection, const char *uri);
void httpd_request_free(struct httpd_request *request);
const char *httpd_request_name(const struct httpd_request *request); /* X-Request-Id */
static inline struct httpd_request *httpd_request_of(struct workers_item *item)
{
	return (struct httpd_request *)(void *)((char *)item -
						offsetof(struct httpd_request, item));
}
/* The connection waits; false: the daemon stops and the connection shall be cut. */
bool httpd_request_suspend(struct httpd_request *request);
void httpd_request_resume(struct httpd_request *request);
/* The same when there is no request any more. */
bool httpd_suspend(struct httpd_connection *peer, struct MHD_Connection *connection);
void httpd_resume(struct httpd_loop *loop, struct MHD_Connection *connection);

/* httpd_lines.c: whether the lines of the head, in the library's buffer, can be read in one way
 * only. `version` is the end of the first line. */
bool httpd_lines_ok(const struct http_request *head, const char *version);

/* httpd_access.c: who is at the other end, and the line about a request that has ended. */
void httpd_access_peer(struct httpd_connection *peer);
void httpd_access_log(const struct httpd_request *request, bool cut);

/* httpd_reply.c: makes `response` and `status` of what the call has to say, or `cut`. False: only
 * with nowait, ask again on a worker. */
bool httpd_reply_make(struct httpd_request *request, bool nowait);
void httpd_reply_refuse(struct httpd_request *request, enum service_code code);
void httpd_reply_drop(struct httpd_request *request);

/* httpd_upload.c */
bool httpd_upload_begin(struct httpd_request *request);
/* Takes what there is room for and answers how much; the rest comes again. */
size_t httpd_upload_take(struct httpd_request *request, const char *bytes, size_t len);
/* All has come: suspended until it is written. False: cut. */
bool httpd_upload_end(struct httpd_request *request);
bool httpd_upload_failed(struct httpd_request *request);
/* The client has gone: false when a worker still has the request, and will free it. */
bool httpd_upload_abandon(struct httpd_request *request);
void httpd_upload_free(struct httpd_upload *upload);

/* httpd_steps.c: what is next, on a polling thread; false: cut the connection. */
bool httpd_steps_go(struct httpd_request *request);
/* The same on a worker: resumes in the end, and does not touch the request afterwards. */
void httpd_steps_settle(struct httpd_request *request);

#endif
