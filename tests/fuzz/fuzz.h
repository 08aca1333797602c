/* fuzz.h - what the targets share. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "memio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a target has not taken yet; behind the end all is 0. */
struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t take(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

/* Puts right checksums into what looks like footers and a header, so that the fuzzer gets past
 * them. */
void fuzz_mend(uint8_t *image, size_t size);

/* Uses an image in every way there is; what the engine accepts must keep its promises. */
void fuzz_use(struct memio *file);

/* Ends the process when `ok` is false: libFuzzer keeps the input. */
void fuzz_require(int ok, const char *what);

/* Counts an input that got past the first refusal, and tells at the end of the process how many
 * did: who is always refused tests nothing. */
void fuzz_accepted(void);

#endif
