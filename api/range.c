/* range.c - Range, Content-Range and ETags as clients really send them. */
#include "range.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "number.h"
#include "service.h"

enum { MERGE_GAP = 4096 };

static const char digits[] = "0123456789";
static const char unit[] = "bytes";

/* Digits at *text, which moves behind them; a number too large for 64 bits is the largest one. */
static bool take_number(const char **text, uint64_t *ret_value)
{
	size_t len = strspn(*text, digits);

	if (len == 0)
		return false;
	if (!number_u64(*text, len, ret_value))
		*ret_value = UINT64_MAX;
	*text += len;
	return true;
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* One "F-L", "F-" or "-N". An unsatisfiable one has length 0. False: malformed. */
static bool take_range(const char **text, uint64_t size, struct range *ret_range)
{
	struct range range = {0};
	uint64_t last = UINT64_MAX;

	if (**text == '-') {
		++*text;
		if (!take_number(text, &range.length))
			return false;
		range.length = range.length < size ? range.length : size;
		range.first = size - range.length;
		*ret_range = range;
		return true;
	}
	if (!take_number(text, &range.first) || **text != '-')
		return false;
	++*text;
	if (**text != '\0' && strchr(digits, **text) && !take_number(text, &last))
		return false;
	if (last < range.first)
		return false;
	if (range.first < size)
		range.length = (last < size ? last + 1 : size) - range.first;
	*ret_range = range;
	return true;
}

static int by_first(const void *a, const void *b)
{
	const struct range *left = a;
	const struct range *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

static void merge(struct range_set *set)
{
	size_t n = 0;

	qsort(set->items, set->n, sizeof *set->items, by_first);
	for (size_t i = 1; i < set->n; i++) {
		struct range *into = &set->items[n];
		const struct range *next = &set->items[i];
		uint64_t end = next->first + next->length;

		if (next->first > into->first + into->length &&
		    next->first - (into->first + into->length) >= MERGE_GAP)
			set->items[++n] = *next;
		else if (end > into->first + into->length)
			into->length = end - into->first;
	}
	set->n = n + 1;
}

static bool malformed(struct problem *problem, const char *header)
{
	problem_set(problem, CODE_INVALID_RANGE_HEADER, "Range '%s' cannot be read", header);
	return false;
}

static bool beyond(struct problem *problem, uint64_t size)
{
	problem_set(problem, CODE_RANGE_NOT_SATISFIABLE, "the disk ends at byte %" PRIu64, size);
	(void)snprintf(problem->content_range, sizeof problem->content_range, "bytes */%" PRIu64,
		       size);
	return false;
}

static bool too_many(uint64_t max, struct problem *problem)
{
	problem_set(problem, CODE_TOO_MANY_RANGES, "more than %" PRIu64 " ranges", max);
	return false;
}

bool range_parse(const char *header, uint64_t size, uint64_t max, struct range_set *ret_set,
		 struct problem *problem)
{
	struct range_set set = {.n = 0};
	const char *at;
	size_t seen = 0;

	ret_set->n = 0;
	if (!header || strncasecmp(header, unit, strlen(unit)) != 0)
		return true;
	at = skip_blanks(header + strlen(unit));
	if (*at != '=') /* a unit that only begins like ours, or ours and no ranges */
		return at == header + strlen(unit) && *at != '\0' ? true
								  : malformed(problem, header);
	do {
		struct range range;

		at = skip_blanks(at + 1);
		if (*at == ',' || *at == '\0') /* an empty element of the list */
			continue;
		if (!take_range(&at, size, &range))
			return malformed(problem, header);
		if (++seen > max || seen > RANGE_MAX)
			return too_many(max, problem);
		if (range.length > 0)
			set.items[set.n++] = range;
		at = skip_blanks(at);
	} while (*at == ',');
	if (*at != '\0' || seen == 0)
		return malformed(problem, header);
	if (set.n == 0)
		return beyond(problem, size);
	merge(&set);
	*ret_set = set;
	return true;
}

/* After "bytes ": exact numbers here, as an offset must not be bent. */
static bool take_exact(const char **text, uint64_t *ret_value)
{
	size_t len = strspn(*text, digits);

	if (!number_u64(*text, len, ret_value))
		return false;
	*text += len;
	return true;
}

static bool parse_content(const char *at, struct content_range *range)
{
	if (strncasecmp(at, unit, strlen(unit)) != 0 || at[strlen(unit)] != ' ')
		return false;
	at = skip_blanks(at + strlen(unit));
	if (!take_exact(&at, &range->first) || *at++ != '-')
		return false;
	range->has_last = *at != '/';
	if (range->has_last && !take_exact(&at, &range->last))
		return false;
	if (*at++ != '/')
		return false;
	range->has_total = strcmp(at, "*") != 0;
	if (!range->has_total)
		return true;
	return take_exact(&at, &range->total) && *at == '\0';
}

bool range_content(const char *header, struct content_range *ret_range, struct problem *problem)
{
	struct content_range range = {0};

	if (!parse_content(header, &range) || (range.has_last && range.last < range.first)) {
		problem_set(problem, CODE_CONTENT_RANGE_MISMATCH,
			    "Content-Range '%s' is not 'bytes FIRST-LAST/SIZE'", header);
		return false;
	}
	*ret_range = range;
	return true;
}

bool range_content_spans(const struct content_range *range, uint64_t length,
			 struct problem *problem)
{
	if (!range->has_last || length == SERVICE_UNKNOWN_LENGTH ||
	    range->last - range->first == length - 1)
		return true;
	problem_set(problem, CODE_CONTENT_RANGE_MISMATCH,
		    "Content-Range says bytes %" PRIu64 " to %" PRIu64 ", the body has %" PRIu64,
		    range->first, range->last, length);
	return false;
}

bool range_content_fits(const struct content_range *range, uint64_t length, uint64_t size,
			struct problem *problem)
{
	bool known = length != SERVICE_UNKNOWN_LENGTH;
	uint64_t span = range->last - range->first;

	if (!range_content_spans(range, length, problem))
		return false;
	if (!range->has_total || range->total == size || (known && range->total == length) ||
	    (range->has_last && (range->total - 1 == range->last || range->total - 1 == span)) ||
	    (known && range->total - range->first == length))
		return true;
	problem_set(problem, CODE_CONTENT_RANGE_MISMATCH,
		    "the complete length %" PRIu64
		    " of Content-Range is neither that of the disk (%" PRIu64
		    ") nor of the body nor of the file",
		    range->total, size);
	return false;
}

bool range_etag_match(const char *list, const char *etag, bool strong)
{
	size_t len = strlen(etag);

	if (strcmp(skip_blanks(list), "*") == 0)
		return true;
	while (*list != '\0') {
		bool weak;
		bool quoted;

		list += strspn(list, " \t,");
		weak = strncmp(list, "W/", 2) == 0;
		list += weak ? 2 : 0;
		quoted = *list == '"';
		if (len > 0 && !(weak && strong) && strncmp(list + quoted, etag, len) == 0 &&
		    strchr(quoted ? "\"" : ", \t", list[quoted + len]) != NULL)
			return true;
		list += strcspn(list, ",");
	}
	return false;
}
