/* fuzz_header.c - disk size and file size (8 bytes each), then 1024 bytes of header. */
#include <string.h>

#include "fuzz.h"
#include "header.h"
#include "image_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t raw[1024] = {0}, sizes[16] = {0}, again[1024];
	struct header header;
	uint64_t disk, file;

	memcpy(sizes, data, size < 16 ? size : 16);
	if (size > 16)
		memcpy(raw, data + 16, size - 16 < sizeof raw ? size - 16 : sizeof raw);
	builder_put32(raw + H_CHECKSUM, builder_checksum(raw, sizeof raw, H_CHECKSUM));
	disk = builder_get64(sizes) % VHD_SIZE_MAX / 512 * 512 + 512;
	file = builder_get64(sizes + 8) >> 8;
	if (header_decode(raw, 512, disk, file, &header, NULL) < 0)
		return 0;
	fuzz_require(header.table_offset + header.max_entries * 4ULL <= file,
		     "the table lies in the file");
	fuzz_require((uint64_t)header.max_entries * header.block_size >= disk,
		     "the table covers the disk");
	fuzz_require(memchr(header.parent_name, 0, sizeof header.parent_name) != NULL,
		     "the name ends");
	header_encode(&header, again);
	fuzz_require(header_decode(again, 512, disk, file, &header, NULL) == 0,
		     "an encoded header decodes");
	return 0;
}
