/* scope.h - the scope owns what it declares; STEAL hands it on. */
#ifndef SCOPE_H
#define SCOPE_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

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

static inline void json_putp(json_t *const *json)
{
	json_decref(*json);
}

#endif
