/* memio.h - a store in memory, sparse, with a journal of what was done to it.
 *
 * A file may be as large as 2^62 bytes; only pages that were written take memory. Several files may
 * share one journal: the order of its events is the order in which they happened. Files may be used
 * by many threads.
 */
#ifndef MEMIO_H
#define MEMIO_H

#include "vhd.h"

enum { MEM_PAGE = 4096 };

enum mem_kind { MEM_WRITE, MEM_RESIZE, MEM_PUNCH, MEM_FLUSH };

struct mem_event {
	enum mem_kind kind;
	unsigned file;     /* number of the file in its journal */
	uint64_t off, len; /* MEM_RESIZE: len is the new size */
	size_t covers;     /* MEM_FLUSH: events before this one are on stable storage now */
	uint8_t *data;     /* MEM_WRITE */
};

struct memjournal;

struct memjournal *memjournal_new(void);
void memjournal_free(struct memjournal *journal);
size_t memjournal_length(struct memjournal *journal);
/* Valid until the journal is freed; other threads may append meanwhile. */
const struct mem_event *memjournal_event(struct memjournal *journal, size_t index);
/* What others recorded: takes a copy of the event, and of `len` bytes of its data. */
void memjournal_append(struct memjournal *journal, const struct mem_event *event);
/* Called in the middle of every flush: after the point up to which it covers, before it answers. */
void memjournal_on_flush(struct memjournal *journal, void (*hook)(void *ctx, unsigned file),
			 void *ctx);

struct memio;

/* An empty file; `journal` may be NULL. The caller frees it, after all that was opened on it is
 * closed. */
struct memio *memio_new(struct memjournal *journal);
/* The same content; pages are shared until one side writes. */
struct memio *memio_clone(struct memio *file, struct memjournal *journal);
void memio_free(struct memio *file);

/* A handle for the engine, with a lock of its own. Closing it leaves the file as it is. */
struct vhd_io memio_io(struct memio *file);

/* Reads that may not block fail while this is set, as on a file that is not in the page cache. */
void memio_set_cold(struct memio *file, bool cold);

/* From now on the file is a cache over a device: what was not flushed is gone when it is read
 * again. */
void memio_use_device(struct memio *file);

/* As when another program maps the file: what was not flushed stays, and reading again is declined.
 */
void memio_keep_pages(struct memio *file, bool keep);

unsigned memio_number(const struct memio *file); /* in its journal */
uint64_t memio_size(struct memio *file);
size_t memio_pages(struct memio *file); /* pages in memory */
/* Calls `each` for every page in memory, in no order; `page` is its first byte. */
void memio_each_page(struct memio *file, void (*each)(void *ctx, uint64_t off, const uint8_t *page),
		     void *ctx);

/* The sector at `off`, without a copy and without the lock: valid until the file changes. The stamp
 * is 0 for a hole, else it tells the content of this page from every other. */
const uint8_t *memio_look(const struct memio *file, uint64_t off, uint64_t *ret_stamp);

/* Past the journal. Reading beyond the end gives zeroes, writing there grows the file. */
void memio_peek(struct memio *file, void *buf, size_t len, uint64_t off);
void memio_poke(struct memio *file, const void *buf, size_t len, uint64_t off);
void memio_cut(struct memio *file, uint64_t size); /* or grow */
void memio_erase(struct memio *file, uint64_t off, uint64_t len);
void memio_replay(struct memio *file, const struct mem_event *event);

#endif
