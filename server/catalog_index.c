/* catalog_index.c - two search trees over one set of nodes, which know their parents and children.
 */
#include "catalog_index.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

static int compare_id(const void *a, const void *b)
{
	const struct catalog_node *x = a, *y = b;

	return memcmp(x->image.id, y->image.id, IDS_SIZE);
}

static int compare_name(const void *a, const void *b)
{
	const struct catalog_node *x = a, *y = b;

	return strcmp(x->image.name, y->image.name);
}

static void free_node(void *p)
{
	struct catalog_node *node = p;

	catalog_image_fini(&node->image);
	free(node);
}

static void keep_node(void *p)
{
	(void)p;
}

void catalog_index_fini(struct catalog_index *index)
{
	tdestroy(index->by_name, keep_node);
	tdestroy(index->by_id, free_node);
	memset(index, 0, sizeof *index);
}

static struct catalog_node *found(struct catalog_node *const *slot)
{
	return slot && !(*slot)->hidden ? *slot : NULL;
}

struct catalog_node *catalog_index_find(const struct catalog_index *index,
					const uint8_t id[IDS_SIZE])
{
	struct catalog_node key;

	memcpy(key.image.id, id, IDS_SIZE);
	return found(tfind(&key, &index->by_id, compare_id));
}

struct catalog_node *catalog_index_find_name(const struct catalog_index *index, const char *name)
{
	struct catalog_node key;

	if (strlen(name) >= sizeof key.image.name)
		return NULL;
	memcpy(key.image.name, name, strlen(name) + 1);
	return found(tfind(&key, &index->by_name, compare_name));
}

struct catalog_node *catalog_index_parent(const struct catalog_index *index,
					  const struct catalog_image *image)
{
	if (image->parent_missing || ids_is_zero(image->parent_id))
		return NULL;
	return catalog_index_find(index, image->parent_id);
}

const struct catalog_node *catalog_index_top(const struct catalog_node *node)
{
	while (node->parent)
		node = node->parent;
	return node;
}

/* The list of its siblings; roots are siblings too, and so are orphans. */
static struct catalog_node **siblings(struct catalog_index *index, const struct catalog_node *node)
{
	if (node->parent)
		return &node->parent->first_child;
	return node->image.parent_missing ? &index->first_orphan : &index->first_root;
}

static void count_child(struct catalog_image *parent, const struct catalog_image *child)
{
	parent->children++;
	parent->born += child->state == CATALOG_READY;
	parent->leaving += child->state == CATALOG_DELETING;
}

static void discount_child(struct catalog_image *parent, const struct catalog_image *child)
{
	parent->children--;
	parent->born -= child->state == CATALOG_READY;
	parent->leaving -= child->state == CATALOG_DELETING;
}

static void link_node(struct catalog_index *index, struct catalog_node *parent,
		      struct catalog_node *node)
{
	struct catalog_node **first;

	node->parent = parent;
	first = siblings(index, node);
	node->previous = NULL;
	node->next = *first;
	if (node->next)
		node->next->previous = node;
	*first = node;
	if (parent)
		count_child(&parent->image, &node->image);
	index->n++;
}

static void unlink_node(struct catalog_index *index, struct catalog_node *node)
{
	if (node->next)
		node->next->previous = node->previous;
	if (node->previous)
		node->previous->next = node->next;
	else
		*siblings(index, node) = node->next;
	if (node->parent)
		discount_child(&node->parent->image, &node->image);
	index->n--;
}

static bool copy_text(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return *ret_copy || !text;
}

static bool copy_labels(const struct catalog_image *image, struct catalog_image *copy)
{
	copy->labels = NULL;
	copy->n_labels = 0;
	if (image->n_labels == 0)
		return true;
	copy->labels = calloc(image->n_labels, sizeof *copy->labels);
	if (!copy->labels)
		return false;
	memcpy(copy->labels, image->labels, image->n_labels * sizeof *copy->labels);
	copy->n_labels = image->n_labels;
	return true;
}

/* A copy of what the image owns. */
static int copy_image(const struct catalog_image *image, struct catalog_image *ret_image)
{
	struct catalog_image copy = *image;
	bool all = copy_text(image->description, &copy.description);

	all = copy_text(image->root, &copy.root) && all;
	all = copy_text(image->path, &copy.path) && all;
	all = copy_labels(image, &copy) && all;
	if (!all) {
		catalog_image_fini(&copy);
		return CATALOG_E_NOMEM;
	}
	*ret_image = copy;
	return 0;
}

static void free_nodep(struct catalog_node *const *node)
{
	if (*node)
		free_node(*node);
}

struct catalog_node *catalog_index_prepare(struct catalog_index *index,
					   const struct catalog_image *image)
{
	CLEANUP(free_nodep) struct catalog_node *node = calloc(1, sizeof *node);
	bool named = image->state != CATALOG_DELETING;

	if (!node || copy_image(image, &node->image) < 0)
		return NULL;
	node->image.children = node->image.born = node->image.leaving = 0;
	node->hidden = true;
	if (!tsearch(node, &index->by_id, compare_id))
		return NULL;
	if (named && !tsearch(node, &index->by_name, compare_name)) {
		(void)tdelete(node, &index->by_id, compare_id);
		return NULL;
	}
	return STEAL(node);
}

void catalog_index_show(struct catalog_index *index, struct catalog_node *node)
{
	node->hidden = false;
	link_node(index, catalog_index_parent(index, &node->image), node);
}

void catalog_index_cancel(struct catalog_index *index, struct catalog_node *node)
{
	(void)tdelete(node, &index->by_name, compare_name);
	(void)tdelete(node, &index->by_id, compare_id);
	free_node(node);
}

void catalog_index_adopt(struct catalog_index *index, struct catalog_node *parent,
			 struct catalog_node *orphan)
{
	unlink_node(index, orphan);
	orphan->image.parent_missing = false;
	link_node(index, parent, orphan);
}

/* Down to the first child, else to the next sibling of the nearest that has one. */
uint32_t catalog_index_height(const struct catalog_node *top)
{
	const struct catalog_node *node = top;
	uint32_t level = 1, height = 1;

	for (;;) {
		if (node->first_child) {
			node = node->first_child;
			level++;
			height = level > height ? level : height;
			continue;
		}
		while (node != top && !node->next) {
			node = node->parent;
			level--;
		}
		if (node == top)
			return height;
		node = node->next;
	}
}

int catalog_index_add(struct catalog_index *index, const struct catalog_image *image)
{
	struct catalog_node *node = catalog_index_prepare(index, image);

	if (!node)
		return CATALOG_E_NOMEM;
	catalog_index_show(index, node);
	return 0;
}

static void unname_node(struct catalog_index *index, struct catalog_node *node)
{
	if (catalog_index_find_name(index, node->image.name) == node)
		(void)tdelete(node, &index->by_name, compare_name);
}

void catalog_index_leave(struct catalog_index *index, struct catalog_node *node)
{
	unname_node(index, node);
	if (node->parent)
		discount_child(&node->parent->image, &node->image);
	node->image.state = CATALOG_DELETING;
	if (node->parent)
		count_child(&node->parent->image, &node->image);
}

void catalog_index_remove(struct catalog_index *index, struct catalog_node *node)
{
	unname_node(index, node);
	(void)tdelete(node, &index->by_id, compare_id);
	unlink_node(index, node);
	free_node(node);
}

struct catalog_node *catalog_index_draft(struct catalog_index *index,
					 const struct catalog_node *node,
					 const struct catalog_image *image)
{
	CLEANUP(free_nodep) struct catalog_node *draft = calloc(1, sizeof *draft);

	if (!draft || copy_image(image, &draft->image) < 0)
		return NULL;
	draft->hidden = true;
	if (strcmp(node->image.name, image->name) != 0 &&
	    !tsearch(draft, &index->by_name, compare_name))
		return NULL;
	return STEAL(draft);
}

/* The place that a draft has for its new name; NULL: it brings none. */
static struct catalog_node **place_of(struct catalog_index *index, const struct catalog_node *draft)
{
	struct catalog_node **slot = tfind(draft, &index->by_name, compare_name);

	return slot && *slot == draft ? slot : NULL;
}

void catalog_index_drop(struct catalog_index *index, struct catalog_node *draft)
{
	if (place_of(index, draft))
		(void)tdelete(draft, &index->by_name, compare_name);
	free_node(draft);
}

/* The new name, if the draft brings one, in the place of the old one. */
static void rename_node(struct catalog_index *index, struct catalog_node *node,
			const struct catalog_node *draft)
{
	struct catalog_node **slot;

	if (place_of(index, draft))
		unname_node(index, node);
	slot = place_of(index, draft); /* the tree is another one now */
	if (!slot)
		return;
	memcpy(node->image.name, draft->image.name, sizeof node->image.name);
	*slot = node;
}

void catalog_index_apply(struct catalog_index *index, struct catalog_node *node,
			 struct catalog_node *draft)
{
	struct catalog_image *image = &node->image, *fresh = &draft->image;
	struct catalog_label *labels = image->labels;
	char *description = image->description;

	rename_node(index, node, draft);
	image->description = fresh->description;
	image->labels = fresh->labels;
	image->n_labels = fresh->n_labels;
	fresh->description = description;
	fresh->labels = labels;
	if (fresh->frozen > image->frozen) {
		image->dirty = false;
		image->usage = fresh->usage;
	}
	image->frozen = fresh->frozen;
	image->vhd.saved_state = fresh->vhd.saved_state;
	image->vhd.temporary = fresh->vhd.temporary;
	image->version = fresh->version;
	image->updated_at = fresh->updated_at;
	free_node(draft);
}

int catalog_index_copy_parent(const struct catalog_node *node, const struct catalog_image *child,
			      struct catalog_image *ret_image)
{
	int r = copy_image(&node->image, ret_image);

	if (r < 0)
		return r;
	ret_image->depth = child->depth - 1;
	ret_image->broken = child->broken;
	ret_image->chain_file_bytes = child->chain_file_bytes - child->usage.file_bytes;
	memcpy(ret_image->root_id, child->root_id, IDS_SIZE);
	memcpy(ret_image->root_name, child->root_name, CATALOG_NAME);
	if (node->parent)
		memcpy(ret_image->parent_name, node->parent->image.name, CATALOG_NAME);
	return 0;
}

int catalog_index_copy(const struct catalog_node *node, struct catalog_image *ret_image)
{
	const struct catalog_node *root = node;
	uint64_t bytes = node->image.usage.file_bytes;
	uint32_t depth = 0;
	int r;

	for (; root->parent; root = root->parent) {
		bytes += root->parent->image.usage.file_bytes;
		depth++;
	}
	r = copy_image(&node->image, ret_image);
	if (r < 0)
		return r;
	ret_image->depth = depth + root->image.parent_missing;
	ret_image->broken = root->image.parent_missing;
	ret_image->chain_file_bytes = bytes;
	memcpy(ret_image->root_id, root->image.id, IDS_SIZE);
	memcpy(ret_image->root_name, root->image.name, CATALOG_NAME);
	if (node->parent)
		memcpy(ret_image->parent_name, node->parent->image.name, CATALOG_NAME);
	return 0;
}
