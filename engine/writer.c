/* writer.c - the state of an image open for writing, its stripes, and what readers may see of it.
 */
#include "writer.h"

#include "cleanup.h"
#include "crash_point.h"
#include "error.h"

#ifdef VHDD_TESTING
int vhd_mutant;
void (*vhd_at_crash_point)(const char *name);
#endif

static void init_rwlock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	/* Or a stream of readers keeps a writer, and a stream of writers a flush, out for ever. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

int writer_new(const struct image *image, struct writer **ret_writer, struct vhd_error *err)
{
	struct writer *writer = calloc(1, sizeof *writer);

	if (!writer)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for a writer");
	init_rwlock(&writer->gate);
	for (int i = 0; i < WRITER_STRIPES; i++)
		init_rwlock(&writer->stripes[i]);
	pthread_mutex_init(&writer->flush_lock, NULL);
	pthread_mutex_init(&writer->lock, NULL);
	pthread_mutex_init(&writer->grow_lock, NULL);
	writer->end = image->file_size - FOOTER_SIZE;
	writer->epoch_open = 1;
	writer->bitmap_size = image->bitmap_size;
	*ret_writer = writer;
	return 0;
}

void writer_free(struct writer *writer)
{
	if (!writer)
		return;
	dirty_free(&writer->dirty);
	dirty_free(&writer->flushing);
	pthread_rwlock_destroy(&writer->gate);
	for (int i = 0; i < WRITER_STRIPES; i++)
		pthread_rwlock_destroy(&writer->stripes[i]);
	pthread_mutex_destroy(&writer->flush_lock);
	pthread_mutex_destroy(&writer->lock);
	pthread_mutex_destroy(&writer->grow_lock);
	free(writer);
}

pthread_rwlock_t *writer_stripe(const struct image *image, uint64_t sector)
{
	uint32_t block = image_flat(image) ? UNIT_SECTORS_MAX : image->block_sectors;

	return &image->writer->stripes[sector / block % WRITER_STRIPES];
}

int writer_share(const struct image *image, uint64_t sector, unsigned flags, struct vhd_error *err)
{
	if (!image->writer)
		return 0;
	if (!(flags & VHD_NOWAIT)) {
		pthread_rwlock_rdlock(writer_stripe(image, sector));
		return 0;
	}
	if (pthread_rwlock_tryrdlock(writer_stripe(image, sector)) != 0)
		return vhd_fail(err, VHD_E_AGAIN, "sector %llu is being written",
				(unsigned long long)sector);
	return 0;
}

void writer_unshare(const struct image *image, uint64_t sector)
{
	if (image->writer)
		pthread_rwlock_unlock(writer_stripe(image, sector));
}

/* The newest state of a block: being filled, or being flushed. With writer->lock held. */
static const struct dirty_block *newest(const struct writer *writer, uint32_t block)
{
	const struct dirty_block *dirty = dirty_find(writer->dirty, block);

	return dirty ? dirty : dirty_find(writer->flushing, block);
}

bool writer_full(const struct writer *writer)
{
	size_t bytes = sizeof(struct dirty_block) + writer->bitmap_size;

	return writer->dirty_blocks * bytes >= WRITER_DIRTY_MAX;
}

bool writer_block(struct writer *writer, uint32_t block, uint64_t *ret_start)
{
	const struct dirty_block *dirty;

	if (writer->pending == 0)
		return false;
	pthread_mutex_lock(&writer->lock);
	dirty = newest(writer, block);
	if (dirty)
		*ret_start = dirty->start;
	pthread_mutex_unlock(&writer->lock);
	return dirty;
}

uint32_t writer_next(struct writer *writer, uint32_t block, uint32_t limit)
{
	if (writer->pending == 0)
		return limit;
	pthread_mutex_lock(&writer->lock);
	limit = dirty_next(writer->dirty, block, limit);
	limit = dirty_next(writer->flushing, block, limit);
	pthread_mutex_unlock(&writer->lock);
	return limit;
}

bool writer_bits(struct writer *writer, const struct bits_at *at, uint8_t *ret_bits)
{
	const struct dirty_block *dirty;

	if (writer->pending == 0)
		return false;
	pthread_mutex_lock(&writer->lock);
	dirty = newest(writer, at->block);
	if (dirty)
		memcpy(ret_bits, dirty->bits + at->off, at->len);
	pthread_mutex_unlock(&writer->lock);
	return dirty;
}
