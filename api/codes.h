/* codes.h - the error codes of the API: what programs test, and what people read. */
#ifndef CODES_H
#define CODES_H

#include <stdbool.h>
#include <stddef.h>

#include "service.h"

/* In the order of the table. */
enum code {
	CODE_NONE, /* no error */
	CODE_INVALID_JSON,
	CODE_UNKNOWN_FIELD,
	CODE_UNKNOWN_PARAMETER,
	CODE_INVALID_VALUE,
	CODE_INVALID_PATH,
	CODE_INVALID_NAME,
	CODE_CONTENT_RANGE_MISMATCH,
	CODE_UNALIGNED,
	CODE_BAD_FRAMING,
	CODE_LENGTH_REQUIRED,
	CODE_CROSS_ORIGIN,
	CODE_HOST_NOT_ALLOWED,
	CODE_IMAGE_NOT_FOUND,
	CODE_POOL_NOT_FOUND,
	CODE_ROUTE_NOT_FOUND,
	CODE_METHOD_NOT_ALLOWED,
	CODE_UNSUPPORTED_MEDIA_TYPE,
	CODE_EXPECTATION_FAILED,
	CODE_METHOD_UNKNOWN,
	CODE_NOT_SUPPORTED,
	CODE_NAME_EXISTS,
	CODE_DUPLICATE_UUID,
	CODE_IMAGE_HAS_CHILDREN,
	CODE_IMAGE_FROZEN,
	CODE_IMAGE_FAILED,
	CODE_IMAGE_BUSY,
	CODE_PARENT_MISSING,
	CODE_PARENT_UUID_MISMATCH,
	CODE_PARENT_CHANGED,
	CODE_CHAIN_TOO_DEEP,
	CODE_CHAIN_CYCLE,
	CODE_CHAIN_UNHEALTHY,
	CODE_SIZE_MISMATCH,
	CODE_PRECONDITION_FAILED,
	CODE_BODY_TOO_LARGE,
	CODE_TOO_MANY_RANGES,
	CODE_TOO_MANY_SECTORS,
	CODE_INVALID_RANGE_HEADER,
	CODE_RANGE_NOT_SATISFIABLE,
	CODE_CORRUPT_IMAGE,
	CODE_NOT_A_VHD,
	CODE_UNSUPPORTED_VHD,
	CODE_SIZE_TOO_LARGE,
	CODE_SIZE_NOT_REPRESENTABLE,
	CODE_POOL_OFFLINE,
	CODE_CATALOG_BUSY,
	CODE_OVERLOADED,
	CODE_SHUTTING_DOWN,
	CODE_NO_SPACE,
	CODE_IO_ERROR,
	CODE_INTERNAL,
	CODES, /* how many */
};

struct code_info {
	unsigned status;
	bool retryable;
	const char *name;
	const char *title;
	const char *cause;
	const char *correction; /* "{image}" stands for the name of the image */
};

const struct code_info *codes_info(enum code code);
enum code codes_find(const char *name); /* CODE_NONE: there is none of that name */
enum code codes_of_service(enum service_code code);

#endif
