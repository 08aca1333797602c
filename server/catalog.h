/* catalog.h - names, lineage and state of all images; no SQL is seen from here.
 *
 * Every change is one durable transaction together with its event, of which the last hundred
 * thousand are kept. What is known of single images is kept in memory as well, so that looking one
 * up never waits for a disk. Many threads may use one catalog at once.
 *
 * Calls return 0 or a negative `enum catalog_code`; `err` is last and is written only on failure.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ids.h"

enum {
	CATALOG_NAME = 128, /* with NUL, as the next ones */
	CATALOG_LABEL_KEY = 64,
	CATALOG_LABEL_VALUE = 256,
	CATALOG_LABELS_MAX = 64, /* of one image */
	CATALOG_WHY = 256,
	CATALOG_PATH = 1200,
};

enum catalog_code {
	CATALOG_OK = 0,
	CATALOG_E_NOT_FOUND = -1,
	CATALOG_E_NAME_EXISTS = -2,
	CATALOG_E_ID_EXISTS = -3,
	CATALOG_E_HAS_CHILDREN = -4,
	CATALOG_E_PARENT = -5, /* the parent is not there, or not ready */
	CATALOG_E_TOO_DEEP = -6,
	CATALOG_E_CYCLE = -7,
	CATALOG_E_STATE = -8, /* the image is not in the state that this needs */
	CATALOG_E_NOSPC = -9,
	CATALOG_E_NOMEM = -10,
	CATALOG_E_BUSY = -11,    /* another daemon holds the catalog */
	CATALOG_E_FAILED = -12,  /* not what it should be, or the disk failed */
	CATALOG_E_CHANGED = -13, /* the row is not of the version that was looked at */
	CATALOG_E_DAMAGED = -14,
	CATALOG_E_NEWER = -15, /* written by a newer vhdd */
	CATALOG_E_PLACE = -16, /* the file is that of another image */
	CATALOG_E_IO = -17,    /* the disk failed: whether the catalog is sound is not known */
	CATALOG_E_LOST = -18,  /* nothing is there but a backup */
};

struct catalog_error {
	enum catalog_code code;
	char text[CATALOG_WHY];
};

enum catalog_kind { CATALOG_DYNAMIC, CATALOG_FIXED, CATALOG_DIFFERENCING };
/* CREATING and DELETING name files that a crash may have left: catalog_each() finds them at start.
 */
enum catalog_state { CATALOG_CREATING, CATALOG_READY, CATALOG_DELETING };

struct catalog_label {
	char key[CATALOG_LABEL_KEY];
	char value[CATALOG_LABEL_VALUE];
};

/* What the footer and the header of the file say. */
struct catalog_vhd {
	uint64_t size;
	uint32_t block_size; /* 0 for fixed */
	uint32_t timestamp, parent_timestamp;
	uint32_t creator_version;
	char creator[5], creator_os[5];
	uint16_t cylinders;
	uint8_t heads, sectors_per_track;
	bool saved_state, temporary;
};

struct catalog_usage {
	uint64_t file_bytes;
	uint64_t blocks; /* allocated */
	int64_t measured_at;
};

/* What the file of an image was when it got its first child: from then on nobody may change it. */
struct catalog_seal {
	uint64_t file_bytes;
	int64_t mtime_ns; /* since 1970 */
	uint64_t ino;
	uint8_t sha256[32]; /* of its footers, its header and its block table */
	uint64_t blocks;    /* allocated, when it was taken of an open image; is not kept */
};

struct catalog_image {
	uint8_t id[IDS_SIZE];
	uint8_t parent_id[IDS_SIZE]; /* all zero: a root */
	bool parent_missing;         /* the catalog does not know it */
	char name[CATALOG_NAME];
	enum catalog_kind kind;
	enum catalog_state state;
	bool frozen;         /* by request; an image with children is frozen anyway */
	bool dirty;          /* was open for writing and has not been closed since */
	uint64_t generation; /* counts the times it was opened and then written */
	struct catalog_vhd vhd;
	struct catalog_usage usage;
	bool sealed; /* `seal` says something */
	struct catalog_seal seal;
	char pool[CATALOG_NAME]; /* "": the file lies in none */
	/* Of an image that was adopted: the folder that was allowed, absolute, and the way to the
	 * file below it. Both heap, or both NULL: the file is <pool>/<id>.vhd. */
	char *root, *path;
	bool linked;                  /* it is somebody else's: never removed */
	char *description;            /* heap; NULL = "" */
	struct catalog_label *labels; /* heap */
	size_t n_labels;
	uint64_t version;               /* counts changes of this row, from 1 unless it is given */
	int64_t created_at, updated_at; /* milliseconds since 1970 */
	int64_t checked_at; /* of the last look at its file since the start; in memory only */

	/* For catalog_insert alone: what the version of the parent must be, 0 = any. */
	uint64_t parent_version;

	/* Found by the catalog, ignored by catalog_insert. */
	uint8_t root_id[IDS_SIZE];
	char parent_name[CATALOG_NAME], root_name[CATALOG_NAME];
	uint32_t depth;    /* 0 for a root; a missing parent counts */
	bool broken;       /* it, or one of its ancestors, has a parent that is missing */
	uint64_t children; /* whose files may be there, so that it must not change */
	uint64_t born;     /* those of them that are neither being made nor being deleted */
	uint64_t leaving;  /* those that are being deleted: clients do not see them */
	uint64_t chain_file_bytes;
};

/* Frees what the image owns and sets all to zero; a zero one is fine. */
void catalog_image_fini(struct catalog_image *image);

struct catalog_images {
	struct catalog_image *items; /* heap */
	size_t n;
	bool more;
	uint64_t total, revision;
};
void catalog_images_fini(struct catalog_images *images);

struct catalog;

/* `depth_max`: images of one chain. All that is in the database is looked through first. An older
 * one is brought up to date, after a backup. Where there is none, it begins empty, but not beside a
 * backup (CATALOG_E_LOST). */
int catalog_open(const char *path, uint32_t depth_max, struct catalog **ret_catalog,
		 struct catalog_error *err);
void catalog_close(struct catalog *catalog);

/* Whether the last commit went well; if not, why. Never blocks. When the disk fails in a commit,
 * nobody knows whether it is durable: the process ends at once with status 70, and the next start
 * finds out. */
bool catalog_healthy(struct catalog *catalog, char ret_why[CATALOG_WHY]);
/* When the disk is full, a ballast beside the catalog is given up so that what was begun can end,
 * and all that begins something new is refused (CATALOG_E_NOSPC). This makes the ballast and ends
 * that when there is room. True: all is well. Once at the start, and now and then. */
bool catalog_keep_room(struct catalog *catalog);
/* A copy beside the catalog; the last seven are kept. */
int catalog_backup(struct catalog *catalog, struct catalog_error *err);
/* Whether the newest one is older than a day, or dated later than now. */
bool catalog_backup_due(struct catalog *catalog);

/* ---- from memory ---- */

int catalog_get(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		struct catalog_image *ret_image, struct catalog_error *err);
/* The little that decides who may do what; copies nothing. False: there is no such image. */
struct catalog_brief {
	enum catalog_state state;
	enum catalog_kind kind;
	bool frozen, dirty, sealed;
	bool adopted; /* its place is not that of the pool */
	bool broken;  /* it, or one of its ancestors, has a parent that is missing */
	uint64_t generation, blocks, size, file_bytes;
	uint64_t children, born, leaving;                  /* as of struct catalog_image */
	uint8_t parent_id[IDS_SIZE], missing_id[IDS_SIZE]; /* the latter if it is broken */
	int64_t updated_at;
	struct catalog_seal seal;
	char name[CATALOG_NAME], pool[CATALOG_NAME];
};
bool catalog_brief(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		   struct catalog_brief *ret_brief);
/* Where the file of an image is. False: there is no such image. */
struct catalog_place {
	uint8_t id[IDS_SIZE];
	char pool[CATALOG_NAME];
	char root[CATALOG_PATH], path[CATALOG_PATH]; /* both "": <pool>/<id>.vhd */
	bool linked;
};
bool catalog_place(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		   struct catalog_place *ret_place);
void catalog_place_of(const struct catalog_image *image, struct catalog_place *ret_place);
/* Images that are being deleted have no name any more. */
int catalog_id_of(struct catalog *catalog, const char *name, uint8_t ret_id[IDS_SIZE],
		  struct catalog_error *err);
/* The image and its ancestors, leaf first. */
int catalog_chain(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		  struct catalog_images *ret_images, struct catalog_error *err);
/* Whether its chain ends with an image whose parent is missing, and which. */
struct catalog_orphan {
	uint8_t id[IDS_SIZE], parent_id[IDS_SIZE];
	char name[CATALOG_NAME];
};
bool catalog_orphan_of(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		       struct catalog_orphan *ret_orphan);
/* Up to `max` of the images that miss the one with that id as their parent; returns how many were
 * filled. */
struct catalog_waiting {
	char name[CATALOG_NAME];
	uint32_t parent_timestamp;
};
size_t catalog_waiting(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		       struct catalog_waiting *ret_waiting, size_t max);
/* Names of up to `max` children that clients see; returns how many were filled. */
size_t catalog_children(struct catalog *catalog, const uint8_t id[IDS_SIZE],
			char ret_names[][CATALOG_NAME], size_t max);
/* Of the children that are being made or deleted the one that came first. False: there is none. */
bool catalog_unsettled_child(struct catalog *catalog, const uint8_t id[IDS_SIZE],
			     uint8_t ret_child[IDS_SIZE]);
/* Somebody has just looked at the file of the image, and knows whether it is in order. */
void catalog_checked(struct catalog *catalog, const uint8_t id[IDS_SIZE], int64_t now_ms);
/* Calls `each` for every image in that state, outside of all locks. */
typedef int catalog_each_fn(void *ctx, const struct catalog_image *image);
int catalog_each(struct catalog *catalog, enum catalog_state state, catalog_each_fn *each,
		 void *ctx, struct catalog_error *err);

/* ---- from the database ---- */

/* By name, those after `after` (NULL = from the start); `total` only with `count`. */
int catalog_list(struct catalog *catalog, const char *after, size_t limit, bool count,
		 struct catalog_images *ret_images, struct catalog_error *err);

/* ---- changes ---- */

/* Adds the image as CATALOG_CREATING: the intent, before its file. From now on the parent has a
 * child. */
int catalog_insert(struct catalog *catalog, const struct catalog_image *image,
		   struct catalog_error *err);
/* The file is complete and durable: CREATING becomes READY, and the parent is clean, for it was
 * flushed when it was frozen. `parent_seal`: of a parent that was not sealed, else NULL. Images
 * that miss this one as their parent have it from now on. */
int catalog_finish_create(struct catalog *catalog, const uint8_t id[IDS_SIZE],
			  const struct catalog_vhd *vhd, const struct catalog_usage *usage,
			  const struct catalog_seal *parent_seal, struct catalog_error *err);
/* Files that were there already, parents first, all READY and in one transaction; each with a seal,
 * `sealed` or not, for images may be there that miss it as their parent, and have it from now on.
 * The parent of the first one may be missing, but must not be ready then (CATALOG_E_PARENT).
 * `parent_seal`: of a parent in the catalog that gets its first child by it, else NULL; NULL, but
 * the parent has lost its other children and its seal meanwhile: CATALOG_E_STATE.
 * `ret_chain`, unless NULL: the last one and its ancestors, before anybody can change them; empty
 * when there was no memory for it after all was done. */
int catalog_adopt(struct catalog *catalog, const struct catalog_image *images, size_t n,
		  const struct catalog_seal *parent_seal, struct catalog_images *ret_chain,
		  struct catalog_error *err);
/* Of an image with children that has come without one. */
int catalog_seal(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		 const struct catalog_seal *seal, struct catalog_error *err);
/* READY becomes DELETING, and clients see its parent without it; refused while it has children, and
 * when `version` is neither 0 nor that of the row. */
int catalog_begin_delete(struct catalog *catalog, const uint8_t id[IDS_SIZE], uint64_t version,
			 struct catalog_error *err);
/* The row goes, in any state; refused as above. The last child takes the seal of its parent along.
 */
int catalog_forget(struct catalog *catalog, const uint8_t id[IDS_SIZE], uint64_t version,
		   struct catalog_error *err);
/* Name, description, labels, `frozen`, and the saved state and temporary bit that its file has,
 * become those of `image`, whose version must be that of the row, and is the next one then. One
 * that becomes frozen is clean: it has been flushed. */
int catalog_update(struct catalog *catalog, struct catalog_image *image, struct catalog_error *err);
/* Before the first write after an open: `dirty`, a new generation, and no seal. */
int catalog_mark_dirty(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		       uint64_t *ret_generation, struct catalog_error *err);
/* After the last flush and close. */
int catalog_mark_clean(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		       const struct catalog_usage *usage, struct catalog_error *err);

/* ---- when a catalog was lost ---- */

/* All of them in one transaction, as they are; a parent comes before its children. */
int catalog_restore(struct catalog *catalog, const struct catalog_image *images, size_t n,
		    struct catalog_error *err);
/* What a catalog or a backup says of images that no file says: id, name, pool, place, kind, state,
 * description, labels and whether it was frozen; of none in the state CREATING. Read without a
 * change to it; a damaged one is refused (CATALOG_E_DAMAGED), as is one that is not there;
 * CATALOG_E_IO and CATALOG_E_BUSY when it may be sound. */
int catalog_salvage(const char *path, catalog_each_fn *each, void *ctx, struct catalog_error *err);

#endif
