/* pulse.c - each thread has a place of its own in the table, so that nobody waits for anybody. */
#include "pulse.h"

#include "clock.h"

/* Place of the thread, from 1; 0: none yet. There is one pulse in a process. */
static _Thread_local unsigned place;

void pulse_begin(struct pulse *pulse)
{
	if (!place)
		place = atomic_fetch_add(&pulse->n, 1) + 1;
	if (place <= PULSE_THREADS)
		atomic_store(&pulse->since_ms[place - 1], clock_monotonic_ms());
}

void pulse_end(struct pulse *pulse)
{
	if (place <= PULSE_THREADS)
		atomic_store(&pulse->since_ms[place - 1], 0);
}

int64_t pulse_longest(const struct pulse *pulse, int64_t now_ms)
{
	int64_t longest = 0;

	for (unsigned i = 0; i < PULSE_THREADS; i++) {
		int64_t since = atomic_load(&pulse->since_ms[i]);

		if (since && now_ms - since > longest)
			longest = now_ms - since;
	}
	return longest;
}
