/* service_facts.c - what rows say of an image: what its file says, and what requests do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "service_private.h"

void service_facts_vhd(const struct vhd *disk, struct catalog_vhd *ret_vhd)
{
	const struct vhd_info *info = vhd_info(disk);

	*ret_vhd = (struct catalog_vhd){
		.size = info->size,
		.block_size = info->block_size,
		.timestamp = info->timestamp,
		.parent_timestamp = info->parent_timestamp,
		.creator_version = info->creator_version,
		.cylinders = info->cylinders,
		.heads = info->heads,
		.sectors_per_track = info->sectors_per_track,
		.saved_state = info->saved_state,
		.temporary = info->temporary,
	};
	memcpy(ret_vhd->creator, info->creator, sizeof ret_vhd->creator);
	memcpy(ret_vhd->creator_os, info->creator_os, sizeof ret_vhd->creator_os);
}

enum catalog_kind service_facts_kind(enum vhd_type type)
{
	switch (type) {
	case VHD_FIXED: return CATALOG_FIXED;
	case VHD_DIFF: return CATALOG_DIFFERENCING;
	case VHD_RAW:
	case VHD_DYNAMIC: return CATALOG_DYNAMIC;
	}
	return CATALOG_DYNAMIC;
}

/* Off by one counts as the same: some file systems keep even seconds only. */
bool service_facts_same_time(uint32_t parent_timestamp, int64_t mtime)
{
	int64_t then = (int64_t)parent_timestamp + CLOCK_2000;

	return parent_timestamp == 0 || (then - mtime <= 1 && mtime - then <= 1);
}

static bool copy_labels(const struct service_label *labels, size_t n, struct catalog_image *row)
{
	if (!n)
		return true;
	row->labels = calloc(n, sizeof *row->labels);
	if (!row->labels)
		return false;
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(row->labels[i].key, CATALOG_LABEL_KEY, "%s", labels[i].key);
		(void)snprintf(row->labels[i].value, CATALOG_LABEL_VALUE, "%s", labels[i].value);
	}
	row->n_labels = n;
	return true;
}

bool service_facts_texts(struct catalog_image *row, const char *description,
			 const struct service_label *labels, size_t n_labels)
{
	if (description) {
		row->description = strdup(description);
		if (!row->description)
			return false;
	}
	return copy_labels(labels, n_labels, row);
}

void service_facts_name(struct service *service, struct catalog_image *row)
{
	uint8_t other[IDS_SIZE];
	char id[IDS_TEXT];

	ids_format(row->id, id);
	(void)snprintf(row->name, sizeof row->name, "img-%.8s", id);
	if (catalog_id_of(service->catalog, row->name, other, NULL) == 0)
		(void)snprintf(row->name, sizeof row->name, "img-%s", id);
}
