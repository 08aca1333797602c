/* image.h - an image as JSON. */
#ifndef IMAGE_H
#define IMAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "call.h"
#include "number.h"
#include "put.h"
#include "service.h"

/* One object, or an array of them. */
void image_put(struct put *put, const struct service_image *image);
void image_put_all(struct put *put, const struct service_images *images);
/* The same as trees. NULL: no memory. */
json_t *image_json(const struct service_image *image);
json_t *image_array(const struct service_images *images);
/* What is wrong with its file: "missing", "damaged-block", ...; NULL: it is healthy. */
const char *image_problem(const struct service_image *image);
bool image_writable(const struct service_image *image);
enum { IMAGE_STATE = 16 };
enum { IMAGE_LIST_ETAG = 1 + NUMBER_TEXT + SERVICE_HEALTH };
/* Of its metadata and of what is wrong with its file, without quotes. */
void image_etag(const struct service_image *image, char ret_etag[SERVICE_ETAG]);
/* Of a list, from before its images were looked at; without quotes. */
void image_list_etag(uint64_t revision, const char *health, char ret_etag[IMAGE_LIST_ETAG]);
/* The header ETag; and Location before it, of what is new. */
void image_tag(struct api_call *call, const struct service_image *image);
void image_locate(struct api_call *call, const struct service_image *image);
const char *image_state_name(enum service_state state);
const char *image_kind_name(enum service_kind kind);

/* If-Match and If-None-Match against the image of the path, when there are any: with a problem in
 * call->problem the answer is there; else `ret_version` is what a change must find, or 0. */
enum service_code image_guard(struct api_call *call, uint64_t *ret_version);

/* One that has every member there is, and the label "*". NULL: no memory. */
json_t *image_sample(void);

#endif
