/* vhd.h - the VHD engine: everything the rest of the project may know of it.
 *
 * The engine reads and writes VHD images ("conectix" format, FORMAT.md) through `struct vhd_io`. It
 * reads no clock, draws no random number, writes no log, starts no thread and keeps no global
 * state; only path.c opens paths. What it needs is passed in, what it has to say is in the return
 * value and in `struct vhd_error`.
 *
 * Calls return 0 (or a count) on success and a negative `enum vhd_code` on failure. Outputs are
 * named ret_* and are written only on success. `err` is always last, may be NULL, and is written
 * only on failure.
 *
 * Every object may be used by many threads at once: reads run in parallel, writes to different
 * blocks too. One request that lies inside one block is atomic to readers of that block; a 512-byte
 * sector is never torn.
 *
 * Units: offsets, lengths and sizes are bytes (uint64_t on disk, size_t in memory); a name with
 * `sector` counts 512-byte sectors. Unique ids are 16 bytes in the order of RFC 4122. Time stamps
 * are seconds since 2000-01-01 00:00:00 UTC.
 */
#ifndef VHD_H
#define VHD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VHD_NODISCARD        __attribute__((warn_unused_result))
#define VHD_PRINTF(at, args) __attribute__((format(printf, at, args)))

enum {
	VHD_SECTOR = 512,     /* the only logical sector size of the format */
	VHD_ID_SIZE = 16,     /* bytes of a unique id */
	VHD_DEPTH_MAX = 1024, /* images of one chain, hard limit */
	VHD_IOV_MAX = 1024,   /* buffers of one vhd_writev */
	VHD_LOCATORS = 8,     /* parent locator slots of a header */
	VHD_LOCATOR_TEXT =
		1024, /* bytes of a decoded locator with its NUL; longer ones are not followed */
	VHD_DEPTH_WARN = 30, /* chains from this depth on deserve a warning */
	VHD_PATH = 4096,     /* bytes of a path with its NUL */
};

#define VHD_SIZE_MAX \
	(2040ULL << 30) /* virtual size of dynamic and differencing disks, FORMAT.md 6 */
#define VHD_BLOCK_SIZE_DEFAULT \
	(2U << 20) /* what creation uses; 512 KiB is the other allowed value */

/* What went wrong, told apart by what the caller can do about it. */
enum vhd_code {
	VHD_OK = 0,
	VHD_E_INVALID = -1,     /* the caller's argument makes no sense */
	VHD_E_RANGE = -2,       /* beyond the end of the disk */
	VHD_E_SIZE = -3,        /* a size that the format, or this block size, cannot represent */
	VHD_E_CORRUPT = -4,     /* the image breaks the format */
	VHD_E_NOT_VHD = -5,     /* there is no VHD footer at all */
	VHD_E_UNSUPPORTED = -6, /* a legal image that this engine does not handle */
	VHD_E_UNCLEAN = -7,     /* footers missing or unequal: open with VHD_RECOVER */
	VHD_E_PARENT_MISSING = -8,  /* the parent was not found */
	VHD_E_PARENT_MISMATCH = -9, /* a parent was found, with another unique id */
	VHD_E_PARENT_SIZE = -10,    /* a child smaller than its parent */
	VHD_E_CYCLE = -11,          /* the chain comes back to itself */
	VHD_E_DEPTH = -12,          /* the chain is longer than the limit */
	VHD_E_READONLY = -13,       /* write to an image opened without VHD_WRITE */
	VHD_E_FROZEN = -14,         /* write to an image that has become a parent */
	VHD_E_BUSY = -15, /* locked by another program, or open in a mode that excludes this one */
	VHD_E_EXISTS = -16,    /* a file of that name, or another open file with that unique id */
	VHD_E_NOT_FOUND = -17, /* no such file */
	VHD_E_FORBIDDEN = -18, /* outside the allowed roots, not a regular file, or no permission */
	VHD_E_NOSPC = -19,     /* the store is full; what was acknowledged is untouched */
	VHD_E_IO = -20,        /* the store failed; `sys` holds the errno */
	VHD_E_FAILED = -21,    /* an earlier sync failed: reopen with VHD_RECOVER */
	VHD_E_NOMEM = -22,     /* out of memory */
	VHD_E_AGAIN = -23,     /* VHD_NOWAIT: what is needed is not in memory, or a lock is held */
	VHD_E_CANCELED = -24,  /* a callback of the caller said stop */
	VHD_E_AMBIGUOUS =
		-25, /* a fixed disk or a growing one: only a hint of struct vhd_io tells */
};

struct vhd_error {
	enum vhd_code code;
	int sys;     /* errno of the store, or 0 */
	bool placed; /* VHD_E_CORRUPT: at `sector` of the disk, in `level` of the chain */
	uint32_t level;
	uint64_t sector;
	char text[512]; /* one line of printable UTF-8 without newline; what came from an image is
			   escaped */
};

/* ---- storage ---- */

enum vhd_lock {
	VHD_LOCK_NONE,  /* let everybody in */
	VHD_LOCK_READ,  /* shared with readers; writers are kept out */
	VHD_LOCK_WRITE, /* alone, but for readers that ask for no lock (qemu-img -U) */
};

/* The bytes of one open file. All or nothing: an op returns 0, or -errno with no promise on how
 * much was done. Reading past the end is -ENODATA. Ops must allow many threads at once. A NULL op
 * is one the store lacks. */
struct vhd_io_ops {
	int (*read)(void *store, void *buf, size_t len, uint64_t off);
	int (*read_now)(void *store, void *buf, size_t len,
			uint64_t off); /* from memory, else -EAGAIN; may be NULL */
	int (*writev)(void *store, const struct iovec *iov, int n, uint64_t off);
	int (*resize)(void *store, uint64_t size); /* growth reads as zeroes */
	int (*size)(void *store, uint64_t *ret_size);
	int (*punch)(void *store, uint64_t off,
		     uint64_t len); /* make a hole that reads as zeroes; may be NULL */
	int (*allocate)(void *store, uint64_t off, uint64_t len); /* reserve space; may be NULL */
	int (*flush)(void *store); /* 0 = data and size are on stable storage */
	/* Forgets what only memory has, so that reads tell what the device holds; 1 when it cannot:
	 * then nothing that is read can be believed. May be NULL. */
	int (*reread)(void *store);
	int (*lock)(void *store,
		    enum vhd_lock mode); /* replaces the lock held; -EAGAIN; may be NULL */
	int (*identity)(void *store, uint64_t ret_id[2]); /* equal ids = same file; may be NULL */
	void (*close)(void *store);
};
struct vhd_io {
	const struct vhd_io_ops *ops;
	void *store;
	/* VHD_IS_FIXED or VHD_NOT_FIXED when the caller knows it from elsewhere, else 0: a guest
	 * can write what looks like the metadata of the other kind, and a file that could be both
	 * is refused. */
	unsigned hint;
};

/* A regular file. Takes over `fd` on success. Locks are QEMU-compatible OFD byte-range locks. A
 * flush fails when the file has no name any more: then nothing of it can last. */
VHD_NODISCARD int vhd_io_from_fd(int fd, struct vhd_io *ret_io, struct vhd_error *err);
void vhd_io_close(struct vhd_io *io); /* also sets it to nothing; a closed one is fine */

/* ---- the engine ---- */

/* What the open images of one process share: the memory budget of cached metadata and the table of
 * open files by unique id, so that a parent is opened once for all the chains that pass through it.
 */
struct vhd_engine;

struct vhd_engine_args {
	size_t cache_size; /* bytes of clean metadata kept (BAT pages, extent index); 0 = 128 MiB */
	uint32_t depth_max; /* 0 = VHD_DEPTH_MAX */
};
VHD_NODISCARD int vhd_engine_new(const struct vhd_engine_args *args, struct vhd_engine **ret_engine,
				 struct vhd_error *err);
void vhd_engine_free(struct vhd_engine *engine); /* after the last vhd_close; NULL is fine */
size_t vhd_engine_cached(const struct vhd_engine *engine); /* bytes of cached metadata now */

/* ---- open ---- */

struct vhd; /* an open image with its chain below it */

enum vhd_type { VHD_RAW = 0, VHD_FIXED = 2, VHD_DYNAMIC = 3, VHD_DIFF = 4 };

enum vhd_flags {
	VHD_WRITE = 1 << 0,     /* for writing; ancestors are always opened for reading */
	VHD_NO_PARENT = 1 << 1, /* this file alone: what only its parent has cannot be read */
	VHD_RECOVER = 1 << 2,   /* what an unclean stop left is repaired first (FORMAT.md 8);
				   without VHD_WRITE: VHD_E_UNCLEAN if there is something */
	VHD_NO_LOCK =
		1 << 3, /* without VHD_WRITE: look at a file that somebody else may be writing */
	VHD_RAW_PARENT =
		1 << 4, /* a zero parent id means a raw file (blktap); refused without this flag */
	VHD_BROKEN = 1 << 6,   /* for reading: a missing parent leaves VHD_UNKNOWN, no error */
	VHD_REREAD = 1 << 9,   /* unless it is open: forgets first what only memory has of it */
	VHD_IS_FIXED = 1 << 7, /* hints of struct vhd_io, not flags of an open */
	VHD_NOT_FIXED = 1 << 8,
	VHD_NOWAIT =
		1 << 5, /* reads and lookups: answer from memory or say VHD_E_AGAIN, never block */
};

/* One parent locator as a header has it. Hostile text: it comes from the image. */
struct vhd_locator {
	uint32_t code; /* 'W2ru', 'W2ku', 'MacX', ... as a big-endian number; 0 = unused slot */
	uint32_t data_space;         /* as stored; sectors or bytes, FORMAT.md 4 */
	uint32_t data_length;        /* bytes */
	uint64_t data_offset;        /* bytes from the start of the file */
	char text[VHD_LOCATOR_TEXT]; /* UTF-8; "" when it cannot be decoded */
};

/* What a child says of its parent. `name` and locators come from the image; the engine itself never
 * opens them: the resolver decides which store is meant, and the unique id must match. */
struct vhd_parent_ref {
	uint8_t id[VHD_ID_SIZE]; /* all zero: a raw file */
	uint32_t timestamp;
	const char *name;                   /* unicode name of the header as UTF-8 */
	const struct vhd_locator *locators; /* VHD_LOCATORS of them */
	unsigned level; /* how many levels below the leaf the parent is: 1, 2, ... */
};
/* Opens the store of the parent for reading. Its error goes to the caller of vhd_open. */
/* It is called with the engine locked: it must not open or close images of the same engine. */
typedef int vhd_resolve_fn(void *ctx, const struct vhd_parent_ref *ref, struct vhd_io *ret_io,
			   struct vhd_error *err);
struct vhd_resolver {
	vhd_resolve_fn *open;
	void *ctx;
};

/* Opens an image and its chain. A parent that is already open in `engine` is shared and not
 * resolved again. Takes over `io` on success; on failure it is still the caller's. `resolver` may
 * be NULL when there is no parent to find. The same file again: another handle to the open one. */
VHD_NODISCARD int vhd_open(struct vhd_engine *engine, struct vhd_io *io, unsigned flags,
			   const struct vhd_resolver *resolver, struct vhd **ret_disk,
			   struct vhd_error *err);
void vhd_close(struct vhd *disk); /* NULL is fine. Flush first: unflushed metadata is lost, as in a
				     crash */

/* No more writes through any handle: waits for the ones under way, flushes, lowers the lock to that
 * of a parent. What a file needs before it gets its first child; vhd_create with args->parent does
 * it by itself. */
VHD_NODISCARD int vhd_freeze(struct vhd *disk, struct vhd_error *err);

/* The fields of a footer that may change while the image lives. */
struct vhd_footer {
	bool saved_state, temporary; /* `temporary`: feature bit 0 */
};
/* Makes them so in every footer of the file, durably, together with all that was written before;
 * the rest of the footers stays. Readers go on meanwhile, writers wait. A power cut leaves an image
 * that has, perhaps after recovery, all of the old fields or all of the new ones. VHD_E_READONLY,
 * VHD_E_FROZEN; a failed write or sync of a footer fails the image, as one of vhd_flush does. */
VHD_NODISCARD int vhd_set_footer(struct vhd *disk, const struct vhd_footer *footer,
				 struct vhd_error *err);

/* Undoes every vhd_freeze. VHD_E_BUSY while an open child uses the file, or one is being made. */
VHD_NODISCARD int vhd_thaw(struct vhd *disk, struct vhd_error *err);

/* ---- create ---- */

struct vhd_create_args {
	enum vhd_type type; /* VHD_FIXED, VHD_DYNAMIC or VHD_DIFF */
	uint64_t size; /* a multiple of 512, kept exactly; VHD_DIFF: 0 = the parent's, or more */
	uint32_t block_size;     /* 512 KiB or 2 MiB; 0 = 2 MiB, or the parent's if that is less */
	uint8_t id[VHD_ID_SIZE]; /* all zero is refused */
	uint32_t timestamp;
	bool saved_state;
	bool temporary;          /* feature bit 0 */
	bool preallocate;        /* VHD_FIXED: reserve the space */
	char creator[4];         /* all NUL = "win " (see FORMAT.md 1 for why) */
	struct vhd *parent;      /* VHD_DIFF: an open image; it is frozen */
	const char *parent_path; /* VHD_DIFF: absolute path of the parent, UTF-8 */
	const char
		*child_path; /* VHD_DIFF: absolute path of the new file; only its folder is used */
	uint32_t parent_timestamp; /* VHD_DIFF: mtime of the parent */
	bool absolute_path; /* VHD_DIFF: W2ku + MacX with the absolute path, instead of W2ru + MacX
			       relative */
};

/* Makes a new image in the empty store `io`, which it takes over, durably; opens it for writing. */
VHD_NODISCARD int vhd_create(struct vhd_engine *engine, struct vhd_io *io,
			     const struct vhd_create_args *args, struct vhd **ret_disk,
			     struct vhd_error *err);

/* ---- paths (path.c): the reference library's way in ---- */

struct vhd_paths {
	const char *const *roots; /* absolute folders; nothing outside them is opened, whatever a
				     locator says */
	size_t n_roots;
	const char *const *search; /* where relative names are sought; NULL = "." */
	size_t n_search;
};

/* `name`: absolute, or looked for in each search folder. Parents: the folder of each child, then
 * the search folders, by its locators in slot order (MacX as it is, then percent-decoded; W2ru;
 * W2ku), then its unicode name; the first file with the right unique id wins. */
VHD_NODISCARD int vhd_open_chain(struct vhd_engine *engine, const struct vhd_paths *paths,
				 const char *name, unsigned flags, struct vhd **ret_disk,
				 struct vhd_error *err);
/* The same one file at a time, for those who keep images and look at each file of a chain before
 * they go on: vhd_find_file, then, with the folder of the child put in front of `search`,
 * vhd_find_parent for each parent. */
struct vhd_file {
	int fd;              /* for reading; the caller closes it */
	char name[VHD_PATH]; /* absolute, as it was looked for */
	char path[VHD_PATH]; /* absolute, as the kernel has it: without links, "." and ".." */
	uint64_t device, inode, names; /* `names`: hard links */
};
VHD_NODISCARD int vhd_find_file(const struct vhd_paths *paths, const char *name,
				struct vhd_file *ret_file, struct vhd_error *err);
/* Of a child that was opened with VHD_NO_PARENT. VHD_E_PARENT_MISSING, VHD_E_PARENT_MISMATCH;
 * VHD_E_UNSUPPORTED for a raw parent: any file could be that. */
VHD_NODISCARD int vhd_find_parent(const struct vhd_paths *paths, const struct vhd *child,
				  struct vhd_file *ret_file, struct vhd_error *err);

/* That file alone, without search and without its parent. */
VHD_NODISCARD int vhd_open_file(struct vhd_engine *engine, const struct vhd_paths *paths,
				const char *path, unsigned flags, struct vhd **ret_disk,
				struct vhd_error *err);

/* These publish `path` only when the image is complete and durable (also its name), and never
 * replace a file. args->type, child_path, parent and parent_timestamp are filled in by the
 * function; the parent of a child is found by args->parent_path, and relative locators lead to it
 * from the folder that the path of the child leads to. */
VHD_NODISCARD int vhd_create_fixed(struct vhd_engine *engine, const struct vhd_paths *paths,
				   const char *path, const struct vhd_create_args *args,
				   struct vhd **ret_disk, struct vhd_error *err);
VHD_NODISCARD int vhd_create_dynamic(struct vhd_engine *engine, const struct vhd_paths *paths,
				     const char *path, const struct vhd_create_args *args,
				     struct vhd **ret_disk, struct vhd_error *err);
VHD_NODISCARD int vhd_create_difference(struct vhd_engine *engine, const struct vhd_paths *paths,
					const char *path, const struct vhd_create_args *args,
					struct vhd **ret_disk, struct vhd_error *err);

/* ---- what an image is ---- */

struct vhd_info {
	enum vhd_type type;
	uint64_t size; /* bytes the guest sees */
	uint64_t original_size;
	uint32_t block_size; /* 0 for VHD_FIXED and VHD_RAW */
	uint32_t blocks;     /* table entries the size needs */
	uint32_t timestamp;
	uint8_t id[VHD_ID_SIZE];
	uint8_t parent_id[VHD_ID_SIZE]; /* all zero without a parent */
	uint32_t parent_timestamp;
	char creator[5]; /* printable; others become '?' */
	uint32_t creator_version;
	char creator_os[5];
	uint16_t cylinders;
	uint8_t heads, sectors_per_track;
	bool saved_state, temporary; /* as it was opened; now: vhd_state */
	unsigned footers;            /* which footer copies were good at open, enum vhd_footers */
	unsigned depth;              /* images of the chain: 1 without a parent */
};
enum vhd_footers {
	VHD_FOOTER_EOF = 1,
	VHD_FOOTER_EOF511 = 2,
	VHD_FOOTER_HEAD = 4,
	VHD_FOOTER_DIFFER = 8
};

const struct vhd_info *vhd_info(const struct vhd *disk); /* lives as long as disk */
const struct vhd_info *vhd_level_info(const struct vhd *disk,
				      unsigned level); /* 0 = disk itself; NULL: no such level */
const char *vhd_parent_name(const struct vhd *disk);   /* the header's unicode name, "" without */
/* VHD_LOCATORS of them, read from the file; all unused without a parent. */
VHD_NODISCARD int vhd_locators(const struct vhd *disk,
			       struct vhd_locator ret_locators[VHD_LOCATORS],
			       struct vhd_error *err);
VHD_NODISCARD int vhd_file_size(const struct vhd *disk, uint64_t *ret_size, struct vhd_error *err);
/* Which file it is, as long as it is open: of the stores here device and number. */
VHD_NODISCARD int vhd_file_id(const struct vhd *disk, uint64_t ret_id[2], struct vhd_error *err);
/* Blocks of this file that are allocated, counted by a pass over its table; 0 for fixed and raw. */
VHD_NODISCARD int vhd_allocated_blocks(const struct vhd *disk, uint32_t *ret_blocks,
				       struct vhd_error *err);

/* A pass over the whole block table: every entry in range, no two blocks on each other, none on the
 * metadata. VHD_E_CORRUPT says what is wrong. */
VHD_NODISCARD int vhd_check_blocks(const struct vhd *disk, struct vhd_error *err);

/* The reference's metadata fields by name ("current-size", "parent-locator-0"), FORMAT.md 9. */
const char *const *vhd_field_names(void); /* in the reference's order, NULL at the end */
/* Text of one field with NUL, cut at `len`. VHD_E_NOT_FOUND: no such field in general, or here. */
VHD_NODISCARD int vhd_field(const struct vhd *disk, const char *name, char *ret_text, size_t len,
			    struct vhd_error *err);

/* The physical layout of the file, in file order; what overlaps or lies idle is told too. */
enum vhd_region_kind {
	VHD_REGION_FOOTER_COPY,
	VHD_REGION_HEADER,
	VHD_REGION_LOCATOR,
	VHD_REGION_BAT,
	VHD_REGION_BATMAP,
	VHD_REGION_BLOCK, /* bitmap and data */
	VHD_REGION_DATA,  /* the data of a fixed disk */
	VHD_REGION_GAP,
	VHD_REGION_OVERLAP,
	VHD_REGION_FOOTER,
};
struct vhd_region {
	enum vhd_region_kind kind;
	uint64_t offset, length;
	uint32_t index;         /* block or locator slot */
	uint32_t bitmap_length; /* VHD_REGION_BLOCK */
	uint32_t present;       /* VHD_REGION_BLOCK: sectors whose bit is set */
};
/* Calls `each` for every region; a non-zero answer stops with VHD_E_CANCELED. */
typedef int vhd_region_fn(void *ctx, const struct vhd_region *region);
VHD_NODISCARD int vhd_layout(struct vhd *disk, vhd_region_fn *each, void *ctx,
			     struct vhd_error *err);
const char *vhd_region_name(enum vhd_region_kind kind);

/* ---- read and write ---- */

/* Any range of the disk; what nobody has reads as zeroes. `flags`: 0 or VHD_NOWAIT. */
VHD_NODISCARD int vhd_read(struct vhd *disk, void *buf, size_t len, uint64_t off, unsigned flags,
			   struct vhd_error *err);
/* One sector. 1 = it exists somewhere in the chain, 0 = nobody has it and buf holds zeroes. */
VHD_NODISCARD int vhd_read_sector(struct vhd *disk, uint64_t sector, void *buf,
				  struct vhd_error *err);

/* What became of a call that writes or zeroes. */
struct vhd_accepted {
	uint64_t epoch;   /* vhd_flush must reach it */
	uint64_t change;  /* vhd_state.changes right after its last change */
	uint64_t changes; /* how many of these were its own */
};

/* Accepted, not yet durable; `ret_accepted` may be NULL. Partial sectors are completed from the
 * chain. A failed write leaves each sector of its range old or new. */
VHD_NODISCARD int vhd_write(struct vhd *disk, const void *buf, size_t len, uint64_t off,
			    struct vhd_accepted *ret_accepted, struct vhd_error *err);
VHD_NODISCARD int vhd_writev(struct vhd *disk, const struct iovec *iov, int n, uint64_t off,
			     struct vhd_accepted *ret_accepted, struct vhd_error *err);
/* The range reads as zeroes afterwards. Space is given back where the format allows it. */
VHD_NODISCARD int vhd_zero(struct vhd *disk, uint64_t off, uint64_t len,
			   struct vhd_accepted *ret_accepted, struct vhd_error *err);

/* Makes every write of epoch <= `epoch` durable; 0 = all that were accepted before the call.
 * Concurrent callers share one flush. After a failed sync the image is failed (VHD_E_FAILED) until
 * it is reopened with VHD_RECOVER. */
VHD_NODISCARD int vhd_flush(struct vhd *disk, uint64_t epoch, struct vhd_error *err);

struct vhd_state {
	uint64_t epoch_open;    /* what a write gets now */
	uint64_t epoch_written; /* the last epoch in which something was written */
	uint64_t epoch_durable; /* epochs up to here survive a power cut */
	uint64_t dirty_bytes;   /* written since the last flush began */
	uint32_t dirty_blocks;  /* blocks whose metadata waits for a flush */
	uint32_t allocated;     /* blocks allocated since open */
	uint64_t changes;       /* counts writes and zeroes since open */
	bool writable, frozen, failed;
	bool saved_state, temporary; /* of the footer, now */
};
void vhd_state(const struct vhd *disk, struct vhd_state *ret_state);

/* ---- where sectors live ---- */

enum vhd_where {
	VHD_ZERO, /* nobody has it: it reads as zeroes */
	VHD_DATA,
	VHD_UNKNOWN, /* only a missing parent could tell (VHD_NO_PARENT, VHD_BROKEN) */
};
struct vhd_run {
	uint64_t sector, count; /* virtual */
	enum vhd_where where;
	unsigned level;           /* VHD_DATA: 0 = the disk itself, 1 its parent, ... */
	uint64_t physical_sector; /* VHD_DATA: sector of that level's file that holds the first one
				   */
};
/* The reference's get_sector_location. Beyond the end: VHD_E_RANGE. `flags`: 0 or VHD_NOWAIT. */
VHD_NODISCARD int vhd_get_sector_location(struct vhd *disk, uint64_t sector, unsigned flags,
					  struct vhd_run *ret_run, struct vhd_error *err);
/* Runs of physically contiguous sectors from `sector` on, at most `max` runs and `count` sectors;
 * as many as were found without VHD_E_AGAIN count as success. Runs that touch are merged. */
struct vhd_run_list {
	struct vhd_run *runs; /* the caller's, room for `max` */
	size_t max, n;        /* n: how many were filled */
};
VHD_NODISCARD int vhd_get_sector_locations(struct vhd *disk, uint64_t sector, uint64_t count,
					   unsigned flags, struct vhd_run_list *ret_list,
					   struct vhd_error *err);

struct vhd_extent {
	uint64_t start, length; /* bytes, multiples of 512 */
	enum vhd_where where;
	unsigned level; /* VHD_DATA */
};
/* Like the locations, merged by owner and not cut where the file is not contiguous. VHD_NO_PARENT
 * in `flags` looks at the disk itself only: what its parents have is VHD_UNKNOWN. */
struct vhd_extent_list {
	struct vhd_extent *extents;
	size_t max, n;
};
VHD_NODISCARD int vhd_extents(struct vhd *disk, uint64_t start, uint64_t length, unsigned flags,
			      struct vhd_extent_list *ret_list, struct vhd_error *err);

/* How a lookup went through the chain, level by level, for people who ask why. */
enum vhd_step_kind {
	VHD_STEP_FLAT,        /* fixed or raw: always there */
	VHD_STEP_UNALLOCATED, /* no block */
	VHD_STEP_CLEAR,       /* block there, bit clear */
	VHD_STEP_SET,         /* block there, bit set: found */
	VHD_STEP_BEYOND,      /* past the end of a shorter parent: reads as zeroes */
};
struct vhd_step {
	enum vhd_step_kind kind;
	uint32_t block, sector_in_block;
	uint64_t bat_sector; /* what the table says: sector of the bitmap; 0 when unallocated */
	uint32_t bitmap_sectors;
	bool bitmap_full;         /* every bit of the block is set */
	uint64_t physical_sector; /* VHD_STEP_SET, VHD_STEP_FLAT */
};
struct vhd_step_list {
	struct vhd_step *steps;
	size_t max, n;
};
/* Levels from 0 until the search ends or the list is full; at least one. `flags`: 0 or VHD_NOWAIT.
 */
VHD_NODISCARD int vhd_trace(struct vhd *disk, uint64_t sector, unsigned flags,
			    struct vhd_step_list *ret_list, struct vhd_error *err);

#ifdef __cplusplus
}
#endif
#endif
