/* routes.c - the table of all resources, and the way from a path to its row. */
#include "routes.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "filter.h"
#include "handlers.h"
#include "number.h"
#include "patch.h"

#define LIST_PARAMETERS "limit cursor count sort fields embed format " FILTER_PARAMETERS

static const struct route routes[] = {
	{HTTP_GET, "/", index_root, .kind = ROUTE_PURE},
	{HTTP_GET, "/healthz", health_live, .kind = ROUTE_PURE},
	{HTTP_GET, "/readyz", health_ready, .kind = ROUTE_PURE, .parameters = "verbose",
	 .flags = "verbose"},
	{HTTP_GET, "/v1", index_v1, .kind = ROUTE_PURE},
	{HTTP_GET, "/v1/openapi.json", index_openapi, .kind = ROUTE_PURE},
	{HTTP_GET, "/problems", index_problems, .kind = ROUTE_PURE},
	{HTTP_GET, "/problems/{code}", index_problem, .kind = ROUTE_PURE},
	{HTTP_GET, "/v1/pools", pools_list, .kind = ROUTE_WORK, .parameters = "format"},
	{HTTP_GET, "/v1/pools/{name}", pools_get, .kind = ROUTE_WORK},
	{HTTP_GET, "/v1/images", list_images, .tagged = true, .kind = ROUTE_TRY,
	 .parameters = LIST_PARAMETERS, .flags = "count " FILTER_FLAGS},
	{HTTP_POST, "/v1/images", create_image, .kind = ROUTE_WORK, .body = ROUTE_COLLECT,
	 .later = "dry_run wait ignore_policy"},
	{HTTP_GET, "/v1/images/{ref}", images_get, .tagged = true, .kind = ROUTE_TRY,
	 .parameters = "fields embed"},
	{HTTP_PUT, "/v1/images/{ref}", create_named, .makes = true, .tagged = true,
	 .kind = ROUTE_WORK, .body = ROUTE_COLLECT, .later = "dry_run wait ignore_policy"},
	{HTTP_PATCH, "/v1/images/{ref}", update_image, .tagged = true, .guarded = true,
	 .kind = ROUTE_WORK, .body = ROUTE_COLLECT, .later = "dry_run wait",
	 .prepare = update_prepare, .patches = patch_update_types},
	{HTTP_DELETE, "/v1/images/{ref}", images_delete, .tagged = true, .guarded = true,
	 .kind = ROUTE_WORK, .parameters = "keep_file missing_ok", .flags = "keep_file missing_ok",
	 .later = "merge recursive confirm dry_run wait"},
	{HTTP_GET, "/v1/images/{ref}/snapshots", list_children, .tagged = true, .kind = ROUTE_TRY,
	 .parameters = LIST_PARAMETERS, .flags = "count " FILTER_FLAGS},
	{HTTP_POST, "/v1/images/{ref}/snapshots", create_snapshot, .tagged = true,
	 .kind = ROUTE_WORK, .body = ROUTE_COLLECT, .later = "dry_run wait ignore_policy"},
	{HTTP_POST, "/v1/images/{ref}/actions/freeze", update_freeze, .tagged = true,
	 .kind = ROUTE_WORK, .body = ROUTE_COLLECT, .later = "dry_run wait"},
	{HTTP_POST, "/v1/images/{ref}/actions/thaw", update_thaw, .tagged = true,
	 .kind = ROUTE_WORK, .body = ROUTE_COLLECT, .later = "dry_run wait"},
	{HTTP_POST, "/v1/images/{ref}/actions/recover", update_recover, .tagged = true,
	 .kind = ROUTE_WORK, .body = ROUTE_COLLECT, .later = "dry_run wait"},
	{HTTP_GET, "/v1/images/{ref}/fields", file_fields, .kind = ROUTE_WORK,
	 .parameters = "format"},
	{HTTP_GET, "/v1/images/{ref}/fields/{key}", file_fields, .kind = ROUTE_WORK,
	 .parameters = "format"},
	{HTTP_GET, "/v1/images/{ref}/layout", file_layout, .kind = ROUTE_WORK,
	 .parameters = "start limit format"},
	{HTTP_GET, "/v1/images/{ref}/chain", images_chain, .tagged = true, .kind = ROUTE_TRY,
	 .parameters = "fields format"},
	{HTTP_GET, "/v1/images/{ref}/children", list_children, .tagged = true, .kind = ROUTE_TRY,
	 .parameters = LIST_PARAMETERS, .flags = "count " FILTER_FLAGS},
	{HTTP_GET, "/v1/images/{ref}/data", read_data, .epochs = true, .tagged = true,
	 .kind = ROUTE_TRY, .parameters = "sector count op", .prepare = read_prepare},
	{HTTP_PUT, "/v1/images/{ref}/data", write_begin, .epochs = true, .tagged = true,
	 .guarded = true, .kind = ROUTE_TRY, .body = ROUTE_UPLOAD,
	 .parameters = "offset flush aligned detect_zeroes", .flags = "flush aligned detect_zeroes",
	 .prepare = write_prepare, .piece = write_piece, .end = write_end},
	{HTTP_PATCH, "/v1/images/{ref}/data", patch_data, .epochs = true, .tagged = true,
	 .guarded = true, .kind = ROUTE_WORK, .body = ROUTE_COLLECT, .parameters = "flush",
	 .flags = "flush", .later = "dry_run wait", .parse = patch_body},
	{HTTP_POST, "/v1/images/{ref}/data", write_flush, .epochs = true, .tagged = true,
	 .kind = ROUTE_WORK, .parameters = "op",
	 .instead = "Upload it with PUT: curl -T FILE URL. With op=flush, leave the body out."},
	{HTTP_OPTIONS, "/v1/images/{ref}/data", options_data, .epochs = true, .kind = ROUTE_TRY},
	{HTTP_GET, "/v1/images/{ref}/sectors", sectors_runs, .tagged = true, .kind = ROUTE_TRY,
	 .parameters = "start count limit format"},
	{HTTP_POST, "/v1/images/{ref}/sectors", lookup_sectors, .tagged = true, .kind = ROUTE_WORK,
	 .body = ROUTE_COLLECT},
	{HTTP_GET, "/v1/images/{ref}/sectors/{sector}", sectors_locate, .tagged = true,
	 .kind = ROUTE_TRY},
	{HTTP_GET, "/v1/images/{ref}/extents", extents_get, .tagged = true, .kind = ROUTE_TRY,
	 .parameters = "start length limit layers min detail format"},
};

enum { ROUTES = sizeof routes / sizeof *routes };

const struct route *routes_all(size_t *ret_n)
{
	*ret_n = ROUTES;
	return routes;
}

bool routes_listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (list && *list != '\0') {
		size_t word = strcspn(list, " ");

		if (word == len && strncmp(list, name, len) == 0)
			return true;
		list += word + strspn(list + word, " ");
	}
	return false;
}

/* A segment that a template captures. One too long for any name is cut: then it names nothing, too.
 */
static void capture(struct api_call *call, const char *template, const char *segment, size_t len)
{
	char *into = strncmp(template, "{ref}", 5) == 0 ? call->ref : call->arg;
	char lower[37];

	len = len < SERVICE_NAME ? len : 0;
	memcpy(into, segment, len);
	into[len] = '\0';
	if (into == call->ref && number_uuid(into, lower))
		memcpy(into, lower, sizeof lower);
}

static bool ends(char c)
{
	return c == '/' || c == '\0';
}

/* Segment by segment; a slash at the end of the path changes nothing. With a call, what stands for
 * names in the template goes there. */
static bool match(const char *pattern, const char *path, struct api_call *call)
{
	while (*pattern == '/' && *path == '/') {
		const char *want = ++pattern, *have = ++path;

		while (!ends(*pattern) && *pattern == *path) {
			pattern++;
			path++;
		}
		if (*want == '{' && !ends(*have)) {
			pattern = strchrnul(want, '/');
			path = strchrnul(have, '/');
			if (call)
				capture(call, want, have, (size_t)(path - have));
		}
		if (!ends(*pattern) || !ends(*path))
			return false;
	}
	return *pattern == '\0' && (*path == '\0' || strcmp(path, "/") == 0);
}

static void allow(char list[64], enum http_method method)
{
	size_t len = strlen(list);

	(void)snprintf(list + len, 64 - len, "%s%s", len > 0 ? ", " : "", http_method_name(method));
	if (method == HTTP_GET)
		allow(list, HTTP_HEAD);
}

const struct route *routes_find(struct api_call *call, char ret_allow[64])
{
	const struct http_request *request = call->request;
	enum http_method method = request->method == HTTP_HEAD ? HTTP_GET : request->method;

	ret_allow[0] = '\0';
	for (size_t i = 0; i < ROUTES; i++) {
		if (!match(routes[i].path, request->path, NULL))
			continue;
		(void)match(routes[i].path, request->path, call);
		if (routes[i].method == method)
			return &routes[i];
		if (routes[i].patches && method == HTTP_OPTIONS)
			call->problem.accept_patch = routes[i].patches;
		if (routes[i].method != HTTP_OPTIONS)
			allow(ret_allow, routes[i].method);
	}
	if (ret_allow[0] == '\0') {
		problem_set(&call->problem, CODE_ROUTE_NOT_FOUND, "nothing is at %s",
			    request->path);
		return NULL;
	}
	allow(ret_allow, HTTP_OPTIONS);
	if (method == HTTP_OPTIONS)
		return NULL;
	memcpy(call->problem.allow, ret_allow, sizeof call->problem.allow);
	problem_set(&call->problem, CODE_METHOD_NOT_ALLOWED,
		    "%s is not possible at %s; there is %s", http_method_name(method),
		    request->path, ret_allow);
	return NULL;
}
