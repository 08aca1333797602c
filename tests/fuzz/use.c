/* use.c - opens an image of unknown content, asks everything, recovers it, writes, and reads back.
 */
#include <string.h>

#include "fuzz.h"
#include "image_builder.h"

enum { SPAN = 16 << 10 };

static void mend_footer(uint8_t *footer, size_t size)
{
	builder_put32(footer + F_CHECKSUM, builder_checksum(footer, size, F_CHECKSUM));
}

/* The one at the end may lack its last byte: FORMAT.md 1. */
static void mend_tail(uint8_t *image, size_t size)
{
	bool old = memcmp(image + size - 511, "conectix", 8) == 0;

	mend_footer(image + size - (old ? 511 : 512), old ? 511 : 512);
}

void fuzz_mend(uint8_t *image, size_t size)
{
	uint64_t header;

	if (size < 512)
		return;
	mend_footer(image, 512);
	mend_tail(image, size);
	header = builder_get64(image + F_DATA_OFFSET);
	if (size >= 1536 && header <= size - 1024)
		builder_put32(image + header + H_CHECKSUM,
			      builder_checksum(image + header, 1024, H_CHECKSUM));
	mend_footer(image, 512); /* the header may lie on it */
}

static int open_as(struct vhd_engine *engine, struct memio *file, unsigned flags,
		   struct vhd **ret_disk)
{
	struct vhd_error err = {.text = ""};
	struct vhd_io io = memio_io(file);
	int r = vhd_open(engine, &io, flags, NULL, ret_disk, &err);

	if (r < 0) {
		vhd_io_close(&io);
		fuzz_require((int)err.code == r && err.text[0], "a failure has a code and a text");
	}
	return r;
}

static int nothing(void *ctx, const struct vhd_region *region)
{
	size_t *left = ctx;

	(void)vhd_region_name(region->kind);
	return --*left == 0;
}

static void ask_fields(const struct vhd *disk)
{
	struct vhd_locator locators[VHD_LOCATORS];
	char text[300];

	for (const char *const *name = vhd_field_names(); *name; name++)
		(void)!vhd_field(disk, *name, text, sizeof text, NULL);
	(void)!vhd_locators(disk, locators, NULL);
	(void)vhd_parent_name(disk);
}

/* Reads and lookups must tell the same story. */
static void ask_range(struct vhd *disk, uint64_t off, size_t len)
{
	static uint8_t buf[SPAN], sector[512];
	struct vhd_run runs[8];
	struct vhd_run_list run_list = {runs, 8, 0};
	struct vhd_extent extents[8];
	struct vhd_extent_list extent_list = {extents, 8, 0};
	struct vhd_step step;
	int r = vhd_read(disk, buf, len, off, 0, NULL), there;

	(void)!vhd_get_sector_locations(disk, off / 512, len / 512, 0, &run_list, NULL);
	(void)!vhd_extents(disk, off, len, 0, &extent_list, NULL);
	(void)!vhd_trace(disk, off / 512, 0, &(struct vhd_step_list){&step, 1, 0}, NULL);
	there = vhd_read_sector(disk, off / 512, sector, NULL);
	if (r == 0 && there >= 0)
		fuzz_require(memcmp(buf, sector, 512) == 0, "a sector reads the same in both ways");
}

static void ask(struct vhd *disk)
{
	const struct vhd_info *info = vhd_info(disk);
	size_t span = info->size < SPAN ? (size_t)info->size : SPAN, regions = 10000;
	uint32_t blocks;

	ask_range(disk, 0, span);
	ask_range(disk, (info->size - span) / 1024 * 512, span);
	ask_range(disk, info->size - span, span);
	ask_fields(disk);
	(void)!vhd_allocated_blocks(disk, &blocks, NULL);
	(void)!vhd_layout(disk, nothing, &regions, NULL);
}

static void write_some(struct vhd *disk)
{
	static uint8_t data[3000], back[3000];
	uint64_t size = vhd_info(disk)->size,
		 off = size > sizeof data ? (size - sizeof data) / 2 : 0;
	size_t len = size < sizeof data ? (size_t)size : sizeof data;

	memset(data, 0xC3, sizeof data);
	if (vhd_write(disk, data, len, off, NULL, NULL) < 0)
		return;
	fuzz_require(vhd_read(disk, back, len, off, 0, NULL) == 0, "what was written reads");
	fuzz_require(memcmp(data, back, len) == 0, "what was written reads as written");
	if (vhd_zero(disk, off, len / 2, NULL, NULL) == 0)
		memset(data, 0, len / 2);
	fuzz_require(vhd_flush(disk, 0, NULL) == 0, "memory always flushes");
	fuzz_require(vhd_read(disk, back, len, off, 0, NULL) == 0, "what was flushed reads");
	fuzz_require(memcmp(data, back, len) == 0, "what was flushed reads as written");
}

/* Somebody cuts the file while it is open. */
static void ask_of_the_rest(struct vhd *disk, struct memio *file)
{
	size_t regions = 10000;

	memio_cut(file, 100);
	fuzz_require(vhd_layout(disk, nothing, &regions, NULL) < 0,
		     "the footer at the end is missed");
}

void fuzz_use(struct memio *file)
{
	struct vhd_engine_args args = {.cache_size = 64 << 10};
	struct vhd_engine *engine;
	struct vhd *disk;

	if (vhd_engine_new(&args, &engine, NULL) < 0)
		return;
	if (open_as(engine, file, VHD_NO_PARENT, &disk) == 0) {
		ask(disk);
		vhd_close(disk);
	}
	if (open_as(engine, file, VHD_WRITE | VHD_RECOVER | VHD_NO_PARENT, &disk) == 0) {
		write_some(disk);
		vhd_close(disk);
		fuzz_require(open_as(engine, file, VHD_WRITE | VHD_NO_PARENT, &disk) == 0,
			     "what was recovered and flushed is clean");
		ask(disk);
		ask_of_the_rest(disk, file);
		vhd_close(disk);
	}
	vhd_engine_free(engine);
}
