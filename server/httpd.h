/* httpd.h - the HTTP side of the daemon: sockets in, calls of api/ out. */
#ifndef HTTPD_H
#define HTTPD_H

#include "address.h"
#include "api.h"
#include "config.h"

enum { HTTPD_WHY = 320 };

struct httpd;

/* Serves every address, from here on by threads of its own; ports that were 0 are filled in. On
 * failure -1 and a line for a person. `api` and `config` must outlive it. */
int httpd_start(const struct api *api, const struct config *config, struct address *listen,
		size_t n_listen, struct httpd **ret_httpd, char ret_why[HTTPD_WHY]);
struct httpd_state {
	unsigned connections;
	unsigned requests; /* under way */
	int64_t stuck_ms;  /* how long a thread that must not block has done so */
};
void httpd_state(const struct httpd *httpd, struct httpd_state *ret_state);

/* No new connections; what is under way is finished, or cut when it takes too long. NULL is fine.
 */
void httpd_stop(struct httpd *httpd);

#endif
