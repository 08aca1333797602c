/* values.c - looks up again what was refused, so that no handler has to repeat it: which member of
 * the body it is, and its value. */
#include "values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scope.h"

enum { NAME = 80 };

/* The first name of a pointer, which moves behind it (RFC 6901). False: it is longer than any. */
static bool next_name(const char **pointer, char name[NAME])
{
	size_t len = 0;
	const char *at = *pointer + 1;

	for (; *at != '\0' && *at != '/'; at++) {
		if (len + 1 == NAME)
			return false;
		if (at[0] == '~' && (at[1] == '0' || at[1] == '1'))
			name[len++] = *++at == '0' ? '~' : '/';
		else
			name[len++] = *at;
	}
	name[len] = '\0';
	*pointer = at;
	return true;
}

/* The member that a pointer like "/ops/3/base64" names; NULL: it is not there. */
static const json_t *member(const json_t *body, const char *pointer)
{
	char name[NAME];

	while (body && *pointer == '/') {
		if (!next_name(&pointer, name))
			return NULL;
		body = json_is_array(body) ? json_array_get(body, strtoul(name, NULL, 10))
					   : json_object_get(body, name);
	}
	return body;
}

static void fill(struct problem_item *item, const char *text)
{
	(void)snprintf(item->value, sizeof item->value, "%s", text);
}

static void fill_member(struct problem_item *item, const json_t *value)
{
	CLEANUP(freep) char *text = NULL;

	if (json_is_string(value)) {
		fill(item, json_string_value(value));
		return;
	}
	text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
	if (text)
		fill(item, text);
}

/* What is at fault when only the daemon can tell; the first of a code that is in the body. */
static const struct {
	enum code code;
	const char *pointer;
} faults[] = {
	{CODE_NAME_EXISTS, "/name"},           {CODE_DUPLICATE_UUID, "/uuid"},
	{CODE_DUPLICATE_UUID, "/source/path"}, {CODE_SOURCE_NOT_FOUND, "/source/path"},
	{CODE_PARENT_MISSING, "/parent"},      {CODE_CHAIN_TOO_DEEP, "/parent"},
	{CODE_SIZE_MISMATCH, "/size"},         {CODE_SIZE_NOT_REPRESENTABLE, "/size"},
	{CODE_POOL_NOT_FOUND, "/pool"},        {CODE_INVALID_VALUE, "/source/kind"},
};

/* Of what the daemon says of a value, "POINTER: detail", the latter. What else may not be valid has
 * no place. */
static const char *detail_of(const struct problem *problem, const char *pointer)
{
	size_t len = strlen(pointer);

	if (strncmp(problem->detail, pointer, len) == 0 && problem->detail[len] == ':')
		return problem->detail + len + 2;
	return problem->code == CODE_INVALID_VALUE ? NULL : problem->detail;
}

static void point(struct problem *problem, const json_t *body)
{
	for (size_t i = 0; i < sizeof faults / sizeof *faults && problem->n_items == 0; i++) {
		const char *detail = detail_of(problem, faults[i].pointer);

		if (faults[i].code == problem->code && detail && member(body, faults[i].pointer))
			problem_field(problem, faults[i].pointer, problem->code, "%s", detail);
	}
}

void values_fill(struct problem *problem, const struct query *query, const json_t *body)
{
	point(problem, body);
	for (size_t i = 0; i < problem->n_items; i++) {
		struct problem_item *item = &problem->items[i];
		const char *text = item->parameter ? query_get(query, item->where) : NULL;

		if (text)
			fill(item, text);
		else if (!item->parameter && item->where[0] == '/')
			fill_member(item, member(body, item->where));
	}
}
