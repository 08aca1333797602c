/* httpd_serve.h - starts and ends the library's daemon for a loop's share of a socket. */
#ifndef HTTPD_SERVE_H
#define HTTPD_SERVE_H

#include "httpd_private.h"

/* With a descriptor of its own. -1 and errno: the library did not start. */
int httpd_serve_start(struct httpd_share *share);
void httpd_serve_refuse(struct httpd_share *share); /* no new connections */
void httpd_serve_stop(struct httpd_share *share);

#endif
