/* test_server_uploads.c - the journal of uploads: the last of each image, and of the last images.
 */
#include "uploads.h"

#include <string.h>

#include "test.h"

static struct uploads *uploads;

static int setup(void **state)
{
	(void)state;
	uploads = uploads_new();
	return uploads ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	uploads_free(uploads);
	return 0;
}

/* An id that belongs to a number. */
static const uint8_t *id_of(unsigned n)
{
	static uint8_t id[IDS_SIZE];

	memcpy(id, &n, sizeof n);
	return id;
}

static uint64_t begin(unsigned image, uint64_t offset)
{
	const struct service_upload upload = {.request = "r", .offset = offset, .requested = 100};

	return uploads_begin(uploads, id_of(image), &upload);
}

/* One that has ended. */
static void upload(unsigned image, uint64_t offset)
{
	uploads_note(uploads, id_of(image), begin(image, offset), 100, "durable");
}

static size_t count(unsigned image)
{
	struct service_upload list[SERVICE_UPLOADS];

	return uploads_list(uploads, id_of(image), list);
}

static void remembers_how_far_it_got(void **state)
{
	struct service_upload list[SERVICE_UPLOADS];
	uint64_t first = begin(1, 0);
	uint64_t second = begin(1, 512);

	(void)state;
	uploads_note(uploads, id_of(1), first, 60, NULL);
	uploads_note(uploads, id_of(1), second, 100, "durable");
	assert_int_equal(uploads_list(uploads, id_of(1), list), 2);
	assert_int_equal(list[0].offset, 512);
	assert_int_equal(list[0].written, 100);
	assert_string_equal(list[0].outcome, "durable");
	assert_true(list[0].ended_at >= list[0].began_at && list[0].began_at > 0);
	assert_int_equal(list[1].written, 60);
	assert_string_equal(list[1].outcome, "");
	assert_int_equal(list[1].ended_at, 0);
	assert_string_equal(list[1].request, "r");
	uploads_note(uploads, id_of(1), first, 80, "cut");
	assert_int_equal(uploads_list(uploads, id_of(1), list), 2);
	assert_int_equal(list[1].written, 80);
	assert_string_equal(list[1].outcome, "cut");
	assert_int_equal(uploads_list(uploads, id_of(2), list), 0);
}

static void forgets_the_oldest_of_an_image(void **state)
{
	struct service_upload list[SERVICE_UPLOADS];
	uint64_t oldest = begin(1, 1000);

	(void)state;
	for (unsigned i = 0; i < SERVICE_UPLOADS; i++)
		(void)begin(1, i);
	uploads_note(uploads, id_of(1), oldest, 99, "cut");
	assert_int_equal(uploads_list(uploads, id_of(1), list), SERVICE_UPLOADS);
	for (unsigned i = 0; i < SERVICE_UPLOADS; i++) {
		assert_int_equal(list[i].offset, SERVICE_UPLOADS - 1 - i);
		assert_int_equal(list[i].written, 0);
	}
}

static void forgets_the_image_that_was_written_longest_ago(void **state)
{
	struct service_upload list[SERVICE_UPLOADS];

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		upload(i, i);
	upload(0, 7777); /* so that image 1 is the oldest */
	upload(256, 256);
	assert_int_equal(uploads_list(uploads, id_of(1), list), 0);
	assert_int_equal(uploads_list(uploads, id_of(256), list), 1);
	assert_int_equal(list[0].offset, 256);
	assert_int_equal(uploads_list(uploads, id_of(0), list), 2);
	assert_int_equal(uploads_list(uploads, id_of(2), list), 1);
}

static void remembers_an_image_that_is_still_written(void **state)
{
	struct service_upload list[SERVICE_UPLOADS];
	uint64_t slow = begin(0, 4096);

	(void)state;
	for (unsigned i = 1; i < 600; i++)
		upload(i, i);
	assert_int_equal(uploads_list(uploads, id_of(0), list), 1);
	assert_string_equal(list[0].outcome, "");
	assert_int_equal(count(343), 0);
	assert_int_equal(count(344), 1);
	/* And for a while after its end, for whoever was cut asks then. */
	uploads_note(uploads, id_of(0), slow, 60, "cut");
	for (unsigned i = 600; i < 855; i++)
		upload(i, i);
	assert_int_equal(uploads_list(uploads, id_of(0), list), 1);
	assert_int_equal(list[0].written, 60);
	assert_string_equal(list[0].outcome, "cut");
	upload(855, 0);
	assert_int_equal(count(0), 0);
}

static void remembers_more_images_while_all_are_written(void **state)
{
	uint64_t numbers[600];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 600; i++)
		numbers[i] = begin(i, i);
	for (unsigned i = 0; i < 600; i++)
		assert_int_equal(count(i), 1);
	for (unsigned i = 0; i < 600; i++)
		uploads_note(uploads, id_of(i), numbers[i], 100, "durable");
	upload(600, 0);
	for (unsigned i = 0; i < 600; i++)
		n += count(i);
	assert_int_equal(n, 255);
	assert_int_equal(count(345), 1);
}

/* First, last or in the middle, and one that is not there; the others stay. */
static void forgets_an_image_that_is_gone(void **state)
{
	static const struct {
		unsigned images, gone;
	} rows[] = {{1, 0}, {3, 0}, {3, 1}, {3, 2}, {3, 7}, {256, 0}, {256, 128}, {256, 255}};
	struct service_upload list[SERVICE_UPLOADS];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (unsigned n = 0; n < rows[i].images; n++)
			(void)begin(n, n);
		uploads_forget(uploads, id_of(rows[i].gone));
		for (unsigned n = 0; n < rows[i].images; n++)
			assert_int_equal(uploads_list(uploads, id_of(n), list), n != rows[i].gone);
		for (unsigned n = 0; n < rows[i].images; n++)
			uploads_forget(uploads, id_of(n));
	}
}

/* Whoever was about to end it finds nothing of it, and leaves what came after it alone. */
static void an_image_of_the_same_id_has_a_journal_of_its_own(void **state)
{
	struct service_upload list[SERVICE_UPLOADS];
	uint64_t old = begin(1, 0);

	(void)state;
	uploads_forget(uploads, id_of(1));
	uploads_note(uploads, id_of(1), old, 100, "durable");
	assert_int_equal(uploads_list(uploads, id_of(1), list), 0);
	(void)begin(1, 4096);
	uploads_note(uploads, id_of(1), old, 100, "durable");
	assert_int_equal(uploads_list(uploads, id_of(1), list), 1);
	assert_int_equal(list[0].offset, 4096);
	assert_int_equal(list[0].written, 0);
	assert_string_equal(list[0].outcome, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(remembers_how_far_it_got, setup, teardown),
		cmocka_unit_test_setup_teardown(forgets_the_oldest_of_an_image, setup, teardown),
		cmocka_unit_test_setup_teardown(forgets_the_image_that_was_written_longest_ago,
						setup, teardown),
		cmocka_unit_test_setup_teardown(remembers_an_image_that_is_still_written, setup,
						teardown),
		cmocka_unit_test_setup_teardown(remembers_more_images_while_all_are_written, setup,
						teardown),
		cmocka_unit_test_setup_teardown(forgets_an_image_that_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(an_image_of_the_same_id_has_a_journal_of_its_own,
						setup, teardown),
	};

	return cmocka_run_group_tests_name("server/uploads", tests, NULL, NULL);
}
