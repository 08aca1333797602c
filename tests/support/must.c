/* must.c - a test without memory proves nothing: abort. */
#include "must.h"

#include <stdlib.h>

/* Volatile: compilers know that calloc() does not look at it, and would drop the counting. */
__thread volatile int must_busy;

static void *checked(void *mem)
{
	must_busy--;
	if (!mem)
		abort();
	return mem;
}

void *must_alloc(size_t size)
{
	must_busy++;
	return checked(calloc(1, size ? size : 1));
}

void *must_raw(size_t size)
{
	must_busy++;
	return checked(malloc(size));
}

void *must_grow(void *mem, size_t size)
{
	must_busy++;
	return checked(realloc(mem, size));
}

void must_free(void *mem)
{
	must_busy++;
	free(mem);
	must_busy--;
}
