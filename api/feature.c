/* feature.c - the one feature that there is. */
#include "feature.h"

#include <string.h>

static void check(struct fields *fields, const json_t *name)
{
	if (!json_is_string(name) || strcmp(json_string_value(name), "temporary") != 0)
		fields_error(fields, "features", CODE_INVALID_VALUE, "there is only \"temporary\"");
}

bool feature_parse(struct fields *fields, bool *temporary)
{
	json_t *list = fields_get(fields, "features");
	size_t n = json_is_string(list) ? json_string_length(list) > 0 : json_array_size(list);

	if (!list)
		return false;
	*temporary = n > 0;
	if (!json_is_string(list) && !json_is_array(list))
		fields_error(fields, "features", CODE_INVALID_VALUE, "must be an array of strings");
	for (size_t i = 0; i < n; i++)
		check(fields, json_is_array(list) ? json_array_get(list, i) : list);
	return true;
}
