/* test_lost_and_found.c - ways in which acknowledged data was once lost, or another's taken for
 * ours. */
#include <errno.h>
#include <string.h>

#include "test.h"

#include "bench.h"
#include "faultio.h"
#include "image_builder.h"

enum { DISK = 8 << 20, BLOCK = 2 << 20, SECTOR = 512 };

static void create_root(struct bench *bench, struct vhd_io io, struct vhd **ret_disk)
{
	struct vhd_create_args args = {.type = VHD_DYNAMIC, .size = DISK, .id = {1}};

	must(bench, vhd_create(bench->engine, &io, &args, ret_disk, &bench->err));
}

static int create_child(struct bench *bench, struct vhd_io io)
{
	struct vhd_create_args args = {.type = VHD_DIFF,
				       .id = {2},
				       .parent = bench->parent,
				       .parent_path = "/x/p.vhd",
				       .child_path = "/x/c.vhd"};
	int r = vhd_create(bench->engine, &io, &args, &bench->disk, &bench->err);

	vhd_io_close(&io);
	return r;
}

static int put(struct bench *bench, struct vhd *disk, uint64_t off, int byte)
{
	memset(bench->buf, byte, SECTOR);
	return vhd_write(disk, bench->buf, SECTOR, off, NULL, &bench->err);
}

static int get(struct bench *bench, uint64_t off)
{
	must(bench, vhd_read(bench->disk, bench->buf, SECTOR, off, 0, &bench->err));
	return bench->buf[0];
}

static void a_footer_keeps_what_its_writer_put_into_reserved_bytes(void **state)
{
	struct bench *bench = *state;
	struct builder_args args = {.type = 3, .size = DISK, .id = 1};
	struct builder builder;
	uint8_t tail[512];

	builder_init(&builder, &args);
	builder.tail[200] = builder.head[200] = 7;
	builder_mend(&builder);
	builder_store(&builder, bench->file);
	builder_fini(&builder);
	must(bench, reopen(bench, VHD_WRITE));
	must(bench, put(bench, bench->disk, 0, 'a'));
	must(bench, vhd_flush(bench->disk, 0, &bench->err));
	must(bench, reopen(bench, VHD_WRITE));
	memio_peek(bench->file, tail, sizeof tail, memio_size(bench->file) - 512);
	assert_int_equal(tail[200], 7);
	assert_int_equal(get(bench, 0), 'a');
}

static void a_creator_that_promises_a_batmap_is_refused(void **state)
{
	struct bench *bench = *state;
	struct vhd_io io = memio_io(bench->file);
	struct vhd_create_args args = {
		.type = VHD_DYNAMIC, .size = DISK, .id = {1}, .creator = {'t', 'a', 'p', 0}};

	assert_int_equal(vhd_create(bench->engine, &io, &args, &bench->disk, &bench->err),
			 VHD_E_INVALID);
	assert_string_equal(bench->err.text,
			    "create: creator \"tap\": it promises a batmap, which is not written");
	vhd_io_close(&io);
}

static void a_block_may_lie_where_a_locator_pointed_past_the_end(void **state)
{
	struct bench *bench = *state;
	struct builder_args parent_args = {.type = 3, .size = DISK, .id = 1};
	struct builder_args args = {
		.type = 4, .size = DISK, .id = 2, .parent_id = 1, .parent_name = "p.vhd"};
	struct builder builder;
	struct vhd_io io;
	uint8_t *slot;

	builder_init(&builder, &parent_args);
	builder_store(&builder, bench->parent_file);
	builder_fini(&builder);
	io = memio_io(bench->parent_file);
	must(bench, vhd_open(bench->engine, &io, 0, NULL, &bench->parent, &bench->err));
	builder_init(&builder, &args);
	slot = builder.header + H_LOCATORS;
	builder_put32(slot, 0x4D616358);
	builder_put32(slot + 4, 512);
	builder_put32(slot + 8, 20);
	builder_put64(slot + 16, 100000);
	builder_mend(&builder);
	builder_store(&builder, bench->file);
	builder_fini(&builder);
	must(bench, reopen(bench, VHD_WRITE));
	must(bench, put(bench, bench->disk, 0, 'a'));
	must(bench, vhd_flush(bench->disk, 0, &bench->err));
	must(bench, reopen(bench, VHD_WRITE));
	assert_int_equal(get(bench, 0), 'a');
	must(bench, reopen(bench, VHD_WRITE | VHD_RECOVER));
	assert_int_equal(get(bench, 0), 'a');
}

static void recovery_leaves_a_clean_child_as_it_is(void **state)
{
	struct bench *bench = *state;
	uint64_t size;

	create_root(bench, memio_io(bench->parent_file), &bench->parent);
	must(bench, create_child(bench, memio_io(bench->file)));
	size = memio_size(bench->file);
	must(bench, reopen(bench, VHD_WRITE | VHD_RECOVER));
	assert_int_equal(memio_size(bench->file), size);
}

/* A disk whose trailing footer is lost and whose last sector is a footer that the guest wrote. */
static void forge_tail(struct bench *bench, uint32_t type)
{
	struct builder_args outer_args = {.type = 3, .size = DISK, .id = 1};
	struct builder_args inner_args = {.type = type, .size = 1 << 20, .id = 77};
	struct builder outer, inner;
	struct builder_block *block;

	builder_init(&outer, &outer_args);
	builder_init(&inner, &inner_args);
	block = builder_add_block(&outer, 0, 0xff, 1);
	builder_mend(&inner);
	memcpy(block->data + BLOCK - 512, inner.tail, 512);
	outer.tail_length = 0;
	builder_mend(&outer);
	builder_store(&outer, bench->file);
	builder_fini(&inner);
	builder_fini(&outer);
}

static void a_guests_growing_footer_at_the_end_is_not_ours(void **state)
{
	struct bench *bench = *state;

	forge_tail(bench, 3);
	must(bench, reopen(bench, 0));
	assert_int_equal(vhd_info(bench->disk)->size, DISK);
	assert_int_equal(vhd_info(bench->disk)->footers, VHD_FOOTER_HEAD);
	(void)get(bench, BLOCK - 512);
	assert_memory_equal(bench->buf, "conectix", 8);
	must(bench, reopen(bench, VHD_WRITE | VHD_RECOVER));
	(void)get(bench, BLOCK - 512);
	assert_memory_equal(bench->buf, "conectix", 8);
}

static void a_guests_fixed_footer_at_the_end_needs_somebody_who_knows(void **state)
{
	struct bench *bench = *state;
	struct vhd_io io;

	forge_tail(bench, 2);
	assert_int_equal(reopen(bench, 0), VHD_E_AMBIGUOUS);
	assert_int_equal(reopen(bench, VHD_WRITE | VHD_RECOVER), VHD_E_AMBIGUOUS);
	io = memio_io(bench->file);
	io.hint = VHD_NOT_FIXED;
	must(bench, vhd_open(bench->engine, &io, VHD_WRITE | VHD_RECOVER, NULL, &bench->disk,
			     &bench->err));
	assert_int_equal(vhd_info(bench->disk)->type, VHD_DYNAMIC);
	(void)get(bench, BLOCK - 512);
	assert_memory_equal(bench->buf, "conectix", 8);
}

static void a_parent_is_writable_again_when_its_child_could_not_be_made(void **state)
{
	struct bench *bench = *state;
	struct faults faults = {.ops = FAULT_WRITE, .sys = ENOSPC, .fail_at = 0};

	create_root(bench, memio_io(bench->parent_file), &bench->parent);
	assert_int_equal(create_child(bench, faultio_wrap(memio_io(bench->file), &faults)),
			 VHD_E_NOSPC);
	must(bench, put(bench, bench->parent, 0, 'p'));
}

/* The device never got what a failed sync was for; the cache says it did. Whoever sends again must
 * be believed only when it is there. */
static void what_is_sent_again_after_a_failed_sync_is_on_the_device(void **state)
{
	struct bench *bench = *state;
	struct faults faults = {.ops = FAULT_FLUSH, .sys = EIO, .fail_at = -1};

	memio_use_device(bench->file);
	create_root(bench, faultio_wrap(memio_io(bench->file), &faults), &bench->disk);
	must(bench, put(bench, bench->disk, 0, 'n'));
	faults.fail_at = faults.calls + 1; /* the second barrier */
	assert_int_equal(vhd_flush(bench->disk, 0, &bench->err), VHD_E_IO);
	assert_int_equal(put(bench, bench->disk, 0, 'n'), VHD_E_FAILED);
	must(bench, reopen(bench, VHD_WRITE | VHD_RECOVER));
	must(bench, put(bench, bench->disk, 0, 'n'));
	must(bench, vhd_flush(bench->disk, 0, &bench->err));
	vhd_close(bench->disk);
	bench->disk = NULL;
	memio_use_device(bench->file); /* from here on nothing but what was flushed */
	must(bench, reopen(bench, VHD_WRITE | VHD_RECOVER));
	assert_int_equal(get(bench, 0), 'n');
}

#define MAPPED                                                                              \
	"the page cache holds what the disk does not: end the programs that map the file, " \
	"then try again"

/* While memory cannot be made to forget what the device never got, nothing that is read can be
 * believed. */
static void refused_while_memory_keeps(struct bench *bench, unsigned how)
{
	struct faults faults = {.ops = FAULT_FLUSH, .sys = EIO, .fail_at = -1};

	memio_use_device(bench->file);
	create_root(bench, faultio_wrap(memio_io(bench->file), &faults), &bench->disk);
	must(bench, put(bench, bench->disk, 0, 'a'));
	must(bench, vhd_flush(bench->disk, 0, &bench->err));
	must(bench, put(bench, bench->disk, 0, 'b'));
	faults.fail_at = faults.calls;
	assert_int_equal(vhd_flush(bench->disk, 0, &bench->err), VHD_E_IO);
	memio_keep_pages(bench->file, true);
	assert_int_equal(reopen(bench, how), VHD_E_IO);
	assert_string_equal(bench->err.text, how & VHD_RECOVER ? "recover: " MAPPED : MAPPED);
	memio_keep_pages(bench->file, false);
	must(bench, reopen(bench, how));
	assert_int_equal(get(bench, 0), 'a');
}

static void recovery_is_refused_while_memory_keeps_what_the_device_has_not(void **state)
{
	refused_while_memory_keeps(*state, VHD_WRITE | VHD_RECOVER);
}

/* Who may not write repairs nothing, but is not shown what only memory has either. */
static void who_may_not_repair_reads_what_is_on_the_device(void **state)
{
	refused_while_memory_keeps(*state, VHD_RECOVER);
}

/* Nor is who asks for it alone, as whoever adopts a file. */
static void who_reads_anew_reads_what_is_on_the_device(void **state)
{
	refused_while_memory_keeps(*state, VHD_REREAD);
}

static void a_flush_that_failed_after_its_barrier_is_not_tried_again(void **state)
{
	struct bench *bench = *state;
	struct faults faults = {.ops = FAULT_WRITE, .sys = ENOSPC, .fail_at = -1};

	create_root(bench, memio_io(bench->parent_file), &bench->parent);
	must(bench, create_child(bench, faultio_wrap(memio_io(bench->file), &faults)));
	must(bench, put(bench, bench->disk, 0, 'a'));
	/* The bitmap can be written, the table cannot. */
	faults.fail_at = faults.calls + 1;
	assert_int_equal(vhd_flush(bench->disk, 0, &bench->err), VHD_E_NOSPC);
	assert_int_equal(put(bench, bench->disk, 512, 'b'), VHD_E_FAILED);
}

static void a_flush_that_failed_before_its_barrier_can_be_tried_again(void **state)
{
	struct bench *bench = *state;
	struct faults faults = {.ops = FAULT_WRITE, .sys = ENOSPC, .fail_at = -1};

	create_root(bench, memio_io(bench->parent_file), &bench->parent);
	must(bench, create_child(bench, faultio_wrap(memio_io(bench->file), &faults)));
	must(bench, put(bench, bench->disk, 0, 'a'));
	faults.fail_at = faults.calls;
	assert_int_equal(vhd_flush(bench->disk, 0, &bench->err), VHD_E_NOSPC);
	must(bench, put(bench, bench->disk, 512, 'b'));
	must(bench, vhd_flush(bench->disk, 0, &bench->err));
	must(bench, reopen(bench, 0));
	assert_int_equal(get(bench, 0), 'a');
	assert_int_equal(get(bench, 512), 'b');
}

static void an_open_image_is_not_recovered(void **state)
{
	struct bench *bench = *state;
	struct vhd_io io = memio_io(bench->file);
	struct vhd *other;

	create_root(bench, memio_io(bench->file), &bench->disk);
	assert_int_equal(
		vhd_open(bench->engine, &io, VHD_WRITE | VHD_RECOVER, NULL, &other, &bench->err),
		VHD_E_BUSY);
	assert_string_equal(bench->err.text, "the image is open: close it before it is recovered");
	vhd_io_close(&io);
}

static void a_child_needs_a_parent_with_its_lock(void **state)
{
	struct bench *bench = *state;
	struct vhd_io io = memio_io(bench->parent_file);

	create_root(bench, memio_io(bench->parent_file), &bench->parent);
	vhd_close(bench->parent);
	must(bench, vhd_open(bench->engine, &io, VHD_NO_LOCK, NULL, &bench->parent, &bench->err));
	assert_int_equal(create_child(bench, memio_io(bench->file)), VHD_E_INVALID);
	assert_int_equal(memio_size(bench->file), 0);
}

/* Old bytes of a table entry are FF: with 3 new ones it names a place up to 255 sectors too far,
 * which may lie in a file that has grown for the next block. */
static void a_torn_table_entry_is_not_taken_for_a_place(void **state)
{
	enum { TABLE = 1536 };
	struct bench *bench = *state;
	uint8_t table[8];

	create_root(bench, memio_io(bench->file), &bench->disk);
	must(bench, put(bench, bench->disk, 0, 'a'));
	must(bench, put(bench, bench->disk, BLOCK, 'b'));
	must(bench, vhd_flush(bench->disk, 0, &bench->err));
	memio_peek(bench->file, table, sizeof table, TABLE);
	assert_memory_equal(table, "\0\0\0\x07\0\0\x10\x0f", sizeof table);
	memio_poke(bench->file, "\0\0\0\xff\xff\xff\xff\xff", sizeof table, TABLE);
	assert_int_equal(reopen(bench, VHD_WRITE | VHD_RECOVER), VHD_E_CORRUPT);
	assert_string_equal(
		bench->err.text,
		"recover: block table: entry 0 at 0x600 is sector 0xff: it may be torn, for nothing is in "
		"the 251 sectors before");
}

static void no_block_is_put_where_its_entry_would_look_torn(void **state)
{
	enum { TABLE = 1536, BLOCKS = 40 };
	struct bench *bench = *state;
	struct vhd_create_args args = {
		.type = VHD_DYNAMIC, .size = (uint64_t)BLOCKS * BLOCK, .id = {1}};
	struct vhd_io io = memio_io(bench->file);
	uint8_t table[BLOCKS * 4];

	must(bench, vhd_create(bench->engine, &io, &args, &bench->disk, &bench->err));
	for (uint64_t block = 0; block < BLOCKS; block++)
		must(bench, put(bench, bench->disk, block * BLOCK, 'a'));
	must(bench, vhd_flush(bench->disk, 0, &bench->err));
	memio_peek(bench->file, table, sizeof table, TABLE);
	for (size_t block = 0; block < BLOCKS; block++)
		assert_int_not_equal(table[block * 4 + 3], 0xff);
	/* What a lost block leaves behind is no reason to doubt the others. */
	memio_poke(bench->file, "\xff\xff\xff\xff", 4, TABLE + 30 * 4);
	must(bench, reopen(bench, VHD_WRITE | VHD_RECOVER));
	assert_int_equal(get(bench, 31 * (uint64_t)BLOCK), 'a');
}

/* ---- a file that changes while it is opened again ---- */

/* A store whose file is cut right after somebody has asked for its size, as when a block
 * that found no room is given back, or a footer is set. */
static struct {
	struct vhd_io_ops ops;
	struct vhd_io below;
	struct vhd *writer;
} cutting;

static int size_then_cut(void *store, uint64_t *ret_size)
{
	const struct vhd_footer footer = {.saved_state = true};
	int r = cutting.below.ops->size(store, ret_size);
	struct vhd *writer = cutting.writer;

	cutting.writer = NULL; /* it asks for the size as well */
	if (writer)
		assert_int_equal(vhd_set_footer(writer, &footer, NULL), 0);
	return r;
}

static struct vhd_io cutting_io(struct memio *file)
{
	cutting.below = memio_io(file);
	cutting.ops = *cutting.below.ops;
	cutting.ops.size = size_then_cut;
	return (struct vhd_io){.ops = &cutting.ops, .store = cutting.below.store};
}

/* Opens a file with slack at its end by two stores of one kind; the second one looks while
 * the first handle cuts the slack off. */
static void another_handle_is_had_while_the_first_one_cuts(void **state)
{
	struct bench *bench = *state;
	struct vhd *second = NULL;
	struct vhd_io io;
	uint8_t raw[512];

	create_root(bench, memio_io(bench->file), &bench->disk);
	vhd_close(bench->disk);
	bench->disk = NULL;
	memio_peek(bench->file, raw, sizeof raw, 0);
	memio_poke(bench->file, raw, sizeof raw, memio_size(bench->file) + 4096);
	io = cutting_io(bench->file);
	must(bench, vhd_open(bench->engine, &io, VHD_WRITE, NULL, &bench->disk, &bench->err));
	io = cutting_io(bench->file);
	cutting.writer = bench->disk;
	must(bench, vhd_open(bench->engine, &io, VHD_WRITE, NULL, &second, &bench->err));
	assert_ptr_equal(vhd_info(second), vhd_info(bench->disk));
	cutting.writer = NULL;
	vhd_close(second);
}

/* Whether the file is open is told by the file, not by what its footers say now. */
static void recovery_of_an_open_file_is_refused_without_a_look(void **state)
{
	struct bench *bench = *state;
	struct vhd *second = NULL;
	struct vhd_io io = memio_io(bench->file);
	static const uint8_t junk[512] = {0xEE};

	create_root(bench, memio_io(bench->file), &bench->disk);
	memio_poke(bench->file, junk, sizeof junk, 0);
	memio_poke(bench->file, junk, sizeof junk, memio_size(bench->file) - 512);
	assert_int_equal(
		vhd_open(bench->engine, &io, VHD_WRITE | VHD_RECOVER, NULL, &second, &bench->err),
		VHD_E_BUSY);
	assert_string_equal(bench->err.text, "the image is open: close it before it is recovered");
	vhd_io_close(&io);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_footer_keeps_what_its_writer_put_into_reserved_bytes),
		CASE(a_creator_that_promises_a_batmap_is_refused),
		CASE(a_block_may_lie_where_a_locator_pointed_past_the_end),
		CASE(recovery_leaves_a_clean_child_as_it_is),
		CASE(a_guests_growing_footer_at_the_end_is_not_ours),
		CASE(a_guests_fixed_footer_at_the_end_needs_somebody_who_knows),
		CASE(a_parent_is_writable_again_when_its_child_could_not_be_made),
		CASE(what_is_sent_again_after_a_failed_sync_is_on_the_device),
		CASE(who_may_not_repair_reads_what_is_on_the_device),
		CASE(who_reads_anew_reads_what_is_on_the_device),
		CASE(recovery_is_refused_while_memory_keeps_what_the_device_has_not),
		CASE(a_flush_that_failed_after_its_barrier_is_not_tried_again),
		CASE(a_flush_that_failed_before_its_barrier_can_be_tried_again),
		CASE(an_open_image_is_not_recovered),
		CASE(a_child_needs_a_parent_with_its_lock),
		CASE(a_torn_table_entry_is_not_taken_for_a_place),
		CASE(no_block_is_put_where_its_entry_would_look_torn),
		CASE(another_handle_is_had_while_the_first_one_cuts),
		CASE(recovery_of_an_open_file_is_refused_without_a_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
