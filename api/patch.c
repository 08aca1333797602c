/* patch.c - PATCH of content: small operations, in order, all of them looked at before the first
 * one is done. */
#include "patch.h"
#include "call.h"
#include "data.h"
#include "handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "fields.h"
#include "scope.h"

enum { SECTOR = 512, WRITE_MAX = 64 << 10 };

const char patch_types[] = "application/json, message/byterange, application/vnd.vhdd.ops+ndjson";

enum kind { ZERO, DISCARD, WRITE, FLUSH };
enum { KINDS = FLUSH + 1 };
static const char *const kinds[KINDS] = {"zero", "discard", "write", "flush"};

struct op {
	enum kind kind;
	uint64_t offset, length;
	const void *data;    /* WRITE */
	unsigned char *heap; /* where it is when it came as base64 */
};
struct ops {
	struct op *items; /* heap */
	size_t n;
	bool writes, flushes;
};

static void ops_fini(struct ops *ops)
{
	for (size_t i = 0; i < ops->n; i++)
		free(ops->items[i].heap);
	free(ops->items);
}

/* ---- parse ---- */

/* A place in bytes or in sectors. True: in sectors. */
static bool parse_offset(struct fields *fields, struct op *op)
{
	uint64_t sector = 0;
	bool bytes = fields_size(fields, "offset", &op->offset);
	bool sectors = fields_size(fields, "sector", &sector);

	if (bytes == sectors)
		fields_error(fields, "offset", CODE_INVALID_VALUE, "give either offset or sector");
	if (sectors && __builtin_mul_overflow(sector, SECTOR, &op->offset))
		fields_error(fields, "sector", CODE_INVALID_VALUE, "is too large");
	return sectors;
}

static void parse_extent(struct fields *fields, struct op *op)
{
	bool sectors = parse_offset(fields, op);
	uint64_t count = 0;
	bool length = fields_size(fields, "length", &op->length);
	bool size = fields_size(fields, "size", &op->length); /* another daemon's word for it */
	bool counted = fields_size(fields, "count", &count);

	if (length + size + counted != 1 || counted != sectors)
		fields_error(fields, "length", CODE_INVALID_VALUE,
			     "give either offset and length, or sector and count");
	else if (counted && __builtin_mul_overflow(count, SECTOR, &op->length))
		fields_error(fields, "count", CODE_INVALID_VALUE, "is too large");
	else if (op->length == 0)
		fields_error(fields, "length", CODE_INVALID_VALUE, "must not be 0");
}

static void parse_octets(struct fields *fields, struct op *op)
{
	const char *text = NULL;
	size_t len;
	size_t got = 0;

	(void)parse_offset(fields, op);
	fields_text(fields, "base64", WRITE_MAX / 3 * 4 + 8, &text);
	if (!text)
		fields_error(fields, "base64", CODE_INVALID_VALUE,
			     "is required, up to 64 KiB of data");
	if (!text)
		return;
	len = strlen(text);
	op->heap = malloc(len / 4 * 3 + 1);
	op->data = op->heap;
	if (!op->heap)
		problem_set(fields->problem, CODE_INTERNAL, "no memory");
	else if (!base64_decode(text, len, op->heap, &got) || got == 0 || got > WRITE_MAX)
		fields_error(fields, "base64", CODE_INVALID_VALUE,
			     "is not base64 of 1 byte to 64 KiB");
	op->length = got;
}

static void parse_op(struct fields *fields, struct ops *ops)
{
	struct op *op = &ops->items[ops->n++];
	unsigned kind = KINDS;

	if (!json_object_get(fields->object, "op"))
		fields_error(fields, "op", CODE_INVALID_VALUE, "is required%s",
			     *fields->path ? "" : ", or ops: an array of operations");
	fields_choice(fields, "op", kinds, KINDS, &kind);
	if (kind == KINDS) /* nobody knows which fields it has */
		return;
	op->kind = (enum kind)kind;
	switch (op->kind) {
	case ZERO:
	case DISCARD: parse_extent(fields, op); break;
	case WRITE: parse_octets(fields, op); break;
	case FLUSH: ops->flushes = true; break;
	}
	ops->writes |= op->kind != FLUSH;
	fields_finish(fields);
}

static void parse_list(struct api_call *call, json_t *list, struct ops *ops)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		char path[32];
		struct fields fields = {.object = item, .problem = &call->problem, .path = path};

		(void)snprintf(path, sizeof path, "/ops/%zu", i);
		if (json_is_object(item))
			parse_op(&fields, ops);
		else
			problem_field(&call->problem, path, CODE_INVALID_VALUE,
				      "must be an object");
	}
}

static bool make_room(struct api_call *call, struct ops *ops, size_t n)
{
	ops->items = calloc(n, sizeof *ops->items);
	if (!ops->items)
		(void)call_no_memory(call);
	return ops->items != NULL;
}

/* The octets behind the head of a part are one write. */
static bool take_octets(struct api_call *call, struct ops *ops)
{
	const struct buf *body = &call->collected;

	if (!make_room(call, ops, 1))
		return false;
	ops->items[0] = (struct op){.kind = WRITE,
				    .offset = call->octets.range.first,
				    .length = body->len - call->octets.at,
				    .data = body->data + call->octets.at};
	ops->n = 1;
	ops->writes = true;
	return true;
}

static bool parse(struct api_call *call, struct ops *ops)
{
	json_t *list = json_object_get(call->body, "ops");
	size_t n = list ? json_array_size(list) : 1;
	struct fields top = {.object = call->body, .problem = &call->problem, .path = ""};

	if (call->octets.at > 0)
		return take_octets(call, ops);
	if (n == 0 || n > PATCH_OPS_MAX) {
		problem_field(&call->problem, "/ops", CODE_INVALID_VALUE,
			      "must be an array of 1 to %d operations", PATCH_OPS_MAX);
		return false;
	}
	if (!make_room(call, ops, n))
		return false;
	if (list) {
		(void)fields_get(&top, "ops");
		parse_list(call, list, ops);
		fields_finish(&top);
	} else {
		parse_op(&top, ops);
	}
	return call->problem.code == CODE_NONE;
}

/* ---- do ---- */

static enum service_code run_op(struct api_call *call, const struct op *op)
{
	switch (op->kind) {
	case ZERO: return service_data_zero(call->data, op->offset, op->length, &call->err);
	case WRITE:
		return service_data_write(call->data, op->data, (size_t)op->length, op->offset,
					  &call->err);
	case DISCARD:                  /* allowed to do nothing, and says so */
	case FLUSH: return SERVICE_OK; /* one for all, at the end */
	}
	return SERVICE_INTERNAL;
}

static json_t *op_json(const struct op *op)
{
	struct out out = out_object();

	out_text(&out, "op", kinds[op->kind]);
	if (op->kind != FLUSH) {
		out_number(&out, "offset", op->offset);
		out_number(&out, "length", op->length);
	}
	if (op->kind == ZERO || op->kind == DISCARD)
		out_text(&out, "effect", op->kind == ZERO ? "zeroed" : "unchanged");
	return out_take(&out);
}

static enum api_step patch_answer(struct api_call *call)
{
	struct service_data_state state = {.etag = ""};
	struct out out = out_object();
	enum api_step step;

	service_data_result(call->data, &state);
	out_number(&out, "completed", call->completed);
	out_json(&out, "results", json_incref(call->results));
	out_bool(&out, "flushed", call->write.flush);
	data_members(&out, &state);
	step = call_json(call, 200, out_take(&out));
	data_headers(call, &state);
	return step;
}

/* Which of them is it? */
static void name_op(struct api_call *call, size_t i)
{
	char pointer[32];

	(void)snprintf(pointer, sizeof pointer, "/ops/%zu", i);
	problem_field(&call->problem, pointer, call->problem.code, "passes the end of the disk");
}

static bool all_inside(struct api_call *call, const struct ops *ops)
{
	if (call->octets.at > 0 &&
	    !range_content_fits(&call->octets.range, ops->items[0].length,
				service_data_info(call->data)->size, &call->problem))
		return false;
	for (size_t i = 0; i < ops->n; i++) {
		const struct op *op = &ops->items[i];

		if (op->kind == FLUSH || data_inside(call, op->offset, op->length))
			continue;
		if (json_object_get(call->body, "ops"))
			name_op(call, i);
		return false;
	}
	return true;
}

/* Up to the first that fails. */
static enum service_code run_ops(struct api_call *call, const struct ops *ops)
{
	enum service_code code = SERVICE_OK;

	call->results = json_array();
	for (; call->completed < ops->n; call->completed++) {
		const struct op *op = &ops->items[call->completed];

		code = run_op(call, op);
		if (code != SERVICE_OK)
			break;
		if (json_array_append_new(call->results, op_json(op)) != 0)
			(void)call_no_memory(call);
	}
	return code;
}

/* With If-Match nobody else writes between the comparison and the last operation. */
static enum service_code run_guarded(struct api_call *call, const struct ops *ops, const char *etag)
{
	bool lock = call_compares(call) && ops->writes;
	enum service_code code = SERVICE_OK;

	if (lock)
		code = service_data_lock(call->data, etag, &call->err);
	if (code != SERVICE_OK)
		return code;
	code = run_ops(call, ops);
	if (lock)
		service_data_unlock(call->data);
	return code;
}

static enum api_step run(struct api_call *call, const struct ops *ops)
{
	enum service_code code = data_open(call, ops->writes ? SERVICE_WRITE : SERVICE_READ);
	struct service_data_state state = {.etag = ""};

	if (code != SERVICE_OK)
		return call_refused(call, code);
	service_data_state(call->data, &state);
	if (!call_etag(call, state.etag) || !all_inside(call, ops))
		return API_REPLY;
	code = run_guarded(call, ops, state.etag);
	if (call->problem.code != CODE_NONE)
		return API_REPLY;
	call->problem.has_completed = true;
	call->problem.completed = call->completed;
	if (code != SERVICE_OK)
		return call_refused(call, code);
	return call->write.flush ? call_flush(call, patch_answer) : patch_answer(call);
}

enum api_step patch_data(struct api_call *call)
{
	CLEANUP(ops_fini) struct ops ops = {.n = 0};

	call->write.flush = true;
	query_bool(&call->query, "flush", &call->write.flush, &call->problem);
	if (!parse(call, &ops))
		return API_REPLY;
	call->write.flush |= ops.flushes;
	return run(call, &ops);
}
