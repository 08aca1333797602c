/* accept.c - reads Accept: of each type the most precise of the ranges that fit decides, and of the
 * types the one that is wanted most. */
#include "accept.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "call.h"

enum { TYPES_MAX = 5, WHOLLY = 1000 };

/* What the header says of one type. */
struct match {
	unsigned fit;   /* how precisely the range names it: 0 not at all, 3 whole */
	unsigned q;     /* how much it is wanted, in thousandths */
	unsigned place; /* which of the ranges it is */
};

/* How many characters come before one of `stops` that is not between quotes. */
static size_t until(const char *text, const char *stops)
{
	bool quoted = false;
	size_t n;

	for (n = 0; text[n] != '\0' && (quoted || !strchr(stops, text[n])); n++) {
		if (text[n] == '"')
			quoted = !quoted;
		else if (quoted && text[n] == '\\' && text[n + 1] != '\0')
			n++;
	}
	return n;
}

/* 0 not at all, 1 by all, 2 by its first half, 3 whole. */
static unsigned fit(const char *range, size_t len, const char *type)
{
	size_t whole = strcspn(type, ";");
	size_t half = strcspn(type, "/") + 1;

	if (len == 3 && strncmp(range, "*/*", 3) == 0)
		return 1;
	if (len == half + 1 && range[half] == '*' && strncasecmp(range, type, half) == 0)
		return 2;
	return len == whole && strncasecmp(range, type, whole) == 0 ? 3 : 0;
}

/* Also ".2", as Java says it; what is no number below 1 counts as 1. */
static unsigned thousandths(const char *text)
{
	unsigned value = 0;

	if (*text != '0' && *text != '.')
		return WHOLLY;
	text += *text == '0';
	text += *text == '.';
	for (unsigned scale = WHOLLY / 10; *text >= '0' && *text <= '9'; text++, scale /= 10)
		value += scale * (unsigned)(*text - '0');
	return value;
}

/* Its parameter q. */
static unsigned weight(const char *range)
{
	const char *at = range + until(range, ";,");

	while (*at == ';') {
		at += 1 + strspn(at + 1, " \t");
		if (strncasecmp(at, "q=", 2) == 0)
			return thousandths(at + 2);
		at += until(at, ";,");
	}
	return WHOLLY;
}

/* One line of the header. */
static void read_line(const char *at, const char *const *types, size_t n, struct match *matches,
		      unsigned *place)
{
	for (at += strspn(at, " \t,"); *at != '\0'; at += strspn(at, " \t,")) {
		struct match match = {.q = weight(at), .place = ++*place};

		for (size_t i = 0; i < n; i++) {
			match.fit = fit(at, strcspn(at, "; \t,"), types[i]);
			if (match.fit > matches[i].fit)
				matches[i] = match;
		}
		at += until(at, ",");
	}
}

/* People write "text/plain, ...": of what is wanted alike, that is the one. */
static bool better(const struct match *a, const struct match *b)
{
	if (a->q != b->q)
		return a->q > b->q;
	if (a->fit != b->fit)
		return a->fit > b->fit;
	return a->place < b->place;
}

int accept_best(const struct http_request *request, const char *const *types, size_t n)
{
	struct match matches[TYPES_MAX] = {0};
	const char *line;
	unsigned place = 0;
	size_t at = 0;
	int best = -1;

	assert(n <= TYPES_MAX);
	while ((line = http_header_next(request, "Accept", &at)) != NULL)
		read_line(line, types, n, matches, &place);
	if (place == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (matches[i].q > 0 && (best < 0 || better(&matches[i], &matches[best])))
			best = (int)i;
	}
	return best;
}

/* Octets by parts are octets. */
static bool takes(const struct http_request *request, const char *type)
{
	bool parts = strncasecmp(type, "multipart/byteranges", 20) == 0;
	const char *const types[] = {type, parts ? "application/octet-stream" : type};

	return accept_best(request, types, 2) >= 0;
}

/* What probes and people ask for is sent whatever they accept, and so is what a change has become.
 */
void accept_check(struct api_call *call)
{
	const struct http_request *request = call->request;
	const char *type =
		call->response ? http_response_get(call->response, "Content-Type") : NULL;

	if (!type || (request->method != HTTP_GET && request->method != HTTP_HEAD) ||
	    strncmp(request->path, "/v1", 3) != 0 || query_get(&call->query, "format") ||
	    takes(request, type))
		return;
	(void)call_fail(call, CODE_NOT_ACCEPTABLE, "Accept says '%s'%s; there is %.*s%s",
			http_header(request, "Accept"),
			http_header_count(request, "Accept") > 1 ? " and more" : "",
			(int)strcspn(type, ";"), type,
			routes_listed(call->route->parameters, "format")
				? ", and what ?format= asks for"
				: "");
}
