/* fuzz_image.c - a whole file; its checksums are put right first. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memio *file;
	uint8_t *image;

	if (size == 0 || size > 64 << 10)
		return 0;
	image = malloc(size);
	if (!image)
		return 0;
	memcpy(image, data, size);
	fuzz_mend(image, size);
	file = memio_new(NULL);
	memio_poke(file, image, size, 0);
	fuzz_use(file);
	memio_free(file);
	free(image);
	return 0;
}
