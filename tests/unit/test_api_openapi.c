/* test_api_openapi.c - the document and the route table say the same, both ways. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api_client.h"
#include "routes.h"
#include "test.h"

static json_t *document(void)
{
	struct service *service = fake_new();
	struct exchange exchange = {"GET", "/v1/openapi.json"};
	json_t *json;

	exchange_send(service, &exchange);
	assert_int_equal(exchange.response->status, 200);
	json = json_incref(exchange.json);
	exchange_fini(&exchange);
	fake_free(service);
	return json;
}

static json_t *operation(json_t *json, const struct route *route)
{
	char method[16];

	(void)snprintf(method, sizeof method, "%s", http_method_name(route->method));
	for (char *c = method; *c != '\0'; c++)
		*c = (char)(*c | 0x20);
	return json_object_get(json_object_get(json_object_get(json, "paths"), route->path),
			       method);
}

static void documents_every_route(void **state)
{
	json_t *json = document();
	size_t n;
	const struct route *routes = routes_all(&n);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(json, "openapi")), "3.1.0");
	for (size_t i = 0; i < n; i++) {
		if (!operation(json, &routes[i]))
			fail_msg("%s %s", http_method_name(routes[i].method), routes[i].path);
	}
	json_decref(json);
}

static const char *pattern_of(json_t *json, const char *schema, const char *member)
{
	json_t *schemas = json_object_get(json_object_get(json, "components"), "schemas");
	json_t *at = json_object_get(schemas, schema);

	return json_string_value(
		json_object_get(member ? json_object_get(at, member) : at, "pattern"));
}

static void tells_what_texts_must_be_like(void **state)
{
	json_t *json = document();
	const char *text =
		json_string_value(json_object_get(json_object_get(json, "info"), "description"));

	(void)state;
	assert_string_equal(pattern_of(json, "Labels", "propertyNames"), "^[A-Za-z0-9._/-]{1,63}$");
	assert_string_equal(pattern_of(json, "Time", NULL), "Z$");
	assert_non_null(strstr(text, "`X-Request-Id` of up to 64 letters"));
	json_decref(json);
}

static bool routed(const char *path, const char *method)
{
	size_t n;
	const struct route *routes = routes_all(&n);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(routes[i].path, path) == 0 &&
		    strcasecmp(http_method_name(routes[i].method), method) == 0)
			return true;
	}
	return false;
}

static void routes_every_documented_operation(void **state)
{
	json_t *json = document();
	const char *path;
	const char *method;
	json_t *item;
	json_t *value;

	(void)state;
	json_object_foreach (json_object_get(json, "paths"), path, item) {
		json_object_foreach (item, method, value) {
			if (strcmp(method, "parameters") != 0 && !routed(path, method))
				fail_msg("%s %s", method, path);
		}
	}
	json_decref(json);
}

static size_t count_parameters(const struct route *route, json_t *op)
{
	size_t i;
	json_t *parameter;
	size_t n = 0;

	json_array_foreach (json_object_get(op, "parameters"), i, parameter) {
		const char *name = json_string_value(json_object_get(parameter, "name"));

		if (json_object_get(parameter, "$ref")) /* those are headers */
			continue;
		if (strcmp(json_string_value(json_object_get(parameter, "in")), "query") != 0)
			continue;
		if (!routes_listed(route->parameters, name))
			fail_msg("%s: %s", route->path, name);
		n++;
	}
	return n;
}

static size_t count_words(const char *list)
{
	size_t n = 0;

	for (; list && *list != '\0'; n++) {
		list += strcspn(list, " ");
		list += strspn(list, " ");
	}
	return n;
}

static void documents_every_parameter(void **state)
{
	json_t *json = document();
	size_t n;
	const struct route *routes = routes_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(count_parameters(&routes[i], operation(json, &routes[i])),
				 count_words(routes[i].parameters));
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_every_route),
		cmocka_unit_test(tells_what_texts_must_be_like),
		cmocka_unit_test(routes_every_documented_operation),
		cmocka_unit_test(documents_every_parameter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
