/* path.h - the only door to the file system: regular files below the roots a caller allows. */
#ifndef PATH_H
#define PATH_H

#include "vhd.h"

enum { PATH_TEXT = 4096, PATH_NAME = 256 }; /* with the NUL, as the kernel has them */

/* `name`, made absolute: below `folder`, which is below the working directory when it is relative.
 * VHD_E_INVALID when it is empty or too long. */
int path_join(const char *folder, const char *name, char ret_path[PATH_TEXT],
	      struct vhd_error *err);
/* Without its last component; "/" stays. */
void path_folder(const char *path, char ret_folder[PATH_TEXT]);

/* Opens a regular file by its absolute path. VHD_E_NOT_FOUND: nothing has that name.
 * VHD_E_FORBIDDEN: it lies outside the roots, is something else than a regular file, or permission
 * lacks. */
int path_open(const struct vhd_paths *paths, const char *path, bool write, int *ret_fd,
	      struct vhd_error *err);
/* Where the open file is, whatever led to it. VHD_E_NOT_FOUND: it has lost its name;
 * VHD_E_FORBIDDEN: its name is no printable text. */
int path_real(int fd, char ret_path[PATH_TEXT], struct vhd_error *err);
/* An absolute path, with its folder named by where that is, whatever leads there. */
int path_real_folder(const struct vhd_paths *paths, const char *path, char ret_path[PATH_TEXT],
		     struct vhd_error *err);
/* When the file was last modified, on the clock of the format. */
int path_modified(int fd, uint32_t *ret_timestamp, struct vhd_error *err);

/* A file that gets its name when it is complete. */
struct path_new {
	int folder;           /* descriptors; -1 = none */
	int fd;               /* the caller may take it and leave -1 */
	char name[PATH_NAME]; /* what it will be called */
	char temp[PATH_NAME]; /* what it is called; "" = no more */
};
int path_create(const struct vhd_paths *paths, const char *path, struct path_new *ret_file,
		struct vhd_error *err);
/* Gives it its name, durably. Nothing is replaced: VHD_E_EXISTS. */
int path_publish(struct path_new *file, struct vhd_error *err);
/* Removes what was not published; for CLEANUP. */
void path_drop(struct path_new *file);

#endif
