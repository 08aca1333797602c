/* fields.c - typed looks at the members of a JSON object. */
#include "fields.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

enum { POINTER = 80 };

json_t *fields_get(struct fields *fields, const char *name)
{
	assert(fields->n_seen < FIELDS_MAX);
	fields->seen[fields->n_seen++] = name;
	return json_object_get(fields->object, name);
}

/* RFC 6901; cut where there is no more room. */
static void point(const struct fields *fields, const char *name, char ret_pointer[POINTER])
{
	size_t len = (size_t)snprintf(ret_pointer, POINTER, "%s/", fields->path);

	for (; *name != '\0' && len + 2 < POINTER; name++) {
		bool escaped = *name == '~' || *name == '/';

		if (escaped)
			ret_pointer[len++] = '~';
		ret_pointer[len++] = (char)(escaped ? '0' + (*name == '/') : *name);
	}
	ret_pointer[len] = '\0';
}

void fields_error(struct fields *fields, const char *name, enum code code, const char *format, ...)
{
	char pointer[POINTER];
	char detail[200];
	va_list args;

	point(fields, name, pointer);
	va_start(args, format);
	(void)vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	problem_field(fields->problem, pointer, code, "%s", detail);
}

void fields_text(struct fields *fields, const char *name, size_t max, const char **value)
{
	json_t *member = fields_get(fields, name);

	if (!member)
		return;
	if (!json_is_string(member))
		fields_error(fields, name, CODE_INVALID_VALUE, "must be a string");
	else if (json_string_length(member) >= max)
		fields_error(fields, name, CODE_INVALID_VALUE, "longer than %zu bytes", max - 1);
	else
		*value = json_string_value(member);
}

void fields_bool(struct fields *fields, const char *name, bool *value)
{
	json_t *member = fields_get(fields, name);

	if (!member)
		return;
	if (json_is_boolean(member))
		*value = json_is_true(member);
	else if (!json_is_string(member) || !number_bool(json_string_value(member), value))
		fields_error(fields, name, CODE_INVALID_VALUE, "must be true or false");
}

bool fields_size(struct fields *fields, const char *name, uint64_t *value)
{
	json_t *member = fields_get(fields, name);

	if (!member)
		return false;
	if (json_is_integer(member) && json_integer_value(member) >= 0) {
		*value = (uint64_t)json_integer_value(member);
		return true;
	}
	if (json_is_string(member) && number_size(json_string_value(member), value))
		return true;
	fields_error(
		fields, name, CODE_INVALID_VALUE,
		"must be an integer below 2^64, without point or exponent, or text like \"10G\"");
	return false;
}

void fields_choice(struct fields *fields, const char *name, const char *const *words, size_t n,
		   unsigned *value)
{
	const char *text = NULL;
	char list[120] = "";

	fields_text(fields, name, SIZE_MAX, &text);
	if (!text)
		return;
	for (unsigned i = 0; i < n; i++) {
		size_t len = strlen(list);

		if (strcmp(text, words[i]) == 0) {
			*value = i;
			return;
		}
		(void)snprintf(list + len, sizeof list - len, "%s%s", i > 0 ? ", " : "", words[i]);
	}
	fields_error(fields, name, CODE_INVALID_VALUE, "must be one of: %s", list);
}

bool fields_later_choice(struct fields *fields, const char *name, const char *word)
{
	const char *text = json_string_value(json_object_get(fields->object, name));

	if (!text || strcmp(text, word) != 0)
		return false;
	(void)fields_get(fields, name);
	fields_error(fields, name, CODE_NOT_SUPPORTED, "\"%s\" is not supported yet", word);
	return true;
}

void fields_later(struct fields *fields, const char *name)
{
	if (!json_object_get(fields->object, name))
		return;
	(void)fields_get(fields, name);
	fields_error(fields, name, CODE_NOT_SUPPORTED, "is not supported yet");
}

static bool seen(const struct fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->n_seen; i++) {
		if (strcmp(fields->seen[i], name) == 0)
			return true;
	}
	return false;
}

/* Once, for the first object of the request that has too much. */
static void tell_known(struct fields *fields)
{
	if (fields->problem->known[0])
		return;
	for (size_t i = 0; i < fields->n_seen; i++)
		problem_known(fields->problem, fields->seen[i], strlen(fields->seen[i]));
	if (fields->n_seen == 0)
		problem_known(fields->problem, "no fields", 9);
}

void fields_finish(struct fields *fields)
{
	const char *name;
	json_t *member;

	json_object_foreach (fields->object, name, member) {
		(void)member;
		if (seen(fields, name))
			continue;
		fields_error(fields, name, CODE_UNKNOWN_FIELD, "is not known here");
		tell_known(fields);
	}
}
