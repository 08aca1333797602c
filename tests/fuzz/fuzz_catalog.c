/* fuzz_catalog.c - the bytes of a catalog, under which the daemon starts: refused or right. */
#include "catalog_use.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 256 << 10)
		return 0;
	catalog_use_write(data, size);
	catalog_use(false);
	return 0;
}
