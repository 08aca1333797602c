/* test_engine_cells.c - numbers of few bits, against plain ones. */
#include "cells.h"

#include "rng.h"
#include "test.h"

enum { N = 1000 };

static void numbers_of_any_width_stay_apart(void **state)
{
	static const uint32_t widths[] = {1, 9, 17, 255, 4097, 65536, 524416};
	struct rng rng = {rng_seed("cells")};

	(void)state;
	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
		uint32_t most = widths[i], plain[N] = {0};
		struct cells cells;

		assert_int_equal(cells_init(&cells, N, most, NULL), 0);
		assert_int_equal(cells.n, N);
		for (int turn = 0; turn < 4 * N; turn++) {
			uint32_t at = (uint32_t)rng_below(&rng, N);

			plain[at] =
				rng_one_in(&rng, 3) ? most : (uint32_t)rng_below(&rng, most + 1ULL);
			cells_set(&cells, at, plain[at]);
		}
		for (uint32_t at = 0; at < N; at++)
			assert_int_equal(cells_get(&cells, at), plain[at]);
		cells_fini(&cells);
	}
}

static void a_long_row_ends_where_its_room_does(void **state)
{
	struct cells cells;

	(void)state;
	assert_int_equal(cells_init(&cells, UINT32_MAX, 9, NULL), 0);
	assert_true(cells.n <= CELLS_MAX * 2U && cells.n > CELLS_MAX);
	cells_set(&cells, cells.n - 1, 9);
	assert_int_equal(cells_get(&cells, cells.n - 1), 9);
	assert_int_equal(cells_get(&cells, cells.n - 2), 0);
	cells_fini(&cells);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_any_width_stay_apart),
		cmocka_unit_test(a_long_row_ends_where_its_room_does),
	};

	return cmocka_run_group_tests_name("cells", tests, NULL, NULL);
}
