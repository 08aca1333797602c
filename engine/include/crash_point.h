/* crash_point.h - named places where the tests end the program as a crash would; only in the test
 * build. A place lies right after the step that it is named for. */
#ifndef CRASH_POINT_H
#define CRASH_POINT_H

#ifdef VHDD_TESTING
extern void (*vhd_at_crash_point)(const char *name); /* NULL: nobody listens */
#define CRASH_POINT(name)                                      \
	do {                                                   \
		if (__builtin_expect(!!vhd_at_crash_point, 0)) \
			vhd_at_crash_point(name);              \
	} while (0)
#else
#define CRASH_POINT(name) \
	do {              \
	} while (0)
#endif

#endif
