/* findings.h - where catalog and pools do not agree, as far as it is known: kept in memory, told in
 * the log when it is new. Many threads may use one table. */
#ifndef FINDINGS_H
#define FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "ids.h"

enum finding_kind {
	FINDING_POOL_OFFLINE,
	FINDING_MISSING_FILE,
	FINDING_SYMLINK,
	FINDING_NOT_REGULAR,
	FINDING_HARD_LINK,
	FINDING_UNREADABLE,
	FINDING_TRUNCATED,
	FINDING_NOT_A_VHD,
	FINDING_DAMAGED,
	FINDING_UNCLEAN_FOOTER,
	FINDING_WRONG_ID,
	FINDING_WRONG_TYPE,
	FINDING_WRONG_PARENT,
	FINDING_WRONG_SIZE,
	FINDING_WRONG_BLOCK_SIZE,
	FINDING_PARENT_CHANGED,
	FINDING_DAMAGED_BLOCK,
	FINDING_PARENT_TOUCHED,
	FINDING_WRONG_OWNER,
	FINDING_DUPLICATE_ID,
	FINDING_UNKNOWN_IMAGE,
	FINDING_FOREIGN_FILE,
	FINDING_LEFT_OVER,
	FINDING_KINDS,
};

/* What it means for the image. */
enum finding_effect {
	FINDING_NOTE,    /* worth a look; the image is served */
	FINDING_MET,     /* somebody who used it has met damage; what is sound is served */
	FINDING_MISSING, /* there is no file to serve */
	FINDING_CORRUPT, /* there is one, and it must not be served as this image */
};

const char *findings_name(enum finding_kind kind); /* "missing-file" */
enum finding_effect findings_effect(enum finding_kind kind);

enum { FINDINGS_TEXT = 320, FINDINGS_OF_IMAGE = 4 };
#define FINDING_EVERYWHERE UINT64_MAX /* the image cannot be opened */

struct finding {
	enum finding_kind kind;
	uint8_t id[IDS_SIZE];     /* of an image of the catalog; all zero: of a file that is none */
	uint64_t sector;          /* FINDING_DAMAGED_BLOCK: of the disk, or FINDING_EVERYWHERE */
	char text[FINDINGS_TEXT]; /* a line for a person */
};

struct findings;

struct findings *findings_new(void); /* NULL: out of memory */
void findings_free(struct findings *findings);

/* All that a look at the image has to say of it now; nothing is what a healthy one has. What others
 * have met stays, for a look does not read the whole table of blocks. What is serious
 * finds memory that was set aside; when that is used up, too, it is in the log, and counted as
 * lost. */
void findings_set(struct findings *findings, const uint8_t id[IDS_SIZE],
		  const struct finding *items, size_t n);
/* One more, of a file. Beyond 10,000 they are counted only. */
void findings_add(struct findings *findings, const struct finding *finding);

/* The first finding that keeps the image from being served. Costs nothing when no image has one. */
bool findings_serious(struct findings *findings, const uint8_t id[IDS_SIZE],
		      struct finding *ret_finding);
bool findings_any_serious(struct findings *findings);

/* FINDING_MET: damage that somebody has met, the first one of an image, until it is well there. */
void findings_meet(struct findings *findings, const struct finding *finding);
void findings_heal(struct findings *findings, const struct finding *finding);
bool findings_met(struct findings *findings, const uint8_t id[IDS_SIZE],
		  struct finding *ret_finding);
bool findings_any_met(struct findings *findings);

/* The image is gone. */
void findings_forget(struct findings *findings, const uint8_t id[IDS_SIZE]);

struct findings_count {
	size_t all, serious, met;
	size_t changes; /* since the start: another number, and something else is known */
	size_t lost;    /* of the serious ones: those of the next start will be found again */
};
/* Copies up to `max` of them, the serious ones first, then what was met; returns how many. */
size_t findings_list(struct findings *findings, struct finding *ret_items, size_t max,
		     struct findings_count *ret_count);

#endif
