/* fuzz_bat.c - 4 bytes for each entry of a table of 32 blocks of 4 KiB; the rest of the image is
 * good. */
#include <string.h>

#include "fuzz.h"
#include "image_builder.h"

enum { ENTRIES = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct builder_args args = {
		.type = 3, .size = ENTRIES * 4096 - 512, .block_size = 4096, .id = 1};
	struct memio *file = memio_new(NULL);
	struct builder builder;

	if (size > 0 && data[0] % 2)
		args.type = 4, args.parent_id = 2;
	builder_init(&builder, &args);
	for (uint32_t i = 0; i < 4; i++)
		(void)builder_add_block(&builder, i * 5, (uint8_t)(0xFF >> i), 1);
	memcpy(builder.table, data, size < ENTRIES * 4 ? size : ENTRIES * 4);
	builder_store(&builder, file);
	fuzz_use(file);
	builder_fini(&builder);
	memio_free(file);
	return 0;
}
