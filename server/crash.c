/* crash.c - ends the daemon at a point of crash_point.h; only in the test build.
 *
 * VHDD_CRASH_AT=NAME[:N] in the environment: exit status 86, with nothing flushed and nobody told,
 * when NAME is passed for the N-th time (1).
 */
#include "crash_point.h"

#ifdef VHDD_TESTING

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_CRASHED = 86 };

/* Constant once main() runs. */
static const char *crash_name;
static size_t crash_length;

static atomic_long crash_left;

static void crash_at(const char *name)
{
	if (strlen(name) == crash_length && memcmp(name, crash_name, crash_length) == 0 &&
	    atomic_fetch_sub(&crash_left, 1) == 1)
		_exit(EXIT_CRASHED);
}

__attribute__((constructor)) static void crash_arm(void)
{
	const char *text = getenv("VHDD_CRASH_AT"); /* NOLINT(concurrency-mt-unsafe): one thread */

	if (!text || !*text)
		return;
	crash_name = text;
	crash_length = strcspn(text, ":");
	atomic_store(&crash_left,
		     text[crash_length] ? strtol(text + crash_length + 1, NULL, 10) : 1);
	vhd_at_crash_point = crash_at;
}

#endif
