/* view.c - fields and formats of answers. */
#include "view.h"

#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "scope.h"
#include "table.h"

void view_fini(struct view *view)
{
	free(view->text);
	view->text = NULL;
	view->n = 0;
}

/* ---- parse ---- */

/* By enum view_format; the first two are what all of them have. */
static const char *const names[] = {"json", "text", "ndjson", "csv"};
static const char *const types[] = {"application/json", "text/plain", "application/x-ndjson",
				    "text/csv"};

/* One of the first `n`. */
static enum view_format by_accept(const struct api_call *call, size_t n, enum view_format usual)
{
	/* The usual one, which is preferred, comes once more in its place. */
	const char *offered[1 + sizeof types / sizeof *types] = {types[usual]};
	int best;

	memcpy(offered + 1, types, n * sizeof *types);
	best = accept_best(call->request, offered, 1 + n);
	return best <= 0 ? usual : (enum view_format)(best - 1);
}

static bool parse_format(struct api_call *call, size_t n, enum view_format *format)
{
	const char *name = query_get(&call->query, "format");

	if (!name) {
		*format = by_accept(call, n, *format);
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(name, names[i]) == 0) {
			*format = (enum view_format)i;
			return true;
		}
	}
	problem_parameter(&call->problem, "format", CODE_INVALID_VALUE, "'%.60s' is %s", name,
			  n == 2 ? "neither json nor text" : "none of json, ndjson, text and csv");
	return false;
}

bool view_parse_format(struct api_call *call, struct view *view)
{
	return parse_format(call, sizeof names / sizeof *names, &view->format);
}

bool view_parse_text(struct api_call *call, bool *text)
{
	enum view_format format = *text ? VIEW_TEXT : VIEW_JSON;
	bool ok = parse_format(call, 2, &format);

	*text = format == VIEW_TEXT;
	return ok;
}

/* The member of that path in the sample. */
static bool known(const json_t *sample, const char *path)
{
	while (sample) {
		size_t len = strcspn(path, ".");
		const json_t *any = json_object_get(sample, "*");

		if (any)
			return *path != '\0';
		sample = json_object_getn(sample, path, len);
		if (path[len] == '\0')
			return sample != NULL;
		path += len + 1;
	}
	return false;
}

static bool add_field(struct api_call *call, const json_t *sample, const char *path,
		      struct view *view)
{
	if (view->n < VIEW_FIELDS && known(sample, path)) {
		view->fields[view->n++] = path;
		return true;
	}
	if (view->n == VIEW_FIELDS)
		problem_parameter(&call->problem, "fields", CODE_INVALID_VALUE, "more than %d",
				  VIEW_FIELDS);
	else
		problem_parameter(&call->problem, "fields", CODE_INVALID_VALUE,
				  "there is no field '%.80s'", path);
	return false;
}

bool view_parse(struct api_call *call, json_t *(*make_sample)(void), struct view *ret_view)
{
	CLEANUP(json_putp) json_t *sample = NULL;
	const char *fields = query_get(&call->query, "fields");
	struct view view = {.n = 0};
	char *rest;

	if (!view_parse_format(call, &view))
		return false;
	if (fields) {
		sample = make_sample();
		view.text = strdup(fields);
	}
	if (fields && (!sample || !view.text)) {
		free(view.text);
		(void)call_no_memory(call);
		return false;
	}
	for (rest = view.text; rest;) {
		if (!add_field(call, sample, strsep(&rest, ","), &view)) {
			free(view.text);
			return false;
		}
	}
	*ret_view = view;
	return true;
}

/* ---- pick ---- */

/* Copies one member of the path, with the objects around it. Where there is nothing below, as below
 * the parent of a root, what is above is copied. */
static bool copy_member(const json_t *from, json_t *to, const char *path)
{
	for (;;) {
		size_t len = json_object_get(from, path) ? strlen(path) : strcspn(path, ".");
		json_t *member = json_object_getn(from, path, len);
		json_t *inner = json_object_getn(to, path, len);

		if (!member)
			return true;
		if (path[len] == '\0' || !json_is_object(member))
			return json_object_setn(to, path, len, member) == 0;
		if (!json_is_object(inner)) {
			inner = json_object();
			if (json_object_setn_new(to, path, len, inner) != 0)
				return false;
		}
		from = member;
		to = inner;
		path += len + 1;
	}
}

json_t *view_pick(const struct view *view, json_t *object)
{
	CLEANUP(json_putp) json_t *held = object;
	CLEANUP(json_putp) json_t *picked = NULL;

	if (!held || view->n == 0)
		return STEAL(held);
	picked = json_object();
	for (size_t i = 0; picked && i < view->n; i++) {
		if (!copy_member(held, picked, view->fields[i]))
			return NULL;
	}
	return STEAL(picked);
}

/* ---- lists ---- */

static bool pick_all(const struct view *view, json_t *items)
{
	for (size_t i = 0; view->n > 0 && i < json_array_size(items); i++) {
		json_t *picked = view_pick(view, json_incref(json_array_get(items, i)));

		if (json_array_set_new(items, i, picked) != 0)
			return false;
	}
	return true;
}

static enum api_step answer_json(struct api_call *call, const struct view *view, json_t *items,
				 json_t *rest)
{
	CLEANUP(json_putp) json_t *body = json_object();

	if (!body || !pick_all(view, items) || json_object_set(body, "items", items) != 0 ||
	    json_object_update(body, rest) != 0)
		return call_no_memory(call);
	return call_json(call, 200, STEAL(body));
}

static bool put_line(struct buf *buf, const json_t *json)
{
	CLEANUP(freep) char *text = json_dumps(json, JSON_COMPACT);

	if (text)
		buf_printf(buf, "%s\n", text);
	return text;
}

/* The last line is the end, so that who reads a cut answer knows. */
static enum api_step answer_lines(struct api_call *call, const struct view *view, json_t *items,
				  json_t *rest)
{
	size_t n = json_array_size(items);
	CLEANUP(json_putp)
	json_t *end = json_pack("{s:b,s:I}", "end", 1, "count", (json_int_t)n);
	CLEANUP(buf_fini) struct buf buf = {0};
	bool ok = end && pick_all(view, items) && json_object_update(end, rest) == 0;

	for (size_t i = 0; ok && i < n; i++)
		ok = put_line(&buf, json_array_get(items, i));
	if (!ok || !put_line(&buf, end))
		return call_no_memory(call);
	return call_text(call, 200, "application/x-ndjson", &buf);
}

static enum api_step answer_table(struct api_call *call, const struct view *view,
				  const json_t *items, const char *columns)
{
	CLEANUP(table_fini) struct table table = {.n = 0};
	CLEANUP(buf_fini) struct buf buf = {0};
	bool csv = view->format == VIEW_CSV;

	for (size_t i = 0; i < view->n; i++)
		table_column(&table, view->fields[i], strlen(view->fields[i]));
	while (view->n == 0 && *columns != '\0') {
		size_t len = strcspn(columns, " ");

		table_column(&table, columns, len);
		columns += len + strspn(columns + len, " ");
	}
	if (!table_fill(&table, items))
		return call_no_memory(call);
	(csv ? table_csv : table_text)(&table, &buf);
	return call_text(call, 200, csv ? "text/csv; charset=utf-8" : "text/plain; charset=utf-8",
			 &buf);
}

/* As answer_json, around text. */
static enum api_step answer_text(struct api_call *call, const struct buf *items, const json_t *rest)
{
	CLEANUP(freep) char *members = json_dumps(rest, JSON_COMPACT);
	struct buf buf = {0};

	if (!members || items->failed)
		return call_no_memory(call);
	buf_append(&buf, "{\"items\":", 9);
	buf_append(&buf, items->data, items->len);
	buf_append(&buf, ",", json_object_size(rest) > 0);
	buf_append(&buf, members + 1, strlen(members) - 1);
	buf_append(&buf, "\n", 1);
	return call_text(call, 200, "application/json", &buf);
}

bool view_picks(const struct view *view)
{
	return view->format != VIEW_JSON || view->n > 0;
}

bool view_etag(struct api_call *call, const char *etag)
{
	bool goes_on = call_etag_weak(call, etag);

	if (!goes_on)
		call_header(call, "Vary", "Accept");
	return goes_on;
}

enum api_step view_list_put(struct api_call *call, const struct view *view, struct put *items,
			    json_t *rest, const char *columns)
{
	CLEANUP(json_putp) json_t *held = rest;
	enum api_step step;

	if (items->tree)
		return view_list(call, view, put_take(items), STEAL(held), columns);
	if (!held)
		return call_no_memory(call);
	step = answer_text(call, &items->text, held);
	call_header(call, "Vary", "Accept");
	return step;
}

enum api_step view_list(struct api_call *call, const struct view *view, json_t *items, json_t *rest,
			const char *columns)
{
	CLEANUP(json_putp) json_t *held_items = items;
	CLEANUP(json_putp) json_t *held_rest = rest;
	enum api_step step = API_REPLY;

	if (!held_items || !held_rest)
		return call_no_memory(call);
	switch (view->format) {
	case VIEW_JSON: step = answer_json(call, view, held_items, held_rest); break;
	case VIEW_NDJSON: step = answer_lines(call, view, held_items, held_rest); break;
	case VIEW_TEXT:
	case VIEW_CSV: step = answer_table(call, view, held_items, columns); break;
	}
	call_header(call, "Vary", "Accept");
	return step;
}

enum api_step view_put(struct api_call *call, const struct view *view, struct put *put,
		       const char *name, const char *columns)
{
	json_t *body, *items;
	enum api_step step;

	if (put->tree) {
		body = put_take(put);
		items = json_incref(json_object_get(body, name));
		(void)json_object_del(body, name);
		return view_list(call, view, items, body, columns);
	}
	step = call_put(call, 200, put);
	call_header(call, "Vary", "Accept");
	return step;
}
