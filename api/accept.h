/* accept.h - which types a client takes (RFC 9110 section 12.5.1). */
#ifndef ACCEPT_H
#define ACCEPT_H

#include <stdbool.h>

struct api_call;

/* Does the value of Accept name `type`, whose parameters do not count? Octets by parts are octets.
 */
bool accept_allows(const char *accept, const char *type);

/* Sets the problem 406 when the response that a GET has got is none that the client takes. */
void accept_check(struct api_call *call);

#endif
