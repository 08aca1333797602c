/* announce.c - what is said when the daemon is ready. */
#include "announce.h"

#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"

/* `base` as curl takes it: a URL, or a Unix socket with one. */
static void print_tries(const char *base)
{
	(void)printf("Try:\n"
		     "  curl -sS -d '{\"name\":\"demo\",\"size\":\"1G\"}' %s/v1/images\n"
		     "  echo hello | curl -sS -T - %s/v1/images/demo/data\n"
		     "  curl -sS -r 0-5 %s/v1/images/demo/data\n",
		     base, base, base);
}

void announce(const struct options *options)
{
	char base[2 * ADDRESS_TEXT];
	const struct address *first = &options->listen[0];

	for (size_t i = 0; i < options->n_listen; i++) {
		const struct address *address = &options->listen[i];

		if (address_is_unix(address))
			log_info("listening on %s", address->text);
		else
			log_info("listening on http://%s", address->text);
	}
	if (address_is_unix(first))
		(void)snprintf(base, sizeof base, "--unix-socket %s http://localhost",
			       address_path(first));
	else
		(void)snprintf(base, sizeof base, "http://%s", first->text);
	if (isatty(STDERR_FILENO))
		print_tries(base);
	(void)fflush(stdout);
	(void)snprintf(base, sizeof base, "listening on %s", first->text);
	notify_ready(base);
}
