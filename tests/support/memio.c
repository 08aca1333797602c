/* memio.c - the store in memory. What changes a file is journaled under the file's lock, so that
 * the journal's order is the file's. */
#include "memio.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "must.h"
#include "pages.h"

_Static_assert((int)MEM_PAGE == (int)PAGE_SIZE, "one page size");

struct memjournal {
	pthread_mutex_t lock;
	struct mem_event **events;
	size_t length, room;
	unsigned files;
	void (*hook)(void *ctx, unsigned file);
	void *hook_ctx;
};

struct memio {
	pthread_rwlock_t lock;
	struct pages pages;
	uint64_t size;
	struct memjournal *journal;
	unsigned number;
	bool cold;
	struct memio *device;      /* what was flushed; NULL: everything */
	bool keeps_pages;          /* the device is not read again */
	unsigned readers, writers; /* handles that hold a lock */
};

/* What the engine holds: the file, and the lock of this opening of it. */
struct handle {
	struct memio *file;
	enum vhd_lock mode;
};

struct memjournal *memjournal_new(void)
{
	struct memjournal *journal = must_alloc(sizeof *journal);

	(void)pthread_mutex_init(&journal->lock, NULL);
	return journal;
}

void memjournal_free(struct memjournal *journal)
{
	if (!journal)
		return;
	for (size_t i = 0; i < journal->length; i++) {
		must_free(journal->events[i]->data);
		must_free(journal->events[i]);
	}
	must_free(journal->events);
	(void)pthread_mutex_destroy(&journal->lock);
	must_free(journal);
}

size_t memjournal_length(struct memjournal *journal)
{
	size_t length;

	(void)pthread_mutex_lock(&journal->lock);
	length = journal->length;
	(void)pthread_mutex_unlock(&journal->lock);
	return length;
}

const struct mem_event *memjournal_event(struct memjournal *journal, size_t index)
{
	const struct mem_event *event;

	(void)pthread_mutex_lock(&journal->lock);
	event = index < journal->length ? journal->events[index] : NULL;
	(void)pthread_mutex_unlock(&journal->lock);
	return event;
}

void memjournal_on_flush(struct memjournal *journal, void (*hook)(void *ctx, unsigned file),
			 void *ctx)
{
	journal->hook = hook;
	journal->hook_ctx = ctx;
}

static void add(struct memjournal *journal, struct mem_event *event)
{
	(void)pthread_mutex_lock(&journal->lock);
	if (journal->length == journal->room) {
		journal->room = journal->room ? journal->room * 2 : 64;
		journal->events = must_grow(journal->events, journal->room * sizeof(void *));
	}
	journal->events[journal->length++] = event;
	(void)pthread_mutex_unlock(&journal->lock);
}

static void journal_add(struct memio *file, struct mem_event event)
{
	struct mem_event *copy;

	if (!file->journal)
		return;
	copy = must_alloc(sizeof *copy);
	*copy = event;
	copy->file = file->number;
	add(file->journal, copy);
}

void memjournal_append(struct memjournal *journal, const struct mem_event *event)
{
	struct mem_event *copy = must_alloc(sizeof *copy);

	*copy = *event;
	if (event->data) {
		copy->data = must_raw((size_t)event->len);
		memcpy(copy->data, event->data, (size_t)event->len);
	}
	add(journal, copy);
}

struct memio *memio_clone(struct memio *file, struct memjournal *journal)
{
	struct memio *copy = must_alloc(sizeof *copy);

	(void)pthread_rwlock_init(&copy->lock, NULL);
	copy->journal = journal;
	if (journal)
		copy->number = journal->files++;
	if (file) {
		(void)pthread_rwlock_rdlock(&file->lock);
		pages_copy(&copy->pages, &file->pages);
		copy->size = file->size;
		(void)pthread_rwlock_unlock(&file->lock);
	}
	return copy;
}

struct memio *memio_new(struct memjournal *journal)
{
	return memio_clone(NULL, journal);
}

void memio_free(struct memio *file)
{
	if (!file)
		return;
	memio_free(file->device);
	pages_free(&file->pages);
	(void)pthread_rwlock_destroy(&file->lock);
	must_free(file);
}

/* ---- bytes; the caller holds the lock ---- */

static size_t in_page(uint64_t off, uint64_t len)
{
	size_t room = MEM_PAGE - off % MEM_PAGE;

	return len < room ? (size_t)len : room;
}

static void bytes_read(const struct memio *file, uint8_t *buf, size_t len, uint64_t off)
{
	while (len > 0) {
		size_t n = in_page(off, len);
		const uint8_t *page = pages_get(&file->pages, off / MEM_PAGE);

		if (page)
			memcpy(buf, page + off % MEM_PAGE, n);
		else
			memset(buf, 0, n);
		buf += n, off += n, len -= n;
	}
}

static void bytes_write(struct memio *file, const uint8_t *buf, size_t len, uint64_t off)
{
	if (off + len > file->size)
		file->size = off + len;
	while (len > 0) {
		size_t n = in_page(off, len);

		memcpy(pages_edit(&file->pages, off / MEM_PAGE) + off % MEM_PAGE, buf, n);
		buf += n, off += n, len -= n;
	}
}

static void bytes_punch(struct memio *file, uint64_t off, uint64_t len)
{
	if (off >= file->size)
		return;
	if (len > file->size - off)
		len = file->size - off;
	while (len > 0) {
		size_t n = in_page(off, len);

		if (n == MEM_PAGE)
			pages_drop(&file->pages, off / MEM_PAGE);
		else if (pages_get(&file->pages, off / MEM_PAGE))
			memset(pages_edit(&file->pages, off / MEM_PAGE) + off % MEM_PAGE, 0, n);
		off += n, len -= n;
	}
}

static void bytes_resize(struct memio *file, uint64_t size)
{
	uint64_t cut = size / MEM_PAGE;

	if (size < file->size) {
		if (size % MEM_PAGE != 0 && pages_get(&file->pages, cut))
			memset(pages_edit(&file->pages, cut) + size % MEM_PAGE, 0,
			       MEM_PAGE - size % MEM_PAGE);
		pages_drop_from(&file->pages, (size + MEM_PAGE - 1) / MEM_PAGE);
	}
	file->size = size;
}

/* ---- the operations ---- */

static struct memio *file_of(void *store)
{
	return ((struct handle *)store)->file;
}

static int op_read(void *store, void *buf, size_t len, uint64_t off)
{
	struct memio *file = file_of(store);
	int r = 0;

	(void)pthread_rwlock_rdlock(&file->lock);
	if (off > file->size || len > file->size - off)
		r = -ENODATA;
	else
		bytes_read(file, buf, len, off);
	(void)pthread_rwlock_unlock(&file->lock);
	return r;
}

static int op_read_now(void *store, void *buf, size_t len, uint64_t off)
{
	if (__atomic_load_n(&file_of(store)->cold, __ATOMIC_RELAXED))
		return -EAGAIN;
	return op_read(store, buf, len, off);
}

static int op_writev(void *store, const struct iovec *iov, int n, uint64_t off)
{
	struct memio *file = file_of(store);
	size_t len = 0, at = 0;
	uint8_t *data;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	data = must_alloc(len + 1);
	for (int i = 0; i < n; at += iov[i++].iov_len)
		memcpy(data + at, iov[i].iov_base, iov[i].iov_len);
	(void)pthread_rwlock_wrlock(&file->lock);
	bytes_write(file, data, len, off);
	journal_add(file,
		    (struct mem_event){MEM_WRITE, 0, off, len, 0, file->journal ? data : NULL});
	(void)pthread_rwlock_unlock(&file->lock);
	if (!file->journal)
		must_free(data);
	return 0;
}

static int op_resize(void *store, uint64_t size)
{
	struct memio *file = file_of(store);

	(void)pthread_rwlock_wrlock(&file->lock);
	bytes_resize(file, size);
	journal_add(file, (struct mem_event){.kind = MEM_RESIZE, .len = size});
	(void)pthread_rwlock_unlock(&file->lock);
	return 0;
}

static int op_size(void *store, uint64_t *ret_size)
{
	*ret_size = memio_size(file_of(store));
	return 0;
}

static int op_punch(void *store, uint64_t off, uint64_t len)
{
	struct memio *file = file_of(store);

	(void)pthread_rwlock_wrlock(&file->lock);
	bytes_punch(file, off, len);
	journal_add(file, (struct mem_event){.kind = MEM_PUNCH, .off = off, .len = len});
	(void)pthread_rwlock_unlock(&file->lock);
	return 0;
}

/* Grows the file like posix_fallocate. */
static int op_allocate(void *store, uint64_t off, uint64_t len)
{
	return off + len > memio_size(file_of(store)) ? op_resize(store, off + len) : 0;
}

static int op_flush(void *store)
{
	struct memio *file = file_of(store);
	size_t covers;

	if (file->device)
		memio_use_device(file);
	if (!file->journal)
		return 0;
	covers = memjournal_length(file->journal);
	if (file->journal->hook)
		file->journal->hook(file->journal->hook_ctx, file->number);
	(void)pthread_rwlock_wrlock(&file->lock);
	journal_add(file, (struct mem_event){.kind = MEM_FLUSH, .covers = covers});
	(void)pthread_rwlock_unlock(&file->lock);
	return 0;
}

static int op_reread(void *store)
{
	struct memio *file = file_of(store);

	if (!file->device)
		return 0;
	if (file->keeps_pages)
		return 1;
	(void)pthread_rwlock_wrlock(&file->lock);
	pages_free(&file->pages);
	pages_copy(&file->pages, &file->device->pages);
	file->size = file->device->size;
	(void)pthread_rwlock_unlock(&file->lock);
	return 0;
}

static void lock_count(struct memio *file, enum vhd_lock mode, int by)
{
	if (mode == VHD_LOCK_READ)
		file->readers += (unsigned)by;
	else if (mode == VHD_LOCK_WRITE)
		file->writers += (unsigned)by;
}

static int op_lock(void *store, enum vhd_lock mode)
{
	struct handle *handle = store;
	struct memio *file = handle->file;
	int r = 0;

	(void)pthread_rwlock_wrlock(&file->lock);
	lock_count(file, handle->mode, -1);
	if ((mode == VHD_LOCK_READ && file->writers > 0) ||
	    (mode == VHD_LOCK_WRITE && file->readers + file->writers > 0))
		r = -EAGAIN;
	else
		handle->mode = mode;
	lock_count(file, handle->mode, 1);
	(void)pthread_rwlock_unlock(&file->lock);
	return r;
}

static int op_identity(void *store, uint64_t ret_id[2])
{
	ret_id[0] = (uint64_t)(uintptr_t)file_of(store);
	ret_id[1] = 0x6d656d;
	return 0;
}

static void op_close(void *store)
{
	(void)op_lock(store, VHD_LOCK_NONE);
	must_free(store);
}

struct vhd_io memio_io(struct memio *file)
{
	static const struct vhd_io_ops ops = {
		.read = op_read,
		.read_now = op_read_now,
		.writev = op_writev,
		.resize = op_resize,
		.size = op_size,
		.punch = op_punch,
		.allocate = op_allocate,
		.flush = op_flush,
		.reread = op_reread,
		.lock = op_lock,
		.identity = op_identity,
		.close = op_close,
	};
	struct handle *handle = must_alloc(sizeof *handle);

	handle->file = file;
	return (struct vhd_io){.ops = &ops, .store = handle};
}

/* ---- for the tests ---- */

void memio_set_cold(struct memio *file, bool cold)
{
	__atomic_store_n(&file->cold, cold, __ATOMIC_RELAXED);
}

void memio_keep_pages(struct memio *file, bool keep)
{
	file->keeps_pages = keep;
}

void memio_use_device(struct memio *file)
{
	struct memio *device = memio_clone(file, NULL);

	memio_free(file->device);
	file->device = device;
}

unsigned memio_number(const struct memio *file)
{
	return file->number;
}

uint64_t memio_size(struct memio *file)
{
	uint64_t size;

	(void)pthread_rwlock_rdlock(&file->lock);
	size = file->size;
	(void)pthread_rwlock_unlock(&file->lock);
	return size;
}

size_t memio_pages(struct memio *file)
{
	return file->pages.n_pages;
}

void memio_each_page(struct memio *file, void (*each)(void *ctx, uint64_t off, const uint8_t *page),
		     void *ctx)
{
	for (size_t i = 0; i < file->pages.n_slots; i++) {
		const struct page_slot *slot = &file->pages.slots[i];

		if (slot->page)
			each(ctx, (slot->key - 1) * MEM_PAGE, slot->page->bytes);
	}
}

const uint8_t *memio_look(const struct memio *file, uint64_t off, uint64_t *ret_stamp)
{
	static const uint8_t zeroes[512];
	const struct page *page = pages_find(&file->pages, off / MEM_PAGE);

	*ret_stamp = page ? page->stamp : 0;
	return page ? page->bytes + off % MEM_PAGE : zeroes;
}

void memio_peek(struct memio *file, void *buf, size_t len, uint64_t off)
{
	(void)pthread_rwlock_rdlock(&file->lock);
	bytes_read(file, buf, len, off);
	(void)pthread_rwlock_unlock(&file->lock);
}

void memio_poke(struct memio *file, const void *buf, size_t len, uint64_t off)
{
	(void)pthread_rwlock_wrlock(&file->lock);
	bytes_write(file, buf, len, off);
	(void)pthread_rwlock_unlock(&file->lock);
}

void memio_cut(struct memio *file, uint64_t size)
{
	(void)pthread_rwlock_wrlock(&file->lock);
	bytes_resize(file, size);
	(void)pthread_rwlock_unlock(&file->lock);
}

void memio_erase(struct memio *file, uint64_t off, uint64_t len)
{
	(void)pthread_rwlock_wrlock(&file->lock);
	bytes_punch(file, off, len);
	(void)pthread_rwlock_unlock(&file->lock);
}

void memio_replay(struct memio *file, const struct mem_event *event)
{
	switch (event->kind) {
	case MEM_WRITE: memio_poke(file, event->data, event->len, event->off); break;
	case MEM_RESIZE: memio_cut(file, event->len); break;
	case MEM_PUNCH: memio_erase(file, event->off, event->len); break;
	case MEM_FLUSH: break;
	}
}
