/* test_set_footer.c - fields of the footer of an open image change, in both copies, and in the
 * order that a power cut forgives. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "image_builder.h"
#include "memio.h"
#include "mutant.h"
#include "reader.h"
#include "test.h"

enum { SIZE = 4 << 20, BLOCK = 512 << 10, FEATURES = 8, CHECKSUM = 64, SAVED = 84 };

static const struct vhd_footer neither = {.saved_state = false};
static const struct vhd_footer saved = {.saved_state = true};
static const struct vhd_footer both = {.saved_state = true, .temporary = true};

struct bench {
	struct vhd_engine *engine;
	struct memjournal *journal;
	struct memio *file;
	struct vhd *disk;
	struct vhd_error err;
};

static struct vhd *create(struct bench *bench, struct memio *file, enum vhd_type type,
			  struct vhd *parent, uint8_t id)
{
	struct vhd_create_args args = {.type = type, .size = SIZE, .parent = parent};
	struct vhd_io io = memio_io(file);
	struct vhd *disk;

	args.block_size = type == VHD_FIXED ? 0 : BLOCK;
	args.parent_path = "/pool/parent.vhd";
	args.child_path = "/pool/child.vhd";
	memset(args.id, id, sizeof args.id);
	if (vhd_create(bench->engine, &io, &args, &disk, &bench->err) < 0)
		fail_msg("create: %s", bench->err.text);
	return disk;
}

/* With one sector of it written and flushed. */
static void start(struct bench *bench, enum vhd_type type)
{
	static const struct vhd_engine_args args;
	uint8_t sector[512];

	memset(bench, 0, sizeof *bench);
	memset(sector, 0x11, sizeof sector);
	assert_int_equal(vhd_engine_new(&args, &bench->engine, NULL), 0);
	bench->journal = memjournal_new();
	bench->file = memio_new(bench->journal);
	bench->disk = create(bench, bench->file, type, NULL, 1);
	assert_int_equal(vhd_write(bench->disk, sector, 512, 0, NULL, NULL), 0);
	assert_int_equal(vhd_flush(bench->disk, 0, NULL), 0);
}

static void end(struct bench *bench)
{
	vhd_close(bench->disk);
	memio_free(bench->file);
	memjournal_free(bench->journal);
	vhd_engine_free(bench->engine);
}

static struct vhd *open_file(struct vhd_engine *engine, struct memio *file, unsigned flags,
			     struct vhd_error *err)
{
	struct vhd_io io = memio_io(file);
	struct vhd *disk = NULL;

	if (vhd_open(engine, &io, flags, NULL, &disk, err) < 0)
		vhd_io_close(&io);
	return disk;
}

static void reopen(struct bench *bench, unsigned flags)
{
	vhd_close(bench->disk);
	bench->disk = open_file(bench->engine, bench->file, flags, &bench->err);
	if (!bench->disk)
		fail_msg("reopen: %s", bench->err.text);
}

static void set(struct bench *bench, struct vhd_footer footer)
{
	if (vhd_set_footer(bench->disk, &footer, &bench->err) < 0)
		fail_msg("set: %s", bench->err.text);
}

static bool shows(const struct vhd *disk, struct vhd_footer footer)
{
	struct vhd_state state;

	vhd_state(disk, &state);
	return state.saved_state == footer.saved_state && state.temporary == footer.temporary;
}

static void field_is(const struct bench *bench, const char *name, const char *value)
{
	char text[64];

	assert_int_equal(vhd_field(bench->disk, name, text, sizeof text, NULL), 0);
	assert_string_equal(text, value);
}

/* ---- what changes ---- */

/* Bytes of one footer copy, before and after, that may differ and those that may not. */
static void only_fields_differ(const uint8_t *before, const uint8_t *after)
{
	for (size_t i = 0; i < 512; i++) {
		bool field = (i >= FEATURES && i < FEATURES + 4) || i == SAVED ||
			     (i >= CHECKSUM && i < CHECKSUM + 4);

		if (!field)
			assert_int_equal(after[i], before[i]);
	}
}

static void both_copies_get_the_new_fields(void **state)
{
	uint8_t before[512], head[512], tail[512];
	struct reader reader;
	struct bench bench;
	uint64_t size;

	(void)state;
	start(&bench, VHD_DYNAMIC);
	memio_peek(bench.file, before, 512, 0);
	size = memio_size(bench.file);
	set(&bench, both);
	assert_true(shows(bench.disk, both));
	field_is(&bench, "features", "Temporary");
	field_is(&bench, "saved-state", "true");
	assert_int_equal(memio_size(bench.file), size);
	memio_peek(bench.file, head, 512, 0);
	memio_peek(bench.file, tail, 512, size - 512);
	assert_memory_equal(head, tail, 512);
	only_fields_differ(before, head);
	assert_int_equal(head[FEATURES + 3], 3);
	assert_int_equal(head[SAVED], 1);
	assert_true(reader_open(&reader, bench.file)); /* both valid and equal */
	reader_close(&reader);
	reopen(&bench, VHD_WRITE);
	assert_true(shows(bench.disk, both));
	assert_true(vhd_info(bench.disk)->saved_state);
	assert_true(vhd_info(bench.disk)->temporary);
	set(&bench, neither);
	memio_peek(bench.file, head, 512, 0);
	assert_memory_equal(head, before, 512);
	end(&bench);
}

/* Bits, bytes and reserved space of other programs. */
static void what_others_wrote_is_kept(void **state)
{
	static const uint64_t copies = 2;
	uint8_t before[512], after[512];
	struct bench bench;

	(void)state;
	start(&bench, VHD_DYNAMIC);
	memio_peek(bench.file, before, 512, 0);
	before[FEATURES] = 0x80;
	before[85] = 1; /* blktap's hidden */
	before[500] = 0xAB;
	builder_put32(before + CHECKSUM, builder_checksum(before, 512, CHECKSUM));
	vhd_close(bench.disk);
	bench.disk = NULL;
	for (uint64_t i = 0; i < copies; i++)
		memio_poke(bench.file, before, 512, i * (memio_size(bench.file) - 512));
	reopen(&bench, VHD_WRITE);
	set(&bench, both);
	memio_peek(bench.file, after, 512, 0);
	only_fields_differ(before, after);
	assert_int_equal(after[FEATURES], 0x80);
	assert_int_equal(after[FEATURES + 3], 3);
	end(&bench);
}

static void blocks_that_come_later_carry_the_new_footer(void **state)
{
	struct reader reader;
	struct bench bench;
	uint8_t tail[512];

	(void)state;
	start(&bench, VHD_DYNAMIC);
	set(&bench, saved);
	assert_int_equal(vhd_write(bench.disk, "x", 1, 3 * BLOCK, NULL, NULL), 0);
	memio_peek(bench.file, tail, 512, memio_size(bench.file) - 512);
	assert_int_equal(tail[SAVED], 1);
	assert_int_equal(vhd_flush(bench.disk, 0, NULL), 0);
	assert_true(reader_open(&reader, bench.file));
	reader_close(&reader);
	end(&bench);
}

static void nothing_is_written_when_nothing_changes(void **state)
{
	struct bench bench;
	size_t events;

	(void)state;
	start(&bench, VHD_DYNAMIC);
	events = memjournal_length(bench.journal);
	set(&bench, neither);
	assert_int_equal(memjournal_length(bench.journal), events);
	end(&bench);
}

/* At the start of a fixed disk lies what its guest wrote, be it a footer. */
static void a_fixed_disk_has_one_footer(void **state)
{
	uint8_t before[512], fake[512], got[512];
	struct bench bench;

	(void)state;
	start(&bench, VHD_FIXED);
	memio_peek(bench.file, before, 512, SIZE);
	memcpy(fake, before, 512);
	assert_int_equal(vhd_write(bench.disk, fake, 512, 0, NULL, NULL), 0);
	set(&bench, both);
	memio_peek(bench.file, got, 512, 0);
	assert_memory_equal(got, fake, 512);
	memio_peek(bench.file, got, 512, SIZE);
	only_fields_differ(before, got);
	assert_int_equal(memio_size(bench.file), SIZE + 512);
	reopen(&bench, 0);
	assert_true(shows(bench.disk, both));
	end(&bench);
}

/* ---- who may not ---- */

static void an_image_open_for_reading_is_refused(void **state)
{
	struct bench bench;

	(void)state;
	start(&bench, VHD_DYNAMIC);
	reopen(&bench, 0);
	assert_int_equal(vhd_set_footer(bench.disk, &both, &bench.err), VHD_E_READONLY);
	assert_string_equal(bench.err.text, "the image was opened for reading");
	end(&bench);
}

static void a_frozen_image_is_refused_until_it_thaws(void **state)
{
	size_t events;
	struct bench bench;

	(void)state;
	start(&bench, VHD_DYNAMIC);
	assert_int_equal(vhd_freeze(bench.disk, NULL), 0);
	events = memjournal_length(bench.journal);
	assert_int_equal(vhd_set_footer(bench.disk, &both, &bench.err), VHD_E_FROZEN);
	assert_string_equal(bench.err.text, "set footer: the image has children or was frozen");
	assert_int_equal(memjournal_length(bench.journal), events);
	assert_true(shows(bench.disk, neither));
	assert_int_equal(vhd_thaw(bench.disk, NULL), 0);
	set(&bench, both);
	end(&bench);
}

static void a_parent_is_refused_and_its_child_is_not(void **state)
{
	struct memio *file = memio_new(NULL);
	struct bench bench;
	struct vhd *child;

	(void)state;
	start(&bench, VHD_DYNAMIC);
	child = create(&bench, file, VHD_DIFF, bench.disk, 2);
	assert_int_equal(vhd_set_footer(bench.disk, &both, &bench.err), VHD_E_FROZEN);
	assert_int_equal(vhd_set_footer(child, &saved, &bench.err), 0);
	assert_true(shows(child, saved));
	vhd_close(child);
	memio_free(file);
	end(&bench);
}

/* ---- power cuts ---- */

/* Whether the file as it is, after recovery, shows one of the two. */
static bool comes_back(struct memio *file, struct vhd_footer one, struct vhd_footer other)
{
	static const struct vhd_engine_args args;
	struct vhd_engine *engine;
	struct vhd_error err;
	struct vhd *disk;
	bool ok;

	assert_int_equal(vhd_engine_new(&args, &engine, NULL), 0);
	disk = open_file(engine, file, VHD_WRITE | VHD_RECOVER, &err);
	ok = disk && (shows(disk, one) || shows(disk, other));
	vhd_close(disk);
	vhd_engine_free(engine);
	return ok;
}

/* Whether a cut right now leaves these fields. */
static bool is_lasting(const struct bench *bench, struct vhd_footer footer)
{
	struct memio *cut = memio_clone(bench->file, NULL);
	bool ok = comes_back(cut, footer, footer);

	memio_free(cut);
	return ok;
}

static void holds(const struct bench *bench, uint64_t offset, char byte)
{
	char there;

	assert_int_equal(vhd_read(bench->disk, &there, 1, offset, 0, NULL), 0);
	assert_int_equal(there, byte);
}

/* What waits for a flush is made durable first: else it would be cut off with what the table does
 * not name. */
static void what_waits_for_a_flush_goes_first(void **state)
{
	struct bench bench;

	(void)state;
	start(&bench, VHD_DYNAMIC);
	assert_int_equal(vhd_write(bench.disk, "x", 1, 3 * BLOCK, NULL, NULL), 0);
	assert_int_equal(vhd_write(bench.disk, "y", 1, 5 * BLOCK, NULL, NULL), 0);
	set(&bench, both);
	assert_true(is_lasting(&bench, both));
	reopen(&bench, VHD_WRITE | VHD_RECOVER);
	holds(&bench, 3 * BLOCK, 'x');
	holds(&bench, 5 * BLOCK, 'y');
	end(&bench);
}

/* A file may end behind the place where recovery looks, with an old footer there. */
static void an_old_footer_in_the_slack_does_not_win(void **state)
{
	struct bench bench;
	uint8_t raw[512];
	uint64_t size;

	(void)state;
	start(&bench, VHD_DYNAMIC);
	vhd_close(bench.disk);
	bench.disk = NULL;
	size = memio_size(bench.file);
	memio_peek(bench.file, raw, 512, 0);
	memio_poke(bench.file, raw, 512, size + 4096);
	reopen(&bench, VHD_WRITE);
	set(&bench, both);
	assert_int_equal(memio_size(bench.file), size);
	assert_true(is_lasting(&bench, both));
	assert_int_equal(vhd_write(bench.disk, "x", 1, 3 * BLOCK, NULL, NULL), 0);
	assert_int_equal(vhd_flush(bench.disk, 0, NULL), 0);
	assert_true(is_lasting(&bench, both));
	end(&bench);
}

/* How much of a write is there: nothing, a piece that ends inside the footer's fields, all of it.
 */
static const size_t pieces[] = {0, FEATURES + 4, CHECKSUM + 4, 512};
enum { PIECES = sizeof pieces / sizeof pieces[0] };

/* The states at one point: what came before the last flush is there, and of each later write one of
 * the pieces. */
struct torn {
	struct memio *durable;
	const struct mem_event *flying[2];
	unsigned n;
	unsigned states, lost;
};

static void try_all_pieces(struct torn *torn)
{
	for (unsigned pick = 0; pick < PIECES * PIECES; pick++) {
		struct memio *file = memio_clone(torn->durable, NULL);
		unsigned of[2] = {pick % PIECES, pick / PIECES};

		for (unsigned i = 0; i < torn->n; i++)
			if (pieces[of[i]] > 0)
				memio_poke(file, torn->flying[i]->data, pieces[of[i]],
					   torn->flying[i]->off);
		torn->lost += !comes_back(file, neither, both);
		torn->states++;
		memio_free(file);
	}
}

static void torn_step(struct torn *torn, const struct mem_event *event)
{
	if (event->kind == MEM_WRITE) {
		assert_true(torn->n < 2);
		torn->flying[torn->n++] = event;
	}
	if (event->kind == MEM_FLUSH) {
		for (unsigned i = 0; i < torn->n; i++)
			memio_replay(torn->durable, torn->flying[i]);
		torn->n = 0;
	}
	try_all_pieces(torn);
}

/* The states of a change in which sectors tear. */
static struct torn change_and_tear(void)
{
	struct torn torn = {.n = 0};
	struct bench bench;
	size_t from;

	start(&bench, VHD_DYNAMIC);
	torn.durable = memio_clone(bench.file, NULL);
	from = memjournal_length(bench.journal);
	set(&bench, both);
	for (size_t i = from; i < memjournal_length(bench.journal); i++)
		torn_step(&torn, memjournal_event(bench.journal, i));
	memio_free(torn.durable);
	end(&bench);
	return torn;
}

static void a_torn_sector_never_takes_both_footers(void **state)
{
	struct torn torn = change_and_tear();

	(void)state;
	assert_int_equal(torn.lost, 0);
	assert_true(torn.states >= 4 * PIECES * PIECES); /* two writes and two flushes */
	vhd_mutant = 7;
	torn = change_and_tear();
	vhd_mutant = 0;
	if (torn.lost == 0)
		fail_msg("M7, both footers in flight at once: SURVIVED %u states", torn.states);
}

/* ---- threads ---- */

struct crowd {
	struct vhd *disk;
	atomic_bool stop;
	atomic_uint failures;
};

static void *write_all_the_time(void *ctx)
{
	struct crowd *crowd = ctx;
	struct vhd_accepted accepted;

	for (uint64_t i = 0; !crowd->stop; i++) {
		int r = vhd_write(crowd->disk, "abcd", 4, i % 8 * BLOCK + i % 4096, &accepted,
				  NULL);

		if (r == 0 && i % 8 == 0)
			r = vhd_flush(crowd->disk, accepted.epoch, NULL);
		crowd->failures += r < 0;
	}
	return NULL;
}

static void *look_all_the_time(void *ctx)
{
	struct crowd *crowd = ctx;
	char text[64];
	uint8_t byte;

	while (!crowd->stop) {
		struct vhd_state now;
		int r = vhd_read(crowd->disk, &byte, 1, 5 * BLOCK, 0, NULL);

		vhd_state(crowd->disk, &now);
		if (r == 0)
			r = vhd_field(crowd->disk, "footer-checksum", text, sizeof text, NULL);
		/* The test sets and clears both at once. */
		crowd->failures += r < 0 || now.saved_state != now.temporary;
	}
	return NULL;
}

static void readers_and_writers_go_on_meanwhile(void **state)
{
	struct bench bench;
	struct crowd crowd = {.stop = false};
	pthread_t writer, looker;

	(void)state;
	start(&bench, VHD_DYNAMIC);
	crowd.disk = bench.disk;
	assert_int_equal(pthread_create(&writer, NULL, write_all_the_time, &crowd), 0);
	assert_int_equal(pthread_create(&looker, NULL, look_all_the_time, &crowd), 0);
	for (int i = 0; i < 200; i++)
		set(&bench, i % 2 ? neither : both);
	set(&bench, both);
	crowd.stop = true;
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_int_equal(pthread_join(looker, NULL), 0);
	assert_int_equal(crowd.failures, 0);
	assert_int_equal(vhd_flush(bench.disk, 0, NULL), 0);
	assert_true(is_lasting(&bench, both));
	end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_copies_get_the_new_fields),
		cmocka_unit_test(what_others_wrote_is_kept),
		cmocka_unit_test(blocks_that_come_later_carry_the_new_footer),
		cmocka_unit_test(nothing_is_written_when_nothing_changes),
		cmocka_unit_test(a_fixed_disk_has_one_footer),
		cmocka_unit_test(an_image_open_for_reading_is_refused),
		cmocka_unit_test(a_frozen_image_is_refused_until_it_thaws),
		cmocka_unit_test(a_parent_is_refused_and_its_child_is_not),
		cmocka_unit_test(what_waits_for_a_flush_goes_first),
		cmocka_unit_test(an_old_footer_in_the_slack_does_not_win),
		cmocka_unit_test(a_torn_sector_never_takes_both_footers),
		cmocka_unit_test(readers_and_writers_go_on_meanwhile),
	};

	return cmocka_run_group_tests_name("set_footer", tests, NULL, NULL);
}
