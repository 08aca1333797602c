/* test_engine_unit.c - what a unit of the index says, against a plain look at all its extents. */
#include "build.h"

#include <stdlib.h>

#include "rng.h"
#include "test.h"

enum { UNITS = 400, EXTENTS_MAX = 600 };

/* Extents with gaps of up to `gap` sectors from `first` on: an uneven spread is the hard one. */
static struct unit *make_unit(struct rng *rng, unsigned first, unsigned gap)
{
	struct unit *unit = calloc(1, sizeof *unit + EXTENTS_MAX * sizeof unit->extents[0]);

	assert_non_null(unit);
	while (unit->n < EXTENTS_MAX) {
		unsigned at = first + (unsigned)rng_below(rng, gap + 1);
		unsigned count = 1 + (unsigned)rng_below(rng, 9);

		if (at + count > UNIT_SECTORS_MAX)
			break;
		unit->extents[unit->n++] =
			(struct extent){(uint16_t)at, (uint16_t)count, (uint16_t)rng_below(rng, 3),
					1000 * (uint64_t)at};
		first = at + count;
	}
	return unit;
}

static const struct extent *owner_of(const struct unit *unit, unsigned at)
{
	for (uint32_t i = 0; i < unit->n; i++) {
		const struct extent *extent = &unit->extents[i];

		if (at >= extent->first && at < (unsigned)extent->first + extent->count)
			return extent;
	}
	return NULL;
}

static void expect_owner(const struct unit *unit, unsigned at)
{
	const struct extent *owner = owner_of(unit, at);
	struct vhd_run run;
	struct vhd_run_list list = {.runs = &run, .max = 1};

	unit_runs(unit, 0, at, UNIT_SECTORS_MAX - at, &list);
	assert_int_equal(list.n, 1);
	assert_int_equal(run.sector, at);
	assert_true(run.count >= 1);
	assert_int_equal(run.where, owner ? VHD_DATA : VHD_ZERO);
	assert_ptr_equal(owner_of(unit, at + (unsigned)run.count - 1), owner);
	if (!owner)
		return;
	assert_int_equal(run.level, owner->level);
	assert_int_equal(run.physical_sector, owner->physical + (at - owner->first));
	assert_int_equal(at + run.count, owner->first + owner->count);
}

static void finds_the_owner_of_every_sector(void **state)
{
	static const unsigned firsts[] = {0, 1, 1900, 3500, 4090};
	struct rng rng = {rng_seed("unit")};

	(void)state;
	for (unsigned i = 0; i < UNITS; i++) {
		unsigned gap = rng_one_in(&rng, 3) ? 900 : (unsigned)rng_below(&rng, 12);
		struct unit *unit = make_unit(&rng, firsts[i % 5], gap);

		for (unsigned at = 0; at < UNIT_SECTORS_MAX; at += 1 + (unsigned)rng_below(&rng, 5))
			expect_owner(unit, at);
		free(unit);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_owner_of_every_sector),
	};

	return cmocka_run_group_tests_name("engine/unit", tests, NULL, NULL);
}
