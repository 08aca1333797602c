/* crash.h - every disk that a power cut may leave.
 *
 * Follows a journal of memory files event by event and knows at each point which sectors and sizes
 * are still in flight. Assumptions: a 512-byte sector is old or new, never torn (unless `tears`
 * says so); what was not flushed reaches the disk in any order and any subset, sector by sector; a
 * change of size is one more thing in flight, independent of the data that caused it; a flush makes
 * what was written to its file before it durable; a cut that is on the disk has taken the older
 * bytes beyond it along.
 */
#ifndef CRASH_H
#define CRASH_H

#include "memio.h"
#include "rng.h"

enum { CRASH_FILES = 64, CRASH_VERSIONS = 32 };

/* One thing that may or may not have reached the disk. Version 0 is what was durable. */
struct crash_choice {
	unsigned file;
	bool is_size;
	uint64_t off;
	unsigned n; /* versions besides the durable one */
	struct {
		size_t event;
		bool torn;
		uint64_t size;  /* is_size */
		uint8_t *bytes; /* otherwise; one unit */
	} version[CRASH_VERSIONS];
};

struct crash {
	struct memjournal *journal;
	size_t upto;                        /* events seen */
	struct memio *durable[CRASH_FILES]; /* by number in the journal */
	struct memio *live[CRASH_FILES];
	size_t settled[CRASH_FILES]; /* events before this one are in `durable` */
	unsigned n_files;
	struct crash_choice **choices;
	size_t n_choices, room;

	/* What is atomic: a sector, or what a page cache writes, 4096 bytes. */
	uint32_t unit;
	/* Sectors of which a cut may leave the beginning of the new and the rest of the old bytes,
	 * or the other way round; NULL: none. Goes with units of a sector. */
	bool (*tears)(void *ctx, unsigned file, const uint8_t bytes[512]);
	void *tears_ctx;
	/* Flushes that a disk only pretends; NULL: none. */
	bool (*lies)(void *ctx, const struct mem_event *flush);
	void *lies_ctx;
	struct rng rng; /* where they tear */
};

/* Starts at the end of `journal`; what the files hold then counts as durable. */
void crash_init(struct crash *crash, struct memjournal *journal);
void crash_fini(struct crash *crash);
/* Files must be added in the order of their numbers, before anything is written to them. */
void crash_add(struct crash *crash, struct memio *file);
/* Takes one more event into account; false at the end of the journal. */
bool crash_step(struct crash *crash);

/* Whether a state has something torn in this file. */
bool crash_is_torn(const struct crash *crash, unsigned file, const unsigned *pick);

/* A state: pick[i] is the version of choice i. Answers the file as it would be found. */
struct memio *crash_image(const struct crash *crash, unsigned file, const unsigned *pick,
			  struct memjournal *journal);

/* Calls `each` for states of this point until it answers false: all of them when there are no more
 * than `limit`, else none, all, each one kept, each one dropped, the prefixes of the order of
 * issue, and random ones up to `limit`. With `fresh` only those that hold something of the last
 * event: the others were states of the point before. Returns how many. */
typedef bool crash_fn(void *ctx, const struct crash *crash, const unsigned *pick);
size_t crash_each(const struct crash *crash, size_t limit, bool fresh, struct rng *rng,
		  crash_fn *each, void *ctx);

#endif
