/* out.c - an answer in JSON, member by member. */
#include "out.h"

#include "number.h"

struct out out_object(void)
{
	struct out out = {.json = json_object()};

	out.failed = !out.json;
	return out;
}

struct out out_array(void)
{
	struct out out = {.json = json_array()};

	out.failed = !out.json;
	return out;
}

/* jansson takes over the value even when it fails, and fails when there is none. */
void out_json(struct out *out, const char *name, json_t *json)
{
	if (json_object_set_new(out->json, name, json) != 0)
		out->failed = true;
}

void out_text(struct out *out, const char *name, const char *text)
{
	out_json(out, name, json_string(text));
}

void out_text_or_null(struct out *out, const char *name, const char *text)
{
	out_json(out, name, *text ? json_string(text) : json_null());
}

void out_number(struct out *out, const char *name, uint64_t number)
{
	out_json(out, name, json_integer((json_int_t)number));
}

void out_time(struct out *out, const char *name, int64_t unix_ms)
{
	char text[NUMBER_TIME];

	number_time(unix_ms, text);
	out_text(out, name, text);
}

void out_bool(struct out *out, const char *name, bool value)
{
	out_json(out, name, json_boolean(value));
}

void out_add(struct out *out, json_t *json)
{
	if (json_array_append_new(out->json, json) != 0)
		out->failed = true;
}

void out_add_text(struct out *out, const char *text)
{
	out_add(out, json_string(text));
}

json_t *out_take(struct out *out)
{
	json_t *json = out->json;

	if (out->failed) {
		json_decref(json);
		json = NULL;
	}
	*out = (struct out){.failed = true};
	return json;
}
