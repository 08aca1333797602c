/* data.h - what all requests for the content of an image share. */
#ifndef DATA_H
#define DATA_H

#include "call.h"
#include "out.h"
#include "service.h"

/* Opens the image of the path into call->data, unless an earlier run has. */
enum service_code data_open(struct api_call *call, enum service_mode mode);
/* The same for reading. False: `ret_step` is the answer. */
bool data_look(struct api_call *call, struct service_data_state *ret_state,
	       enum api_step *ret_step);
/* The same, and If-Match and If-None-Match hold for what the content is now. */
bool data_begin(struct api_call *call, struct service_data_state *ret_state,
		enum api_step *ret_step);
unsigned data_flags(const struct api_call *call);

/* [offset, offset + length) lies inside the disk; else 416 is set. */
bool data_inside(struct api_call *call, uint64_t offset, uint64_t length);
/* How long caches may keep it. What is frozen they may keep, but they must ask before each use: it
 * can be thawed. */
void data_cache(struct api_call *call, const struct service_data_info *info);
/* Of an answer about content, made by `step`: its ETag, and how long caches may keep it. */
enum api_step data_tagged(struct api_call *call, enum api_step step, const char *etag);
/* The same of an answer that also has names, and may have several formats: its ETag is one of all
 * its bytes. If-Match and If-None-Match hold for that one; If-Match may name that of the content,
 * `etag`, instead. */
enum api_step data_mapped(struct api_call *call, enum api_step step, const char *etag);
/* Links to what is left of a span, [next, end), if there is any. The parameters are the two words
 * of `names`: where it begins, and how long it is. */
void data_next(struct api_call *call, const char *names, uint64_t next, uint64_t end);
/* Answers 416: there are `n` of the unit, "byte" or "sector", and none at `at`. */
enum api_step data_beyond(struct api_call *call, const char *unit, uint64_t at, uint64_t n);

/* ETag, unless it is "", X-Write-Epoch, X-Durable-Epoch, X-Write-Verifier. */
void data_headers(struct api_call *call, const struct service_data_state *state);
/* Without the ETag, of any response. False: no memory. */
bool data_epochs(struct http_response *response, const struct service_data_state *state);
/* The same as members of an answer. */
void data_members(struct out *out, const struct service_data_state *state);

#endif
