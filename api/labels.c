/* labels.c - keys and values of labels. */
#include "labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool labels_key(const char *key, size_t len)
{
	static const char chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";

	return len > 0 && len < SERVICE_LABEL_KEY && strspn(key, chars) >= len;
}

static bool label_ok(const char *key, const json_t *value)
{
	return labels_key(key, strlen(key)) && json_is_string(value) &&
	       json_string_length(value) < SERVICE_LABEL_VALUE;
}

bool labels_check(struct fields *fields, json_t *object, bool removals)
{
	struct fields labels = {.problem = fields->problem, .path = "/labels"};
	const char *key;
	json_t *value;

	if (!json_is_object(object) || json_object_size(object) > SERVICE_LABELS_MAX)
		fields_error(fields, "labels", CODE_INVALID_VALUE,
			     "must be an object of at most %d strings; in a form, labels.KEY=VALUE",
			     SERVICE_LABELS_MAX);
	json_object_foreach (object, key, value) {
		if (!label_ok(key, value) && !(removals && json_is_null(value)))
			fields_error(&labels, key, CODE_INVALID_VALUE,
				     "must be up to 63 of A-Z a-z 0-9 . _ - / with a string of up "
				     "to 255 bytes");
	}
	return fields->problem->code == CODE_NONE;
}

struct service_label *labels_parse(struct fields *fields, size_t *ret_n)
{
	json_t *object = fields_get(fields, "labels");
	struct service_label *labels;
	const char *key;
	json_t *value;

	if (!object || !labels_check(fields, object, false))
		return NULL;
	labels = calloc(json_object_size(object) + 1, sizeof *labels);
	if (!labels) {
		problem_set(fields->problem, CODE_INTERNAL, "no memory");
		return NULL;
	}
	json_object_foreach (object, key, value) {
		struct service_label *label = &labels[(*ret_n)++];

		(void)snprintf(label->key, sizeof label->key, "%s", key);
		(void)snprintf(label->value, sizeof label->value, "%s", json_string_value(value));
	}
	return labels;
}
