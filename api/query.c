/* query.c - splits first, decodes each piece once. */
#include "query.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

const char query_bare[] = "";

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

/* In place. False: a bad escape, or a control character. */
static bool decode(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		unsigned char c = (unsigned char)(*in == '+' ? ' ' : *in);

		if (*in == '%') {
			int high = hex(in[1]);
			int low = high >= 0 ? hex(in[2]) : -1;

			if (low < 0)
				return false;
			c = (unsigned char)(high * 16 + low);
			in += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return false;
		*out++ = (char)c;
	}
	*out = '\0';
	return true;
}

/* Answers false. */
__attribute__((format(printf, 4, 5))) static bool
wrong(const struct query *query, const char *name, struct problem *problem, const char *format, ...)
{
	char detail[120], pointer[120];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	(void)snprintf(pointer, sizeof pointer, "/%s", name);
	if (query->form)
		problem_field(problem, pointer, CODE_INVALID_VALUE, "%s", detail);
	else
		problem_parameter(problem, name, CODE_INVALID_VALUE, "%s", detail);
	return false;
}

/* One "name=value", which it takes apart. */
static bool add_pair(struct query *query, char *pair, struct problem *problem)
{
	char *value = strchr(pair, '=');
	char empty[] = "";

	if (value)
		*value++ = '\0';
	if (!decode(pair) || !decode(value ? value : empty))
		return wrong(query, pair, problem, "has a bad escape or a control character");
	if (!value && query->form)
		return wrong(query, pair, problem, "has no value; write %.60s=VALUE", pair);
	if (*pair == '\0')
		return wrong(query, pair, problem, "'=%.60s' has no name", value);
	/* Labels are told apart by what follows. */
	if (strcmp(pair, "label") != 0 && query_get(query, pair))
		return wrong(query, pair, problem, "comes more than once");
	if (query->n == QUERY_MAX) {
		problem_set(problem, CODE_INVALID_VALUE, "more than %d values", QUERY_MAX);
		return false;
	}
	query->items[query->n++] =
		(struct http_field){.name = pair, .value = value ? value : query_bare};
	return true;
}

bool query_parse(struct query *query, const char *raw, size_t len, struct problem *problem)
{
	char *rest;

	if (!raw || len == 0)
		return true;
	if (memchr(raw, '\0', len)) {
		/* The likeliest body of this kind is a disk that was sent to the image itself. */
		problem->advice =
			"Send fields with curl -d NAME=VALUE, or as JSON. Content of a disk goes "
			"to its data: curl -T FILE .../v1/images/NAME/data";
		problem_set(problem, CODE_INVALID_VALUE,
			    "the body has a NUL character, which neither JSON nor a form has");
		return false;
	}
	query->text = strndup(raw, len);
	if (!query->text) {
		problem_set(problem, CODE_INTERNAL, "no memory");
		return false;
	}
	rest = query->text;
	while (rest) {
		char *pair = strsep(&rest, "&");

		if (*pair != '\0' && !add_pair(query, pair, problem))
			return false;
	}
	return true;
}

void query_fini(struct query *query)
{
	free(query->text);
	query->text = NULL;
	query->n = 0;
}

const char *query_get(const struct query *query, const char *name)
{
	for (size_t i = 0; i < query->n; i++) {
		if (strcmp(query->items[i].name, name) == 0)
			return query->items[i].value;
	}
	return NULL;
}

void query_size(const struct query *query, const char *name, uint64_t *value,
		struct problem *problem)
{
	const char *text = query_get(query, name);

	if (text && !number_size(text, value))
		problem_parameter(problem, name, CODE_INVALID_VALUE,
				  "'%s' is not a number like 4096, 64K, 10G or 1.5GiB", text);
}

void query_bool(const struct query *query, const char *name, bool *value, struct problem *problem)
{
	const char *text = query_get(query, name);

	if (text && !number_bool(text, value))
		problem_parameter(problem, name, CODE_INVALID_VALUE, "'%s' is neither y nor n",
				  text);
}

void query_limit(const struct query *query, const char *name, uint64_t max, uint64_t *value,
		 struct problem *problem)
{
	const char *text = query_get(query, name);
	uint64_t number;

	if (!text)
		return;
	if (number_u64(text, strlen(text), &number) && number > 0 && number <= max)
		*value = number;
	else
		problem_parameter(problem, name, CODE_INVALID_VALUE,
				  "'%s' is not a number from 1 to %" PRIu64, text, max);
}
