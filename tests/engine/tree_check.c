/* tree_check.c - reads, locations, extents, traces and presence against the model. */
#include <stdio.h>
#include <string.h>

#include "must.h"
#include "test.h"
#include "tree.h"

enum { RUNS = 64 };

void tree_check_read(struct tree *tree, int node, uint64_t off, size_t len)
{
	const struct node *at = &tree->nodes[node];
	uint8_t *got = must_alloc(len), *want = must_alloc(len);
	struct vhd_error err;

	memset(got, 0xA5, len);
	if (vhd_read(at->disk, got, len, off, 0, &err) < 0)
		fail_msg("read %zu bytes at %llu: %s", len, (unsigned long long)off, err.text);
	model_read(at->model, want, len, off);
	for (size_t i = 0; i < len; i++) {
		if (got[i] != want[i])
			fail_msg("image %u, byte %llu of a read of %zu at %llu is %02x, not %02x",
				 at->id, (unsigned long long)(off + i), len,
				 (unsigned long long)off, got[i], want[i]);
	}
	must_free(got);
	must_free(want);
	tree->checks++;
}

/* The file of the level that a lookup from `node` names. */
static const struct node *level_node(const struct tree *tree, int node, unsigned level)
{
	while (level-- > 0) {
		node = tree->nodes[node].parent;
		assert_true(node >= 0);
	}
	return &tree->nodes[node];
}

static bool owner_fits(const struct node *at, uint64_t sector, enum vhd_where where, unsigned level)
{
	int maybe, owner = model_owner(at->model, sector, &maybe);

	if (where == VHD_DATA)
		return (int)level == owner || (int)level == maybe;
	return where == VHD_ZERO && owner < 0;
}

static void check_physical(struct tree *tree, int node, unsigned level, uint64_t sector,
			   uint64_t physical)
{
	uint8_t got[512], want[512];

	memio_peek(level_node(tree, node, level)->file, got, sizeof got, physical * 512);
	model_read(tree->nodes[node].model, want, sizeof want, sector * 512);
	if (memcmp(got, want, sizeof got) != 0)
		fail_msg(
			"image %u sector %llu: level %u has other bytes at sector %llu of its file",
			tree->nodes[node].id, (unsigned long long)sector, level,
			(unsigned long long)physical);
}

static void check_run(struct tree *tree, int node, const struct vhd_run *run)
{
	for (uint64_t i = 0; i < run->count; i++) {
		if (!owner_fits(&tree->nodes[node], run->sector + i, run->where, run->level))
			fail_msg("image %u sector %llu is not what a location says (%d, level %u)",
				 tree->nodes[node].id, (unsigned long long)(run->sector + i),
				 (int)run->where, run->level);
		if (run->where == VHD_DATA)
			check_physical(tree, node, run->level, run->sector + i,
				       run->physical_sector + i);
	}
}

static bool should_merge(const struct vhd_run *a, const struct vhd_run *b)
{
	if (a->where != b->where)
		return false;
	return a->where != VHD_DATA ||
	       (a->level == b->level && a->physical_sector + a->count == b->physical_sector);
}

static void check_locations(struct tree *tree, int node, uint64_t sector, uint64_t count)
{
	struct vhd_run runs[RUNS];
	struct vhd_run_list list = {runs, 1 + (size_t)rng_below(&tree->rng, RUNS), 0};
	uint64_t at = sector;
	struct vhd_error err;

	if (vhd_get_sector_locations(tree->nodes[node].disk, sector, count, 0, &list, &err) < 0)
		fail_msg("locations: %s", err.text);
	assert_true(list.n >= 1 && list.n <= list.max);
	for (size_t i = 0; i < list.n; i++) {
		assert_int_equal(runs[i].sector, at);
		assert_true(runs[i].count > 0);
		check_run(tree, node, &runs[i]);
		if (i > 0 && should_merge(&runs[i - 1], &runs[i]))
			fail_msg("runs at sector %llu should be one", (unsigned long long)at);
		at += runs[i].count;
	}
	assert_true(at == sector + count || (at < sector + count && list.n == list.max));
}

static void check_extents(struct tree *tree, int node, uint64_t sector, uint64_t count)
{
	struct vhd_extent extents[RUNS];
	struct vhd_extent_list list = {extents, RUNS, 0};
	uint64_t at = sector * 512;
	struct vhd_error err;

	if (vhd_extents(tree->nodes[node].disk, at, count * 512, 0, &list, &err) < 0)
		fail_msg("extents: %s", err.text);
	assert_true(list.n >= 1);
	for (size_t i = 0; i < list.n; i++) {
		assert_int_equal(extents[i].start, at);
		assert_true(extents[i].length > 0 && extents[i].length % 512 == 0);
		for (uint64_t s = at / 512; s < (at + extents[i].length) / 512; s++) {
			if (!owner_fits(&tree->nodes[node], s, extents[i].where, extents[i].level))
				fail_msg("image %u sector %llu is not what its extent says",
					 tree->nodes[node].id, (unsigned long long)s);
		}
		assert_true(i == 0 || extents[i].where != extents[i - 1].where ||
			    extents[i].level != extents[i - 1].level);
		at += extents[i].length;
	}
	assert_true(at == (sector + count) * 512 || list.n == RUNS);
}

/* What the parents have is unknown to the image alone; what nobody has is zero all the same. */
static bool alone_fits(const struct node *of, uint64_t sector, enum vhd_where where)
{
	int maybe, owner = model_owner(of->model, sector, &maybe);

	if (maybe >= 0)
		return true;
	if (owner < 0)
		return where == VHD_ZERO;
	return where == (owner == 0 ? VHD_DATA : VHD_UNKNOWN);
}

static void check_extents_alone(struct tree *tree, int node, uint64_t sector, uint64_t count)
{
	const struct node *of = &tree->nodes[node];
	struct vhd_extent extents[RUNS];
	struct vhd_extent_list list = {extents, RUNS, 0};
	struct vhd_error err;

	if (vhd_extents(of->disk, sector * 512, count * 512, VHD_NO_PARENT, &list, &err) < 0)
		fail_msg("extents of one image: %s", err.text);
	for (size_t i = 0; i < list.n; i++) {
		uint64_t end = (extents[i].start + extents[i].length) / 512;

		for (uint64_t s = extents[i].start / 512; s < end; s++) {
			if (!alone_fits(of, s, extents[i].where))
				fail_msg("image %u sector %llu alone is not %d", of->id,
					 (unsigned long long)s, (int)extents[i].where);
		}
	}
}

void tree_check_where(struct tree *tree, int node, uint64_t sector, uint64_t count)
{
	check_locations(tree, node, sector, count);
	check_extents(tree, node, sector, count);
	check_extents_alone(tree, node, sector, count);
	tree->checks++;
}

static void check_trace(struct tree *tree, int node, uint64_t sector)
{
	struct vhd_step steps[TREE_NODES];
	struct vhd_error err;
	int maybe, owner = model_owner(tree->nodes[node].model, sector, &maybe);
	struct vhd_step_list list = {.steps = steps, .max = TREE_NODES};
	int n;

	if (vhd_trace(tree->nodes[node].disk, sector, 0, &list, &err) < 0)
		fail_msg("trace: %s", err.text);
	n = (int)list.n;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		const struct node *level = level_node(tree, node, (unsigned)i);
		bool found = steps[i].kind == VHD_STEP_SET || steps[i].kind == VHD_STEP_FLAT;

		assert_int_equal(found && i != n - 1, false);
		assert_int_equal(steps[i].kind == VHD_STEP_FLAT,
				 level->block == 0 && sector < level->size / 512);
		assert_int_equal(steps[i].kind == VHD_STEP_BEYOND, sector >= level->size / 512);
		if (found) {
			assert_true(i == owner || i == maybe);
			check_physical(tree, node, (unsigned)i, sector, steps[i].physical_sector);
		}
		if (i == n - 1 && !found)
			assert_int_equal(owner, -1);
	}
}

void tree_check_sector(struct tree *tree, int node, uint64_t sector)
{
	const struct node *at = &tree->nodes[node];
	uint8_t got[512], want[512];
	int maybe, owner = model_owner(at->model, sector, &maybe), r;
	struct vhd_error err;
	struct vhd_run run;

	memset(got, 0x5A, sizeof got);
	r = vhd_read_sector(at->disk, sector, got, &err);
	if (r < 0)
		fail_msg("read sector %llu: %s", (unsigned long long)sector, err.text);
	assert_true(owner >= 0 ? r == 1 : r == 0 || maybe >= 0);
	model_read(at->model, want, sizeof want, sector * 512);
	assert_memory_equal(got, want, sizeof got);
	if (vhd_get_sector_location(at->disk, sector, 0, &run, &err) < 0)
		fail_msg("location: %s", err.text);
	assert_true(run.sector == sector && run.count >= 1);
	run.count = 1;
	check_run(tree, node, &run);
	check_trace(tree, node, sector);
	tree->checks++;
}
