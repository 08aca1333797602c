/* crash_rig.h - a chain on memory files, what it may hold after a power cut, and the check that it
 * does.
 *
 * For every sector ever touched an image keeps the values that are allowed: the last one that a
 * flush made durable and all that were written after it.
 */
#ifndef CRASH_RIG_H
#define CRASH_RIG_H

#include "crash.h"
#include "faultio.h"
#include "reader.h"

enum { RIG_IMAGES = 4, RIG_ABSENT = 0, RIG_ZERO = 1 };

/* What a disk does in a power cut. RIG_ATOMIC: sectors are old or new. RIG_TORN: sectors of
 * metadata may also tear; then recovery may refuse the table, but never err. RIG_PAGES: pages of 4
 * KiB are old or new.
 */
enum rig_profile { RIG_ATOMIC, RIG_TORN, RIG_PAGES };

struct rig_value {
	uint32_t value; /* index in rig.values; RIG_ABSENT = the parent's */
	uint64_t when;
};
struct rig_sector {
	uint64_t sector;
	struct rig_value *history; /* [0] is durable */
	unsigned n, room;
};
struct rig_image {
	struct memio *file;
	struct faults faults; /* of the store of `disk` */
	struct vhd *disk;     /* NULL: frozen, used through its children */
	uint8_t id;
	unsigned footers; /* bit 1 << n: the fields that vhd_set_footer changes may be n */
	int parent;       /* index, or -1 */
	bool active;      /* somebody writes it: it is recovered after a cut */
	struct rig_sector *sectors;
	size_t n_sectors, room;
	uint32_t *where; /* by sector: 1 + its place in `sectors`; 0 = never touched */
};
struct rig {
	struct rng rng;
	enum rig_profile profile;
	struct vhd_engine *engine; /* of the disks that live */
	struct vhd_engine *after;  /* of those that are opened after a cut */
	struct memjournal *journal;
	struct crash crash;
	struct rig_image images[RIG_IMAGES];
	int n_images;
	uint64_t size; /* bytes of every disk */
	uint32_t block_size;
	uint8_t (*values)[512];
	uint32_t n_values, room;
	uint64_t clock;
	struct reader_memo *memo; /* of what no flush has narrowed since */
	struct rig_known {        /* chains that were checked since then, as they were found */
		uint64_t *found;  /* hashed; 0 = free */
		size_t n, room;   /* a power of two */
	} known;
	size_t states, nested; /* checked: each with a chain that was new */
	size_t refused;        /* chains with torn metadata */
	size_t failures;       /* operations in which a call of the store failed */
	bool torn;             /* the chain that is being checked has some */
	size_t limit;          /* states per point */
	bool hook;             /* writes come in the middle of flushes */
	bool keen;             /* and often, and where a wrong flush would show them */
	char what[1024];       /* the first violation; empty while there is none */
};

void rig_init(struct rig *rig, uint64_t seed, enum rig_profile profile, size_t limit);
void rig_fini(struct rig *rig);

/* Notes a violation and answers false. */
bool rig_wrong(struct rig *rig, const char *format, ...) VHD_PRINTF(2, 3);

/* Random operation, with all the states of all the points it passes checked; false after a
 * violation. */
bool rig_op(struct rig *rig);

/* ---- between the files of the rig ---- */

/* The bytes that an image must show now, while nothing has failed. */
const uint8_t *rig_live(const struct rig *rig, int image, uint64_t sector);
struct rig_sector *rig_sector(struct rig_image *image, uint64_t sector); /* made when missing */
struct rig_sector *rig_find(const struct rig_image *image, uint64_t sector);
void rig_note(struct rig *rig, int image, uint64_t sector, uint32_t value);
uint32_t rig_value(struct rig *rig, const uint8_t bytes[512]);
/* Whether an image may show these bytes after a cut. */
bool rig_allows(const struct rig *rig, int image, uint64_t sector, const uint8_t bytes[512]);
/* What was written up to `when` is durable. */
void rig_durable(struct rig *rig, int image, uint64_t when);
/* Other states are possible now, or less is allowed: what was found before says nothing. */
void rig_forget(struct rig *rig);
/* What comes out of a cut under the profile of the rig. */
void rig_follow(struct rig *rig, struct crash *crash, struct memjournal *journal);

/* crash_fn: opens every disk of the state with recovery and checks it. */
bool rig_check_state(void *ctx, const struct crash *crash, const unsigned *pick);
/* The resolver for files of a state: ids are numbers of images. */
struct rig_files {
	struct rig *rig;
	struct memio *files[RIG_IMAGES];
};
struct vhd_resolver rig_resolver(struct rig_files *files);

#endif
