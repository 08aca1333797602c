/* recorder.h - what this process does to the files below one folder, as events of a journal.
 *
 * Puts itself between the program (with all its libraries) and the C library. A file is a file of
 * the journal; so is a folder, whose names are sectors of it: what a power cut does to sectors it
 * does to names as well, and a sync of the folder makes them durable. A rename is a new name and
 * the end of the old one.
 */
#ifndef RECORDER_H
#define RECORDER_H

#include "memio.h"

enum { RECORDER_FILES = 64 };

/* One name in a folder: the beginning of a sector. */
struct recorder_name {
	uint32_t file; /* its number + 1; 0: there is no name in this sector */
	bool folder;
	char name[128];
};

struct recording {
	struct memjournal *journal;
	struct memio *files[RECORDER_FILES]; /* as they were before the first event */
	unsigned n_files;                    /* number 0 is the folder */
};

/* Records from now on what happens below `folder`. */
void recorder_start(struct recording *recording, const char *folder);
void recorder_stop(void);
void recorder_free(struct recording *recording);
/* Events so far. */
size_t recorder_now(void);

#endif
