/* require.c - the promises of a target. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

void fuzz_require(int ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

static unsigned long accepted;

static void tell(void)
{
	(void)fprintf(stderr, "accepted: %lu\n", accepted);
}

void fuzz_accepted(void)
{
	if (accepted++ == 0)
		(void)atexit(tell);
}
