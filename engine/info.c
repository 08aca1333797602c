/* info.c - what an open image is, for those who only ask. */
#include "bytes.h"
#include "cleanup.h"
#include "error.h"
#include "image.h"
#include "locator.h"
#include "writer.h"

const struct vhd_info *vhd_info(const struct vhd *disk)
{
	return &disk->image->info;
}

const struct vhd_info *vhd_level_info(const struct vhd *disk, unsigned level)
{
	return level < disk->image->info.depth ? &disk->image->levels[level]->info : NULL;
}

const char *vhd_parent_name(const struct vhd *disk)
{
	return disk->image->info.type == VHD_DIFF ? disk->image->header.parent_name : "";
}

static int read_locator(const struct image *image, const struct locator_entry *entry,
			struct vhd_locator *ret, struct vhd_error *err)
{
	uint8_t data[LOCATOR_DATA_MAX];
	int r;

	*ret = (struct vhd_locator){.code = entry->code,
				    .data_space = entry->data_space,
				    .data_length = entry->data_length,
				    .data_offset = entry->data_offset};
	if (entry->data_length > sizeof data || entry->data_length > locator_space(entry) ||
	    !range_ok(entry->data_offset, entry->data_length, image->file_size))
		return 0;
	r = io_read(&image->io, data, entry->data_length, entry->data_offset, err);
	if (r == 0)
		locator_decode(entry->code, data, entry->data_length, ret->text);
	return r;
}

int image_locators(const struct image *image, struct vhd_locator ret_locators[VHD_LOCATORS],
		   struct vhd_error *err)
{
	int r = 0;

	memset(ret_locators, 0, VHD_LOCATORS * sizeof *ret_locators);
	for (int i = 0; i < VHD_LOCATORS && image->info.type == VHD_DIFF; i++) {
		int one = 0;

		if (image->header.locators[i].code != 0)
			one = read_locator(image, &image->header.locators[i], &ret_locators[i],
					   err);
		r = one < 0 ? vhd_wrap(err, one, "parent locator %d", i) : r;
	}
	return r;
}

int vhd_locators(const struct vhd *disk, struct vhd_locator ret_locators[VHD_LOCATORS],
		 struct vhd_error *err)
{
	return image_locators(disk->image, ret_locators, err);
}

int vhd_file_size(const struct vhd *disk, uint64_t *ret_size, struct vhd_error *err)
{
	return io_size(&disk->image->io, ret_size, err);
}

int vhd_file_id(const struct vhd *disk, uint64_t ret_id[2], struct vhd_error *err)
{
	struct io_identity identity;
	int r = io_identity(&disk->image->io, &identity, err);

	if (r < 0)
		return r;
	memcpy(ret_id, identity.id, sizeof identity.id);
	return 0;
}

static int count_entry(void *ctx, uint32_t block, uint32_t entry, struct vhd_error *err)
{
	(void)block;
	(void)entry;
	(void)err;
	++*(uint32_t *)ctx;
	return 0;
}

static int count_fresh(struct writer *writer, uint32_t *blocks, struct vhd_error *err)
{
	CLEANUP(freep) struct dirty_block **dirty = NULL;
	size_t n = 0;
	int r;

	pthread_mutex_lock(&writer->lock);
	r = dirty_list(writer->dirty, &dirty, &n, err);
	for (size_t i = 0; i < n; i++)
		*blocks += dirty[i]->fresh;
	pthread_mutex_unlock(&writer->lock);
	return r;
}

int vhd_allocated_blocks(const struct vhd *disk, uint32_t *ret_blocks, struct vhd_error *err)
{
	const struct image *image = disk->image;
	struct writer *writer = image->writer;
	uint32_t blocks = 0;
	int r;

	if (image_flat(image)) {
		*ret_blocks = 0;
		return 0;
	}
	/* So that no block moves from memory to the table while both are counted. */
	if (writer)
		pthread_mutex_lock(&writer->flush_lock);
	r = bat_each(image, image->info.blocks, count_entry, &blocks, err);
	if (r == 0 && writer)
		r = count_fresh(writer, &blocks, err);
	if (writer)
		pthread_mutex_unlock(&writer->flush_lock);
	if (r == 0)
		*ret_blocks = blocks;
	return r;
}
