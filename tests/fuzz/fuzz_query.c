/* fuzz_query.c - a query as it stands in a URL; each value is then looked at as everything it may
 * be. */
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "date.h"
#include "fuzz.h"
#include "fuzz_api.h"
#include "number.h"
#include "query.h"

static void look_at_numbers(const char *value)
{
	char uuid[37], again[37], text[NUMBER_TIME];
	uint64_t exact, size;
	uint32_t seconds, same;

	if (number_u64(value, strlen(value), &exact))
		fuzz_require(number_size(value, &size) && size == exact,
			     "a plain number is a size");
	if (number_uuid(value, uuid))
		fuzz_require(number_uuid(uuid, again) && strcmp(uuid, again) == 0,
			     "a UUID is one, and in lower case");
	if (number_vhd_time(value, &seconds)) {
		number_vhd_time_text(seconds, text);
		fuzz_require(number_vhd_time(text, &same) && seconds == same,
			     "a time is read as it is written");
	}
}

/* A date is read as it is written, and so is what base64 says. */
static void look_at_coded(const char *value)
{
	unsigned char data[8192];
	char text[sizeof data * 2], date[DATE_TEXT];
	int64_t seconds, moment;
	size_t len;

	if (date_parse(value, &seconds)) {
		date_text(seconds, date);
		fuzz_require(strcmp(date, value) == 0, "a date has one form");
	}
	if (base64_decode(value, strlen(value), data, &len)) {
		base64_encode(data, len, text);
		fuzz_require(strlen(text) == strlen(value), "what was decoded is as long encoded");
	}
	(void)number_moment(value, INT64_C(1800000000000), &moment);
}

static void look_at(const struct query *query, size_t at)
{
	const struct http_field *item = &query->items[at];
	struct problem problem = {0};
	uint64_t size = 7, limit = 1;
	bool flag;

	for (const char *c = item->value; *c != '\0'; c++)
		fuzz_require((unsigned char)*c >= 0x20 && *c != 0x7f, "no control characters");
	fuzz_require(query_get(query, item->name) != NULL, "what is there is found");
	for (size_t i = 0; i < at; i++)
		fuzz_require(strcmp(query->items[i].name, item->name) != 0 ||
				     strcmp(item->name, "label") == 0,
			     "only labels come twice");
	query_size(query, item->name, &size, &problem);
	query_bool(query, item->name, &flag, &problem);
	query_limit(query, item->name, 1000, &limit, &problem);
	fuzz_require(limit >= 1 && limit <= 1000, "a limit is one");
	look_at_numbers(item->value);
	look_at_coded(item->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problem problem = {0};
	struct query query = {0};

	if (size > 8192)
		return 0;
	if (query_parse(&query, (const char *)data, size, &problem)) {
		fuzz_require(query.n <= QUERY_MAX, "there are not too many pairs");
		fuzz_require(problem.code == CODE_NONE, "a success has no code");
		for (size_t i = 0; i < query.n; i++)
			look_at(&query, i);
	} else {
		fuzz_require_problem(&problem);
	}
	query_fini(&query);
	return 0;
}
