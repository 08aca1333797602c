/* tree.h - a forest of images on memory files, each with its model. */
#ifndef TREE_H
#define TREE_H

#include "memio.h"
#include "model.h"
#include "rng.h"

enum { TREE_NODES = 8 };

struct node {
	struct memio *file; /* NULL: free */
	struct vhd *disk;
	struct model *model;
	int parent, children;
	uint8_t id;
	uint64_t size;
	uint32_t block; /* 0: fixed */
	bool writable;  /* its handle */
	bool frozen;    /* by request or by children */
};
struct tree {
	struct rng rng;
	struct vhd_engine *engine;
	struct node nodes[TREE_NODES];
	uint8_t next_id;
	struct vhd_resolver resolver;
	unsigned long ops, checks;
};

void tree_init(struct tree *tree, uint64_t seed);
void tree_fini(struct tree *tree);
int tree_free_node(const struct tree *tree);               /* -1: all are used */
int tree_some_node(struct tree *tree, bool with_children); /* with: any; without: a leaf */

void tree_create_root(struct tree *tree); /* dynamic or fixed, by the engine */
void tree_build_root(struct tree *tree);  /* by image_builder, odd block sizes */
void tree_create_child(struct tree *tree, int parent);
void tree_build_child(struct tree *tree,
		      int parent); /* by image_builder: any bits, junk under the clear ones */
void tree_open(struct tree *tree, int node, unsigned flags);
void tree_delete(struct tree *tree, int leaf);

/* Everything the engine tells of a range must agree with the model. */
void tree_check_read(struct tree *tree, int node, uint64_t off, size_t len);
void tree_check_where(struct tree *tree, int node, uint64_t sector, uint64_t count);
void tree_check_sector(struct tree *tree, int node, uint64_t sector);

#endif
