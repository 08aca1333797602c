/* test_model.c - random work on trees of images, compared with a model after every step.
 *
 * test_model [SEQUENCES], or VHDD_MODEL_SEQUENCES; VHDD_SEED replays.
 */
#include <stdio.h>
#include <string.h>

#include "must.h"
#include "test.h"
#include "tree.h"

enum { OPS = 60, LEN_MAX = 3 << 20 };

static size_t sequences = 150;
static uint64_t sequence_seed;
static uint8_t buffer[LEN_MAX];

/* Near the borders of blocks and of the disk, and where something was before. */
static uint64_t some_offset(struct tree *tree, int node)
{
	const struct node *at = &tree->nodes[node];
	uint64_t block = at->block ? at->block : 2 << 20, off, known;

	switch (rng_below(&tree->rng, 5)) {
	case 0: off = 0; break;
	case 1:
		off = at->size - 1 - rng_below(&tree->rng, at->size < 9000 ? at->size : 9000);
		break;
	case 2: off = rng_below(&tree->rng, at->size / block + 1) * block; break;
	case 3:
		known = model_some_sector(at->model, rng_next(&tree->rng));
		off = known == UINT64_MAX ? 0 : known * 512;
		break;
	default: off = rng_below(&tree->rng, at->size); break;
	}
	if (rng_one_in(&tree->rng, 2) && off >= 2048)
		off -= rng_below(&tree->rng, 2048);
	if (rng_one_in(&tree->rng, 2))
		off = off / 512 * 512;
	return off < at->size ? off : at->size - 1;
}

static size_t some_length(struct tree *tree, int node, uint64_t off)
{
	static const size_t most[] = {1, 512, 1024, 5000, 5000, 70000};
	uint64_t left = tree->nodes[node].size - off;
	size_t len = 1 + (size_t)rng_below(&tree->rng, most[rng_below(&tree->rng, 6)]);

	if (rng_one_in(&tree->rng, 60))
		len = (2 << 20) + (size_t)rng_below(&tree->rng, 1 << 20);
	if (rng_one_in(&tree->rng, 2) && len > 512)
		len = len / 512 * 512;
	return left < len ? (size_t)left : len;
}

static void must_work(int r, const char *what, const struct vhd_error *err)
{
	if (r < 0)
		fail_msg("%s: %s", what, err->text);
}

static bool can_write(const struct node *node)
{
	return node->writable && !node->frozen;
}

static void refused(struct tree *tree, int node, int r, const struct vhd_error *err)
{
	bool frozen = tree->nodes[node].writable;

	assert_int_equal(r, frozen ? VHD_E_FROZEN : VHD_E_READONLY);
	assert_non_null(strstr(err->text, frozen ? "parent" : "opened for reading"));
}

static void op_write(struct tree *tree, int node)
{
	uint64_t off = some_offset(tree, node);
	size_t len = some_length(tree, node, off);
	struct vhd_error err;
	int r;

	rng_fill(&tree->rng, buffer, len < 5000 ? len : 5000);
	if (len > 5000)
		memset(buffer + 5000, (int)rng_next(&tree->rng) & 0xFF, len - 5000);
	r = vhd_write(tree->nodes[node].disk, buffer, len, off, NULL, &err);
	if (!can_write(&tree->nodes[node])) {
		refused(tree, node, r, &err);
		return;
	}
	must_work(r, "write", &err);
	model_write(tree->nodes[node].model, buffer, len, off);
}

static void op_writev(struct tree *tree, int node)
{
	uint64_t off = some_offset(tree, node);
	size_t len = some_length(tree, node, off), at = 0;
	struct iovec iov[8];
	struct vhd_state before, state;
	struct vhd_accepted got;
	struct vhd_error err;

	rng_fill(&tree->rng, buffer, len < 5000 ? len : 5000);
	for (int i = 0; i < 8; i++) {
		size_t part = i == 7 ? len - at : (size_t)rng_below(&tree->rng, len - at + 1);

		iov[i] = (struct iovec){buffer + at, part};
		at += part;
	}
	if (!can_write(&tree->nodes[node]))
		return;
	vhd_state(tree->nodes[node].disk, &before);
	must_work(vhd_writev(tree->nodes[node].disk, iov, 8, off, &got, &err), "writev", &err);
	model_write(tree->nodes[node].model, buffer, len, off);
	vhd_state(tree->nodes[node].disk, &state);
	assert_true(got.epoch > state.epoch_durable && got.epoch <= state.epoch_open);
	assert_int_equal(got.change, before.changes + got.changes);
	assert_int_equal(state.changes, got.change);
}

static void op_zero(struct tree *tree, int node)
{
	uint64_t off = some_offset(tree, node);
	size_t len = some_length(tree, node, off);
	struct vhd_error err;
	int r = vhd_zero(tree->nodes[node].disk, off, len, NULL, &err);

	if (!can_write(&tree->nodes[node])) {
		refused(tree, node, r, &err);
		return;
	}
	must_work(r, "zero", &err);
	model_zero(tree->nodes[node].model, off, len);
}

static void op_flush(struct tree *tree, int node)
{
	struct vhd_state state;
	struct vhd_error err;

	must_work(vhd_flush(tree->nodes[node].disk, 0, &err), "flush", &err);
	vhd_state(tree->nodes[node].disk, &state);
	assert_true(state.epoch_durable >= state.epoch_written);
	assert_int_equal(state.dirty_blocks, 0);
}

static void op_snapshot(struct tree *tree, int node)
{
	if (tree_free_node(tree) < 0)
		return;
	if (tree->nodes[node].size <= 64 << 20 && rng_one_in(&tree->rng, 3))
		tree_build_child(tree, node);
	else
		tree_create_child(tree, node);
}

static void op_delete(struct tree *tree, int node)
{
	int leaf = tree_some_node(tree, false), parent = tree->nodes[leaf].parent;

	(void)node;
	if (parent >= 0 && rng_one_in(&tree->rng, 2))
		tree_delete(tree, leaf);
}

static void op_freeze(struct tree *tree, int node)
{
	struct node *at = &tree->nodes[node];
	struct vhd_error err;
	int r;

	if (!at->writable)
		return;
	if (!at->frozen) {
		must_work(vhd_freeze(at->disk, &err), "freeze", &err);
		at->frozen = true;
		return;
	}
	r = vhd_thaw(at->disk, &err);
	if (at->children > 0) {
		assert_int_equal(r, VHD_E_BUSY);
		return;
	}
	must_work(r, "thaw", &err);
	at->frozen = false;
}

/* Everything is closed, and opened again from any image on: its parents come through the resolver
 * then. */
static void op_reopen(struct tree *tree, int node)
{
	struct vhd_error err;

	for (int i = 0; i < TREE_NODES; i++) {
		if (tree->nodes[i].file)
			must_work(vhd_flush(tree->nodes[i].disk, 0, &err), "flush", &err);
	}
	for (int i = 0; i < TREE_NODES; i++) {
		vhd_close(tree->nodes[i].disk);
		tree->nodes[i].disk = NULL;
	}
	for (int i = 0; i < TREE_NODES; i++) {
		int at = (node + i) % TREE_NODES;

		if (tree->nodes[at].file)
			tree_open(tree, at, tree->nodes[at].children > 0 ? 0 : VHD_WRITE);
	}
}

static void check(struct tree *tree, int node)
{
	uint64_t off = some_offset(tree, node), sector = off / 512;
	uint64_t sectors = tree->nodes[node].size / 512, count = 1 + rng_below(&tree->rng, 100);

	tree_check_read(tree, node, off, some_length(tree, node, off));
	tree_check_sector(tree, node, sector);
	tree_check_where(tree, node, sector, count < sectors - sector ? count : sectors - sector);
}

static void step(struct tree *tree)
{
	static const struct {
		unsigned weight;
		void (*run)(struct tree *tree, int node);
	} ops[] = {
		{40, op_write},    {12, op_writev}, {12, op_zero},  {10, op_flush},
		{10, op_snapshot}, {6, op_delete},  {5, op_freeze}, {5, op_reopen},
	};
	uint64_t dice = rng_below(&tree->rng, 100);
	size_t i = 0;

	while (dice >= ops[i].weight)
		dice -= ops[i++].weight;
	ops[i].run(tree, tree_some_node(tree, rng_one_in(&tree->rng, 4)));
	tree->ops++;
	check(tree, tree_some_node(tree, true));
}

static void agrees_with_the_model(void **state)
{
	uint64_t seed = rng_seed("test_model");
	unsigned long ops = 0, checks = 0;

	(void)state;
	for (size_t i = 0; i < sequences; i++) {
		struct tree tree;

		sequence_seed = seed + i;
		tree_init(&tree, sequence_seed);
		if (rng_one_in(&tree.rng, 3))
			tree_build_root(&tree);
		else
			tree_create_root(&tree);
		for (int op = 0; op < OPS; op++)
			step(&tree);
		ops += tree.ops;
		checks += tree.checks;
		tree_fini(&tree);
	}
	printf("%zu sequences, %lu operations, %lu checks\n", sequences, ops, checks);
}

static int tell_last(void **state)
{
	(void)state;
	printf("the last sequence: VHDD_SEED=%llu VHDD_MODEL_SEQUENCES=1\n",
	       (unsigned long long)sequence_seed);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(agrees_with_the_model, tell_last),
	};

	sequences = (size_t)rng_env("VHDD_MODEL_SEQUENCES", sequences);
	if (argc > 1)
		sequences = strtoull(argv[1], NULL, 10);
	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
