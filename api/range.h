/* range.h - which bytes a request is about: Range of a GET, Content-Range of a PUT, and ETags.
 * Pure. */
#ifndef RANGE_H
#define RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem.h"

enum { RANGE_MAX = 64 };

struct range {
	uint64_t first, length;
};
struct range_set {
	struct range items[RANGE_MAX]; /* sorted, merged when they touch or lie closer than 4 KiB */
	size_t n;                      /* 0: no range is asked for, send all */
};

/* `header` NULL, or of another unit: none. There may be `max` of them, RANGE_MAX at most. False:
 * problem set. */
bool range_parse(const char *header, uint64_t size, uint64_t max, struct range_set *ret_set,
		 struct problem *problem);

struct content_range {
	uint64_t first;
	bool has_last, has_total;
	uint64_t last, total;
};
/* "bytes F-L/T" where L may be missing and T may be '*'. False: problem set. */
bool range_content(const char *header, struct content_range *ret_range, struct problem *problem);
/* Has it as many bytes as a body of `length`, as far as both are known? False: problem set. */
bool range_content_spans(const struct content_range *range, uint64_t length,
			 struct problem *problem);
/* Does it agree with a body of `length` (SERVICE_UNKNOWN_LENGTH when chunked) on a disk of `size`?
 * The complete length may be that of the disk, of the body, or last + 1, as curl spells it. False:
 * problem set. */
bool range_content_fits(const struct content_range *range, uint64_t length, uint64_t size,
			struct problem *problem);

/* Does a list of If-Match or If-None-Match name `etag` (without quotes)? "*" names all. `strong`: a
 * weak tag of the list names nothing. */
bool range_etag_match(const char *list, const char *etag, bool strong);

#endif
