/* filter.h - which images a list shows. */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facts.h"
#include "problem.h"
#include "query.h"
#include "service.h"

/* Parameters of lists that filter; all must hold. In a value, a comma stands for "or". */
#define FILTER_PARAMETERS                                                                 \
	FILTER_WORDS FILTER_BY("depth") FILTER_BY("virtual_size") FILTER_BY("usage.file") \
		FILTER_BY("children_count")
#define FILTER_WORDS    "kind state parent root label name path pool writable frozen q since"
#define FILTER_FLAGS    "writable frozen"
#define FILTER_BY(name) " " name " " name ".gt " name ".ge " name ".lt " name ".le " name ".ne"

enum { FILTER_TERMS = 64, FILTER_NUMBERS = 16 };

struct filter_term;
typedef bool filter_fn(const struct filter_term *term, const struct service_image *image);

struct filter_term {
	filter_fn *holds;
	const char *text; /* borrowed from the query */
	const struct fact *fact;
	char op[3]; /* "eq", "gt", ... */
	bool flag;
	int64_t since_ms;
	uint64_t numbers[FILTER_NUMBERS];
	size_t n;
};

struct filter {
	struct filter_term terms[FILTER_TERMS];
	size_t n;
	uint32_t hash; /* of all terms, in any order */
};

/* Takes the filters out of `query`, which must live as long. `now_ms` since 1970. False: problem
 * set. */
bool filter_parse(const struct query *query, int64_t now_ms, struct filter *ret_filter,
		  struct problem *problem);
bool filter_matches(const struct filter *filter, const struct service_image *image);

/* FNV-1a, for hashes in cursors. */
uint32_t filter_hash(uint32_t hash, const char *text);
enum { FILTER_HASH_START = 0x11c9dc5 };

#endif
