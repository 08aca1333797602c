/* test_server_findings.c - however much is found, no image that must not be served is forgotten. */
#include "findings.h"

#include <string.h>

#include "alloc_fault.h"
#include "log.h"
#include "test.h"

enum { MOST = 10000, SPARE = 64 };

static const uint8_t file[IDS_SIZE], image[IDS_SIZE] = {1};

static int set_up(void **state)
{
	*state = findings_new();
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	findings_free(*state);
	return 0;
}

static void add_files(struct findings *findings, size_t n)
{
	const struct finding finding = {.kind = FINDING_FOREIGN_FILE, .text = "is no image"};

	for (size_t i = 0; i < n; i++)
		findings_add(findings, &finding);
}

static void expect_count(struct findings *findings, size_t all, size_t serious)
{
	struct findings_count count;

	(void)findings_list(findings, NULL, 0, &count);
	assert_int_equal(count.all, all);
	assert_int_equal(count.serious, serious);
}

static void beside_countless_files_images_have_their_findings(void **state)
{
	struct findings *findings = *state;
	struct finding wrong = {.kind = FINDING_WRONG_ID, .text = "is another image"}, found;

	memcpy(wrong.id, image, IDS_SIZE);
	add_files(findings, MOST);
	findings_set(findings, image, &wrong, 1);
	assert_true(findings_serious(findings, image, &found));
	assert_int_equal(found.kind, FINDING_WRONG_ID);
	expect_count(findings, MOST + 1, 1);
}

static void files_beyond_the_most_are_counted(void **state)
{
	struct findings *findings = *state;
	static struct finding items[MOST + 2];

	add_files(findings, MOST + 2);
	expect_count(findings, MOST + 2, 0);
	assert_int_equal(findings_list(findings, items, MOST + 2, &(struct findings_count){0}),
			 MOST);
	findings_set(findings, file, NULL, 0);
	expect_count(findings, 0, 0);
	add_files(findings, 1);
	expect_count(findings, 1, 0);
}

static void set(struct findings *findings, uint8_t number, enum finding_kind kind)
{
	struct finding finding = {.kind = kind, .id = {number}, .text = "is not what it was"};

	findings_set(findings, finding.id, &finding, 1);
}

static void without_memory_images_have_their_serious_findings(void **state)
{
	struct findings *findings = *state;
	struct finding found;

	for (int round = 0; round < 2; round++) {
		alloc_fault_arm(0, true);
		for (uint8_t i = 1; i <= SPARE; i++)
			set(findings, i, FINDING_WRONG_ID);
		set(findings, SPARE + 1, FINDING_PARENT_TOUCHED);
		alloc_fault_disarm();
		expect_count(findings, SPARE, SPARE);
		for (uint8_t i = 1; i <= SPARE; i++) {
			assert_true(findings_serious(findings, (uint8_t[IDS_SIZE]){i}, &found));
			assert_int_equal(found.kind, FINDING_WRONG_ID);
			findings_set(findings, (uint8_t[IDS_SIZE]){i}, NULL, 0);
		}
		expect_count(findings, 0, 0);
	}
}

static void what_finds_no_memory_at_all_is_counted(void **state)
{
	struct findings *findings = *state;
	struct findings_count count;

	alloc_fault_arm(0, true);
	for (uint8_t i = 1; i <= SPARE + 2; i++)
		set(findings, i, FINDING_WRONG_ID);
	add_files(findings, 3);
	alloc_fault_disarm();
	expect_count(findings, SPARE + 5, SPARE + 2);
	(void)findings_list(findings, NULL, 0, &count);
	assert_int_equal(count.lost, 2);
	findings_set(findings, file, NULL, 0);
	expect_count(findings, SPARE + 2, SPARE + 2);
}

static size_t changes(struct findings *findings, uint8_t number, size_t n)
{
	const struct finding wrong = {
		.kind = FINDING_WRONG_ID, .text = "is another image", .id = {number}};
	struct findings_count count;

	findings_set(findings, wrong.id, &wrong, n);
	(void)findings_list(findings, NULL, 0, &count);
	return count.changes;
}

/* One image is healthy again, and another one is not: there are as many as before. */
static void every_change_makes_another_number(void **state)
{
	struct findings *findings = *state;
	size_t first = changes(findings, 1, 1);

	assert_int_equal(changes(findings, 1, 1), first);
	assert_int_equal(changes(findings, 2, 0), first);
	assert_int_equal(changes(findings, 1, 0), first + 1);
	assert_int_equal(changes(findings, 2, 1), first + 2);
	expect_count(findings, 1, 1);
}

static struct finding met_at(uint64_t sector)
{
	return (struct finding){.kind = FINDING_DAMAGED_BLOCK,
				.id = {1},
				.sector = sector,
				.text = "cannot be read there"};
}

static size_t expect_met(struct findings *findings, size_t all, uint64_t sector)
{
	struct findings_count count;
	struct finding found;

	(void)findings_list(findings, NULL, 0, &count);
	assert_int_equal(count.all, all);
	assert_int_equal(count.met, 1);
	assert_true(findings_met(findings, image, &found));
	assert_int_equal(found.sector, sector);
	return count.changes;
}

static void the_first_damage_that_is_met_is_kept_until_it_is_well(void **state)
{
	const struct finding first = met_at(8), second = met_at(16);
	const struct finding wrong = {.kind = FINDING_WRONG_ID, .id = {1}, .text = "is another"};
	struct findings *findings = *state;
	struct finding found;
	size_t news;

	findings_meet(findings, &first);
	news = expect_met(findings, 1, 8);
	findings_meet(findings, &second);
	assert_int_equal(expect_met(findings, 1, 8), news);
	assert_false(findings_serious(findings, image, &found));
	findings_set(findings, image, &wrong, 1);
	(void)expect_met(findings, 2, 8);
	findings_set(findings, image, NULL, 0);
	news = expect_met(findings, 1, 8);
	findings_heal(findings, &second);
	assert_int_equal(expect_met(findings, 1, 8), news);
	findings_heal(findings, &first);
	assert_false(findings_any_met(findings));
	findings_meet(findings, &second);
	assert_int_equal(expect_met(findings, 1, 16), news + 2);
	findings_forget(findings, image);
	expect_count(findings, 0, 0);
	assert_false(findings_any_met(findings));
}

static void damage_that_finds_no_memory_is_found_again(void **state)
{
	const struct finding met = met_at(8);
	struct findings *findings = *state;
	struct findings_count count;

	alloc_fault_arm(0, true);
	findings_meet(findings, &met);
	alloc_fault_disarm();
	(void)findings_list(findings, NULL, 0, &count);
	assert_int_equal(count.all + count.lost + count.changes, 0);
	findings_meet(findings, &met);
	(void)expect_met(findings, 1, 8);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(beside_countless_files_images_have_their_findings),
		CASE(files_beyond_the_most_are_counted),
		CASE(without_memory_images_have_their_serious_findings),
		CASE(what_finds_no_memory_at_all_is_counted),
		CASE(every_change_makes_another_number),
		CASE(the_first_damage_that_is_met_is_kept_until_it_is_well),
		CASE(damage_that_finds_no_memory_is_found_again),
	};

	log_start(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("server/findings", tests, NULL, NULL);
}
