/* read.h - reading through the index, for those who hold the stripes. */
#ifndef READ_H
#define READ_H

#include "image.h"

/* Any byte range inside the disk. The stripes of its blocks are held when the image has a writer.
 */
int read_range(struct image *image, void *buf, size_t len, uint64_t off, unsigned flags,
	       struct vhd_error *err);

/* Bytes from `off` to the end of its block (of 2 MiB for flat images), at most `len`. */
uint64_t block_part(const struct image *image, uint64_t off, uint64_t len);

/* VHD_E_RANGE unless the range lies inside the disk. */
int check_range(const struct image *image, uint64_t off, uint64_t len, struct vhd_error *err);

/* VHD_E_FAILED after a failed flush: what is in memory is not what the file has. */
int check_failed(const struct image *image, struct vhd_error *err);

#endif
