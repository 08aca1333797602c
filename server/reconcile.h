/* reconcile.h - compares the catalog with the files of the pools. Only metadata is read, one file
 * at a time; nothing is changed but for the seal of a parent that has none yet, and for saved_state
 * and features of a row that say something else than its file.
 *
 * What is found goes to the findings. Images may be created, written and deleted meanwhile: an
 * image that changes while it is looked at is looked at again. */
#ifndef RECONCILE_H
#define RECONCILE_H

#include <pthread.h>
#include <stdatomic.h>

#include "catalog.h"
#include "findings.h"
#include "pool_set.h"
#include "vhd.h"

struct reconcile {
	struct catalog *catalog;
	const struct pool_set *pools;
	struct findings *findings;
	atomic_bool stop; /* ends a pass early */
	atomic_size_t done;
	/* Held while fields of a footer are changed in a file and then in its row, or compared;
	 * zero is an open one. */
	pthread_mutex_t footers;
};

/* One image, thoroughly. An image that is not there or not ready has no findings. False: out of
 * memory, and nothing was looked at. */
bool reconcile_image(struct reconcile *reconcile, const uint8_t id[IDS_SIZE]);
/* All images, then all files of all pools. -1 when the catalog cannot be read. */
int reconcile_all(struct reconcile *reconcile);

/* Somebody could not use the image, for its file is damaged: puts it on record. `why` says where;
 * nowhere is everywhere. Reads no file. */
void reconcile_met(struct reconcile *reconcile, const uint8_t id[IDS_SIZE],
		   const struct vhd_error *why);

/* A file that was just opened as this image, with what the catalog says of it: a parent that was
 * changed is VHD_E_PARENT_MISMATCH, a file that is to be repaired and is another image's is
 * VHD_E_NOT_FOUND, and one that cannot be read VHD_E_IO; all have a finding then. Cheap as long as
 * nobody has touched it. */
int reconcile_opened(struct reconcile *reconcile, const uint8_t id[IDS_SIZE],
		     const struct catalog_brief *brief, int fd, struct vhd_error *err);

#endif
