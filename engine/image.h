/* image.h - one open file with the chain below it, shared by every handle and child that uses it.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache.h"
#include "footer.h"
#include "header.h"
#include "io.h"
#include "vhd.h"

enum { UNIT_SECTORS_MAX = 4096 }; /* the index describes a chain in units of at most 2 MiB */

/* What the callers share. Lock order: engine->lock, then everything of image.h and writer.h. */
struct vhd_engine {
	pthread_mutex_t lock; /* opens, closes, the table, every refs and children */
	struct cache units;   /* of the index */
	struct cache tables;  /* pages of block tables: the smaller part of the budget */
	uint32_t depth_max;
	void *table; /* tsearch tree of struct image by id */
	void *files; /* the same by file */
};

struct bat_page;
struct index;
struct writer;

struct image {
	struct cache_owner meta; /* its lock guards bat, bat_changes and index */
	struct vhd_engine *engine;
	struct vhd_io io;
	struct io_identity file; /* behind it, once the image is in the engine's tables */
	struct vhd_info info;
	struct footer footer; /* two fields and the checksum: by writer->lock, if there is one */
	uint8_t footer_raw[FOOTER_SIZE]; /* what every copy of it must be; by writer->gate */
	struct header header;            /* dynamic and differencing */
	struct image *parent;            /* counted; NULL for a root, and when `lone` */
	struct image **levels; /* itself, its parent, ...: info.depth of them; NULL before its first
				  handle */
	bool lone;             /* differencing, but the parent is not there */
	bool shared;           /* in the engine's tables */
	unsigned refs;         /* handles and children; engine->lock */
	unsigned children;     /* open children; engine->lock */
	unsigned creating;     /* children that are being made; engine->lock */
	unsigned freezes;      /* since the last thaw, by request or for a child; engine->lock */

	uint64_t sectors;           /* virtual size */
	uint32_t block_sectors;     /* 0: flat (fixed, raw) */
	uint32_t unit_sectors;      /* min(block, 2 MiB) */
	uint32_t bitmap_size;       /* bytes, whole sectors */
	uint64_t floor;             /* where footer copy, header and table end, bytes */
	_Atomic uint64_t file_size; /* bytes; grows with every allocation */
	uint32_t tail_size;         /* bytes of the trailing footer; 0 = there is none */

	struct bat_page **bat; /* by page, NULL = not cached */
	uint64_t bat_changes;  /* counts flushes that changed the table */
	struct index *index;   /* NULL before its first handle */

	struct writer *writer; /* NULL: opened for reading */
};

struct vhd {
	struct image *image;
	bool writable; /* this handle */
};

static inline bool image_flat(const struct image *image)
{
	return image->block_sectors == 0;
}

/* Where the data of a block starts, given the sector of its bitmap. */
static inline uint64_t image_data_sector(const struct image *image, uint64_t start)
{
	return start + image->bitmap_size / VHD_SECTOR;
}

/* Reads the metadata of `io` into a new image without parent; `io` stays the caller's until it
 * succeeds. */
int image_load(struct vhd_engine *engine, struct vhd_io *io, unsigned flags,
	       struct image **ret_image, struct vhd_error *err);
/* A raw file as the root of a chain. */
int image_load_raw(struct vhd_engine *engine, struct vhd_io *io, struct image **ret_image,
		   struct vhd_error *err);
void image_free(struct image *image); /* one without references; not its parent */
void image_freep(struct image **image);

/* With engine->lock held. */
struct image *image_find(struct vhd_engine *engine, const uint8_t id[VHD_ID_SIZE]);
/* The image whose file it is; *ret_image NULL = none. */
int image_find_file(struct vhd_engine *engine, const struct vhd_io *io, struct image **ret_image,
		    struct vhd_error *err);
int image_register(struct image *image, struct vhd_error *err);
void image_unref(struct image *image); /* also its ancestors when it was the last */
int image_attach(struct image *child, struct image *parent,
		 struct vhd_error *err); /* counts and freezes `parent` */
/* Takes back one freeze, for a child that never came to be. The last one thaws the image; when that
 * cannot be, `err` says so as well as why there is no child: `r`, which is returned. */
int image_unfreeze(struct image *image, int r, struct vhd_error *err);
/* Without engine->lock: freezes an image, NULL is fine, while a child of it is being made. */
int image_hold(struct image *image, struct vhd_error *err);
int image_let_go(struct image *image, int r, struct vhd_error *err); /* `r`: how that went */
/* Closes a new child that is not to be, without engine->lock; its parent is held. `r`, `err`: why.
 */
int image_disown(struct vhd *disk, int r, struct vhd_error *err);
int image_handle(struct image *image, unsigned flags, struct vhd **ret_disk, struct vhd_error *err);

/* The metadata areas of the file (not blocks, not the tail footer), for overlap checks and the
 * layout. Sorted by offset; returns how many were filled. */
enum { IMAGE_AREAS_MAX = 5 + VHD_LOCATORS };
struct area {
	enum vhd_region_kind kind;
	uint32_t index;
	uint64_t offset, length;
};
/* Whether a block that lies on it cannot be right. Others only say things that nothing depends on,
 * and some say them wrongly: a batmap that a copied creator promises, a locator past what was the
 * end. */
bool area_is_vital(const struct area *area);
int image_areas(const struct image *image, struct area ret_areas[IMAGE_AREAS_MAX]);
/* Where what belongs to the metadata ends, with the room that locators reserve: whole sectors. */
uint64_t image_metadata_end(const struct image *image);

/* The locators as texts; one that makes no sense has an empty text. After a failed read the others
 * are there. */
int image_locators(const struct image *image, struct vhd_locator ret_locators[VHD_LOCATORS],
		   struct vhd_error *err);

/* RFC 4122 text of an id. */
enum { ID_TEXT = 37 };
void image_id_text(const uint8_t id[VHD_ID_SIZE], char ret_text[ID_TEXT]);
/* The parent of that id is a raw file: it is nobody's id, whatever a footer says. */
bool image_id_is_zero(const uint8_t id[VHD_ID_SIZE]);
int image_refuse_raw(struct vhd_error *err);

/* Which footer of a file counts, FORMAT.md 1. */
struct footers {
	struct footer footer;
	uint8_t raw[FOOTER_SIZE]; /* with whatever its writer put into reserved bytes */
	unsigned found;           /* enum vhd_footers */
	uint64_t file_size;
};
/* `head_first`: where the end of the file cannot be trusted the copy at the start wins. */
int footers_read(const struct vhd_io *io, bool head_first, struct footers *ret,
		 struct vhd_error *err);
/* Makes `raw` the footer at `end`, cuts the file there, and then, with `head`, makes it the copy at
 * the start: in the order that a power cut forgives, durable on success. What is right already is
 * not written. */
int footers_write(const struct vhd_io *io, const uint8_t raw[FOOTER_SIZE], uint64_t end, bool head,
		  struct vhd_error *err);
bool footer_same_disk(const struct footer *a, const struct footer *b);
/* Whether the header that a footer names can be that of a disk of its size. */
int footer_fits(const struct vhd_io *io, const struct footer *footer, uint64_t file_size,
		bool *ret_fits, struct vhd_error *err);

/* Repairs what an unclean stop left: FORMAT.md 8. Idempotent; nothing is changed when nothing is
 * wrong. */
int recover_image(const struct vhd_io *io, struct vhd_error *err);
/* VHD_E_UNCLEAN when recovery would change the file. */
int recover_check(const struct vhd_io *io, struct vhd_error *err);

/* Walks the entries that the size needs in passes of bounded memory, refusing those out of range or
 * overlapping, and with `doubt` those that a power cut may have torn; *ret_end is where the last
 * metadata area ends, or the last block that the table names, by a spare entry too. */
int blocks_check(const struct image *image, bool doubt, uint64_t *ret_end, struct vhd_error *err);
enum { BLOCKS_GAP = 8 }; /* sectors that placing a block may leave unused before its bitmap */
/* Whether an entry that names `start` may be one of ours that a power cut has torn. `behind`: the
 * sector where the block before it ends, 0 = there is none. What is read comes off *room; when that
 * is not enough, it may be. */
int torn_suspect(const struct image *image, uint64_t behind, uint32_t start, uint64_t *room,
		 bool *ret_suspect, struct vhd_error *err);

/* Those of the first `count` table entries that are not empty, straight from the file; a negative
 * answer stops. */
typedef int bat_fn(void *ctx, uint32_t block, uint32_t entry, struct vhd_error *err);
int bat_each(const struct image *image, uint32_t count, bat_fn *each, void *ctx,
	     struct vhd_error *err);
/* Sector of the bitmap of `block` as the file has it, proved to lie in the file; 0 = not allocated.
 * Cached. */
int bat_lookup(struct image *image, uint32_t block, unsigned flags, uint64_t *ret_start,
	       struct vhd_error *err);
/* The first block from `block` on and below `limit` that the table names, or of which that cannot
 * be read; `limit` when there is none. */
uint32_t bat_next(struct image *image, uint32_t block, uint32_t limit);
/* Proves one entry (not FFFFFFFF) against the file and the metadata areas. */
int bat_check_entry(const struct image *image, uint32_t block, uint32_t entry,
		    struct vhd_error *err);
/* A flush has written entries: what is cached of them is old. */
void bat_forget(struct image *image, const uint32_t *blocks, size_t n);
void bat_free(struct image *image);

/* The same with what is not yet in the file: writer, then table. */
int block_lookup(struct image *image, uint32_t block, unsigned flags, uint64_t *ret_start,
		 struct vhd_error *err);
/* A piece of the sector bitmap of an allocated block. */
struct bits_at {
	uint32_t block;
	uint64_t start;    /* sector of the bitmap */
	uint32_t off, len; /* bytes of the bitmap */
};
int block_bits(struct image *image, const struct bits_at *at, unsigned flags, uint8_t *ret_bits,
	       struct vhd_error *err);

#endif
