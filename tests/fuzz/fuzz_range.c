/* fuzz_range.c - size of the disk and length of a body (8 bytes each), then a header: as Range, as
 * Content-Range, and as a list of ETags. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "fuzz_api.h"
#include "range.h"

enum { GAP = 4096 };

static void try_range(const char *header, uint64_t size)
{
	struct problem problem = {0};
	struct range_set set;
	uint64_t end = 0;

	if (!range_parse(header, size, RANGE_MAX, &set, &problem)) {
		fuzz_require_problem(&problem);
		fuzz_require((problem.code == CODE_RANGE_NOT_SATISFIABLE) ==
				     (problem.content_range[0] != '\0'),
			     "416 says where the disk ends");
		return;
	}
	fuzz_require(set.n <= RANGE_MAX, "there are not too many ranges");
	for (size_t i = 0; i < set.n; i++) {
		const struct range *range = &set.items[i];

		fuzz_require(range->length > 0 && range->first < size &&
				     range->length <= size - range->first,
			     "a range lies inside the disk");
		fuzz_require(i == 0 || (range->first >= end && range->first - end >= GAP),
			     "ranges are sorted and apart");
		end = range->first + range->length;
	}
}

static void try_content(const char *header, uint64_t length, uint64_t size)
{
	struct problem problem = {0};
	struct content_range range;

	if (!range_content(header, &range, &problem)) {
		fuzz_require_problem(&problem);
		return;
	}
	fuzz_require(!range.has_last || range.first <= range.last, "it ends after it begins");
	if (!range_content_fits(&range, length, size, &problem)) {
		fuzz_require_problem(&problem);
		return;
	}
	fuzz_require(!range.has_last || range.last - range.first == length - 1,
		     "a body is as long as it says");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t disk, length;
	char *header;

	if (size < 16 || size > 8192)
		return 0;
	memcpy(&disk, data, 8);
	memcpy(&length, data + 8, 8);
	disk = disk % (UINT64_C(2040) << 30) / 512 * 512 + 512;
	length = length % disk + 1;
	header = fuzz_text(data + 16, size - 16);
	try_range(header, disk);
	try_content(header, length, disk);
	fuzz_require(strcmp(header, "*") != 0 || range_etag_match(header, "m1", true),
		     "a star names all");
	fuzz_require(!range_etag_match(header, "m1", true) || range_etag_match(header, "m1", false),
		     "what is the same is alike");
	free(header);
	return 0;
}
