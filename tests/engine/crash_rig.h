/* crash_rig.h - a chain on memory files, what it may hold after a power cut, and the check that it
 * does.
 *
 * For every sector ever touched an image keeps the values that are allowed: the last one that a
 * flush made durable and all that were written after it.
 */
#ifndef CRASH_RIG_H
#define CRASH_RIG_H

#include "crash.h"
#include "reader.h"

enum { RIG_IMAGES = 4, RIG_ABSENT = 0, RIG_ZERO = 1 };

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
	struct vhd *disk; /* NULL: frozen, used through its children */
	uint8_t id;
	unsigned footers; /* bit 1 << n: the fields that vhd_set_footer changes may be n */
	int parent;       /* index, or -1 */
	bool active;      /* somebody writes it: it is recovered after a cut */
	struct rig_sector *sectors;
	size_t n_sectors, room;
};
struct rig {
	struct rng rng;
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
	size_t states, nested, limit; /* `limit`: states per point */
	bool hook;                    /* writes come in the middle of flushes */
	bool keen;                    /* and often, and where a wrong flush would show them */
	char what[1024];              /* the first violation; empty while there is none */
};

void rig_init(struct rig *rig, uint64_t seed, size_t limit);
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

/* crash_fn: opens every disk of the state with recovery and checks it. */
bool rig_check_state(void *ctx, const struct crash *crash, const unsigned *pick);
/* The resolver for files of a state: ids are numbers of images. */
struct rig_files {
	struct rig *rig;
	struct memio *files[RIG_IMAGES];
};
struct vhd_resolver rig_resolver(struct rig_files *files);

#endif
