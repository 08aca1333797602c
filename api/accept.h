/* accept.h - which types a client takes (RFC 9110 section 12.5.1). */
#ifndef ACCEPT_H
#define ACCEPT_H

#include <stddef.h>

struct api_call;
struct http_request;

/* Which of the `n` types, five at most, to send: the one with the highest q; among equals the one
 * that is named most precisely, then the one that is named first, then the first, which is also the
 * one of who says nothing. Their parameters do not count. -1: the client takes none. */
int accept_best(const struct http_request *request, const char *const *types, size_t n);

/* Sets the problem 406 when the response that a GET has got is none that the client takes. */
void accept_check(struct api_call *call);

#endif
