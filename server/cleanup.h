/* cleanup.h - the scope owns what it declares; STEAL hands it on. The server's own, as the engine's
 * is private. */
#ifndef SERVER_CLEANUP_H
#define SERVER_CLEANUP_H

#include <dirent.h>
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

/* The same for a file descriptor. */
#define STEAL_FD(var)                \
	({                           \
		int stolen_ = (var); \
		(var) = -1;          \
		stolen_;             \
	})

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

static inline void closedirp(DIR *const *folder)
{
	if (*folder)
		(void)closedir(*folder);
}

#endif
