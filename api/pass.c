/* pass.c - looks at the catalog until they are of one state. */
#include "pass.h"

#include <string.h>

enum { LOOK = 1000, TRIES = 3 };

struct walk {
	const struct pass *pass;
	char after[SERVICE_NAME];
	bool any, wanted;
};

static bool take(void *ctx, struct service_image *image)
{
	struct walk *walk = ctx;

	memcpy(walk->after, image->name, SERVICE_NAME);
	walk->any = true;
	walk->wanted = walk->pass->take(walk->pass->ctx, image);
	return walk->wanted;
}

static enum service_code look(struct api_call *call, struct walk *walk, size_t limit,
			      struct service_images *ret_seen)
{
	const struct service_list want = {.after = *walk->after ? walk->after : NULL,
					  .limit = limit,
					  .count = walk->pass->count,
					  .take = take,
					  .ctx = walk};

	walk->any = false;
	return service_image_list(call->api->service, &want, call->nowait ? SERVICE_NOWAIT : 0,
				  ret_seen, &call->err);
}

/* Whoever is renamed between two looks would be seen by both of them, or by none. */
static enum service_code try(struct api_call *call, const struct pass *pass, size_t limit,
			     struct service_images *ret_seen, bool *ret_one)
{
	struct walk walk = {.pass = pass, .wanted = true};
	struct service_images seen;
	enum service_code code;

	if (pass->after)
		memcpy(walk.after, pass->after, SERVICE_NAME);
	if (!pass->begin(pass->ctx))
		return SERVICE_INTERNAL;
	code = look(call, &walk, limit, ret_seen);
	seen = *ret_seen;
	while (code == SERVICE_OK && walk.wanted && walk.any && seen.more &&
	       seen.revision == ret_seen->revision)
		code = look(call, &walk, limit, &seen);
	*ret_one = code == SERVICE_OK && seen.revision == ret_seen->revision;
	return code;
}

/* A catalog that never rests is taken in one look in the end. */
enum service_code pass_run(struct api_call *call, const struct pass *pass,
			   struct service_images *ret_seen)
{
	size_t limit = pass->look ? pass->look : LOOK;
	enum service_code code = SERVICE_OK;
	bool one = false;

	for (int n = 1; code == SERVICE_OK && !one && n <= TRIES; n++)
		code = try(call, pass, n < TRIES ? limit : SIZE_MAX, ret_seen, &one);
	return code;
}
