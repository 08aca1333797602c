/* catalog_index.h - the forest of images in memory. The caller locks. */
#ifndef CATALOG_INDEX_H
#define CATALOG_INDEX_H

#include "catalog.h"

struct catalog_node {
	struct catalog_image image;
	struct catalog_node *parent, *first_child, *next, *previous; /* siblings */
};

struct catalog_index {
	void *by_id, *by_name; /* search trees of nodes */
	struct catalog_node *first_root;
	size_t n;
};

void catalog_index_fini(struct catalog_index *index);

struct catalog_node *catalog_index_find(const struct catalog_index *index,
					const uint8_t id[IDS_SIZE]);
struct catalog_node *catalog_index_find_name(const struct catalog_index *index, const char *name);

/* Adds a copy below its parent, which is there already. CATALOG_E_NOMEM at worst. */
int catalog_index_add(struct catalog_index *index, const struct catalog_image *image);
/* A node without children. */
void catalog_index_remove(struct catalog_index *index, struct catalog_node *node);
/* The name is free again, the node stays. */
void catalog_index_unname(struct catalog_index *index, struct catalog_node *node);

/* Name, description, labels, `frozen`, version and time become those of `image`. CATALOG_E_NOMEM at
 * worst. */
int catalog_index_update(struct catalog_index *index, struct catalog_node *node,
			 const struct catalog_image *image);

/* A copy with what only the forest knows: depth, root, children, names, bytes of the chain. */
int catalog_index_copy(const struct catalog_node *node, struct catalog_image *ret_image);

#endif
