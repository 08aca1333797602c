/* alloc_fault.h - fails the n-th allocation, and counts what is allocated, while armed.
 *
 * Link `test_alloc_fault`: it wraps the allocator for the whole program. Only the thread that armed
 * it is watched.
 */
#ifndef ALLOC_FAULT_H
#define ALLOC_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/* The allocation number `fail_at` (0 = the first from now on) fails, and with `for_ever` all that
 * follow. Negative: only counted. */
void alloc_fault_arm(long fail_at, bool for_ever);
void alloc_fault_disarm(void);

long alloc_fault_calls(void);  /* allocations since it was armed */
long alloc_fault_failed(void); /* how many of them failed */
size_t
alloc_fault_peak(void); /* most bytes in use at once, of those allocated since it was armed */

#endif
