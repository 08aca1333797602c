/* test_server_pulse.c - a thread that hangs shows, one that waits for work does not. */
#include "pulse.h"

#include <pthread.h>

#include "clock.h"
#include "test.h"

static void shows_who_hangs(void **state)
{
	static struct pulse pulse;
	int64_t now = clock_monotonic_ms();

	(void)state;
	assert_int_equal(pulse_longest(&pulse, now), 0);
	pulse_begin(&pulse);
	assert_in_range(pulse_longest(&pulse, now + 5000), 1, 5000);
	pulse_end(&pulse);
	assert_int_equal(pulse_longest(&pulse, now + 5000), 0);
}

static void *hang(void *ctx)
{
	pulse_begin(ctx);
	return NULL;
}

static void *pass(void *ctx)
{
	pulse_begin(ctx);
	pulse_end(ctx);
	return NULL;
}

/* More threads than there is room for: those beyond it are not watched, and disturb nobody. */
static void keeps_threads_apart(void **state)
{
	static struct pulse pulse;
	int64_t now = clock_monotonic_ms();

	(void)state;
	for (int i = 0; i < PULSE_THREADS + 10; i++) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, i == 1 ? hang : pass, &pulse), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	assert_in_range(pulse_longest(&pulse, now + 5000), 1, 5000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_who_hangs),
		cmocka_unit_test(keeps_threads_apart),
	};

	return cmocka_run_group_tests_name("server/pulse", tests, NULL, NULL);
}
