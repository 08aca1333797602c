/* test_api_problem.c - errors say what, why and what to do, and give nothing away. */
#include "problem.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "test.h"

static void every_code_of_the_daemon_has_a_row(void **state)
{
	(void)state;
	for (int i = SERVICE_INVALID_VALUE; i <= SERVICE_INTERNAL; i++)
		assert_int_not_equal(codes_of_service((enum service_code)i), CODE_NONE);
	assert_int_equal(codes_of_service(SERVICE_OK), CODE_NONE);
}

static void every_code_explains_itself(void **state)
{
	(void)state;
	for (int i = CODE_NONE + 1; i < CODES; i++) {
		const struct code_info *info = codes_info((enum code)i);

		assert_non_null(info->name);
		assert_int_equal(codes_find(info->name), i);
		assert_in_range(info->status, 400, 599);
		assert_true(strlen(info->title) > 5 && strlen(info->cause) > 10);
		assert_true(strlen(info->correction) > 10);
	}
	assert_int_equal(codes_find("none"), CODE_NONE);
	assert_int_equal(codes_find("nonsense"), CODE_NONE);
}

static json_t *json_of(struct http_response *response)
{
	json_t *json = json_loadb(response->body, response->body_length, 0, NULL);

	assert_non_null(json);
	return json;
}

static void names_the_image_and_its_children(void **state)
{
	struct problem problem = {.code = CODE_NONE};
	struct service_error err = {.code = SERVICE_IMAGE_HAS_CHILDREN,
				    .text = "Image 'base' is the parent of 2 images.",
				    .image = {"id-1", "base"},
				    .related = {"web-1", "web-2"},
				    .n_related = 2,
				    .related_total = 3};
	struct http_response *response;
	char *text;

	(void)state;
	problem_service(&problem, SERVICE_IMAGE_HAS_CHILDREN, &err);
	response = problem_response(&problem, "r-1", false);
	assert_int_equal(response->status, 409);
	assert_string_equal(http_response_get(response, "Content-Type"),
			    "application/problem+json");
	assert_string_equal(http_response_get(response, "X-Error-Code"), "image-has-children");
	text = strndup(response->body, response->body_length);
	assert_string_equal(
		text,
		"{\"type\":\"/problems/image-has-children\",\"title\":\"The image has children\","
		"\"status\":409,\"code\":\"image-has-children\","
		"\"detail\":\"Image 'base' is the parent of 2 images.\","
		"\"cause\":\"Every block that a child has not overwritten is read from this image.\","
		"\"correction\":\"Write to a child, or create one: POST /v1/images/base/snapshots\","
		"\"retryable\":false,\"request_id\":\"r-1\",\"instance\":\"r-1\","
		"\"image\":{\"id\":\"id-1\",\"name\":\"base\"},\"children\":[\"web-1\",\"web-2\"],"
		"\"related_total\":3}\n");
	free(text);
	http_response_free(response);
}

static void hides_what_is_inside_from_500(void **state)
{
	struct problem problem = {.code = CODE_NONE};
	struct service_error err = {.code = SERVICE_IO_ERROR, .text = "/secret/path: errno 5"};
	struct http_response *response;
	json_t *json;

	(void)state;
	problem_service(&problem, SERVICE_IO_ERROR, &err);
	response = problem_response(&problem, "r-2", false);
	json = json_of(response);
	assert_null(strstr(response->body, "secret"));
	assert_string_equal(json_string_value(json_object_get(json, "report")), "r-2");
	json_decref(json);
	http_response_free(response);
}

static void is_two_lines_for_people(void **state)
{
	struct problem problem = {.code = CODE_NONE};
	struct http_response *response;

	(void)state;
	problem_set(&problem, CODE_NAME_EXISTS, "'%s' is taken", "a");
	response = problem_response(&problem, "r-3", true);
	assert_memory_equal(
		response->body,
		"name-exists: 'a' is taken\nChoose another name, or leave it out to get one.\n",
		response->body_length);
	http_response_free(response);
}

static void says_when_to_try_again(void **state)
{
	struct problem problem = {.code = CODE_NONE};
	struct service_error err = {.text = "held", .retry_after_s = 3, .holder = "8f2b6c0e"};
	struct http_response *response;
	json_t *json;

	(void)state;
	problem_service(&problem, SERVICE_IMAGE_BUSY, &err);
	response = problem_response(&problem, "r", false);
	assert_string_equal(http_response_get(response, "Retry-After"), "3");
	json = json_of(response);
	assert_string_equal(json_string_value(json_object_get(json, "holder")), "8f2b6c0e");
	json_decref(json);
	http_response_free(response);
}

static void survives_text_that_is_not_utf8(void **state)
{
	struct problem problem = {.code = CODE_NONE};
	struct http_response *response;
	json_t *json;

	(void)state;
	problem_parameter(&problem, "\xff\n", CODE_UNKNOWN_PARAMETER, "bad \x80 and \x1b");
	response = problem_response(&problem, "r", false);
	json = json_of(response);
	assert_string_equal(json_string_value(json_object_get(json, "detail")), "??: bad ? and ?");
	json_decref(json);
	http_response_free(response);
}

static void cuts_text_at_a_character(void **state)
{
	static const char name[] = "\u00e4\u20ac\U0001f600";
	static const char *const cut[] = {"",
					  "",
					  "\u00e4",
					  "\u00e4",
					  "\u00e4",
					  "\u00e4\u20ac",
					  "\u00e4\u20ac",
					  "\u00e4\u20ac",
					  "\u00e4\u20ac",
					  "\u00e4\u20ac\U0001f600"};

	(void)state;
	for (int n = 0; n < (int)(sizeof cut / sizeof *cut); n++) {
		struct problem problem = {.code = CODE_NONE};
		char want[32];

		problem_set(&problem, CODE_INVALID_NAME, "'%.*s' is cut", n, name);
		(void)snprintf(want, sizeof want, "'%s' is cut", cut[n]);
		assert_string_equal(problem.detail, want);
	}
}

static void promises_errors_only_when_there_are_some(void **state)
{
	static const char few[] = "Correct it as 'detail' says.";
	static const char more[] = "Correct it as 'detail' says; 'errors' has all that is wrong, "
				   "with the value that was sent.";

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct problem problem = {.code = CODE_NONE};
		struct http_response *response;
		json_t *json;

		if (i > 0)
			problem_field(&problem, "/size", CODE_INVALID_VALUE, "is required");
		else
			problem_set(&problem, CODE_INVALID_VALUE, "the body is empty");
		response = problem_response(&problem, "r", false);
		json = json_of(response);
		assert_string_equal(json_string_value(json_object_get(json, "correction")),
				    i > 0 ? more : few);
		assert_int_equal(json_object_get(json, "errors") != NULL, i > 0);
		json_decref(json);
		http_response_free(response);
	}
}

static void keeps_the_first_of_many(void **state)
{
	struct problem problem = {.code = CODE_NONE};

	(void)state;
	problem_set(&problem, CODE_INVALID_VALUE, "first");
	problem_set(&problem, CODE_INTERNAL, "second");
	assert_int_equal(problem.code, CODE_INVALID_VALUE);
	assert_string_equal(problem.detail, "first");
	for (int i = 0; i < 100; i++)
		problem_field(&problem, "/x", CODE_INVALID_VALUE, "%d", i);
	assert_int_equal(problem.n_items, PROBLEM_ITEMS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_of_the_daemon_has_a_row),
		cmocka_unit_test(every_code_explains_itself),
		cmocka_unit_test(names_the_image_and_its_children),
		cmocka_unit_test(hides_what_is_inside_from_500),
		cmocka_unit_test(is_two_lines_for_people),
		cmocka_unit_test(says_when_to_try_again),
		cmocka_unit_test(survives_text_that_is_not_utf8),
		cmocka_unit_test(cuts_text_at_a_character),
		cmocka_unit_test(promises_errors_only_when_there_are_some),
		cmocka_unit_test(keeps_the_first_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
