/* embed.h - ?embed=: images that belong to an image, told with it instead of being asked for one by
 * one. */
#ifndef EMBED_H
#define EMBED_H

#include <jansson.h>

#include "call.h"

enum { EMBED_PARENT = 1 << 0, EMBED_CHAIN = 1 << 1, EMBED_CHILDREN = 1 << 2 };
enum { EMBED_CHILDREN_MAX = 1000, EMBED_LIST_MAX = 100 };

/* The words of the parameter, 0 when it is not there. False: problem set. */
bool embed_parse(struct api_call *call, unsigned *ret_what);

/* Adds to the images in `items`, an array, what belongs to them: "parent" becomes a whole image,
 * "chain" and "children" are arrays of them. `ids` has their ids, which may be left out of the
 * items. Children of one image are EMBED_CHILDREN_MAX at most. SERVICE_INTERNAL also when memory is
 * out. */
enum service_code embed_into(struct api_call *call, unsigned what, json_t *items,
			     const char *const *ids);

#endif
