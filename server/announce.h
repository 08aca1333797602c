/* announce.h - that and where the daemon listens: in the log, for the service manager, and on a
 * terminal with words to try. */
#ifndef ANNOUNCE_H
#define ANNOUNCE_H

#include "options.h"

void announce(const struct options *options);

#endif
