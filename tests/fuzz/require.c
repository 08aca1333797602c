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
