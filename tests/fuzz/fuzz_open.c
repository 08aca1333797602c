/* fuzz_open.c - a whole file, its checksums put right first: opened and proved, and what the engine
 * then says of it must be possible. Much faster than fuzz_image, which also writes. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "view.h"

enum { FILE_MAX = 64 << 10 };

static void look_at_info(const struct vhd_info *info)
{
	fuzz_require(info->size > 0 && info->size % 512 == 0, "a disk has whole sectors");
	fuzz_require(info->footers != 0, "a disk has a footer");
	if (info->type == VHD_FIXED)
		return;
	fuzz_require(info->size <= VHD_SIZE_MAX, "a table can hold the disk");
	fuzz_require((uint64_t)info->blocks * info->block_size >= info->size,
		     "the table covers the disk");
}

/* A table that is proved reads, up to the parent that is not there. */
static void look_at_blocks(struct vhd *disk)
{
	const struct vhd_info *info = vhd_info(disk);
	uint64_t last = info->size / 512 - 1;
	uint8_t sector[512];
	uint32_t blocks;

	if (vhd_allocated_blocks(disk, &blocks, NULL) == 0)
		fuzz_require(blocks <= info->blocks, "not more is allocated than there is");
	if (vhd_check_blocks(disk, NULL) < 0 || info->type == VHD_DIFF)
		return;
	fuzz_require(vhd_read_sector(disk, 0, sector, NULL) >= 0, "the first sector reads");
	fuzz_require(vhd_read_sector(disk, last, sector, NULL) >= 0, "the last sector reads");
}

static void look_at_locators(const struct vhd *disk)
{
	struct vhd_locator locators[VHD_LOCATORS];

	if (vhd_locators(disk, locators, NULL) < 0)
		return;
	for (int i = 0; i < VHD_LOCATORS; i++)
		fuzz_require(memchr(locators[i].text, 0, sizeof locators[i].text) != NULL,
			     "the text ends");
}

static void open_view(struct vhd_engine *engine, struct view *view)
{
	struct vhd_io io = view_io(view);
	struct vhd_error err = {.text = ""};
	struct vhd *disk;
	int r = vhd_open(engine, &io, VHD_NO_PARENT | VHD_NO_LOCK, NULL, &disk, &err);

	if (r < 0) {
		fuzz_require((int)err.code == r && err.text[0], "a failure has a code and a text");
		return;
	}
	fuzz_accepted();
	look_at_info(vhd_info(disk));
	look_at_blocks(disk);
	look_at_locators(disk);
	vhd_close(disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vhd_engine_args args = {.cache_size = 64 << 10};
	struct vhd_engine *engine;
	struct view view = {.size = size};
	uint8_t *image;

	if (size == 0 || size > FILE_MAX)
		return 0;
	image = malloc(size);
	if (!image || vhd_engine_new(&args, &engine, NULL) < 0)
		abort();
	memcpy(image, data, size);
	fuzz_mend(image, size);
	view.bytes = image;
	open_view(engine, &view);
	vhd_engine_free(engine);
	free(image);
	return 0;
}
