/* make_corpus.c - writes the seeds of the corpora: make_corpus FOLDER. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image_builder.h"
#include "must.h"

static const char *folder;

static void put(const char *target, const char *name, const void *data, size_t size)
{
	char path[4096];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", folder, target);
	(void)mkdir(path, 0755);
	(void)snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
	file = fopen(path, "wb");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static void put_image(const char *target, const char *name, const struct builder *builder)
{
	struct memio *file = memio_new(NULL);
	size_t size;
	uint8_t *bytes;

	builder_store(builder, file);
	size = (size_t)memio_size(file);
	bytes = must_alloc(size);
	memio_peek(file, bytes, size, 0);
	put(target, name, bytes, size);
	must_free(bytes);
	memio_free(file);
}

static void put_header(const char *name, const struct builder *builder, uint64_t size)
{
	uint8_t raw[16 + 1024];

	builder_put64(raw, size - 512);
	builder_put64(raw + 8, builder->end << 8);
	memcpy(raw + 16, builder->header, 1024);
	put("header", name, raw, sizeof raw);
}

static void make(const char *name, uint32_t type, uint32_t blocks, uint8_t bits)
{
	struct builder_args args = {type, 8 * 4096 - 512, 4096, 1, 2, "parent.vhd"};
	struct builder builder;

	if (type == 2)
		args.size = 1024;
	builder_init(&builder, &args);
	if (type == 4) {
		builder_locator(&builder, 0, 0x57327275, ".\0\\\0p\0.\0v\0h\0d\0", 14);
		builder_locator(&builder, 1, 0x4D616358, "file://./p%20q.vhd", 18);
	}
	for (uint32_t i = 0; i < blocks; i++)
		(void)builder_add_block(&builder, i * 3, bits, (uint8_t)(i + 1));
	put("footer", name, builder.tail, 512);
	put_image("image", name, &builder);
	put_image("open", name, &builder);
	if (type != 2) {
		put_header(name, &builder, args.size);
		put("bat", name, builder.table, 32);
	}
	builder_fini(&builder);
}

static void make_cut(const char *name, size_t tail_length)
{
	struct builder_args args = {.type = 3, .size = 8 * 4096, .block_size = 4096, .id = 1};
	struct builder builder;

	builder_init(&builder, &args);
	(void)builder_add_block(&builder, 2, 0xFF, 7);
	builder.tail_length = tail_length;
	put_image("image", name, &builder);
	put_image("open", name, &builder);
	builder_fini(&builder);
}

/* One field is wrong. */
static const struct damage {
	const char *name;
	bool header; /* else of the footer, in both copies */
	size_t off, width;
	uint64_t value;
} damages[] = {
	{"version", false, F_VERSION, 4, 0x20000},
	{"type", false, F_TYPE, 4, 5},
	{"type-fixed", false, F_TYPE, 4, 2},
	{"type-child", false, F_TYPE, 4, 4},
	{"size-odd", false, F_CURRENT_SIZE, 8, 1000},
	{"size-none", false, F_CURRENT_SIZE, 8, 0},
	{"size-huge", false, F_CURRENT_SIZE, 8, UINT64_MAX - 511},
	{"size-limit", false, F_CURRENT_SIZE, 8, (2040ULL << 30) + 512},
	{"size-most", false, F_CURRENT_SIZE, 8, 2040ULL << 30},
	{"size-128g", false, F_CURRENT_SIZE, 8, 128ULL << 30},
	{"size-8g", false, F_CURRENT_SIZE, 8, 8ULL << 30},
	{"size-600m", false, F_CURRENT_SIZE, 8, 600ULL << 20},
	{"data-offset", false, F_DATA_OFFSET, 8, 700},
	{"data-offset-far", false, F_DATA_OFFSET, 8, 1ULL << 40},
	{"poison", false, F_COOKIE, 8, 0x765F706F69736F6E},
	{"no-cookie", false, F_COOKIE, 8, 0},
	{"tap", false, F_CREATOR, 8, 0x7461700000000001},
	{"tap-hidden", false, F_CREATOR, 8, 0x7461700000010000},
	{"cookie", true, H_COOKIE, 8, 0},
	{"header-next", true, H_DATA_OFFSET, 8, 2048},
	{"header-version", true, H_VERSION, 4, 2},
	{"block-size", true, H_BLOCK_SIZE, 4, 3 << 20},
	{"block-size-small", true, H_BLOCK_SIZE, 4, 512},
	{"block-size-most", true, H_BLOCK_SIZE, 4, 256 << 20},
	{"entries-none", true, H_ENTRIES, 4, 0},
	{"entries-many", true, H_ENTRIES, 4, UINT32_MAX},
	{"table-far", true, H_TABLE_OFFSET, 8, 1ULL << 40},
	{"table-huge", true, H_TABLE_OFFSET, 8, UINT64_MAX - 511},
	{"table-odd", true, H_TABLE_OFFSET, 8, 1537},
	{"table-on-footer", true, H_TABLE_OFFSET, 8, 0},
	{"table-on-header", true, H_TABLE_OFFSET, 8, 1024},
	{"table-on-block", true, H_TABLE_OFFSET, 8, 4096},
};

static void put_field(uint8_t *raw, const struct damage *damage)
{
	if (damage->width == 4)
		builder_put32(raw + damage->off, (uint32_t)damage->value);
	else
		builder_put64(raw + damage->off, damage->value);
}

static void make_damage(const struct damage *damage)
{
	struct builder_args args = {3, 8 * 4096 - 512, 4096, 1, 0, NULL};
	struct builder builder;

	builder_init(&builder, &args);
	(void)builder_add_block(&builder, 2, 0xFF, 7);
	if (damage->header) {
		put_field(builder.header, damage);
		put_header(damage->name, &builder, args.size);
	} else {
		put_field(builder.tail, damage);
		put_field(builder.head, damage);
		put("footer", damage->name, builder.tail, 512);
	}
	builder_mend(&builder);
	put_image("open", damage->name, &builder);
	builder_fini(&builder);
}

/* What the table may say of a block: where it must not be, and twice the same. */
static void make_entry(const char *name, uint32_t index, uint32_t value)
{
	struct builder_args args = {3, 8 * 4096 - 512, 4096, 1, 0, NULL};
	struct builder builder;

	builder_init(&builder, &args);
	(void)builder_add_block(&builder, 2, 0xFF, 7);
	builder_set_entry(&builder, index, value);
	put_image("open", name, &builder);
	put_image("image", name, &builder);
	builder_fini(&builder);
}

/* Footers that do not agree: which one counts? */
static void make_pair(const char *name, uint32_t head_type, uint32_t tail_type, uint8_t tail_id)
{
	struct builder_args args = {3, 8 * 4096 - 512, 4096, 1, 0, NULL};
	struct builder builder;

	builder_init(&builder, &args);
	(void)builder_add_block(&builder, 2, 0xFF, 7);
	builder_put32(builder.head + F_TYPE, head_type);
	builder_put32(builder.tail + F_TYPE, tail_type);
	if (tail_type == 2)
		builder_put64(builder.tail + F_CURRENT_SIZE, 4096);
	memset(builder.tail + F_ID, tail_id, 16);
	builder_mend(&builder);
	put_image("open", name, &builder);
	put_image("image", name, &builder);
	builder_fini(&builder);
}

static void make_damages(void)
{
	for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
		make_damage(&damages[i]);
	make_entry("entry-on-footer", 0, 0);
	make_entry("entry-on-header", 0, 1);
	make_entry("entry-on-table", 0, 3);
	make_entry("entry-past-end", 0, 1000);
	make_entry("entry-huge", 0, UINT32_MAX - 1);
	make_entry("entry-twice", 0, 7);
	make_entry("entry-across", 0, 9);
	make_pair("pair-ambiguous", 3, 2, 1);
	make_pair("pair-foreign", 3, 3, 2);
	make_pair("pair-differ", 3, 3, 1);
	make_pair("pair-fixed-head", 2, 3, 1);
}

static void make_locators(void)
{
	static const char url[] = "\002file:///dir/p%41.vhd", host[] = "\002file://localhost/a";
	static const char relative[] = "\000.\0\\\0a\0.\0v\0h\0d\0",
			  absolute[] = "\001C\0:\0\\\0a\0";
	static const char lone[] = "\000\0\xD8"
				   "a\0\0\xDC",
			  alias[] = "\005xyz";

	static const char utf[] =
		"\002file:///\xC3\xA9/\xE2\x82\xAC/\xF0\x9F\x98\x80/\xED\xA0\x80/\xC3/%c3%A9%zz%4";
	static const char pair[] = "\000\x3D\xD8\x00\xDE\x00\xD8";
	static const char up[] = "\000.\0.\0\\\0.\0.\0\\\0a\0\\\0.\0.\0\\\0b\0";
	static const char old[] = "\003c:\\a\xFF", unc[] = "\001\\\0\\\0h\0\\\0s\0";

	put("locators", "utf", utf, sizeof utf - 1);
	put("locators", "pair", pair, sizeof pair - 1);
	put("locators", "up", up, sizeof up - 1);
	put("locators", "old", old, sizeof old - 1);
	put("locators", "unc", unc, sizeof unc - 1);
	put("locators", "url", url, sizeof url - 1);
	put("locators", "host", host, sizeof host - 1);
	put("locators", "relative", relative, sizeof relative - 1);
	put("locators", "absolute", absolute, sizeof absolute - 1);
	put("locators", "lone-surrogates", lone, sizeof lone - 1);
	put("locators", "alias", alias, sizeof alias - 1);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fprintf(stderr, "usage: make_corpus FOLDER\n");
		return 2;
	}
	folder = argv[1];
	(void)mkdir(folder, 0755);
	make("fixed", 2, 0, 0);
	make("dynamic-empty", 3, 0, 0);
	make("dynamic", 3, 2, 0xFF);
	make("differencing", 4, 2, 0x5A);
	make_cut("tail-missing", 0);
	make_cut("tail-511", 511);
	make_damages();
	make_locators();
	return 0;
}
