/* httpd_serve.h - starts and ends the library's daemon of a loop. */
#ifndef HTTPD_SERVE_H
#define HTTPD_SERVE_H

#include "httpd_private.h"

/* -1 and errno: the library did not start. */
int httpd_serve_start(struct httpd_loop *loop);
void httpd_serve_stop(struct httpd_loop *loop);

#endif
