/* fuzz_locators.c - 1 byte for the platform code, then the payload of a locator. */
#include <string.h>

#include "fuzz.h"
#include "locator.h"

/* What is written for a path means that path. */
static void write_and_read(const char *parent, bool absolute)
{
	struct locator_data data[2];
	struct vhd_locator locator = {0};
	char paths[2][VHD_LOCATOR_TEXT], normal[VHD_LOCATOR_TEXT];

	if (locator_make("/a/b/child.vhd", parent, absolute, data, NULL) < 0)
		return;
	for (int i = 0; i < 2; i++) {
		fuzz_require(data[i].len <= LOCATOR_DATA_MAX, "a payload has room");
		locator.code = data[i].code;
		locator_decode(data[i].code, data[i].data, data[i].len, locator.text);
		fuzz_require(locator.text[0] != '\0', "what was written is read");
	}
	if (!absolute || !locator_normalise(parent, normal))
		return;
	for (int n = locator_paths(&locator, paths); n > 0; n--)
		if (strcmp(paths[n - 1], normal) == 0)
			return;
	fuzz_require(0, "a URL leads to the path that it was made of");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t codes[] = {LOCATOR_W2RU, LOCATOR_W2KU, LOCATOR_MACX, LOCATOR_WI2R,
					 LOCATOR_WI2K, LOCATOR_MAC,  0x12345678};
	char paths[2][VHD_LOCATOR_TEXT];
	struct vhd_locator locator = {0};
	int n;

	if (size < 1 || size > LOCATOR_DATA_MAX)
		return 0;
	locator.code = codes[data[0] % 7];
	locator_decode(locator.code, data + 1, size - 1, locator.text);
	fuzz_require(memchr(locator.text, 0, sizeof locator.text) != NULL, "the text ends");
	n = locator_paths(&locator, paths);
	fuzz_require(n >= 0 && n <= 2, "no, one or two paths");
	for (int i = 0; i < n; i++) {
		fuzz_require(memchr(paths[i], 0, sizeof paths[i]) != NULL, "the path ends");
		write_and_read(paths[i], false);
		write_and_read(paths[i], true);
	}
	return 0;
}
