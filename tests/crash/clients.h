/* clients.h - what clients ask a service for, what it has answered, and so what it must still know
 * after a power cut.
 *
 * Every client has images of its own and waits for each answer, so at any moment one of its
 * requests is under way at most.
 */
#ifndef CLIENTS_H
#define CLIENTS_H

#include "recorder.h"
#include "rng.h"
#include "service.h"
#include "world.h"

enum { CLIENTS = 2, CLIENT_IMAGES = 5, CLIENT_OPS = 64, CLIENT_SECTORS = 8 };

enum client_kind {
	CLIENT_CREATE,
	CLIENT_DELETE,
	CLIENT_WRITE, /* not flushed */
	CLIENT_FLUSH,
	CLIENT_RENAME,
	CLIENT_FREEZE,
	CLIENT_THAW,
	CLIENT_FOOTER,  /* saved_state and features are as the value is odd */
	CLIENT_LEAVE,   /* deleted, but for its file */
	CLIENT_ADOPT,   /* the file that was left */
	CLIENT_RESTART, /* of the daemon, in good order */
};

struct client_op {
	enum client_kind kind;
	unsigned image;
	int parent;        /* CLIENT_CREATE: -1, or another image */
	unsigned sector;   /* CLIENT_WRITE: which of those that are used */
	uint32_t value;    /* of the sector, or of the name */
	size_t begin, end; /* events before it was asked, and before it was answered */
};

struct client {
	unsigned number;
	struct service *service;
	char pool[WORLD_PATH + 8];
	struct rng rng;
	struct client_op ops[CLIENT_OPS];
	size_t n_ops;
	struct {
		bool made, gone, left, frozen;
		int parent;
		unsigned children;
	} images[CLIENT_IMAGES]; /* as they are now */
	uint32_t values;
	char what[512]; /* what went wrong; empty while nothing has */
};

/* `folder`: where the service works. */
void client_init(struct client *client, unsigned number, const char *folder, uint64_t seed);
/* A random request. False: it was refused. */
bool client_work(struct client *client);
/* All images are as durable as an answer to a flush makes them. */
void client_restarted(struct client *client, size_t begin, size_t end);

/* Whether a service shows what a cut after so many events must have left of this client's images;
 * counts those it has. */
bool client_check(struct client *client, struct service *service, size_t upto, size_t *images);
/* Whether this is the file of an image that was deleted without it. */
bool client_left(const struct client *client, const char *file, size_t upto);
/* Writes to an image, and reads it back. */
bool client_goes_on(struct client *client, struct service *service);

#endif
