/* service_content.h - the part of service.h that is about the content of images: data, and where
 * sectors live. Include service.h. */
#ifndef SERVICE_CONTENT_H
#define SERVICE_CONTENT_H

#include "service.h"

/* ---- data ---- */

/* An image opened for one request. While it lives the files of the chain stay open, the image is
 * not deleted and, when opened for writing, gets no child. */
struct service_data;

enum service_mode { SERVICE_READ, SERVICE_WRITE };

/* SERVICE_WRITE decides all that can be refused for the state of the image: children, frozen,
 * failed, busy, shutting down. It waits at most 2 s for locks, then SERVICE_IMAGE_BUSY. */
enum service_code service_data_open(struct service *service, const char *ref,
				    enum service_mode mode, unsigned flags,
				    struct service_data **ret_data, struct service_error *err);
void service_data_close(struct service_data *data); /* NULL is fine; never blocks */

/* Of the image when it was opened here; lives as long as `data`. */
struct service_data_info {
	char id[SERVICE_ID];
	char name[SERVICE_NAME];
	enum service_kind kind;
	uint64_t size;
	uint32_t block_size; /* 0 for fixed */
	bool frozen;         /* content does not change, unless the image is thawed */
	int64_t frozen_at;   /* it has not changed since; 0 when that is not known */
	uint32_t levels;     /* images of the chain, 1 without parent */
	bool broken;         /* the last one has a parent that is missing */
};
const struct service_data_info *service_data_info(const struct service_data *data);

/* One image of the chain: 0 = the image itself. Lives as long as `data`. False: no such level. */
struct service_level {
	const char *id;
	const char *name;
	const char *path; /* "pool/file" */
};
bool service_data_level(struct service_data *data, uint32_t depth, struct service_level *ret_level);

struct service_data_state {
	char etag[SERVICE_ETAG]; /* of the data now */
	uint64_t
		write_epoch; /* that the last write through `data` belongs to; none: the open one */
	uint64_t durable_epoch;
	char verifier[33];         /* changes when unflushed writes may have been lost */
	uint64_t allocated_blocks; /* by the writes through `data` */
};
/* Never blocks. */
void service_data_state(const struct service_data *data, struct service_data_state *ret_state);
/* For the answer to the writes through `data`: the ETag is that of the content right after the last
 * of them, although others may have written since; "" when others did since it was opened, so that
 * the caller of one who knows what he wrote does not know what the content is. */
void service_data_result(const struct service_data *data, struct service_data_state *ret_state);

/* The range lies inside the disk: api/ has made sure. */
enum service_code service_data_read(struct service_data *data, void *buf, size_t len, uint64_t off,
				    unsigned flags, struct service_error *err);

/* Before the body is read: is there room, may it be written? SERVICE_UNKNOWN_LENGTH: as much as
 * comes. */
enum service_code service_data_reserve(struct service_data *data, uint64_t off, uint64_t len,
				       unsigned flags, struct service_error *err);
/* Inside the disk, by api/. Accepted, not durable. */
enum service_code service_data_write(struct service_data *data, const void *buf, size_t len,
				     uint64_t off, struct service_error *err);
enum service_code service_data_zero(struct service_data *data, uint64_t off, uint64_t len,
				    struct service_error *err);

/* From here to the unlock nobody else writes to the image, whose data has this ETag (without
 * quotes); else SERVICE_CHANGED. Waits at most 2 s, then SERVICE_IMAGE_BUSY. Same thread, opened
 * for writing. */
enum service_code service_data_lock(struct service_data *data, const char *etag,
				    struct service_error *err);
void service_data_unlock(struct service_data *data);

/* Makes durable what was written through `data`; when nothing was, all that the image accepted so
 * far. Returns at once: `done` is called exactly once, by any thread, perhaps before this returns;
 * with SERVICE_OK, SERVICE_IO_ERROR (the image is failed now), SERVICE_IMAGE_FAILED or
 * SERVICE_SHUTTING_DOWN. `data` must stay open until then. `done` may close it, and must not block.
 */
typedef void service_done_fn(void *ctx, enum service_code code);
void service_data_flush(struct service_data *data, service_done_fn *done, void *ctx);

/* ---- what became of uploads ---- */

enum { SERVICE_UPLOADS = 32, SERVICE_REQUEST = 65, SERVICE_OUTCOME = 40 };
struct service_upload {
	uint64_t number;               /* grows from one to the next */
	char request[SERVICE_REQUEST]; /* id of the request */
	uint64_t offset;
	uint64_t requested;            /* SERVICE_UNKNOWN_LENGTH: not said */
	uint64_t written;              /* from `offset` on */
	int64_t began_at, ended_at;    /* 0: it goes on */
	char outcome[SERVICE_OUTCOME]; /* a word of api/, once it has ended */
};
/* The last SERVICE_UPLOADS of an image are remembered, as long as the daemon runs. None of the
 * three blocks. The number of a new one is 0 when memory is out. */
uint64_t service_data_upload_begin(struct service_data *data, const char *request, uint64_t offset,
				   uint64_t requested);
/* How far it got; `outcome` NULL: it goes on. */
void service_data_upload_note(struct service_data *data, uint64_t number, uint64_t written,
			      const char *outcome);
/* The newest first. */
size_t service_data_uploads(const struct service_data *data,
			    struct service_upload ret_list[SERVICE_UPLOADS]);

/* ---- digests ---- */

enum { SERVICE_DIGEST_MAX = 64 };
enum service_digest_kind { SERVICE_SHA_256, SERVICE_SHA_512, SERVICE_MD5 };
struct service_digest; /* of bytes that come in pieces */

struct service_digest *service_digest_new(enum service_digest_kind kind); /* NULL: no memory */
void service_digest_add(struct service_digest *digest, const void *bytes, size_t len);
/* The end of it, in any case. */
void service_digest_end(struct service_digest *digest, uint8_t ret_sum[SERVICE_DIGEST_MAX]);

/* ---- where sectors live ---- */

enum service_where {
	SERVICE_ZERO,
	SERVICE_DATA,
	SERVICE_UNKNOWN
}; /* unknown: a missing parent could tell */

enum service_step_kind {
	SERVICE_STEP_FLAT,        /* fixed: always there */
	SERVICE_STEP_UNALLOCATED, /* no block */
	SERVICE_STEP_CLEAR,       /* block there, bit clear */
	SERVICE_STEP_SET,         /* block there, bit set */
	SERVICE_STEP_BEYOND,      /* past the end of a shorter parent: zeroes */
};
struct service_step {
	enum service_step_kind kind;
	bool bitmap_full; /* every bit of the block is set */
};

struct service_location {
	enum service_where where;
	uint32_t depth;           /* SERVICE_DATA: which level has it, and all below here */
	uint64_t physical_sector; /* in the file of that level */
	bool has_block;           /* false for fixed */
	uint32_t block, sector_in_block, bitmap_sectors;
	uint64_t bat_sector;
};
struct service_step_list {
	struct service_step *steps; /* the caller's, room for `max` */
	size_t max, n;              /* n: how many were filled */
};
/* `sector` lies inside the disk. Level i of the chain is step i, and a list of SERVICE_DEPTH_MAX
 * holds them all. SERVICE_PARENT_MISSING only when the sector is not found above the break. */
enum service_code service_data_locate(struct service_data *data, uint64_t sector, unsigned flags,
				      struct service_location *ret_location,
				      struct service_step_list *ret_steps,
				      struct service_error *err);

struct service_run {
	uint64_t sector, count; /* virtual */
	enum service_where where;
	uint32_t depth;
	uint64_t physical_sector;
};
struct service_run_list {
	struct service_run *runs; /* the caller's, room for `max` */
	size_t max, n;
};
/* Runs from `sector` on, without gaps, cut where level or contiguity changes; at most `count`
 * sectors, and not for longer than about 2 s: fewer than asked is success, none is not. */
enum service_code service_data_runs(struct service_data *data, uint64_t sector, uint64_t count,
				    unsigned flags, struct service_run_list *ret_runs,
				    struct service_error *err);

struct service_extent {
	uint64_t start, length; /* bytes */
	enum service_where where;
	uint32_t depth;
};
struct service_extent_list {
	struct service_extent *extents; /* the caller's, room for `max` */
	size_t max, n;
};
/* Like the runs, merged by level. SERVICE_TOP_ONLY looks at the image itself: SERVICE_UNKNOWN = the
 * parent shows. */
enum service_code service_data_extents(struct service_data *data, uint64_t start, uint64_t length,
				       unsigned flags, struct service_extent_list *ret_extents,
				       struct service_error *err);

#endif
