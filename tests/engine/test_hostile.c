/* test_hostile.c - damaged and forged images: each row spoils one thing of a good image and says
 * what the engine must answer. Nothing may make it allocate more than a little. */
#include <stdio.h>
#include <string.h>

#include "alloc_fault.h"
#include "image_builder.h"
#include "must.h"
#include "test.h"

enum { DISK = 1 << 20, BLOCK = 64 << 10, BLOCKS = DISK / BLOCK, MEMORY_MAX = 8 << 20 };

enum part { NOTHING, TAIL, HEAD, BOTH, HEADER, TABLE };

struct row {
	const char *name;
	enum part part;
	size_t off;
	unsigned width; /* bytes; 0 = only what `spoil` does */
	uint64_t value;
	bool stale; /* the checksums are left as they were */
	void (*spoil)(struct builder *builder, struct memio *file);
	uint32_t type; /* 0 = dynamic */
	unsigned flags;
	int code; /* 0: opens, and all of it reads as it was */
	const char *text;
	unsigned footers; /* with code 0: which copies were good; 0 = does not matter */
};

static uint8_t content[DISK]; /* what should be read */

/* ---- what a field cannot say; called after the image was stored ---- */

static void wipe(struct memio *file, uint64_t off)
{
	static const uint8_t zeroes[512];

	memio_poke(file, zeroes, sizeof zeroes, off);
}

static void wipe_tail(struct builder *builder, struct memio *file)
{
	wipe(file, builder->end);
}

static void wipe_head(struct builder *builder, struct memio *file)
{
	(void)builder;
	wipe(file, 0);
}

static void wipe_both(struct builder *builder, struct memio *file)
{
	wipe_head(builder, file);
	wipe_tail(builder, file);
}

static void cut_tail(struct builder *builder, struct memio *file)
{
	memio_cut(file, builder->end);
}

static void shorten_tail(struct builder *builder, struct memio *file)
{
	memio_cut(file, builder->end + 511);
}

static void add_junk(struct builder *builder, struct memio *file)
{
	memio_poke(file, "junk", 4, builder->end + (2 << 20) - 4);
}

static void cut_all(struct builder *builder, struct memio *file)
{
	(void)builder;
	memio_cut(file, 0);
}

static void cut_to_511(struct builder *builder, struct memio *file)
{
	(void)builder;
	memio_cut(file, 511);
}

static void cut_to_header(struct builder *builder, struct memio *file)
{
	(void)builder;
	memio_cut(file, 1024);
}

static void wipe_head_and_shrink(struct builder *builder, struct memio *file)
{
	memio_cut(file, 1024);
	memio_poke(file, builder->tail, 512, 1024);
	wipe(file, 0);
}

static void poison(struct builder *builder, struct memio *file)
{
	memcpy(builder->tail, "v_poison", 8);
	memcpy(builder->head, "v_poison", 8);
	builder_mend(builder);
	builder_store(builder, file);
}

/* The bytes stay, and are nobody's. */
static void clear_bitmap(struct builder *builder, struct memio *file)
{
	wipe(file, builder->blocks[0].offset);
	memset(content, 0, BLOCK);
}

/* Sector where block 0 begins. */
static uint32_t first_entry(const struct builder *builder)
{
	return builder_get32(builder->table);
}

static void set_entry(struct builder *builder, struct memio *file, uint32_t value)
{
	builder_set_entry(builder, 1, value);
	builder_store(builder, file);
}

static void same_block(struct builder *builder, struct memio *file)
{
	set_entry(builder, file, first_entry(builder));
}

static void overlap_one_sector(struct builder *builder, struct memio *file)
{
	set_entry(builder, file, first_entry(builder) + BLOCK / 512);
}

static void entry_on_tail(struct builder *builder, struct memio *file)
{
	set_entry(builder, file, (uint32_t)(builder->end / 512) - BLOCK / 512);
}

static void entry_past_end(struct builder *builder, struct memio *file)
{
	set_entry(builder, file, (uint32_t)(builder->end / 512) + 8);
}

static void own_parent(struct builder *builder, struct memio *file)
{
	memcpy(builder->header + H_PARENT_ID, builder->tail + F_ID, 16);
	builder_mend(builder);
	builder_store(builder, file);
}

static void no_parent_id(struct builder *builder, struct memio *file)
{
	memset(builder->header + H_PARENT_ID, 0, 16);
	builder_mend(builder);
	builder_store(builder, file);
}

static void other_parent_id(struct builder *builder, struct memio *file)
{
	memset(builder->header + H_PARENT_ID, 0x77, 16);
	builder_mend(builder);
	builder_store(builder, file);
}

static void wild_locators(struct builder *builder, struct memio *file)
{
	static const uint64_t offsets[] = {0,          1,   1536, UINT64_MAX, UINT64_MAX - 511,
					   1ULL << 40, 512, 3};

	for (size_t i = 0; i < 8; i++) {
		uint8_t *entry = builder->header + H_LOCATORS + i * 24;

		memcpy(entry, i % 2 ? "W2ru" : "MacX", 4);
		builder_put32(entry + 4, i % 3 ? UINT32_MAX : 1);
		builder_put32(entry + 8, i % 4 ? UINT32_MAX : 511);
		builder_put64(entry + 16, offsets[i]);
	}
	builder_mend(builder);
	builder_store(builder, file);
}

static void hostile_texts(struct builder *builder, struct memio *file)
{
	static const char etc[] = "file:///etc/shadow",
			  dots[] = "file://../../../../dev/sda\n\033[2J";

	builder_locator(builder, 0, 0x4D616358, etc, sizeof etc - 1);
	builder_locator(builder, 1, 0x4D616358, dots, sizeof dots - 1);
	memset(builder->header + H_PARENT_NAME, 0xD8, 512);
	builder_mend(builder);
	builder_store(builder, file);
}

/* Table for 2040 GiB in blocks of 4 KiB: 2 GiB of entries, all zero. */
static void huge_table(struct builder *builder, struct memio *file)
{
	uint64_t size = VHD_SIZE_MAX, end = 1536 + size / 4096 * 4;

	builder_put64(builder->tail + F_CURRENT_SIZE, size);
	builder_put32(builder->header + H_BLOCK_SIZE, 4096);
	builder_put32(builder->header + H_ENTRIES, (uint32_t)(size / 4096));
	memcpy(builder->head, builder->tail, 512);
	builder_mend(builder);
	memio_cut(file, 0);
	memio_poke(file, builder->head, 512, 0);
	memio_poke(file, builder->header, 1024, 512);
	memio_poke(file, builder->tail, 512, end);
}

/* A disk of 2040 GiB in a file of 4 MiB: that is what a dynamic disk is for. */
static void large_disk(struct builder *builder, struct memio *file)
{
	struct builder large;

	(void)builder;
	builder_init(&large, &(struct builder_args){.type = 3, .size = VHD_SIZE_MAX, .id = 0x11});
	builder_store(&large, file);
	builder_fini(&large);
	memset(content, 0, DISK);
}

/* ---- rows ---- */

#define OPEN_W VHD_WRITE
#define OPEN_R (VHD_WRITE | VHD_RECOVER)
#define GOOD   (VHD_FOOTER_EOF | VHD_FOOTER_HEAD)

/* clang-format off */
static const struct row rows[] = {
	{.name = "a good image", .footers = GOOD},
	{.name = "a good image, to write", .flags = OPEN_W, .footers = GOOD},
	{.name = "a good image, recovered", .flags = OPEN_R, .footers = GOOD},

	{"empty file", .spoil = cut_all, .code = VHD_E_NOT_VHD, .text = "no VHD footer"},
	{"a footer of 511 bytes and no more", .spoil = cut_to_511, .code = VHD_E_CORRUPT, .text = "passes the end"},
	{"cut in the header", .spoil = cut_to_header,
	 .code = VHD_E_CORRUPT, .text = "end of the file"},
	{"both footers wiped", .spoil = wipe_both, .code = VHD_E_NOT_VHD, .text = "no VHD footer"},
	{"poisoned by blktap", .spoil = poison, .code = VHD_E_UNSUPPORTED, .text = "v_poison"},
	{"footer version 2", BOTH, F_VERSION, 4, 0x20000,
	 .code = VHD_E_UNSUPPORTED, .text = "footer: version 0x00020000"},
	{"disk type 0", BOTH, F_TYPE, 4, 0,
	 .code = VHD_E_UNSUPPORTED, .text = "footer: disk type 0"},
	{"disk type 5", BOTH, F_TYPE, 4, 5,
	 .code = VHD_E_UNSUPPORTED, .text = "footer: disk type 5"},
	{"disk type 2^32-1", BOTH, F_TYPE, 4, UINT32_MAX,
	 .code = VHD_E_UNSUPPORTED, .text = "disk type 4294967295"},
	{"size 0", BOTH, F_CURRENT_SIZE, 8, 0,
	 .code = VHD_E_CORRUPT, .text = "footer: current size 0"},
	{"size not whole sectors", BOTH, F_CURRENT_SIZE, 8, DISK + 1,
	 .code = VHD_E_CORRUPT, .text = "not a multiple of 512"},
	{"size over 2040 GiB", BOTH, F_CURRENT_SIZE, 8, VHD_SIZE_MAX + 512,
	 .code = VHD_E_CORRUPT, .text = "2040 GiB"},
	{"size 2^64-512", BOTH, F_CURRENT_SIZE, 8, UINT64_MAX - 511,
	 .code = VHD_E_CORRUPT, .text = "current size 18446744073709551104"},
	{"size beyond the table", BOTH, F_CURRENT_SIZE, 8, DISK + 512,
	 .code = VHD_E_CORRUPT, .text = "the size needs 17"},
	{"data offset 0", BOTH, F_DATA_OFFSET, 8, 0,
	 .code = VHD_E_CORRUPT, .text = "footer: data offset 0x0"},
	{"data offset not aligned", BOTH, F_DATA_OFFSET, 8, 513,
	 .code = VHD_E_CORRUPT, .text = "footer: data offset 0x201"},
	{"data offset past the end", BOTH, F_DATA_OFFSET, 8, 1ULL << 40,
	 .code = VHD_E_CORRUPT, .text = "passes the end"},
	{"data offset 2^64-512", BOTH, F_DATA_OFFSET, 8, UINT64_MAX - 511,
	 .code = VHD_E_CORRUPT, .text = "data offset"},
	{"data offset all ones", BOTH, F_DATA_OFFSET, 8, UINT64_MAX,
	 .code = VHD_E_CORRUPT, .text = "data offset"},
	{"both checksums wrong", BOTH, F_TIME, 4, 7, .stale = true,
	 .code = VHD_E_CORRUPT, .text = "footer: checksum"},
	{"fixed disk larger than its file", TAIL, F_TYPE, 4, 2, .spoil = wipe_head_and_shrink,
	 .code = VHD_E_CORRUPT, .text = "footer: current size 1048576 at 48: a fixed disk of that size does not fit its file of 1536"},

	{"tail wiped", .spoil = wipe_tail, .footers = VHD_FOOTER_HEAD},
	{"tail wiped, to write", .spoil = wipe_tail, .flags = OPEN_W,
	 .code = VHD_E_UNCLEAN, .text = "copy at the end of a file of"},
	{"tail wiped, recovered", .spoil = wipe_tail, .flags = OPEN_R, .footers = GOOD},
	{"tail cut", .spoil = cut_tail, .footers = VHD_FOOTER_HEAD},
	{"tail cut, to write", .spoil = cut_tail, .flags = OPEN_W,
	 .code = VHD_E_UNCLEAN, .text = "copy at the end of a file of"},
	{"tail cut, recovered", .spoil = cut_tail, .flags = OPEN_R, .footers = GOOD},
	{"tail of 511 bytes", .spoil = shorten_tail,
	 .footers = VHD_FOOTER_HEAD | VHD_FOOTER_EOF511},
	{"tail with a bad checksum", TAIL, F_TIME, 4, 9, .stale = true, .footers = VHD_FOOTER_HEAD},
	{"junk after the tail", .spoil = add_junk, .footers = VHD_FOOTER_HEAD},
	{"junk after the tail, to write", .spoil = add_junk, .flags = OPEN_W,
	 .code = VHD_E_UNCLEAN, .text = "copy at the end of a file of"},
	{"junk after the tail, recovered", .spoil = add_junk, .flags = OPEN_R, .footers = GOOD},
	{"head wiped", .spoil = wipe_head, .footers = VHD_FOOTER_EOF},
	{"head wiped, to write", .spoil = wipe_head, .flags = OPEN_W,
	 .code = VHD_E_UNCLEAN, .text = "copy at the start of a file of"},
	{"head wiped, recovered", .spoil = wipe_head, .flags = OPEN_R, .footers = GOOD},
	{"head with a bad checksum", HEAD, F_TIME, 4, 9, .stale = true, .footers = VHD_FOOTER_EOF},
	{"copies differ", HEAD, F_CURRENT_SIZE, 8, DISK / 2, .footers = GOOD | VHD_FOOTER_DIFFER},
	{"copies differ, to write", HEAD, F_CURRENT_SIZE, 8, DISK / 2, .flags = OPEN_W,
	 .code = VHD_E_UNCLEAN, .text = "differ"},
	{"copies differ, recovered", HEAD, F_CURRENT_SIZE, 8, DISK / 2, .flags = OPEN_R,
	 .footers = GOOD},

	{"header cookie", HEADER, H_COOKIE, 1, 'X',
	 .code = VHD_E_CORRUPT, .text = "header: cookie"},
	{"header checksum", HEADER, H_PARENT_TIME, 4, 1, .stale = true,
	 .code = VHD_E_CORRUPT, .text = "header: checksum"},
	{"header chain", HEADER, H_DATA_OFFSET, 8, 512,
	 .code = VHD_E_CORRUPT, .text = "nothing may follow the header"},
	{"header version 2", HEADER, H_VERSION, 4, 0x20000,
	 .code = VHD_E_UNSUPPORTED, .text = "header: version 0x00020000"},
	{"block size 0", HEADER, H_BLOCK_SIZE, 4, 0,
	 .code = VHD_E_CORRUPT, .text = "header: block size 0"},
	{"block size 256", HEADER, H_BLOCK_SIZE, 4, 256,
	 .code = VHD_E_CORRUPT, .text = "header: block size 256"},
	{"block size 511", HEADER, H_BLOCK_SIZE, 4, 511,
	 .code = VHD_E_CORRUPT, .text = "header: block size 511"},
	{"block size 1000", HEADER, H_BLOCK_SIZE, 4, 1000,
	 .code = VHD_E_CORRUPT, .text = "not a power of two"},
	{"block size 3 MiB", HEADER, H_BLOCK_SIZE, 4, 3 << 20,
	 .code = VHD_E_CORRUPT, .text = "block size 3145728"},
	{"block size 512 MiB", HEADER, H_BLOCK_SIZE, 4, 512 << 20,
	 .code = VHD_E_CORRUPT, .text = "block size 536870912"},
	{"block size 2 GiB", HEADER, H_BLOCK_SIZE, 4, 0x80000000,
	 .code = VHD_E_CORRUPT, .text = "block size 2147483648"},
	{"no table entries", HEADER, H_ENTRIES, 4, 0,
	 .code = VHD_E_CORRUPT, .text = "the size needs 16"},
	{"one entry too few", HEADER, H_ENTRIES, 4, BLOCKS - 1,
	 .code = VHD_E_CORRUPT, .text = "table entries 15"},
	{"2^32-1 table entries", HEADER, H_ENTRIES, 4, UINT32_MAX,
	 .code = VHD_E_CORRUPT, .text = "header: table entries 4294967295"},
	{"table at 0", HEADER, H_TABLE_OFFSET, 8, 0,
	 .code = VHD_E_CORRUPT, .text = "the footer copy is there"},
	{"table on the header", HEADER, H_TABLE_OFFSET, 8, 1024,
	 .code = VHD_E_CORRUPT, .text = "lies on the header"},
	{"table not aligned", HEADER, H_TABLE_OFFSET, 8, 1537,
	 .code = VHD_E_CORRUPT, .text = "not a multiple of 512"},
	{"table past the end", HEADER, H_TABLE_OFFSET, 8, 1ULL << 32,
	 .code = VHD_E_CORRUPT, .text = "pass the end of the file"},
	{"table at 2^64-512", HEADER, H_TABLE_OFFSET, 8, UINT64_MAX - 511,
	 .code = VHD_E_CORRUPT, .text = "table offset 0xFFFFFFFFFFFFFE00"},
	{"table at 2^64-1", HEADER, H_TABLE_OFFSET, 8, UINT64_MAX,
	 .code = VHD_E_CORRUPT, .text = "table offset"},
	{"table of 2 GiB, all zero", .spoil = huge_table,
	 .code = VHD_E_CORRUPT, .text = "block table: entry 0"},
	{"table of 2 GiB, all zero, recovered", .spoil = huge_table, .flags = OPEN_R,
	 .code = VHD_E_CORRUPT, .text = "block table: entry 0"},

	{"2040 GiB in a small file", .spoil = large_disk, .footers = GOOD},
	{"2040 GiB in a small file, to write", .spoil = large_disk, .flags = OPEN_W, .footers = GOOD},
	{"2040 GiB in a small file, recovered", .spoil = large_disk, .flags = OPEN_R, .footers = GOOD},

	{"entry 0", TABLE, 4, 4, 0,
	 .code = VHD_E_CORRUPT, .text = "block table: entry 1 at 0x604 is sector 0x0"},
	{"entry on the header", TABLE, 4, 4, 1, .code = VHD_E_CORRUPT, .text = "the block lies on"},
	{"entry on the table", TABLE, 4, 4, 3, .code = VHD_E_CORRUPT, .text = "the block lies on"},
	{"entry 2^32-2", TABLE, 4, 4, UINT32_MAX - 1,
	 .code = VHD_E_CORRUPT, .text = "passes the end of the data"},
	{"entry past the end", .spoil = entry_past_end,
	 .code = VHD_E_CORRUPT, .text = "passes the end of the data"},
	{"entry on the tail", .spoil = entry_on_tail,
	 .code = VHD_E_CORRUPT, .text = "passes the end of the data"},
	{"entry past the end, recovered", .spoil = entry_past_end, .flags = OPEN_R,
	 .code = VHD_E_CORRUPT, .text = "recover: block table: entry 1"},
	{"two entries for one block, recovered", .spoil = same_block, .flags = OPEN_R,
	 .code = VHD_E_CORRUPT, .text = "entry 0 at 0x600 is sector 0x7, entry 1 at 0x604 is sector 0x7: the blocks lie on each other"},
	{"blocks overlap by a sector, recovered", .spoil = overlap_one_sector, .flags = OPEN_R,
	 .code = VHD_E_CORRUPT, .text = "entry 0 at 0x600 is sector 0x7, entry 1 at 0x604 is sector 0x87: the blocks lie on each other"},

	{"bitmap of a block cleared", .spoil = clear_bitmap, .footers = GOOD},
	{"bitmap of a block cleared, to write", .spoil = clear_bitmap, .flags = OPEN_W, .footers = GOOD},

	{"child, nobody to ask", .type = 4,
	 .code = VHD_E_PARENT_MISSING, .text = "nobody knows where it is"},
	{"child of a raw file", .type = 4, .spoil = no_parent_id,
	 .code = VHD_E_UNSUPPORTED, .text = "raw parent"},
	{"child of itself", .type = 4, .spoil = own_parent,
	 .code = VHD_E_CYCLE, .text = "comes back to itself"},
	{"child of another", .type = 4, .spoil = other_parent_id,
	 .code = VHD_E_PARENT_MISSING, .text = "nobody knows where it is"},
	{"child alone", .type = 4, .flags = VHD_NO_PARENT},
	{"child with wild locators", .type = 4, .spoil = wild_locators, .flags = VHD_NO_PARENT},
	{"child with hostile texts", .type = 4, .spoil = hostile_texts, .flags = VHD_NO_PARENT},
};
/* clang-format on */
enum { ROWS = sizeof rows / sizeof rows[0] };

/* ---- running a row ---- */

static void build(struct builder *builder, uint32_t type)
{
	struct builder_args args = {
		.type = type ? type : 3, .size = DISK, .block_size = BLOCK, .id = 0x11};

	args.parent_id = 0x22;
	args.parent_name = "parent.vhd";
	builder_init(builder, &args);
	memset(content, 0, sizeof content);
	for (uint32_t i = 0; i < BLOCKS; i += type == 4 ? 1 : 3) {
		const struct builder_block *block =
			builder_add_block(builder, i, 0xFF, (uint8_t)(i + 1));

		memcpy(content + (size_t)i * BLOCK, block->data, BLOCK);
	}
}

static void poke_part(uint8_t *part, const struct row *row)
{
	if (row->width == 8)
		builder_put64(part + row->off, row->value);
	else if (row->width == 4)
		builder_put32(part + row->off, (uint32_t)row->value);
	else if (row->width == 1)
		part[row->off] = (uint8_t)row->value;
}

static void spoil(const struct row *row, struct builder *builder, struct memio *file)
{
	if (row->part == TAIL || row->part == BOTH)
		poke_part(builder->tail, row);
	if (row->part == HEAD || row->part == BOTH)
		poke_part(builder->head, row);
	if (row->part == HEADER)
		poke_part(builder->header, row);
	if (row->part == TABLE)
		poke_part(builder->table, row);
	if (!row->stale)
		builder_mend(builder);
	builder_store(builder, file);
	if (row->spoil)
		row->spoil(builder, file);
}

/* Opens and reads everything there is to know. */
static int use_as(struct memio *file, unsigned hint, unsigned flags, unsigned *ret_footers,
		  uint8_t *ret_content, struct vhd_error *err)
{
	struct vhd_engine_args args = {.cache_size = 64 << 10};
	struct vhd_engine *engine;
	struct vhd_io io = memio_io(file);
	struct vhd *disk = NULL;
	struct vhd_locator locators[VHD_LOCATORS];
	int r;

	io.hint = hint;
	assert_int_equal(vhd_engine_new(&args, &engine, NULL), 0);
	r = vhd_open(engine, &io, flags, NULL, &disk, err);
	if (r == 0) {
		*ret_footers = vhd_info(disk)->footers;
		r = vhd_read(disk, ret_content, DISK, 0, 0, err);
	}
	if (r == 0)
		r = vhd_locators(disk, locators, err);
	vhd_close(disk);
	vhd_io_close(&io);
	vhd_engine_free(engine);
	return r;
}

static int use(struct memio *file, unsigned flags, unsigned *ret_footers, uint8_t *ret_content,
	       struct vhd_error *err)
{
	return use_as(file, 0, flags, ret_footers, ret_content, err);
}

/* What comes from an image may not drive a terminal, and is one line. */
static void check_text(const struct row *row, const struct vhd_error *err)
{
	assert_int_equal(err->code, row->code);
	for (const char *c = err->text; *c; c++)
		assert_true((unsigned char)*c >= 0x20 && *c != 0x7F);
	if (!strstr(err->text, row->text))
		fail_msg("%s: \"%s\" does not say \"%s\"", row->name, err->text, row->text);
}

static void run_row(const struct row *row)
{
	static uint8_t got[DISK];
	struct memio *file = memio_new(NULL), *before;
	struct builder builder;
	struct vhd_error err = {.text = ""};
	unsigned footers = 0;
	int r;

	build(&builder, row->type);
	spoil(row, &builder, file);
	before = memio_clone(file, NULL);
	alloc_fault_arm(-1, false);
	r = use(file, row->flags, &footers, got, &err);
	alloc_fault_disarm();
	if (r != row->code)
		fail_msg("%s: code %d, not %d: %s", row->name, r, row->code, err.text);
	if (r < 0)
		check_text(row, &err);
	else
		assert_memory_equal(got, content, DISK);
	if (row->footers && footers != row->footers)
		fail_msg("%s: footers %u, not %u", row->name, footers, row->footers);
	if (alloc_fault_peak() > MEMORY_MAX)
		fail_msg("%s: %zu bytes of memory", row->name, alloc_fault_peak());
	if (r < 0)
		assert_int_equal(memio_size(file), memio_size(before));
	memio_free(before);
	memio_free(file);
	builder_fini(&builder);
}

static void refuses_what_is_damaged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		run_row(&rows[i]);
	printf("%d damaged images\nfigure: hostile.images =%d\n", ROWS, ROWS);
}

/* The guest of a fixed disk may write a whole dynamic disk into it. Who knows that it is fixed says
 * so; nobody guesses. */
static void asks_when_a_file_could_be_fixed_or_growing(void **state)
{
	struct builder_args args = {.type = 2, .size = DISK, .id = 0x33};
	struct builder fixed, inner;
	struct memio *file = memio_new(NULL);
	struct vhd_error err;
	static uint8_t got[DISK];
	unsigned footers;

	(void)state;
	builder_init(&fixed, &args);
	builder_store(&fixed, file);
	build(&inner, 0);
	memio_poke(file, inner.head, 512, 0);
	memio_poke(file, inner.header, 1024, 512);
	assert_int_equal(use_as(file, VHD_IS_FIXED, VHD_WRITE, &footers, got, &err), 0);
	assert_memory_equal(got, inner.head, 512);
	assert_memory_equal(got + 512, inner.header, 1024);
	assert_int_equal(use(file, VHD_WRITE, &footers, got, &err), VHD_E_AMBIGUOUS);
	assert_non_null(strstr(err.text, "only who made it knows which it is"));
	builder_fini(&inner);
	builder_fini(&fixed);
	memio_free(file);
}

static int give_wrong_parent(void *ctx, const struct vhd_parent_ref *ref, struct vhd_io *ret_io,
			     struct vhd_error *err)
{
	(void)ref;
	(void)err;
	*ret_io = memio_io(ctx);
	return 0;
}

static int open_child(struct memio *child, struct memio *parent, struct vhd_error *err)
{
	struct vhd_resolver resolver = {give_wrong_parent, parent};
	struct vhd_io io = memio_io(child);
	struct vhd_engine *engine;
	struct vhd *disk = NULL;
	int r;

	assert_int_equal(vhd_engine_new(NULL, &engine, NULL), 0);
	r = vhd_open(engine, &io, 0, &resolver, &disk, err);
	vhd_close(disk);
	vhd_io_close(&io);
	vhd_engine_free(engine);
	return r;
}

static void refuses_parents_that_do_not_fit(void **state)
{
	static const struct {
		uint8_t id;
		uint64_t size;
		int code;
		const char *text;
	} parents[] = {
		{0x22, DISK, 0, ""},
		{0x22, DISK / 2, 0, ""},
		{0x23, DISK, VHD_E_PARENT_MISMATCH, "unique id 23232323"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof parents / sizeof parents[0]; i++) {
		struct builder_args args = {3, parents[i].size, BLOCK, parents[i].id, 0, NULL};
		struct memio *child = memio_new(NULL), *parent = memio_new(NULL);
		struct builder builder;
		struct vhd_error err = {.text = ""};

		build(&builder, 4);
		builder_store(&builder, child);
		builder_fini(&builder);
		builder_init(&builder, &args);
		builder_store(&builder, parent);
		builder_fini(&builder);
		assert_int_equal(open_child(child, parent, &err), parents[i].code);
		assert_non_null(strstr(err.text, parents[i].text));
		memio_free(child);
		memio_free(parent);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_damaged),
		cmocka_unit_test(asks_when_a_file_could_be_fixed_or_growing),
		cmocka_unit_test(refuses_parents_that_do_not_fit),
	};

	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
