/* pool.h - one folder of image files. Names inside are <id>.vhd; the folder is held open, and
 * nothing outside it is ever reached through it. Failures are told in the engine's words, for it is
 * the engine's files that lie here. */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "ids.h"
#include "vhd.h"

enum { POOL_NAME = 64, POOL_PATH = 1200 };

struct pool_dir; /* many threads may use one at once */

/* VHD_E_NOT_FOUND: there is no such folder. */
int pool_open(const char *path, struct pool_dir **ret_pool, struct vhd_error *err);
void pool_close(struct pool_dir *pool);
const char *pool_path(const struct pool_dir *pool); /* absolute, without symbolic links */

/* <id>.vhd: its name, and its absolute path. */
void pool_file_name(const uint8_t id[IDS_SIZE], char ret_name[POOL_NAME]);
void pool_file_path(const struct pool_dir *pool, const uint8_t id[IDS_SIZE],
		    char ret_path[POOL_PATH]);

/* Whether neither name of a new image is taken, else VHD_E_EXISTS: what is there before a creation
 * begins is not undone with it. */
int pool_check_new(const struct pool_dir *pool, const uint8_t id[IDS_SIZE], struct vhd_error *err);
/* The life of a new image: an empty file that only its creator knows, then (durably) the name of
 * the image as well, then only that. A file that has the name already is never replaced:
 * VHD_E_EXISTS. */
int pool_create_new(struct pool_dir *pool, const uint8_t id[IDS_SIZE], int *ret_fd,
		    struct vhd_error *err);
int pool_publish(struct pool_dir *pool, const uint8_t id[IDS_SIZE], struct vhd_error *err);
/* Removes that one, unless it is another file than the image. */
int pool_settle(struct pool_dir *pool, const uint8_t id[IDS_SIZE], struct vhd_error *err);
int pool_settle_for_good(struct pool_dir *pool, const uint8_t id[IDS_SIZE],
			 struct vhd_error *err); /* also durably */
/* Removes the first name of an image that is being deleted, of which it may be all that is left. */
int pool_remove_new(struct pool_dir *pool, const uint8_t id[IDS_SIZE], struct vhd_error *err);
/* Whether both names are there and mean one file: 1, 0, or VHD_E_... when nobody can tell. */
int pool_is_published(const struct pool_dir *pool, const uint8_t id[IDS_SIZE],
		      struct vhd_error *err);
/* Undoes all of it, whatever point was reached, and is durable. An image under the name that did
 * not come from this creation stays. */
int pool_undo_new(struct pool_dir *pool, const uint8_t id[IDS_SIZE], struct vhd_error *err);

/* Removes a file, durably. One that is not there counts as removed. VHD_E_READONLY: the daemon may
 * not, now. */
int pool_remove_name(const struct pool_dir *pool, const char *name, struct vhd_error *err);

/* Calls `each` with the id of every new file that was left behind; a negative answer stops. */
typedef int pool_new_fn(void *ctx, const uint8_t id[IDS_SIZE]);
int pool_each_new(struct pool_dir *pool, pool_new_fn *each, void *ctx, struct vhd_error *err);

/* VHD_E_READONLY: nothing of it can change now. */
int pool_check_writable(const struct pool_dir *pool, struct vhd_error *err);
/* Bytes of the file system under the folder, and bytes that may still be written. */
int pool_space(struct pool_dir *pool, uint64_t *ret_size, uint64_t *ret_free,
	       struct vhd_error *err);

#endif
