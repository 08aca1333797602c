/* body.c - a small request body as a JSON object. curl -d says "form" whatever it sends, so the
 * first byte decides. */
#include "body.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "query.h"
#include "scope.h"

/* How many bytes of blanks come first, as JSON has them. */
static size_t blanks(const char *data, size_t len)
{
	size_t n = 0;

	while (n < len && body_is_blank(data[n]))
		n++;
	return n;
}

/* Nesting, with no regard to whether the rest is valid: the parser recurses, so this comes first.
 */
static bool too_deep(const char *data, size_t len, unsigned max)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted && data[i] == '\\')
			i++;
		else if (data[i] == '"')
			quoted = !quoted;
		else if (!quoted && (data[i] == '{' || data[i] == '['))
			depth++;
		else if (!quoted && (data[i] == '}' || data[i] == ']') && depth > 0)
			depth--;
		if (depth > max)
			return true;
	}
	return false;
}

/* What another parser takes, and a check with it would not find. */
static const struct {
	enum json_error_code code;
	const char *advice;
} stricter[] = {
	{json_error_numeric_overflow,
	 "Integers in JSON end at 2^63 - 1 here; a larger size may be sent as text: \"NUMBER\"."},
	{json_error_null_character, "Leave \\u0000 out: no text here has a NUL character."},
	{json_error_null_byte_in_key, "Leave \\u0000 out: no key here has a NUL character."},
	{json_error_duplicate_key, "Give each key once."},
	{json_error_invalid_utf8, "Send the body in UTF-8."},
	{json_error_end_of_input_expected, "Send one object, and nothing after it."},
};

static const char *advice_of(const json_error_t *error)
{
	for (size_t i = 0; i < sizeof stricter / sizeof *stricter; i++) {
		if (stricter[i].code == json_error_code(error))
			return stricter[i].advice;
	}
	return NULL;
}

/* `before`: lines before `data`. */
static json_t *parse_json(const char *data, size_t len, unsigned depth, int before,
			  struct problem *problem)
{
	json_error_t error;
	json_t *body;

	if (too_deep(data, len, depth)) {
		problem->advice = "Nest it less. The limit is json_depth of GET /v1.";
		problem_set(problem, CODE_INVALID_JSON, "nested deeper than %u levels", depth);
		return NULL;
	}
	body = json_loadb(data, len, JSON_REJECT_DUPLICATES, &error);
	if (!body) {
		problem->advice = advice_of(&error);
		problem_set(problem, CODE_INVALID_JSON, "line %d, column %d: %s",
			    before + error.line, error.column, error.text);
		return NULL;
	}
	if (!json_is_object(body)) {
		json_decref(body);
		problem->advice = "Send one object: {\"NAME\": VALUE, ...}";
		problem_set(problem, CODE_INVALID_JSON, "the body must be an object: {...}");
		return NULL;
	}
	return body;
}

/* What "labels." of "labels.env" names, an object unless something else came before; made when it
 * is not there. Borrowed from `body`. */
static json_t *inner(json_t *body, const char *name, size_t len)
{
	json_t *object = json_object_getn(body, name, len);

	if (!object && json_object_setn_new(body, name, len, json_object()) == 0)
		object = json_object_getn(body, name, len);
	return object;
}

/* Whatever memory there is. */
static bool is_utf8(const char *text)
{
	json_error_t error;
	CLEANUP(json_putp) json_t *value = json_pack_ex(&error, 0, "s", text);

	return value || json_error_code(&error) != json_error_invalid_utf8;
}

static bool set_pair(json_t *body, const struct http_field *pair, struct problem *problem)
{
	const char *dot = strchr(pair->name, '.');
	json_t *object = dot ? inner(body, pair->name, (size_t)(dot - pair->name)) : body;
	const char *key = dot ? dot + 1 : pair->name;
	bool utf8 = is_utf8(pair->name) && is_utf8(pair->value);
	char pointer[120];

	if (!utf8 || (object && (!json_is_object(object) || json_object_get(object, key)))) {
		(void)snprintf(pointer, sizeof pointer, "/%s", pair->name);
		problem_field(problem, pointer, CODE_INVALID_VALUE, "%s",
			      utf8 ? "is there as a value, and with parts" : "is not UTF-8");
		return false;
	}
	if (object && json_object_set_new(object, key, json_string(pair->value)) == 0)
		return true;
	problem_set(problem, CODE_INTERNAL, "no memory");
	return false;
}

static json_t *parse_form(const char *data, size_t len, struct problem *problem)
{
	CLEANUP(json_putp) json_t *body = json_object();
	CLEANUP(query_fini) struct query form = {.form = true};

	if (!body)
		problem_set(problem, CODE_INTERNAL, "no memory");
	if (!body || !query_parse(&form, data, len, problem))
		return NULL;
	for (size_t i = 0; i < form.n; i++) {
		if (!set_pair(body, &form.items[i], problem))
			return NULL;
	}
	return STEAL(body);
}

/* What has no value anywhere, such as null, "x" or <x/>, and what looks like JSON but for a mark
 * before it. A NUL character has an advice of its own. */
static bool is_neither(const char *data, size_t len, struct problem *problem)
{
	bool marked = len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0;

	if (memchr(data, '\0', len) || (!marked && memchr(data, '=', len)))
		return false;
	problem->advice = "Send fields with curl -d NAME=VALUE, or as JSON: {\"NAME\": VALUE, ...}";
	problem_set(problem, CODE_INVALID_VALUE, "%s is neither a JSON object nor a form",
		    marked ? "the body begins with a byte order mark, and so" : "the body");
	return true;
}

static json_t *parse(const char *data, size_t len, unsigned depth, struct problem *problem)
{
	size_t skip = blanks(data, len);
	json_t *body;

	/* A body without bytes has no place either. */
	if (skip > 0)
		data += skip;
	len -= skip;
	if (len > 0 && (*data == '{' || *data == '['))
		return parse_json(data, len, depth, 0, problem);
	while (len > 0 && body_is_blank(data[len - 1]))
		len--;
	if (len > 0)
		return is_neither(data, len, problem) ? NULL : parse_form(data, len, problem);
	body = json_object();
	if (!body)
		problem_set(problem, CODE_INTERNAL, "no memory");
	return body;
}

/* The library also calls text wrong for which it has no memory; what is wrong is so twice. */
static bool twice(struct problem *problem)
{
	json_t *probe = json_object();

	problem->code = CODE_NONE;
	problem->n_items = 0;
	problem->advice = NULL;
	if (!probe)
		problem_set(problem, CODE_INTERNAL, "no memory");
	json_decref(probe);
	return probe != NULL;
}

json_t *body_parse(const char *data, size_t len, unsigned depth, struct problem *problem)
{
	json_t *body = parse(data, len, depth, problem);

	if (body || problem->code == CODE_INTERNAL)
		return body;
	return twice(problem) ? parse(data, len, depth, problem) : NULL;
}

static bool add_line(json_t *list, const char *data, size_t len, unsigned depth, int before,
		     struct problem *problem)
{
	size_t skip = blanks(data, len);
	json_t *item;

	data += skip;
	len -= skip;
	if (len == 0)
		return true;
	item = parse_json(data, len, depth, before, problem);
	if (!item && problem->code != CODE_INTERNAL && twice(problem))
		item = parse_json(data, len, depth, before, problem);
	if (item && json_array_append_new(list, item) != 0)
		problem_set(problem, CODE_INTERNAL, "no memory");
	return problem->code == CODE_NONE;
}

json_t *body_parse_lines(const char *data, size_t len, unsigned depth, const char *name, size_t max,
			 struct problem *problem)
{
	CLEANUP(json_putp) json_t *list = json_array();
	CLEANUP(json_putp) json_t *body = json_object();
	int line = 0;

	while (list && len > 0 && json_array_size(list) <= max) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) + 1 : len;

		if (!add_line(list, data, n, depth, line++, problem))
			return NULL;
		data += n;
		len -= n;
	}
	if (body && list && json_object_set(body, name, list) == 0)
		return STEAL(body);
	problem_set(problem, CODE_INTERNAL, "no memory");
	return NULL;
}
