/* zeroes.h - writes without the zeroes that are there already. */
#ifndef ZEROES_H
#define ZEROES_H

#include "call.h"

/* Writes to call->data, but for whole sectors of zeroes that no level of the chain has. */
enum service_code zeroes_write(struct api_call *call, const void *data, size_t len, uint64_t off);

#endif
