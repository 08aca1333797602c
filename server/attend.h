/* attend.h - what the main thread does while the others serve. */
#ifndef ATTEND_H
#define ATTEND_H

#include <signal.h>

#include "httpd.h"

/* Waits for one of `ends`, which are blocked, and answers which. In the meantime tells the service
 * manager that all is well, as long as that is so. */
int attend(const sigset_t *ends, const struct httpd *httpd);

#endif
