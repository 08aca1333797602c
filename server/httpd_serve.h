/* httpd_serve.h - starts and ends the library's daemon of one socket. */
#ifndef HTTPD_SERVE_H
#define HTTPD_SERVE_H

#include "httpd_private.h"

/* -1 and errno: the library did not start. The listener's socket stays its own. */
int httpd_serve_start(struct httpd_listener *listener);
void httpd_serve_quiesce(struct httpd_listener *listener); /* no new connections */
void httpd_serve_stop(struct httpd_listener *listener);

#endif
