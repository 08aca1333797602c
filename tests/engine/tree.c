/* tree.c - making, opening and dropping the images of the model test. */
#include "tree.h"

#include <stdio.h>
#include <string.h>

#include "image_builder.h"
#include "test.h"

static int resolve(void *ctx, const struct vhd_parent_ref *ref, struct vhd_io *ret_io,
		   struct vhd_error *err)
{
	const struct tree *tree = ctx;

	(void)err;
	for (int i = 0; i < TREE_NODES; i++) {
		if (tree->nodes[i].file && tree->nodes[i].id == ref->id[0]) {
			*ret_io = memio_io(tree->nodes[i].file);
			return 0;
		}
	}
	return VHD_E_PARENT_MISSING;
}

void tree_init(struct tree *tree, uint64_t seed)
{
	struct vhd_engine_args args = {0};

	memset(tree, 0, sizeof *tree);
	tree->rng.state = seed;
	tree->resolver = (struct vhd_resolver){resolve, tree};
	args.cache_size = rng_one_in(&tree->rng, 2) ? 64 << 10 : 0;
	assert_int_equal(vhd_engine_new(&args, &tree->engine, NULL), 0);
}

void tree_fini(struct tree *tree)
{
	for (int i = 0; i < TREE_NODES; i++)
		vhd_close(tree->nodes[i].disk);
	for (int i = 0; i < TREE_NODES; i++) {
		model_free(tree->nodes[i].model);
		memio_free(tree->nodes[i].file);
	}
	assert_int_equal(vhd_engine_cached(tree->engine), 0);
	vhd_engine_free(tree->engine);
}

int tree_free_node(const struct tree *tree)
{
	for (int i = 0; i < TREE_NODES; i++) {
		if (!tree->nodes[i].file)
			return i;
	}
	return -1;
}

int tree_some_node(struct tree *tree, bool with_children)
{
	for (;;) {
		int node = (int)rng_below(&tree->rng, TREE_NODES);

		if (tree->nodes[node].file && (with_children || tree->nodes[node].children == 0))
			return node;
	}
}

static struct node *add(struct tree *tree, int parent, uint64_t size, uint32_t block)
{
	int index = tree_free_node(tree);
	struct node *node = &tree->nodes[index];

	*node = (struct node){.parent = parent, .size = size, .block = block};
	node->id = ++tree->next_id;
	node->file = memio_new(NULL);
	node->writable = true;
	node->model = model_new(parent < 0 ? NULL : tree->nodes[parent].model, size, block);
	return node;
}

static void create(struct tree *tree, struct node *node, struct vhd_create_args *args)
{
	struct vhd_io io = memio_io(node->file);
	struct vhd_error err;

	args->size = node->size;
	args->timestamp = 1;
	args->parent_path = "/pool/parent.vhd";
	args->child_path = "/pool/child.vhd";
	memset(args->id, node->id, sizeof args->id);
	if (vhd_create(tree->engine, &io, args, &node->disk, &err) < 0)
		fail_msg("create: %s", err.text);
	assert_int_equal(vhd_info(node->disk)->size, node->size);
}

static uint64_t some_size(struct tree *tree)
{
	static const uint64_t sizes[] = {
		512,
		4096,
		(1 << 20) - 512,
		2 << 20,
		(2 << 20) + 512,
		5 << 20,
		(64 << 20) + 1536,
		1ULL << 30,
	};
	static const uint64_t large[] = {130ULL << 30, VHD_SIZE_MAX - 512, VHD_SIZE_MAX};

	if (rng_one_in(&tree->rng, 25))
		return large[rng_below(&tree->rng, 3)];
	return sizes[rng_below(&tree->rng, sizeof sizes / sizeof sizes[0])];
}

void tree_create_root(struct tree *tree)
{
	struct vhd_create_args args = {.type = VHD_DYNAMIC};
	uint64_t size = some_size(tree);
	uint32_t block = rng_one_in(&tree->rng, 2) && size <= 2031ULL << 30 ? 512 << 10 : 2 << 20;

	if (rng_one_in(&tree->rng, 6)) {
		args.type = VHD_FIXED;
		create(tree, add(tree, -1, size, 0), &args);
		return;
	}
	args.block_size = block;
	create(tree, add(tree, -1, size, block), &args);
	assert_int_equal(vhd_info(tree->nodes[0].disk)->depth, 1);
}

/* Block sizes that only other programs write, with a few blocks where they are small. */
void tree_build_root(struct tree *tree)
{
	uint32_t block = 4096U << rng_below(&tree->rng, 17);
	uint64_t size = block * (1 + rng_below(&tree->rng, 40)) - 512 * rng_below(&tree->rng, 8);
	struct node *node = add(tree, -1, size, block);
	struct builder_args args = {.type = 3, .size = size, .block_size = block, .id = node->id};
	uint32_t blocks = (uint32_t)((size + block - 1) / block);
	struct builder builder;

	builder_init(&builder, &args);
	for (uint32_t i = 0; i < 3 && block <= 64 << 10; i++) {
		uint32_t index = (uint32_t)rng_below(&tree->rng, blocks);
		uint64_t off = (uint64_t)index * block,
			 len = size - off < block ? size - off : block;
		const struct builder_block *made;

		if (builder_get32(builder.table + (size_t)index * 4) != UINT32_MAX)
			continue;
		made = builder_add_block(&builder, index, 0xFF, (uint8_t)rng_next(&tree->rng));
		model_write(node->model, made->data, (size_t)len, off);
	}
	builder_store(&builder, node->file);
	builder_fini(&builder);
	tree_open(tree, (int)(node - tree->nodes), VHD_WRITE);
}

void tree_create_child(struct tree *tree, int parent)
{
	struct node *from = &tree->nodes[parent], *node;
	struct vhd_create_args args = {.type = VHD_DIFF, .parent = from->disk};
	uint64_t size = from->size;
	uint32_t block = from->block == 512 << 10 ? 512 << 10 : 2 << 20;

	if (rng_one_in(&tree->rng, 8) && size < 1ULL << 40)
		size += 512 * rng_below(&tree->rng, 10000);
	node = add(tree, parent, size, block);
	create(tree, node, &args);
	assert_int_equal(vhd_info(node->disk)->block_size, block);
	assert_int_equal(vhd_info(node->disk)->depth, vhd_info(from->disk)->depth + 1);
	from->children++;
	from->frozen = true;
}

/* What lost writes leave under clear bits is nobody's data, also when zeroes or partial sectors
 * come over it. */
static void add_junk_block(struct tree *tree, struct builder *builder, struct node *node,
			   uint32_t index)
{
	uint8_t bits = (uint8_t)rng_next(&tree->rng);
	const struct builder_block *made =
		builder_add_block(builder, index, bits, (uint8_t)(bits + 1));

	for (uint32_t i = 0; i < node->block / 512; i++) {
		uint64_t off = (uint64_t)index * node->block + (uint64_t)i * 512;

		if (bits & 0x80 >> i % 8 && off < node->size)
			model_write(node->model, made->data + (size_t)i * 512, 512, off);
	}
}

void tree_build_child(struct tree *tree, int parent)
{
	struct node *from = &tree->nodes[parent];
	struct node *node = add(tree, parent, from->size, 4096U << rng_below(&tree->rng, 5));
	struct builder_args args = {.type = 4, .size = node->size, .block_size = node->block};
	uint32_t blocks = (uint32_t)((node->size + node->block - 1) / node->block);
	struct builder builder;

	args.id = node->id;
	args.parent_id = from->id;
	builder_init(&builder, &args);
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t index = (uint32_t)rng_below(&tree->rng, blocks < 100 ? blocks : 100);

		if (builder_get32(builder.table + (size_t)index * 4) == UINT32_MAX)
			add_junk_block(tree, &builder, node, index);
	}
	builder_store(&builder, node->file);
	builder_fini(&builder);
	from->children++;
	from->frozen = true;
	tree_open(tree, (int)(node - tree->nodes), VHD_WRITE);
}

void tree_open(struct tree *tree, int node, unsigned flags)
{
	struct node *at = &tree->nodes[node];
	struct vhd_io io = memio_io(at->file);
	struct vhd_error err;

	if (vhd_open(tree->engine, &io, flags, &tree->resolver, &at->disk, &err) < 0)
		fail_msg("open image %u: %s", at->id, err.text);
	at->writable = flags & VHD_WRITE;
	at->frozen = at->children > 0;
}

void tree_delete(struct tree *tree, int leaf)
{
	struct node *node = &tree->nodes[leaf];

	vhd_close(node->disk);
	if (node->parent >= 0)
		tree->nodes[node->parent].children--;
	model_free(node->model);
	memio_free(node->file);
	*node = (struct node){0};
}
