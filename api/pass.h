/* pass.h - a pass over the catalog, by name. It looks a thousand times at a thousand images rather
 * than once at a million, and yet all that it shows is of one state of the catalog. */
#ifndef PASS_H
#define PASS_H

#include "call.h"

struct pass {
	const char *after; /* only names after this one; NULL = from the start */
	size_t look;       /* images of one look; 0 = as many as are good */
	bool count;        /* how many images are there in all? */
	/* Before the first image, and again when the catalog has changed meanwhile: what was shown
	 * until now does not count. False: no memory. */
	bool (*begin)(void *ctx);
	/* As that of struct service_list. */
	bool (*take)(void *ctx, struct service_image *image);
	void *ctx;
};

/* *ret_seen is what the first look said beside its images. SERVICE_INTERNAL also when `begin` says
 * false. */
enum service_code pass_run(struct api_call *call, const struct pass *pass,
			   struct service_images *ret_seen);

#endif
