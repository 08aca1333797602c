/* labels.c - keys and values of labels. */
#include "labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool labels_ok(const char *key, const json_t *value)
{
	static const char chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
	size_t len = strlen(key);

	return len > 0 && len < SERVICE_LABEL_KEY && strspn(key, chars) == len &&
	       json_is_string(value) && json_string_length(value) < SERVICE_LABEL_VALUE;
}

struct service_label *labels_parse(struct fields *fields, size_t *ret_n)
{
	json_t *object = fields_get(fields, "labels");
	struct service_label *labels;
	const char *key;
	json_t *value;

	if (!object)
		return NULL;
	if (json_typeof(object) != JSON_OBJECT || json_object_size(object) > SERVICE_LABELS_MAX) {
		fields_error(fields, "labels", CODE_INVALID_VALUE,
			     "must be an object of at most %d strings", SERVICE_LABELS_MAX);
		return NULL;
	}
	labels = calloc(json_object_size(object) + 1, sizeof *labels);
	if (!labels) {
		problem_set(fields->problem, CODE_INTERNAL, "no memory");
		return NULL;
	}
	json_object_foreach (object, key, value) {
		struct service_label *label = &labels[(*ret_n)++];

		if (!labels_ok(key, value)) {
			fields_error(
				fields, "labels", CODE_INVALID_VALUE,
				"'%.70s' is not a key of up to 63 bytes with a string of up to 255",
				key);
			continue;
		}
		(void)snprintf(label->key, sizeof label->key, "%s", key);
		(void)snprintf(label->value, sizeof label->value, "%s", json_string_value(value));
	}
	return labels;
}
