/* test_server_room.c - readiness tells what was measured, and asks no file system itself. */
#include "service_room.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "test.h"

/* What the file system of each pool answers; wrapped in by the linker. */
static struct {
	uint64_t size, space;
	const char *why;       /* NULL: it answers */
	const char *read_only; /* NULL: it is not */
} answers[2];
static int asked;
static int64_t now_ms;
static void (*meanwhile)(void);

int __wrap_pool_space(struct pool_dir *pool, uint64_t *ret_size, uint64_t *ret_free,
		      struct vhd_error *err);
int __wrap_pool_check_writable(const struct pool_dir *pool, struct vhd_error *err);
int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_monotonic_ms(void)
{
	return now_ms;
}

int __wrap_pool_space(struct pool_dir *pool, uint64_t *ret_size, uint64_t *ret_free,
		      struct vhd_error *err)
{
	size_t i = pool ? 1 : 0;

	asked++;
	if (meanwhile)
		meanwhile();
	if (answers[i].why) {
		err->code = VHD_E_IO;
		(void)snprintf(err->text, sizeof err->text, "%s", answers[i].why);
		return VHD_E_IO;
	}
	*ret_size = answers[i].size;
	*ret_free = answers[i].space;
	return 0;
}

int __wrap_pool_check_writable(const struct pool_dir *pool, struct vhd_error *err)
{
	const char *why = answers[pool ? 1 : 0].read_only;

	if (!why)
		return 0;
	err->code = VHD_E_READONLY;
	(void)snprintf(err->text, sizeof err->text, "%s", why);
	return VHD_E_READONLY;
}

static struct pool_set set = {.n = 2};
static struct service_room *room;

static int setup(void **state)
{
	(void)state;
	set.items[0] = (struct pool_set_item){.name = "default", .pool = NULL};
	set.items[1] = (struct pool_set_item){.name = "fast", .pool = (struct pool_dir *)&set};
	answers[0].size = answers[1].size = 1000;
	answers[0].space = answers[1].space = 500;
	answers[0].why = answers[1].why = NULL;
	answers[0].read_only = answers[1].read_only = NULL;
	meanwhile = NULL;
	asked = 0;
	room = service_room_new(&set);
	return room ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	service_room_free(room);
	return 0;
}

static void expect(bool ok, const char *text)
{
	int before = asked;
	struct service_check check;

	service_room_check(room, &check);
	assert_string_equal(check.name, "pool");
	assert_string_equal(check.text, text);
	assert_int_equal(check.ok, ok);
	assert_int_equal(asked, before); /* nobody was asked for this */
}

static void tells_what_was_measured(void **state)
{
	(void)state;
	expect(false, "not measured yet");
	service_room_measure(room);
	expect(true, "");
	answers[0].space = 9;
	expect(true, "");
	service_room_measure(room);
	expect(false, "default: less than 1 % is free");
	answers[0].space = 10;
	service_room_measure(room);
	expect(true, "");
}

static void another_pool_is_told_of_and_stops_nothing(void **state)
{
	(void)state;
	answers[1].why = "cannot measure /fast: Stale file handle";
	service_room_measure(room);
	expect(true, "fast: cannot measure /fast: Stale file handle");
	answers[0].why = "cannot measure /images: Input/output error";
	service_room_measure(room);
	expect(false, "default: cannot measure /images: Input/output error");
}

static void one_that_is_read_only_is_told_of(void **state)
{
	(void)state;
	answers[1].read_only = "the file system of /fast is read-only";
	service_room_measure(room);
	expect(true, "fast: the file system of /fast is read-only");
	answers[0].read_only = "the file system of /images is read-only";
	service_room_measure(room);
	expect(false, "default: the file system of /images is read-only");
}

static void while_it_waits(void)
{
	if (asked == 1) /* the default pool answers at once, the other one late */
		return;
	now_ms += 10000;
	expect(true, "");
	now_ms += 1;
	expect(false, "fast: its file system has not answered for 10 s");
}

static void a_file_system_that_is_silent_is_not_ready(void **state)
{
	(void)state;
	service_room_measure(room);
	asked = 0;
	meanwhile = while_it_waits;
	service_room_measure(room);
	assert_int_equal(asked, 2);
	expect(true, "");
}

static void ample(const char *pool, uint64_t len, bool want)
{
	int before = asked;

	assert_int_equal(service_room_ample(room, pool, len), want);
	assert_int_equal(asked, before);
}

static void small_bodies_are_not_asked_about_while_there_is_a_gigabyte(void **state)
{
	(void)state;
	answers[0].space = 1 << 30;
	answers[1].space = (1 << 30) - 1;
	ample("default", 1, false); /* not measured yet */
	service_room_measure(room);
	ample("default", 1 << 20, true);
	ample("default", (1 << 20) + 1, false);
	ample("fast", 1, false);
	ample("", 1, false); /* adopted: in no pool */
	now_ms += 4999;
	ample("default", 1, true);
	now_ms += 1; /* a file system is silent: what was heard is old */
	ample("default", 1, false);
	answers[0].why = "Stale file handle";
	service_room_measure(room);
	ample("default", 1, false);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells_what_was_measured, setup, teardown),
		cmocka_unit_test_setup_teardown(another_pool_is_told_of_and_stops_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_that_is_read_only_is_told_of, setup, teardown),
		cmocka_unit_test_setup_teardown(
			small_bodies_are_not_asked_about_while_there_is_a_gigabyte, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_file_system_that_is_silent_is_not_ready, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("server/service_room", tests, NULL, NULL);
}
