/* service.h - what api/ asks of the daemon.
 *
 * api/ declares these questions, server/service.c answers them with catalog, engine and open
 * images, and unit tests answer them with a fake. Calls return SERVICE_OK (0) or why not; outputs
 * are named ret_* and are written only on success; `err` is last, never NULL, and is written only
 * on failure.
 *
 * A `ref` is an image id (36 characters, lower or upper case) or a name; api/ has checked that it
 * is one of the two before it asks. Any function may be called by many threads at once; one `struct
 * service_data` is used by one thread at a time, which may change from call to call.
 *
 * SERVICE_NOWAIT in `flags`: the caller is a polling thread. The function answers from memory
 * without blocking, or answers SERVICE_AGAIN (err may stay untouched then) and has changed nothing.
 * Without the flag it may block and never answers SERVICE_AGAIN.
 *
 * Units are bytes unless a name says sector (512 bytes). Times are milliseconds since 1970-01-01
 * UTC, and those of an image file (vhd_timestamp) seconds since 2000-01-01 UTC.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SERVICE_ID = 37,            /* "3f0c5b7e-...", lower case, with NUL */
	SERVICE_NAME = 128,         /* a name with NUL */
	SERVICE_HEALTH = 32,        /* with NUL; characters of an ETag */
	SERVICE_ETAG = 64,          /* with NUL, without quotes */
	SERVICE_LABELS_MAX = 64,    /* of one image */
	SERVICE_LABEL_KEY = 64,     /* with NUL */
	SERVICE_LABEL_VALUE = 256,  /* with NUL */
	SERVICE_DESCRIPTION = 1024, /* bytes of a description with NUL */
	SERVICE_DEPTH_MAX = 1024,   /* images of one chain, hard limit */
	SERVICE_RELATED = 16,       /* names an error carries at most */
	SERVICE_FILE = 2400,        /* a path with NUL */
	SERVICE_HOLDER = 65,        /* id of a request with NUL */
};

#define SERVICE_UNKNOWN_LENGTH UINT64_MAX

/* Each has a row in the table of api/codes.c, which says status, title, cause and correction. */
enum service_code {
	SERVICE_OK = 0,
	SERVICE_AGAIN,         /* SERVICE_NOWAIT: ask again where blocking is allowed */
	SERVICE_INVALID_VALUE, /* an argument that api/ could not judge */
	SERVICE_NOT_SUPPORTED,
	SERVICE_IMAGE_NOT_FOUND, /* also: spec->parent names nothing */
	SERVICE_POOL_NOT_FOUND,
	SERVICE_FIELD_NOT_FOUND,
	SERVICE_NAME_EXISTS,
	SERVICE_DUPLICATE_UUID,
	SERVICE_IMAGE_HAS_CHILDREN, /* `related` names some of them */
	SERVICE_IMAGE_FROZEN,
	SERVICE_IMAGE_FAILED, /* a sync failed: recover first */
	SERVICE_IMAGE_BUSY,
	SERVICE_CHANGED,        /* it is not what the caller compared with; `etag` is what it is */
	SERVICE_PARENT_MISSING, /* an ancestor cannot be opened */
	SERVICE_PARENT_UUID_MISMATCH,
	SERVICE_PARENT_CHANGED,
	SERVICE_CHAIN_TOO_DEEP,
	SERVICE_CHAIN_CYCLE,
	SERVICE_CHAIN_UNHEALTHY,
	SERVICE_SIZE_MISMATCH, /* a child smaller than its parent */
	SERVICE_SIZE_TOO_LARGE,
	SERVICE_SIZE_NOT_REPRESENTABLE,
	SERVICE_RANGE_NOT_SATISFIABLE, /* `size` says where the disk ends */
	SERVICE_CORRUPT_IMAGE,
	SERVICE_NOT_A_VHD,
	SERVICE_UNSUPPORTED_VHD,
	SERVICE_AMBIGUOUS_FORMAT,  /* adopt: only service_adopt.kind tells what it is */
	SERVICE_SOURCE_NOT_FOUND,  /* adopt: there is no such file */
	SERVICE_PATH_OUTSIDE_POOL, /* adopt: the file lies below no root, or is no regular file */
	SERVICE_POOL_OFFLINE,
	SERVICE_NO_SPACE,
	SERVICE_CATALOG_BUSY,
	SERVICE_OVERLOADED, /* too many connections or too much queued work */
	SERVICE_SHUTTING_DOWN,
	SERVICE_IO_ERROR, /* the client gets a request id, not the text: log it before returning */
	SERVICE_INTERNAL, /* likewise; also out of memory */
};

struct service_error {
	enum service_code code;
	char text[512]; /* one line of printable UTF-8; shown to clients unless the status is 500 */
	uint64_t size;  /* SERVICE_RANGE_NOT_SATISFIABLE: bytes of the disk */
	unsigned retry_after_s;  /* of retryable codes; 0 = the default */
	char etag[SERVICE_ETAG]; /* SERVICE_CHANGED: what it is now, without quotes */
	struct {
		char id[SERVICE_ID];
		char name[SERVICE_NAME];
	} image;                                     /* which image it is about; "" = none */
	char related[SERVICE_RELATED][SERVICE_NAME]; /* children, levels of a chain, ... */
	size_t n_related;                            /* names above */
	size_t related_total;                        /* how many there really are */
	char holder[SERVICE_HOLDER]; /* SERVICE_IMAGE_BUSY: who has it; "" when not known */
	bool whole; /* SERVICE_CHAIN_UNHEALTHY: the file of `image` may hold all that it should */
	bool done;  /* SERVICE_INTERNAL: it was done to `image`, and only the answer is missing */
};

/* Of what is told of an image: of its row, and of the names of its parent and its root, which
 * change without it. A name may become that of another image: the id is in it as well. */
void service_meta_etag(const char id[SERVICE_ID], uint64_t version, const char *parent,
		       const char *root, char ret_etag[SERVICE_ETAG]);

/* Adds to an ETag that is made of numbers what tells it from those of other images. */
void service_etag_of(const char id[SERVICE_ID], char etag[SERVICE_ETAG]);

enum service_flags {
	SERVICE_NOWAIT = 1 << 0,
	SERVICE_TOP_ONLY = 1 << 1, /* extents: of the image itself, without its parents */
};

struct service; /* the daemon */

/* What the daemon says of itself; lives as long as the service. */
struct service_about {
	const char *version;     /* "0.1.0" */
	const char *unix_socket; /* path, or NULL */
	const char *default_pool;
	unsigned depth_max, depth_warn;
	unsigned workers; /* requests that are worked on at once, beside those from memory */
	unsigned connections;
	unsigned header_seconds, body_seconds; /* for the head, and for each 64 KiB of a body */
};
const struct service_about *service_about(const struct service *service);

/* The time now, in milliseconds since 1970. */
int64_t service_now(const struct service *service);

enum { SERVICE_CHECKS_MAX = 8 };
struct service_ready {
	bool ready;
	struct service_check {
		const char *name; /* static */
		bool ok;
		char text[160]; /* why not; "" when ok */
	} checks[SERVICE_CHECKS_MAX];
	size_t n_checks;
};
/* Never blocks: the outcomes of the last commit and the last looks at the pools. */
void service_ready(struct service *service, struct service_ready *ret_ready);

/* ---- images ---- */

enum service_kind { SERVICE_DYNAMIC, SERVICE_FIXED, SERVICE_DIFFERENCING };
enum service_state {
	SERVICE_CREATING,
	SERVICE_READY,
	SERVICE_BUSY,
	SERVICE_MISSING,
	SERVICE_CORRUPT,
	SERVICE_ORPHAN, /* "parent-missing": the catalog does not know its parent */
	SERVICE_FAILED,
	SERVICE_DELETING,
};
enum service_frozen { SERVICE_NOT_FROZEN, SERVICE_FROZEN_CHILDREN, SERVICE_FROZEN_REQUEST };
enum service_preallocation { SERVICE_SPARSE, SERVICE_FALLOC };

struct service_label {
	char key[SERVICE_LABEL_KEY];
	char value[SERVICE_LABEL_VALUE];
};

struct service_locator {
	uint32_t slot;
	char code[5];
	char path[1024]; /* UTF-8 */
};

struct service_name {
	char id[SERVICE_ID]; /* "" = there is none */
	char name[SERVICE_NAME];
};

/* One image of the catalog. Owns `description`, `labels` and `locators` (heap, may be NULL). */
struct service_image {
	char id[SERVICE_ID];
	char name[SERVICE_NAME];
	enum service_kind kind;
	enum service_state state;
	bool damaged; /* somebody has met a place in its file that cannot be read */
	enum service_frozen frozen;
	uint64_t virtual_size;
	uint32_t block_size; /* 0 for fixed */
	uint32_t depth;      /* ancestors: 0 for a root */
	bool broken;         /* one of them is not in the catalog */
	uint64_t children_count;
	struct service_name parent; /* parent.name "" with an id: not in the catalog */
	struct service_name root;

	uint64_t file_bytes;      /* length of its file */
	uint64_t allocated_bytes; /* data of allocated blocks; fixed: its size */
	uint64_t blocks, blocks_total;
	uint64_t chain_file_bytes; /* files of the chain together */
	int64_t measured_at;

	bool saved_state, temporary;
	char creator_application[5];
	uint32_t creator_version; /* 0x000A0000 = 10.0 */
	char creator_host_os[5];
	uint32_t vhd_timestamp, vhd_parent_timestamp;
	uint16_t cylinders;
	uint8_t heads, sectors_per_track;
	struct service_locator *locators; /* from service_image_get when at hand; NULL in lists */
	size_t n_locators;

	char pool[SERVICE_NAME]; /* "": the file lies in none */
	char file[SERVICE_FILE]; /* below the pool, or absolute when it was adopted */
	bool linked;             /* adopted, and never removed */
	char *description;       /* NULL = "" */
	struct service_label *labels;
	size_t n_labels;

	uint64_t meta_version;        /* ETag of the image is "m<this>" */
	char data_etag[SERVICE_ETAG]; /* "" when not known without opening the file */
	int64_t created_at, updated_at;
	int64_t checked_at; /* the last look at its file; 0: there was none since the start */
};

/* Defined in api/service.c, for both sides. Frees what the image owns and sets all to zero; a zero
 * one is fine. */
void service_image_fini(struct service_image *image);

struct service_images {
	struct service_image *items; /* heap */
	size_t n;
	bool more;         /* lists: there are images after the last item */
	uint64_t total;    /* lists: images in all, when asked for */
	uint64_t revision; /* lists: of the catalog */
	/* Lists: another text than before when states have changed that the catalog does not have.
	 */
	char health[SERVICE_HEALTH];
};
void service_images_fini(struct service_images *images); /* defined in api/service.c */

/* What to create; strings are borrowed. */
struct service_create {
	const char *name; /* NULL: the daemon makes one */
	enum service_kind kind;
	uint64_t size;           /* a multiple of 512 from 512 on; 0 with a parent: the parent's */
	const char *parent;      /* a ref; exactly when SERVICE_DIFFERENCING */
	uint64_t parent_version; /* 0, or SERVICE_CHANGED unless it is the parent's meta_version */
	const char *uuid;        /* lower case, not all zero; NULL: the daemon draws one */
	uint32_t block_size;     /* 0 = default, else 512 KiB or 2 MiB */
	bool saved_state, temporary;
	bool absolute_path; /* absolute locators instead of relative ones */
	bool has_timestamp; /* else: now */
	uint32_t vhd_timestamp;
	enum service_preallocation preallocation; /* SERVICE_FIXED */
	char creator_application[5];              /* "" = default */
	const char *pool;                         /* NULL = default */
	const char *description;                  /* NULL = "" */
	const struct service_label *labels;
	size_t n_labels;
};

enum service_warnings {
	SERVICE_WARN_LARGER_THAN_PARENT = 1 << 0, /* libvhdi and Windows refuse such a child */
	SERVICE_WARN_DEPTH = 1 << 1,
	SERVICE_WARN_PARENT_CHANGED = 1 << 2, /* children waited for it, which know another time */
};
struct service_created {
	struct service_image image;
	bool froze_parent; /* the parent was writable until now */
	unsigned warnings; /* enum service_warnings */
};

/* Create is durable when it answers. With a parent this is the snapshot: the parent is frozen, in
 * the same transaction. The caller fini's ret_created->image. */
enum service_code service_image_create(struct service *service, const struct service_create *spec,
				       struct service_created *ret_created,
				       struct service_error *err);

enum service_code service_image_get(struct service *service, const char *ref, unsigned flags,
				    struct service_image *ret_image, struct service_error *err);

/* SERVICE_IMAGE_BUSY, and who makes it, when it is not there for others yet. */
enum service_code service_image_ready(struct service *service, const char *ref,
				      struct service_error *err);

/* By name in byte order. */
struct service_list {
	const char *after; /* only names after this one; NULL = from the start */
	size_t limit;      /* from 1 on; SIZE_MAX: all that there are */
	bool count;        /* fill in `total` */
	/* Gets each image instead of *ret_images, and may take over what it owns, which then is set
	 * to zero. False: it needs no more of them. */
	bool (*take)(void *ctx, struct service_image *image);
	void *ctx;
};
/* All of one state of the catalog. */
enum service_code service_image_list(struct service *service, const struct service_list *list,
				     unsigned flags, struct service_images *ret_images,
				     struct service_error *err);

/* The image and its ancestors, leaf first. An ancestor that is missing ends the list (the last
 * item's parent has then an id that is not listed). */
enum service_code service_image_chain(struct service *service, const char *ref, unsigned flags,
				      struct service_images *ret_images, struct service_error *err);

enum service_adopt_mode {
	SERVICE_ADOPT, /* the daemon owns the file */
	SERVICE_LINK,  /* it is never removed or renamed */
};
/* Also settles it when a file could be a fixed disk as well as a growing one. */
enum service_adopt_kind {
	SERVICE_ANY_KIND,
	SERVICE_ONLY_FIXED,
	SERVICE_ONLY_DYNAMIC,
	SERVICE_ONLY_DIFFERENCING,
};
/* A file that lies below one of the roots of the configuration; strings are borrowed. */
struct service_adopt {
	const char *path;          /* absolute, or looked for in `search` */
	const char *const *search; /* absolute folders; none: those of the pools */
	size_t n_search;
	bool chain;     /* its ancestors too; else the image may lack its parent */
	bool read_only; /* the image is frozen */
	bool strict;    /* what else would be a warning is an error */
	enum service_adopt_mode mode;
	enum service_adopt_kind kind; /* SERVICE_INVALID_VALUE when the file is of another one */
	const char *name; /* NULL: the daemon makes one; ancestors always get one made */
	const char *description;
	const struct service_label *labels;
	size_t n_labels;
};
enum { SERVICE_ADOPT_WARNINGS = 16 };
struct service_adopted {
	struct service_images images; /* leaf first, that entered the catalog */
	struct service_images known;  /* ancestors that were in it already */
	char warnings[SERVICE_ADOPT_WARNINGS][256];
	size_t n_warnings;
};
void service_adopted_fini(struct service_adopted *adopted); /* defined in api/service.c */

/* Takes an image file as it lies into the catalog, with its chain, all or nothing; the file is not
 * changed. Parents are found as vhd_open_chain does, and their unique ids must match. Durable when
 * it answers. */
enum service_code service_image_adopt(struct service *service, const struct service_adopt *spec,
				      struct service_adopted *ret_adopted,
				      struct service_error *err);

struct service_delete {
	bool keep_file;   /* forget the image and leave its file */
	uint64_t version; /* 0, or SERVICE_CHANGED unless it is the meta_version */
};
/* Durable when it answers. */
enum service_code service_image_delete(struct service *service, const char *ref,
				       const struct service_delete *how, struct service_error *err);

struct service_label_change {
	const char *key;
	const char *value; /* NULL: remove it */
};
/* What to change of an image; all else stays. Strings are borrowed. */
struct service_update {
	uint64_t version;        /* 0, or SERVICE_CHANGED unless it is the meta_version */
	const char *name;        /* NULL = as it is */
	const char *description; /* NULL = as it is */
	bool clear_labels;       /* before the changes */
	const struct service_label_change *labels;
	size_t n_labels;
	bool has_saved_state, saved_state; /* in the file: not of a frozen image */
	bool has_temporary, temporary;     /* likewise */
	bool freeze; /* waits for writers and makes durable what they wrote; a frozen one is fine */
	bool thaw;   /* SERVICE_IMAGE_HAS_CHILDREN when that is why it is frozen */
};
/* All or nothing, and durable when it answers. */
enum service_code service_image_update(struct service *service, const char *ref,
				       const struct service_update *update,
				       struct service_image *ret_image, struct service_error *err);

/* Makes a failed image usable again: what was not durable is given up, and the file is repaired and
 * read anew. An image that has not failed stays as it is. */
enum service_code service_image_recover(struct service *service, const char *ref,
					struct service_image *ret_image, struct service_error *err);

/* ---- the file of an image ---- */

struct service_field {
	const char *name; /* lives for ever */
	char *text;       /* heap; one line of UTF-8 */
};
struct service_fields {
	struct service_field *items; /* heap */
	size_t n;
};
void service_fields_fini(struct service_fields *fields); /* defined in api/service.c */

/* The fields of footer and header under their names in the reference library ("current-size"), in
 * its order: that one, or all that the image has when `name` is NULL. In `name` '-' and '_' are
 * alike, as the reference has both. */
enum service_code service_image_fields(struct service *service, const char *ref, const char *name,
				       struct service_fields *ret_fields,
				       struct service_error *err);

/* One piece of the file. */
struct service_region {
	const char *kind; /* lives for ever: "header", "block", "gap", ... */
	uint64_t offset, length;
	bool has_index;
	uint32_t index; /* of the block, or of the locator */
	bool has_bitmap;
	uint32_t bitmap_length, present; /* bytes, and sectors whose bit is set */
};
struct service_region_list {
	struct service_region *regions; /* the caller's, room for `max` */
	size_t max, n;
	bool more;
};
/* Regions in the order of the file, but for the first `skip`. */
enum service_code service_image_layout(struct service *service, const char *ref, uint64_t skip,
				       struct service_region_list *ret_list,
				       struct service_error *err);

/* ---- pools ---- */

struct service_pool {
	char name[SERVICE_NAME];
	char path[1200];
	bool online;
	char why[160];       /* "" when it is */
	uint64_t size, free; /* of the file system; 0 when it is not online */
};
struct service_pools {
	struct service_pool *items; /* heap */
	size_t n;
};
void service_pools_fini(struct service_pools *pools); /* defined in api/service.c */

/* In the order of the configuration, the default one first. */
enum service_code service_pools(struct service *service, struct service_pools *ret_pools,
				struct service_error *err);

#include "service_content.h" /* the questions about data */

#endif
