/* checksum.h - the digests that a request says its body has: Content-Digest (RFC 9530) and
 * Content-MD5. */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http.h"
#include "problem.h"
#include "service.h"

enum { CHECKSUMS = 3, CHECKSUM_TEXT = 128 /* of one digest with its name, with NUL */ };

/* Zero it. */
struct checksum {
	bool wanted; /* one at least is */
	struct checksum_item {
		bool wanted;
		uint8_t sum[SERVICE_DIGEST_MAX]; /* what the request says */
		struct service_digest *digest;   /* of what came so far; heap */
	} items[CHECKSUMS];
};

/* False: problem set. */
bool checksum_begin(const struct http_request *request, struct checksum *checksum,
		    struct problem *problem);
void checksum_add(struct checksum *checksum, const void *bytes, size_t len);
/* At the end of the body, once. False: one of the digests is another; `ret_said` is what the
 * request says and `ret_has` what the body has, as in the header. */
bool checksum_holds(struct checksum *checksum, char ret_said[CHECKSUM_TEXT],
		    char ret_has[CHECKSUM_TEXT]);
void checksum_fini(struct checksum *checksum);

#endif
