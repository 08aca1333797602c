/* fuzz_footer.c - 512 bytes of footer: what decodes must encode to something that decodes to the
 * same. */
#include <string.h>

#include "footer.h"
#include "fuzz.h"
#include "image_builder.h"

static void look_at_geometry(uint64_t size)
{
	uint16_t cylinders;
	uint8_t heads, sectors;

	footer_geometry(size, &cylinders, &heads, &sectors);
	fuzz_require(heads > 0 && heads <= 16 && sectors > 0, "a geometry is one");
	fuzz_require((uint64_t)cylinders * heads * sectors <= size / 512, "and lies on the disk");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t raw[512] = {0}, again[512];
	struct footer one, two;

	memcpy(raw, data, size < sizeof raw ? size : sizeof raw);
	builder_put32(raw + F_CHECKSUM, builder_checksum(raw, sizeof raw, F_CHECKSUM));
	if (footer_decode(raw, &one, NULL) < 0)
		return 0;
	look_at_geometry(one.current_size);
	footer_encode(&one, again);
	fuzz_require(footer_decode(again, &two, NULL) == 0, "an encoded footer decodes");
	fuzz_require(one.current_size == two.current_size && one.type == two.type &&
			     memcmp(one.id, two.id, sizeof one.id) == 0,
		     "and is the same");
	return 0;
}
