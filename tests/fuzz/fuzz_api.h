/* fuzz_api.h - requests of unknown content through api.h, over the daemon of the unit tests. */
#ifndef FUZZ_API_H
#define FUZZ_API_H

#include "api.h"
#include "fake_service.h"
#include "problem.h"

/* A parent of 256 KiB, "base", and its child "leaf"; both have some data. There is one at a time.
 */
struct service *fuzz_service(void);
/* All is closed, ended and unlocked. */
void fuzz_service_done(const struct service *service);

/* Whether the daemon demands If-Match; false until somebody says so. */
extern bool fuzz_guarded;

/* One request with its body in pieces of `piece` bytes (0: in one), as server/ would send it; what
 * comes back must be a response that server/ can send. The caller frees it. */
struct http_response *fuzz_ask(struct service *service, const struct http_request *request,
			       const char *body, size_t length, size_t piece);

/* A failure says what it is. */
void fuzz_require_problem(const struct problem *problem);

/* The bytes as text, which ends at the first NUL. The caller frees it. */
char *fuzz_text(const uint8_t *data, size_t size);

#endif
