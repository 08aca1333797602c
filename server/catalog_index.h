/* catalog_index.h - the forest of images in memory. The caller locks. */
#ifndef CATALOG_INDEX_H
#define CATALOG_INDEX_H

#include "catalog.h"

struct catalog_node {
	struct catalog_image image;
	struct catalog_node *parent, *first_child, *next, *previous; /* siblings */
	bool hidden; /* has a place, and is not there for anybody yet */
};

struct catalog_index {
	void *by_id, *by_name; /* search trees of nodes */
	struct catalog_node *first_root;
	struct catalog_node *first_orphan; /* those whose parent is missing */
	size_t n;
};

void catalog_index_fini(struct catalog_index *index);

struct catalog_node *catalog_index_find(const struct catalog_index *index,
					const uint8_t id[IDS_SIZE]);
struct catalog_node *catalog_index_find_name(const struct catalog_index *index, const char *name);

/* Of an image that is there or is to come; NULL: it has none, or the catalog does not know it. */
struct catalog_node *catalog_index_parent(const struct catalog_index *index,
					  const struct catalog_image *image);
/* The oldest ancestor that is known. */
const struct catalog_node *catalog_index_top(const struct catalog_node *node);
/* Levels of the tree that it is the top of. */
uint32_t catalog_index_height(const struct catalog_node *top);
/* An orphan gets the node as its parent. */
void catalog_index_adopt(struct catalog_index *index, struct catalog_node *parent,
			 struct catalog_node *orphan);

/* A copy that nobody finds before it is shown, below its parent, which is there already; showing
 * cannot fail. Or it is cancelled. An image with a name that is not taken; NULL: no memory. */
struct catalog_node *catalog_index_prepare(struct catalog_index *index,
					   const struct catalog_image *image);
void catalog_index_show(struct catalog_index *index, struct catalog_node *node);
void catalog_index_cancel(struct catalog_index *index, struct catalog_node *node);
/* Both at once. CATALOG_E_NOMEM at worst. */
int catalog_index_add(struct catalog_index *index, const struct catalog_image *image);
/* A node without children. */
void catalog_index_remove(struct catalog_index *index, struct catalog_node *node);
/* It is being deleted from now on: its name is free again, the node stays. */
void catalog_index_leave(struct catalog_index *index, struct catalog_node *node);

/* What the node will tell after a change: name, description, labels, `frozen`, the fields of the
 * footer, version and time. A new name is taken from now on. NULL: no memory. Applying cannot fail;
 * or it is dropped. */
struct catalog_node *catalog_index_draft(struct catalog_index *index,
					 const struct catalog_node *node,
					 const struct catalog_image *image);
void catalog_index_apply(struct catalog_index *index, struct catalog_node *node,
			 struct catalog_node *draft);
void catalog_index_drop(struct catalog_index *index, struct catalog_node *draft);

/* A copy with what only the forest knows: depth, root, children, names, bytes of the chain. */
int catalog_index_copy(const struct catalog_node *node, struct catalog_image *ret_image);
/* The same from a copy of one of its children, without a walk to its root. */
int catalog_index_copy_parent(const struct catalog_node *node, const struct catalog_image *child,
			      struct catalog_image *ret_image);

#endif
