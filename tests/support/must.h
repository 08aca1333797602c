/* must.h - memory for the tests themselves: it never fails, and alloc_fault neither counts nor
 * refuses it. */
#ifndef MUST_H
#define MUST_H

#include <stddef.h>

extern __thread volatile int must_busy; /* an allocation of the test itself is under way */

void *must_alloc(size_t size); /* zeroed */
void *must_raw(size_t size);   /* not zeroed */
void *must_grow(void *mem, size_t size);
void must_free(void *mem);

#endif
