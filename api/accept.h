/* accept.h - which types a client takes (RFC 9110 section 12.5.1). Pure. */
#ifndef ACCEPT_H
#define ACCEPT_H

#include <stdbool.h>

/* Does the value of Accept name `type`, whose parameters do not count? Octets by parts are octets.
 */
bool accept_allows(const char *accept, const char *type);

#endif
