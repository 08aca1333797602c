/* test_crash.c - power cuts at every point of random work, in which calls of the store fail now and
 * then: what was flushed is there, and nothing foreign.
 *
 * VHDD_CRASH_STATES: how many states to check; VHDD_CRASH_LIMIT: up to how many combinations of a
 * point are all tried; VHDD_SEED replays.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crash_rig.h"
#include "mutant.h"
#include "test.h"

enum { OPS = 60 };

struct totals {
	size_t runs, points, states, nested, refused, failures;
	char what[1024];
	uint64_t seed;
};

static double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What to try, and how hard. */
struct effort {
	uint64_t seed;
	enum rig_profile profile;
	size_t states, limit;
	bool keen;
};

/* Runs until `states` are checked or one is wrong. */
static struct totals simulate(const struct effort *effort)
{
	struct totals totals = {.seed = effort->seed};

	while (totals.states < effort->states && !totals.what[0]) {
		struct rig rig;

		rig_init(&rig, totals.seed, effort->profile, effort->limit);
		rig.keen = effort->keen;
		for (int i = 0; i < OPS && totals.states + rig.states < effort->states; i++) {
			if (!rig_op(&rig))
				break;
		}
		totals.runs++;
		totals.points += rig.crash.upto;
		totals.states += rig.states;
		totals.nested += rig.nested;
		totals.refused += rig.refused;
		totals.failures += rig.failures;
		memcpy(totals.what, rig.what, sizeof totals.what);
		rig_fini(&rig);
		if (!totals.what[0])
			totals.seed++;
	}
	return totals;
}

/* A share of all states, in percent. */
static void survives(enum rig_profile profile, const char *name, size_t share)
{
	size_t states = (size_t)rng_env("VHDD_CRASH_STATES", 60000);
	struct effort effort = {.profile = profile, .states = states * share / 100};
	double start = seconds();
	struct totals totals;

	effort.limit = (size_t)rng_env("VHDD_CRASH_LIMIT", 128);
	effort.seed = rng_seed("test_crash");
	totals = simulate(&effort);
	printf("%s: %zu runs, %zu points, %zu failures, %zu states and %zu inside recovery, %zu "
	       "refused, %.0f states/s\n",
	       name, totals.runs, totals.points, totals.failures, totals.states, totals.nested,
	       totals.refused, (double)(totals.states + totals.nested) / (seconds() - start));
	printf("figure: crash.states %zu\n", totals.states + totals.nested);
	if (totals.what[0])
		fail_msg("VHDD_SEED=%llu: %s", (unsigned long long)totals.seed, totals.what);
	if (profile != RIG_TORN)
		assert_int_equal(totals.refused, 0);
}

static void keeps_what_was_flushed(void **state)
{
	(void)state;
	survives(RIG_ATOMIC, "atomic", 60);
}

static void never_errs_over_torn_metadata(void **state)
{
	(void)state;
	survives(RIG_TORN, "torn-metadata", 20);
}

static void keeps_it_where_pages_are_written_whole(void **state)
{
	(void)state;
	survives(RIG_PAGES, "4k-page", 20);
}

/* The wrong orders that the simulator must catch, or it proves nothing about the right one. The
 * limit is 20 times what the median of 20 seeds needs, or more. M8 and M9 are about jobs that do
 * not exist; M10 is a folder that is not synced, in tests/crash. */
static void catches_wrong_orders(void **state)
{
	static const struct {
		int mutant;
		const char *name;
		enum rig_profile profile;
	} mutants[] = {
		{1, "BAT entry written before the data is durable", RIG_ATOMIC},
		{2, "bit of an existing block written with its data", RIG_ATOMIC},
		{4, "no barrier between data and metadata", RIG_ATOMIC},
		{5, "flush answered before its second barrier", RIG_ATOMIC},
		{6, "recovery leaves what lies behind the last block", RIG_ATOMIC},
		{7, "both footers changed without a barrier between", RIG_TORN},
		{11, "new block of a root gets only the written bits", RIG_ATOMIC},
		{12, "flush writes live metadata, not what it froze", RIG_ATOMIC},
		{13, "footer changed while blocks wait for a flush", RIG_ATOMIC},
		{14, "change of the footer answered before it is durable", RIG_ATOMIC},
	};
	uint64_t seed = rng_seed("test_crash, mutants");
	int survivors = 0;

	(void)state;
	for (size_t i = 0; i < sizeof mutants / sizeof mutants[0]; i++) {
		double start = seconds();
		struct effort effort = {.seed = seed, .states = 200000, .limit = 64, .keen = true};
		struct totals totals;

		effort.profile = mutants[i].profile;
		vhd_mutant = mutants[i].mutant;
		totals = simulate(&effort);
		vhd_mutant = 0;
		printf("M%d, %s: %s after %zu states, %.1f s%s%s\n", mutants[i].mutant,
		       mutants[i].name, totals.what[0] ? "caught" : "SURVIVED", totals.states,
		       seconds() - start, totals.what[0] ? ": " : "", totals.what);
		survivors += totals.what[0] == '\0';
	}
	printf("figure: crash.mutants =%zu\n",
	       sizeof mutants / sizeof mutants[0] - (size_t)survivors);
	assert_int_equal(survivors, 0);
}

/* M3: the copy at the start is written again with the one at the end when a block is placed. Its
 * bytes do not change, so neither an order nor a tear of these sectors can be told from none. */
static void an_order_that_changes_nothing_is_no_wrong_one(void **state)
{
	static const enum rig_profile profiles[] = {RIG_ATOMIC, RIG_TORN, RIG_PAGES};
	uint64_t seed = rng_seed("test_crash, equivalent");

	(void)state;
	for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
		struct effort effort = {.seed = seed, .states = 3000, .limit = 64, .keen = true};
		struct totals totals;

		effort.profile = profiles[i];
		vhd_mutant = 3;
		totals = simulate(&effort);
		vhd_mutant = 0;
		assert_string_equal(totals.what, "");
		assert_true(totals.states >= 3000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_was_flushed),
		cmocka_unit_test(never_errs_over_torn_metadata),
		cmocka_unit_test(keeps_it_where_pages_are_written_whole),
		cmocka_unit_test(catches_wrong_orders),
		cmocka_unit_test(an_order_that_changes_nothing_is_no_wrong_one),
	};

	return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
