/* data.h - what all requests for the content of an image share. */
#ifndef DATA_H
#define DATA_H

#include "call.h"
#include "out.h"
#include "service.h"

/* Opens the image of the path into call->data, unless an earlier run has. */
enum service_code data_open(struct api_call *call, enum service_mode mode);
unsigned data_flags(const struct api_call *call);

/* [offset, offset + length) lies inside the disk; else 416 is set. */
bool data_inside(struct api_call *call, uint64_t offset, uint64_t length);
/* Answers 416 in sectors. */
enum api_step data_beyond_sectors(struct api_call *call, uint64_t sector, uint64_t sectors);

/* ETag, X-Write-Epoch, X-Durable-Epoch, X-Write-Verifier. */
void data_headers(struct api_call *call, const struct service_data_state *state);
/* The same as members of an answer. */
void data_members(struct out *out, const struct service_data_state *state);

#endif
