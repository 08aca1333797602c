/* failure.h - says in the engine's words why something failed that is not the engine's. */
#ifndef FAILURE_H
#define FAILURE_H

#include "vhd.h"

/* Fill in `err`, unless it is NULL, and answer `code`; the second one has an errno. Analyzers see
 * through macros only what is answered. */
#define failure(err, code, ...) failure_sys(err, code, 0, __VA_ARGS__)
#define failure_sys(err, code, sys, ...)                       \
	({                                                     \
		const enum vhd_code code_ = (code);            \
		failure_say((err), code_, (sys), __VA_ARGS__); \
		(int)code_;                                    \
	})

void failure_say(struct vhd_error *err, enum vhd_code code, int sys, const char *format, ...)
	VHD_PRINTF(4, 5);

#endif
