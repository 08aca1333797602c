/* fake_service.h - the daemon as unit tests of api/ have it: a few images in memory, and failures
 * on demand. */
#ifndef FAKE_SERVICE_H
#define FAKE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service.h"

enum { FAKE_IMAGES = 16, FAKE_BLOCK = 4096, FAKE_SECTORS = 512 };

struct fake_image {
	char id[SERVICE_ID];
	char name[SERVICE_NAME];
	enum service_kind kind;
	enum service_state state;
	bool damaged;
	uint64_t size;
	int parent; /* index, -1 = none */
	unsigned children;
	bool has[FAKE_SECTORS]; /* sector is present in this image; disks of tests are small */
	uint8_t bytes[FAKE_SECTORS * 512];
	bool gone;
	int64_t updated_at, checked_at;
	bool poolless;
	bool frozen;      /* by request */
	uint64_t changes; /* of what is told of it */
};

struct service {
	struct fake_image images[FAKE_IMAGES];
	int n;
	bool again;             /* NOWAIT answers SERVICE_AGAIN */
	enum service_code fail; /* what everything but opening answers; SERVICE_OK = nothing */
	const char *fail_text;
	const char *fail_image;    /* name of the image that it is about, or NULL */
	int fail_after;            /* so many writes and zeroes succeed before `fail` */
	enum service_code flushed; /* outcome of a flush */
	bool defer;                /* a flush waits for fake_flush() */
	bool not_ready;

	struct service_upload uploads[SERVICE_UPLOADS];
	size_t n_uploads;

	size_t look;      /* images that one list has at most, unless it is to have all; 0 = any */
	unsigned renames; /* so many lists are followed by one: the image goes to the end, or back
			     to the start */
	int moves;        /* which image, an index */

	/* what was asked */
	unsigned opens, closes, writes, flushes, lists;
	struct service_create spec; /* of the last create, with pointers into `texts` */
	char texts[5][256];
	struct service_update update; /* of the last update, without its strings */
	char update_texts[2 + 4][64]; /* name, description, labels as "key=value" or "key" */
	struct service_adopt adopt;   /* of the last adoption, without its strings */
	char adopt_texts[3][64];      /* path, name, last folder */
	bool race;                    /* somebody changes everything just before we do, and just
					 after we have looked at an image */
	unsigned commits;             /* of such changes after a look */
	bool met;                     /* others write as well, as long as we do */
	bool locked;
	service_done_fn *done;
	void *done_ctx;
};

struct service *fake_new(void);
void fake_free(struct service *service); /* checks that what was opened is closed */
/* What most tests begin and end with: "base", and "web-1" on top of it, of 64 KiB. */
int fake_pair(void **state);
int fake_teardown(void **state);
/* An image named `name`; a parent makes it differencing. */
struct fake_image *fake_add(struct service *service, const char *name, uint64_t size,
			    const char *parent);
/* A byte pattern into sectors of an image. */
void fake_fill(struct fake_image *image, uint64_t sector, uint64_t count, int byte);
/* Finishes a deferred flush. */
void fake_flush(struct service *service);

#endif
