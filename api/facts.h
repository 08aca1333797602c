/* facts.h - what images can be sorted and compared by. */
#ifndef FACTS_H
#define FACTS_H

#include <stddef.h>
#include <stdint.h>

#include "service.h"

/* A text or a number, whichever is set. Texts are made of characters of names. */
struct fact {
	const char *name; /* as in the answer: "usage.file" */
	const char *(*text)(const struct service_image *image);
	uint64_t (*number)(const struct service_image *image);
};

const struct fact *facts_find(const char *wanted, size_t len); /* NULL: there is none */

#endif
