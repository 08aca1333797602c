/* uploads.h - what became of the last uploads to each image, for clients whose connection was cut
 * in the middle. In memory only: after a start of the daemon there are none. */
#ifndef UPLOADS_H
#define UPLOADS_H

#include <stddef.h>
#include <stdint.h>

#include "ids.h"
#include "service.h"

struct uploads; /* many threads may use one at once; no call blocks */

struct uploads *uploads_new(void); /* NULL: out of memory */
void uploads_free(struct uploads *uploads);

/* Remembers a new one, in the place of the oldest of the image; of many images, those are kept that
 * somebody still writes, and those with the latest uploads. `upload->number` is ignored. Its
 * number; 0: out of memory. */
uint64_t uploads_begin(struct uploads *uploads, const uint8_t id[IDS_SIZE],
		       const struct service_upload *upload);
/* How far it got; with an outcome it has ended. One that is forgotten already is left alone. */
void uploads_note(struct uploads *uploads, const uint8_t id[IDS_SIZE], uint64_t number,
		  uint64_t written, const char *outcome);
/* The image is gone: another one may come with its id. */
void uploads_forget(struct uploads *uploads, const uint8_t id[IDS_SIZE]);
/* The newest first. How many. */
size_t uploads_list(struct uploads *uploads, const uint8_t id[IDS_SIZE],
		    struct service_upload ret_list[SERVICE_UPLOADS]);

#endif
