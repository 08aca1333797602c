/* test_api_images.c - images are created, listed, looked at and removed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_client.h"
#include "test.h"

static void creates_a_dynamic_image(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"POST", "/v1/images",
				    .body = "{\"name\":\"d\",\"size\":\"10G\"}"};

	(void)exchange_json(service, &exchange, 201);
	assert_string_equal(exchange_header(&exchange, "Location"),
			    "/v1/images/00000000-0000-4000-8000-000000000003");
	assert_string_equal(exchange_header(&exchange, "ETag"), "\"m17-863ad68a1cf62979\"");
	assert_string_equal(exchange_text(&exchange, "kind"), "dynamic");
	assert_int_equal(exchange_number(&exchange, "virtual_size"), INT64_C(10) << 30);
	assert_int_equal(exchange_number(&exchange, "sectors"), INT64_C(10) << 21);
	assert_int_equal(json_array_size(json_object_get(exchange.json, "froze")), 0);
	assert_int_equal(service->spec.kind, SERVICE_DYNAMIC);
	assert_int_equal(service->spec.block_size, 0);
	assert_null(service->spec.uuid);
	assert_false(service->spec.absolute_path);
	exchange_fini(&exchange);
}

static void creates_from_a_form(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {
		"POST", "/v1/images",
		.body = "name=fx&kind=fixed&size=4G&preallocation=falloc&labels.env=prod&features=temporary&"
			"saved_state=yes"};

	(void)exchange_json(service, &exchange, 201);
	assert_int_equal(service->spec.kind, SERVICE_FIXED);
	assert_int_equal(service->spec.preallocation, SERVICE_FALLOC);
	assert_int_equal(service->spec.n_labels, 1);
	assert_true(service->spec.temporary && service->spec.saved_state);
	exchange_fini(&exchange);
}

static void creates_a_child_with_everything(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {
		"POST", "/v1/images",
		.body = "{\"name\":\"web-2\",\"parent\":\"web-1\",\"size\":131072,"
			"\"uuid\":\"89A62601-C82A-447A-A7FD-F7F379195E80\",\"saved_state\":true,"
			"\"features\":[\"temporary\"],\"relative_path\":false,\"block_size\":\"512K\","
			"\"timestamp\":\"2000-01-01T00:01:00Z\",\"creator_application\":\"tap\","
			"\"pool\":\"fast\",\"labels\":{\"tenant\":\"a\",\"role\":\"web\"},"
			"\"description\":\"before upgrade\"}"};
	const struct service_create *spec = &service->spec;

	(void)exchange_json(service, &exchange, 201);
	assert_string_equal(exchange_text(&exchange, "froze.0"), "web-1");
	assert_string_equal(
		exchange_text(&exchange, "warnings.0"),
		"The image is larger than its parent: libvhdi and Windows refuse such images.");
	assert_string_equal(exchange_text(&exchange, "root.name"), "base");
	assert_int_equal(exchange_number(&exchange, "depth"), 2);
	assert_int_equal(spec->kind, SERVICE_DIFFERENCING);
	assert_string_equal(spec->parent, "web-1");
	assert_string_equal(spec->uuid, "89a62601-c82a-447a-a7fd-f7f379195e80");
	assert_true(spec->saved_state && spec->temporary && spec->absolute_path &&
		    spec->has_timestamp);
	assert_int_equal(spec->block_size, 512 << 10);
	assert_int_equal(spec->vhd_timestamp, 60);
	assert_string_equal(spec->creator_application, "tap ");
	assert_string_equal(spec->pool, "fast");
	assert_string_equal(spec->description, "before upgrade");
	assert_int_equal(spec->n_labels, 2);
	exchange_fini(&exchange);
}

static void takes_a_snapshot(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"POST", "/v1/images/web-1/snapshots"};

	(void)exchange_json(service, &exchange, 201);
	assert_string_equal(service->spec.parent, "web-1");
	assert_int_equal(service->spec.size, 0);
	assert_null(service->spec.name);
	assert_string_equal(exchange_text(&exchange, "parent.name"), "web-1");
	exchange_fini(&exchange);

	exchange.body = "{\"kind\":\"dynamic\"}";
	exchange_problem(service, &exchange, 400, "unknown-field", "/kind: is not known here");
	exchange.body = NULL;
	exchange.body_length = 0;
	exchange.target = "/v1/images/nobody/snapshots";
	exchange_problem(service, &exchange, 404, "image-not-found", "there is no such parent");
}

static const struct {
	const char *body;
	unsigned status;
	const char *code, *detail;
} bad_fields[] = {
	{"{}", 400, "invalid-value", "/size: is required, unless there is a parent or a source"},
	{"{\"size\":null}", 400, "invalid-value",
	 "/size: must be an integer below 2^64, without point or exponent, or text like \"10G\""},
	{"{\"size\":1.5}", 400, "invalid-value",
	 "/size: must be an integer below 2^64, without point or exponent, or text like \"10G\""},
	{"{\"size\":1e6}", 400, "invalid-value",
	 "/size: must be an integer below 2^64, without point or exponent, or text like \"10G\""},
	{"{\"size\":1024.0}", 400, "invalid-value",
	 "/size: must be an integer below 2^64, without point or exponent, or text like \"10G\""},
	{"{\"size\":-512}", 400, "invalid-value",
	 "/size: must be an integer below 2^64, without point or exponent, or text like \"10G\""},
	{"{\"size\":0}", 400, "invalid-value", "/size: a disk has at least 512 bytes"},
	{"{\"size\":1000}", 400, "invalid-value",
	 "/size: 1000 is not a multiple of 512 bytes; the next one is 1024"},
	{"{\"size\":\"2041G\"}", 422, "size-too-large",
	 "/size: 2191507062784 is more than 2040 GiB (2190433320960)"},
	{"{\"size\":\"2190433320961\"}", 422, "size-too-large",
	 "/size: 2190433320961 is more than 2040 GiB (2190433320960)"},
	{"{\"size\":512,\"colour\":1}", 400, "unknown-field", "/colour: is not known here"},
	{"{\"size\":512,\"name\":\"-x\"}", 400, "invalid-name", "/name: '-x' is not a name"},
	{"{\"size\":512,\"name\":\"89a62601-c82a-447a-a7fd-f7f379195e80\"}", 400, "invalid-name",
	 "/name: '89a62601-c82a-447a-a7fd-f7f379195e80' is not a name"},
	{"{\"size\":512,\"kind\":\"raw\"}", 501, "not-supported",
	 "/kind: \"raw\" is not supported yet"},
	{"{\"size\":512,\"kind\":\"qcow2\"}", 400, "invalid-value",
	 "/kind: must be one of: dynamic, fixed, differencing"},
	{"{\"size\":512,\"kind\":\"differencing\"}", 400, "invalid-value",
	 "/parent: is required for a differencing image"},
	{"{\"kind\":\"fixed\",\"parent\":\"base\"}", 400, "invalid-value",
	 "/kind: an image with a parent is differencing"},
	{"{\"parent\":\"../etc\"}", 400, "invalid-value",
	 "/parent: '../etc' is neither a name nor an id"},
	{"{\"size\":512,\"uuid\":\"1\"}", 400, "invalid-value", "/uuid: '1' is not a UUID"},
	{"{\"size\":512,\"uuid\":\"00000000-0000-0000-0000-000000000000\"}", 400, "invalid-value",
	 "/uuid: the nil UUID names no image; leave it out to get one"},
	{"{\"size\":512,\"features\":[\"fast\"]}", 400, "invalid-value",
	 "/features: there is only \"temporary\""},
	{"{\"size\":512,\"features\":{}}", 400, "invalid-value",
	 "/features: must be an array of strings"},
	{"{\"size\":512,\"block_size\":4096}", 400, "invalid-value",
	 "/block_size: must be 512 KiB or 2 MiB"},
	{"{\"size\":512,\"kind\":\"fixed\",\"block_size\":\"2M\"}", 400, "invalid-value",
	 "/block_size: a fixed image has no blocks"},
	{"{\"size\":512,\"relative_path\":true}", 400, "invalid-value",
	 "/relative_path: is for differencing images"},
	{"{\"size\":512,\"preallocation\":\"falloc\"}", 400, "invalid-value",
	 "/preallocation: is for fixed images"},
	{"{\"size\":512,\"kind\":\"fixed\",\"preallocation\":\"full\"}", 501, "not-supported",
	 "/preallocation: \"full\" is not supported yet"},
	{"{\"size\":512,\"kind\":\"fixed\",\"preallocation\":\"some\"}", 400, "invalid-value",
	 "/preallocation: must be one of: sparse, falloc"},
	{"{\"size\":512,\"timestamp\":\"now\"}", 400, "invalid-value",
	 "/timestamp: 'now' is not a time of the years 2000 to 2136 like "
	 "2026-11-22T06:00:00Z"},
	{"{\"size\":512,\"timestamp\":\"1999-12-31T23:59:59Z\"}", 400, "invalid-value",
	 "/timestamp: '1999-12-31T23:59:59Z' is not a time of the years 2000 to 2136 like "
	 "2026-11-22T06:00:00Z"},
	{"{\"size\":512,\"creator_application\":\"toolong\"}", 400, "invalid-value",
	 "/creator_application: longer than 4 bytes"},
	{"{\"size\":512,\"pool\":\"../x\"}", 400, "invalid-name", "/pool: '../x' is not a name"},
	{"{\"size\":512,\"labels\":[]}", 400, "invalid-value",
	 "/labels: must be an object of at most 64 strings; in a form, labels.KEY=VALUE"},
	{"{\"size\":512,\"labels\":{\"a b\":\"x\"}}", 400, "invalid-value",
	 "/labels/a b: must be up to 63 of A-Z a-z 0-9 . _ - / with a string of up to 255 bytes"},
	{"{\"size\":512,\"labels\":{\"a\":1}}", 400, "invalid-value",
	 "/labels/a: must be up to 63 of A-Z a-z 0-9 . _ - / with a string of up to 255 bytes"},
	{"{\"source\":{\"image\":\"x\"}}", 501, "not-supported",
	 "/source/image: is not supported yet"},
	{"size=512&name=base", 409, "name-exists", "there is an image of that name"},
	{"parent=nobody", 409, "parent-missing", "there is no such parent"},
};

static void refuses_bad_fields(void **state)
{
	for (size_t i = 0; i < sizeof bad_fields / sizeof *bad_fields; i++) {
		struct exchange exchange = {"POST", "/v1/images", .body = bad_fields[i].body};

		exchange_problem(*state, &exchange, bad_fields[i].status, bad_fields[i].code,
				 bad_fields[i].detail);
	}
	assert_int_equal(((struct service *)*state)->n, 2);
}

static void names_every_bad_field_in_one_answer(void **state)
{
	struct exchange exchange = {"POST", "/v1/images",
				    .body = "{\"size\":1000,\"name\":\"-\",\"colour\":1}"};

	(void)exchange_json(*state, &exchange, 400);
	assert_int_equal(json_array_size(json_object_get(exchange.json, "errors")), 3);
	assert_string_equal(exchange_text(&exchange, "errors.0.pointer"), "/name");
	assert_string_equal(exchange_text(&exchange, "errors.1.pointer"), "/size");
	assert_string_equal(exchange_text(&exchange, "errors.2.code"), "unknown-field");
	exchange_fini(&exchange);
}

/* What only the daemon knows to be wrong is pointed at, too, where the body has it. */
static void points_at_what_the_daemon_refuses(void **state)
{
	static const struct {
		enum service_code fail;
		const char *method, *target, *body;
		const char *errors; /* "" = there are none */
	} rows[] = {
#define IMAGES   "POST", "/v1/images"
#define SNAPSHOT "POST", "/v1/images/base/snapshots"
#define ERROR(pointer, code, value)                      \
	"[{\"pointer\":\"" pointer "\",\"code\":\"" code \
	"\",\"detail\":\"as it says\",\"value\":\"" value "\"}]"
		{SERVICE_SIZE_MISMATCH, IMAGES, "parent=base&size=1K",
		 ERROR("/size", "size-mismatch", "1K")},
		{SERVICE_SIZE_MISMATCH, SNAPSHOT, "{\"size\":\"1K\"}",
		 ERROR("/size", "size-mismatch", "1K")},
		{SERVICE_SIZE_NOT_REPRESENTABLE, IMAGES, "size=2039G&block_size=512K",
		 ERROR("/size", "size-not-representable", "2039G")},
		{SERVICE_POOL_NOT_FOUND, IMAGES, "size=1K&pool=slow",
		 ERROR("/pool", "pool-not-found", "slow")},
		{SERVICE_IMAGE_NOT_FOUND, IMAGES, "parent=nobody",
		 ERROR("/parent", "parent-missing", "nobody")},
		{SERVICE_CHAIN_TOO_DEEP, IMAGES, "parent=base",
		 ERROR("/parent", "chain-too-deep", "base")},
		{SERVICE_CHAIN_TOO_DEEP, SNAPSHOT, "name=kid", ""},
		{SERVICE_NAME_EXISTS, IMAGES, "size=1K&name=base",
		 ERROR("/name", "name-exists", "base")},
		{SERVICE_NAME_EXISTS, "PATCH", "/v1/images/base", "name=web-1",
		 ERROR("/name", "name-exists", "web-1")},
		{SERVICE_DUPLICATE_UUID, IMAGES,
		 "size=1K&uuid=89a62601-c82a-447a-a7fd-f7f379195e80",
		 ERROR("/uuid", "duplicate-uuid", "89a62601-c82a-447a-a7fd-f7f379195e80")},
		{SERVICE_DUPLICATE_UUID, IMAGES, "source.path=/srv/x.vhd",
		 ERROR("/source/path", "duplicate-uuid", "/srv/x.vhd")},
		{SERVICE_SOURCE_NOT_FOUND, IMAGES, "source.path=/srv/y.vhd",
		 ERROR("/source/path", "source-not-found", "/srv/y.vhd")},
		{SERVICE_PARENT_MISSING, IMAGES, "source.path=/srv/x.vhd", ""},
		{SERVICE_NO_SPACE, IMAGES, "size=1K", ""},
#undef ERROR
#undef SNAPSHOT
#undef IMAGES
	};
	struct service *service = *state;

	service->fail_text = "as it says";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {rows[i].method, rows[i].target, .body = rows[i].body};
		char *errors;

		service->fail = rows[i].fail;
		exchange_send(service, &exchange);
		assert_string_equal(exchange_text(&exchange, "detail"), "as it says");
		errors = json_dumps(json_object_get(exchange.json, "errors"), JSON_COMPACT);
		assert_string_equal(errors ? errors : "", rows[i].errors);
		free(errors);
		exchange_fini(&exchange);
	}
}

/* A code may have several reasons; what is advised is possible where it happened. */
static void advises_what_the_request_can_do(void **state)
{
	enum { UNNAMED = 2 }; /* the first ones: clients cannot see the image */
	static const struct {
		enum service_code fail;
		const char *method, *target, *body, *correction;
	} rows[] = {
		{SERVICE_DUPLICATE_UUID, "POST", "/v1/images", "size=1K",
		 "Leave 'uuid' out to get a random one."},
		{SERVICE_DUPLICATE_UUID, "POST", "/v1/images", "source.path=/srv/x.vhd",
		 "Adopt it when that image is gone, as 'detail' says."},
		{SERVICE_DUPLICATE_UUID, "POST", "/v1/images", "size=1K",
		 "See whether it is the image that you want: GET /v1/images/web-1. If not, leave 'uuid' "
		 "out to get a random one."},
		{SERVICE_DUPLICATE_UUID, "POST", "/v1/images", "source.path=/srv/x.vhd",
		 "See whether it is that image already: GET /v1/images/web-1. A copy of it cannot be "
		 "adopted beside it."},
		{SERVICE_NAME_EXISTS, "POST", "/v1/images", "size=1K&name=web-1",
		 "Choose another name, or leave it out to get one."},
		{SERVICE_NAME_EXISTS, "PATCH", "/v1/images/base", "name=web-1",
		 "Choose another name, or first rename the image that has this one: PATCH "
		 "/v1/images/web-1"},
		{SERVICE_IMAGE_NOT_FOUND, "POST", "/v1/images", "parent=nobody",
		 "Name a parent that is there: GET /v1/images"},
		{SERVICE_PARENT_MISSING, "POST", "/v1/images", "parent=web-1",
		 "See which one: GET /v1/images/web-1/chain. Put its file back, or adopt it."},
		{SERVICE_PARENT_MISSING, "POST", "/v1/images", "source.path=/srv/x.vhd",
		 "Adopt the parent first, or name its folder in source.search_path; with source.chain "
		 "false and without strict the file is adopted alone."},
		{SERVICE_POOL_NOT_FOUND, "POST", "/v1/images", "size=1K&pool=slow",
		 "List what there is: GET /v1/pools. Without 'pool' it is the default one."},
		{SERVICE_OK, "GET", "/v1/pools/slow", NULL, "List what there is: GET /v1/pools"},
	};
	struct service *service = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {rows[i].method, rows[i].target, .body = rows[i].body};

		service->fail = rows[i].fail;
		service->fail_image = i < UNNAMED ? NULL : "web-1";
		exchange_send(service, &exchange);
		assert_string_equal(exchange_text(&exchange, "correction"), rows[i].correction);
		exchange_fini(&exchange);
	}
}

static void points_at_fields_of_any_name(void **state)
{
	struct exchange exchange = {"POST", "/v1/images",
				    .body = "{\"size\":512,\"a/b\":1,\"c~d\":2,"
					    "\"labels\":{\"k/~\":3}}"};

	(void)exchange_json(*state, &exchange, 400);
	assert_string_equal(exchange_text(&exchange, "errors.0.pointer"), "/labels/k~1~0");
	assert_string_equal(exchange_text(&exchange, "errors.0.value"), "3");
	assert_string_equal(exchange_text(&exchange, "errors.1.pointer"), "/a~1b");
	assert_string_equal(exchange_text(&exchange, "errors.1.value"), "1");
	assert_string_equal(exchange_text(&exchange, "errors.2.pointer"), "/c~0d");
	assert_string_equal(exchange_text(&exchange, "errors.2.value"), "2");
	exchange_fini(&exchange);
}

static void names_the_wrong_field_of_a_form(void **state)
{
	static const struct {
		const char *body, *pointer, *detail;
	} rows[] = {
		{"size=1M&size=2M", "/size", "comes more than once"},
		{"size=%zz", "/size", "has a bad escape or a control character"},
		{"size=1M&name", "/name", "has no value; write name=VALUE"},
		{"size=512&name=%ff", "/name", "is not UTF-8"},
		{"labels=a&labels.b=c", "/labels.b", "is there as a value, and with parts"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"POST", "/v1/images", .body = rows[i].body};

		(void)exchange_json(*state, &exchange, 400);
		assert_string_equal(exchange_text(&exchange, "errors.0.pointer"), rows[i].pointer);
		assert_string_equal(exchange_text(&exchange, "errors.0.detail"), rows[i].detail);
		exchange_fini(&exchange);
	}
}

static void says_what_to_do_with_a_body_that_other_parsers_take(void **state)
{
	static const char fields[] =
		"Send fields with curl -d NAME=VALUE, or as JSON: {\"NAME\": VALUE, ...}";
	static const char neither[] = "the body is neither a JSON object nor a form";
	static const struct {
		const char *body, *code, *detail, *correction;
	} rows[] = {
		{"[]", "invalid-json", "the body must be an object: {...}",
		 "Send one object: {\"NAME\": VALUE, ...}"},
		{"{\"size\":9223372036854775808}", "invalid-json",
		 "line 1, column 27: too big integer near '9223372036854775808'",
		 "Integers in JSON end at 2^63 - 1 here; a larger size may be sent as text: "
		 "\"NUMBER\"."},
		{"{\"size\":1,\"size\":1}", "invalid-json", NULL, "Give each key once."},
		{"{\"name\":\"\\u0000\"}", "invalid-json", NULL,
		 "Leave \\u0000 out: no text here has a NUL character."},
		{"{\"name\":\"\xff\"}", "invalid-json", NULL, "Send the body in UTF-8."},
		{"{} {}", "invalid-json", NULL, "Send one object, and nothing after it."},
		{"{", "invalid-json", NULL, "Check it with: jq . <<< \"$BODY\""},
		{"null", "invalid-value", neither, fields},
		{" \"x\" ", "invalid-value", neither, fields},
		{"<x/>", "invalid-value", neither, fields},
		{"size", "invalid-value", neither, fields},
		{"\xef\xbb\xbf{\"name\":\"a=b\"}", "invalid-value",
		 "the body begins with a byte order mark, and so is neither a JSON object nor a "
		 "form",
		 fields},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"POST", "/v1/images", .body = rows[i].body};

		print_message("%s\n", rows[i].body);
		(void)exchange_json(*state, &exchange, 400);
		assert_string_equal(exchange_text(&exchange, "code"), rows[i].code);
		if (rows[i].detail)
			assert_string_equal(exchange_text(&exchange, "detail"), rows[i].detail);
		assert_string_equal(exchange_text(&exchange, "correction"), rows[i].correction);
		exchange_fini(&exchange);
	}
}

/* Who changes the image meanwhile makes another ETag. */
static void tags_what_is_embedded_before_it_looks(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"GET", "/v1/images/web-1?embed=parent"};

	service->race = true;
	(void)exchange_json(service, &exchange, 200);
	assert_string_equal(exchange_header(&exchange, "ETag"), "W/\"c881\"");
	assert_int_equal(service->commits, 1);
	exchange_fini(&exchange);
}

static void shows_an_image_by_name_and_id(void **state)
{
	static const char *const targets[] = {"/v1/images/web-1",
					      "/v1/images/00000000-0000-4000-8000-000000000002"};

	for (size_t i = 0; i < 2; i++) {
		struct exchange exchange = {"GET", targets[i]};

		(void)exchange_json(*state, &exchange, 200);
		assert_string_equal(exchange_text(&exchange, "name"), "web-1");
		assert_string_equal(exchange_text(&exchange, "state"), "ready");
		assert_string_equal(exchange_text(&exchange, "parent.name"), "base");
		assert_string_equal(exchange_text(&exchange, "vhd.creator_version"), "10.0");
		assert_string_equal(exchange_text(&exchange, "vhd.timestamp"),
				    "2000-01-01T00:01:00.000Z");
		assert_string_equal(exchange_text(&exchange, "created_at"),
				    "1970-01-01T00:00:01.000Z");
		assert_string_equal(exchange_text(&exchange, "etag"), "m17-11a9832b0a75cd5e");
		assert_true(json_is_true(json_object_get(exchange.json, "writable")));
		exchange_fini(&exchange);
	}
}

static void shows_what_the_file_says(void **state)
{
	struct exchange exchange = {"GET", "/v1/images/web-1"};

	(void)exchange_json(*state, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "labels.role"), "web");
	assert_string_equal(exchange_text(&exchange, "description"), "before");
	assert_string_equal(exchange_text(&exchange, "vhd.features.0"), "temporary");
	assert_string_equal(exchange_text(&exchange, "vhd.locators.0.code"), "MacX");
	assert_string_equal(exchange_text(&exchange, "vhd.locators.0.path"), "file://./x.vhd");
	assert_int_equal(exchange_number(&exchange, "vhd.locators.0.slot"), 1);
	exchange_fini(&exchange);
}

static void names_every_state(void **state)
{
	static const struct {
		enum service_state state;
		const char *name, *health;
	} rows[] = {
		{SERVICE_CREATING, "creating", "ok"},
		{SERVICE_READY, "ready", "ok"},
		{SERVICE_BUSY, "busy", "ok"},
		{SERVICE_MISSING, "missing", "unhealthy"},
		{SERVICE_CORRUPT, "corrupt", "unhealthy"},
		{SERVICE_ORPHAN, "parent-missing", "unhealthy"},
		{SERVICE_FAILED, "failed", "unhealthy"},
		{SERVICE_DELETING, "deleting", "ok"},
	};
	struct service *service = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", "/v1/images/web-1"};
		struct exchange chain = {"GET", "/v1/images/web-1/chain"};

		service->images[1].state = rows[i].state;
		(void)exchange_json(service, &exchange, 200);
		assert_string_equal(exchange_text(&exchange, "state"), rows[i].name);
		assert_string_equal(exchange_text(&exchange, "health.status"), rows[i].health);
		exchange_fini(&exchange);
		(void)exchange_json(service, &chain, 200);
		assert_string_equal(exchange_text(&chain, "health.status"), rows[i].health);
		exchange_fini(&chain);
	}
}

static void tells_of_damage_in_what_is_served(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"GET", "/v1/images/web-1",
				    "If-None-Match: \"m17-11a9832b0a75cd5e\""};
	struct exchange chain = {"GET", "/v1/images/web-1/chain"};

	service->images[1].damaged = true;
	(void)exchange_json(service, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "state"), "ready");
	assert_string_equal(exchange_text(&exchange, "etag"), "m17-11a9832b0a75cd5e.damaged-block");
	assert_string_equal(exchange_text(&exchange, "health.status"), "unhealthy");
	assert_string_equal(exchange_text(&exchange, "health.problems.0"), "damaged-block");
	exchange_fini(&exchange);
	(void)exchange_json(service, &chain, 200);
	assert_string_equal(exchange_text(&chain, "health.problems.0"), "web-1: damaged-block");
	exchange_fini(&chain);
}

static void says_when_somebody_looked_at_the_file(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"GET", "/v1/images/web-1"};
	struct exchange fresh = {"GET", "/v1/images/web-1",
				 "If-None-Match: \"m17-11a9832b0a75cd5e\""};

	(void)exchange_json(service, &exchange, 200);
	assert_true(json_is_null(
		json_object_get(json_object_get(exchange.json, "health"), "checked_at")));
	exchange_fini(&exchange);
	service->images[1].checked_at = 2000;
	(void)exchange_json(service, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "health.checked_at"),
			    "1970-01-01T00:00:02.000Z");
	assert_string_equal(exchange_header(&exchange, "ETag"), "\"m17-11a9832b0a75cd5e\"");
	exchange_fini(&exchange);
	exchange_send(service, &fresh);
	assert_int_equal(fresh.response->status, 304);
	exchange_fini(&fresh);
}

static void shows_a_frozen_image(void **state)
{
	struct exchange exchange = {"GET", "/v1/images/base"};

	(void)exchange_json(*state, &exchange, 200);
	assert_true(json_is_false(json_object_get(exchange.json, "writable")));
	assert_true(json_is_null(json_object_get(exchange.json, "parent")));
	assert_string_equal(exchange_text(&exchange, "frozen_reason"), "children");
	assert_int_equal(exchange_number(&exchange, "children_count"), 1);
	exchange_fini(&exchange);
}

static void honours_etags(void **state)
{
	static const struct {
		const char *headers;
		unsigned status;
	} rows[] = {
		{"If-None-Match: \"m17-11a9832b0a75cd5e\"", 304},
		{"If-None-Match: m17-11a9832b0a75cd5e", 304},
		{"If-None-Match: \"m16\"", 200},
		{"If-Match: \"m17-11a9832b0a75cd5e\"", 200},
		{"If-Match: *", 200},
		{"If-Match: \"m16\"", 412},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", "/v1/images/web-1", rows[i].headers};

		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status, rows[i].status);
		assert_string_equal(exchange_header(&exchange, "ETag"), "\"m17-11a9832b0a75cd5e\"");
		exchange_fini(&exchange);
	}
}

static void lists_page_by_page(void **state)
{
	struct exchange exchange = {"GET", "/v1/images?limit=1&count=1"};
	char target[256];

	(void)exchange_json(*state, &exchange, 200);
	assert_int_equal(json_array_size(json_object_get(exchange.json, "items")), 1);
	assert_string_equal(exchange_text(&exchange, "items.0.name"), "base");
	assert_int_equal(exchange_number(&exchange, "total"), 2);
	assert_int_equal(exchange_number(&exchange, "revision"), 881);
	assert_string_equal(exchange_header(&exchange, "ETag"), "W/\"c881-96532afe92cd7bb9\"");
	assert_string_equal(
		exchange_header(&exchange, "Link"),
		"</v1/images?limit=1&count=1&cursor=7fa3096a~base~00000000-0000-4000-8000-000000000001>; rel=\"next\"");
	(void)snprintf(target, sizeof target, "/v1/images?limit=1&cursor=%s",
		       exchange_text(&exchange, "next"));
	exchange_fini(&exchange);

	exchange.target = target;
	(void)exchange_json(*state, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "items.0.name"), "web-1");
	assert_true(json_is_null(json_object_get(exchange.json, "next")));
	assert_string_equal(exchange_header(&exchange, "Link"), "");
	exchange_fini(&exchange);
}

static void refuses_bad_pages(void **state)
{
	static const struct {
		const char *target, *detail;
	} rows[] = {
		{"/v1/images?limit=0", "limit: '0' is not a number from 1 to 1000"},
		{"/v1/images?limit=1001", "limit: '1001' is not a number from 1 to 1000"},
		{"/v1/images?limit=x", "limit: 'x' is not a number from 1 to 1000"},
		{"/v1/images?cursor=x",
		 "cursor: is not one that this list, with these filters, gave"},
		{"/v1/images?cursor=n.",
		 "cursor: is not one that this list, with these filters, gave"},
		{"/v1/images?count=2", "count: '2' is neither y nor n"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target};

		exchange_problem(*state, &exchange, 400, "invalid-value", rows[i].detail);
	}
}

static void lists_nothing_as_an_empty_array(void **state)
{
	struct service *service = fake_new();
	struct exchange exchange = {"GET", "/v1/images"};

	(void)state;
	exchange_send(service, &exchange);
	assert_string_equal(exchange.text, "{\"items\":[],\"next\":null,\"revision\":881}\n");
	exchange_fini(&exchange);
	fake_free(service);
}

static void shows_a_chain_leaf_first(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"GET", "/v1/images/web-1/chain"};

	(void)exchange_json(service, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "items.0.name"), "web-1");
	assert_string_equal(exchange_text(&exchange, "items.1.name"), "base");
	assert_int_equal(exchange_number(&exchange, "depth"), 2);
	assert_string_equal(exchange_text(&exchange, "health.status"), "ok");
	exchange_fini(&exchange);

	service->images[0].gone = true;
	(void)exchange_json(service, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "health.status"), "unhealthy");
	assert_string_equal(exchange_text(&exchange, "health.problems.0"), "web-1: parent-missing");
	exchange_fini(&exchange);
}

static void removes_only_what_has_no_children(void **state)
{
	struct exchange exchange = {"DELETE", "/v1/images/base"};

	(void)exchange_json(*state, &exchange, 409);
	assert_string_equal(exchange_text(&exchange, "code"), "image-has-children");
	assert_string_equal(exchange_text(&exchange, "children.0"), "web-1");
	assert_string_equal(exchange_text(&exchange, "correction"),
			    "Delete what reads from it first: GET /v1/images/base/children");
	exchange_fini(&exchange);

	exchange.target = "/v1/images/web-1";
	exchange_send(*state, &exchange);
	assert_int_equal(exchange.response->status, 204);
	assert_int_equal(exchange.length, 0);
	exchange_fini(&exchange);
	exchange_problem(*state, &exchange, 404, "image-not-found", "no image is called that");
	exchange.target = "/v1/images/web-1?missing_ok=1";
	exchange_send(*state, &exchange);
	assert_int_equal(exchange.response->status, 204);
	exchange_fini(&exchange);
	exchange.target = "/v1/images/web-1?merge=down";
	exchange_problem(*state, &exchange, 501, "not-supported", "merge: is not supported yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(creates_a_dynamic_image, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(creates_from_a_form, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(creates_a_child_with_everything, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(takes_a_snapshot, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_bad_fields, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(names_every_bad_field_in_one_answer, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(points_at_what_the_daemon_refuses, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(advises_what_the_request_can_do, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(points_at_fields_of_any_name, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(says_what_to_do_with_a_body_that_other_parsers_take,
						fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(names_the_wrong_field_of_a_form, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(tags_what_is_embedded_before_it_looks, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(shows_an_image_by_name_and_id, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(shows_what_the_file_says, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(names_every_state, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(tells_of_damage_in_what_is_served, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(says_when_somebody_looked_at_the_file, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(shows_a_frozen_image, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(honours_etags, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(lists_page_by_page, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_bad_pages, fake_pair, fake_teardown),
		cmocka_unit_test(lists_nothing_as_an_empty_array),
		cmocka_unit_test_setup_teardown(shows_a_chain_leaf_first, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(removes_only_what_has_no_children, fake_pair,
						fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
