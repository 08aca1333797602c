/* pulse.h - whether the threads that must never block get on. */
#ifndef PULSE_H
#define PULSE_H

#include <stdatomic.h>
#include <stdint.h>

enum { PULSE_THREADS = 64 };

/* All zero is a good start. */
struct pulse {
	atomic_uint n; /* threads that have been seen */
	_Atomic int64_t since_ms[PULSE_THREADS];
};

/* The calling thread begins, and ends, what takes no time when all is well. Not nested. */
void pulse_begin(struct pulse *pulse);
void pulse_end(struct pulse *pulse);
/* How long the longest of those has lasted at `now_ms`, of the monotonic clock; 0: nobody is busy.
 */
int64_t pulse_longest(const struct pulse *pulse, int64_t now_ms);

#endif
