/* cleanup.h - the scope owns what it declares; STEAL hands it on. */
#ifndef CLEANUP_H
#define CLEANUP_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEANUP(release) __attribute__((cleanup(release)))

/* The value of the variable, which is left empty. */
#define STEAL(var)                               \
	({                                       \
		__typeof__(var) stolen_ = (var); \
		(var) = NULL;                    \
		stolen_;                         \
	})

/* For CLEANUP(freep) on a pointer of any type: copied, as reading it through void ** would not be
 * legal. */
static inline void freep(void *p)
{
	void *mem;

	memcpy(&mem, p, sizeof mem);
	free(mem);
}

static inline void closep(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#endif
