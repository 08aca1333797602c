/* error.h - a failure says what, where and why, once: the bottom states the fact, each floor adds
 * its name. */
#ifndef ERROR_H
#define ERROR_H

#include "vhd.h"

/* Fills `err` (may be NULL) and returns `code`. Bytes that are not printable ASCII or well-formed
 * printable UTF-8 in the finished text are written as \xNN. */
int vhd_fail(struct vhd_error *err, enum vhd_code code, const char *format, ...) VHD_PRINTF(3, 4);

/* The same for a failed store call: `sys` is the negative errno it answered. ENOSPC, EDQUOT and
 * EFBIG become VHD_E_NOSPC, ENOMEM VHD_E_NOMEM, EAGAIN VHD_E_AGAIN, ENODATA VHD_E_CORRUPT ("the
 * file ends before that"), the rest VHD_E_IO. The text gets ": <strerror>" at its end. */
int vhd_fail_sys(struct vhd_error *err, int sys, const char *format, ...) VHD_PRINTF(3, 4);

/* Puts "<prefix>: " before what `err` says and returns `code` unchanged. */
int vhd_wrap(struct vhd_error *err, int code, const char *format, ...) VHD_PRINTF(3, 4);

/* Adds where on the disk and in which level of the chain it failed. Returns `code`. */
int vhd_place(struct vhd_error *err, int code, unsigned level, uint64_t sector);

/* Of a call that may fail without harm: what it said, when it was a failure after all. Returns
 * `code`. */
int vhd_pass(struct vhd_error *err, const struct vhd_error *why, int code);

#endif
