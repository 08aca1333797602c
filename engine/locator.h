/* locator.h - parent locators: platform codes and texts, both ways. Rules: FORMAT.md 4. */
#ifndef LOCATOR_H
#define LOCATOR_H

#include "header.h"
#include "utf.h"

enum {
	LOCATOR_W2RU = 0x57327275, /* Windows relative path, UTF-16LE */
	LOCATOR_W2KU = 0x57326B75, /* Windows absolute path, UTF-16LE */
	LOCATOR_MACX = 0x4D616358, /* file URL, UTF-8 */
	LOCATOR_WI2R = 0x57693272, /* deprecated, ANSI */
	LOCATOR_WI2K = 0x5769326B,
	LOCATOR_MAC = 0x4D616320, /* alias blob: no text */
	LOCATOR_DATA_MAX = 2048,  /* bytes of a payload that we look at */
};

/* Room the entry reserves, in bytes: stored values below 512 are sectors, others bytes. */
uint64_t locator_space(const struct locator_entry *entry);

/* Payload -> UTF-8 text as stored: MacX keeps its "file://". "" when the code has no text, the
 * bytes do not decode, or it is longer than VHD_LOCATOR_TEXT. */
void locator_decode(uint32_t code, const uint8_t *data, size_t len,
		    char ret_text[VHD_LOCATOR_TEXT]);

/* What a locator means as POSIX paths. Windows: '\' becomes '/', a leading drive "X:" is dropped,
 * other machines are no path. MacX: what follows "file://" (or "file://localhost"), first as it is,
 * then percent-decoded when that differs. Returns how many were written, 0 to 2. */
int locator_paths(const struct vhd_locator *locator, char ret_paths[2][VHD_LOCATOR_TEXT]);

/* "/a/./b//../c" -> "/a/c"; "/" -> "". False: not absolute, or too long. */
bool locator_normalise(const char *path, char ret_path[VHD_LOCATOR_TEXT]);

/* One payload to be written. */
struct locator_data {
	uint32_t code;
	size_t len;
	uint8_t data[LOCATOR_DATA_MAX];
};

/* The two payloads of a new child: W2ru + MacX, or with `absolute` W2ku ("C:" before the path) +
 * MacX. Relative paths lead from the folder of `child_path` to `parent_path`, both absolute and
 * normalised lexically here, and start with "./" or "../". VHD_E_INVALID: a path is not absolute,
 * not UTF-8, names no file, or is too long. */
int locator_make(const char *child_path, const char *parent_path, bool absolute,
		 struct locator_data ret_data[2], struct vhd_error *err);

#endif
