/* fuzz_chain.c - three files of a chain, spoiled by what the input says, then opened, asked,
 * written, flushed, given children, and opened again: what was written is what is read.
 *
 * For each file, root first, a byte of the blocks that it has and one of the bits that these have
 * set; a byte of how many patches there are; each patch a byte of the file, two of the place, one
 * of the length and so many bytes; then operations of four bytes. */
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "fuzz.h"
#include "image_builder.h"

enum { FILES = 3, DISK = 8 * 4096 - 512, PATCHES_MAX = 32, OPERATIONS_MAX = 64 };

/* ---- the files ---- */

static struct memio *build(unsigned level, uint8_t blocks, uint8_t bits)
{
	struct builder_args args = {
		.type = 3, .size = DISK, .block_size = 4096, .id = (uint8_t)(level + 1)};
	struct memio *file = memio_new(NULL);
	struct builder builder;

	if (level > 0) {
		args.type = 4;
		args.parent_id = (uint8_t)level;
		args.parent_name = "parent.vhd";
	}
	builder_init(&builder, &args);
	for (uint32_t i = 0; i < 8; i++)
		if (blocks & 1U << i)
			(void)builder_add_block(&builder, i, bits, (uint8_t)(level * 80 + i * 8));
	builder_store(&builder, file);
	builder_fini(&builder);
	return file;
}

static void patch(struct input *input, struct memio *const files[FILES])
{
	struct memio *file = files[take(input) % FILES];
	uint64_t off = (uint64_t)take(input) << 8 | take(input);
	size_t len = take(input);

	if (len > input->left)
		len = input->left;
	memio_poke(file, input->at, len, off);
	input->at += len;
	input->left -= len;
}

static void mend(struct memio *file)
{
	size_t size = (size_t)memio_size(file);
	uint8_t *bytes = malloc(size);

	if (!bytes)
		abort();
	memio_peek(file, bytes, size, 0);
	fuzz_mend(bytes, size);
	memio_poke(file, bytes, size, 0);
	free(bytes);
}

static void make_files(struct input *input, struct memio *files[FILES])
{
	unsigned patches;

	for (unsigned i = 0; i < FILES; i++) {
		uint8_t blocks = take(input);

		files[i] = build(i, blocks, take(input));
	}
	patches = take(input) % PATCHES_MAX;
	for (unsigned i = 0; i < patches && input->left > 0; i++)
		patch(input, files);
	for (unsigned i = 0; i < FILES; i++)
		mend(files[i]);
}

/* ---- what is done ---- */

static void operate(struct input *input, struct chain *chain)
{
	uint8_t what = take(input);
	uint64_t off = (uint64_t)take(input) << 8 | take(input);
	size_t len = 1 + (size_t)take(input) * 33;

	switch (what % 8) {
	case 0:
	case 1: chain_write(chain, off, len, what); return;
	case 2: chain_zero(chain, off, len); return;
	case 3: chain_flush(chain); return;
	case 4: chain_ask(chain, off, len); return;
	case 5: chain_snapshot(chain); return;
	case 6: chain_set_footer(chain, off & 1, off & 2); return;
	default: chain_reopen(chain, off & 1); return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct memio *files[FILES];
	struct chain *chain;

	if (size < 8 || size > 4096)
		return 0;
	make_files(&input, files);
	chain = chain_new(files, FILES);
	if (chain_open(chain)) {
		fuzz_accepted();
		for (int i = 0; i < OPERATIONS_MAX && input.left > 0; i++)
			operate(&input, chain);
		chain_reopen(chain, false);
	}
	chain_free(chain);
	return 0;
}
