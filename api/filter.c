/* filter.c - parameters of a list as terms, and whether an image fulfils them. */
#include "filter.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "image.h"
#include "labels.h"
#include "number.h"
#include "routes.h"

/* The next of the words that commas part; false: there is none. */
static bool next_word(const char **list, const char **ret_word, size_t *ret_len)
{
	if (!*list)
		return false;
	*ret_word = *list;
	*ret_len = strcspn(*list, ",");
	*list = (*list)[*ret_len] == ',' ? *list + *ret_len + 1 : NULL;
	return true;
}

static bool same(const char *word, size_t len, const char *text)
{
	return strlen(text) == len && strncmp(word, text, len) == 0;
}

/* '*' stands for any characters. Bounded: it goes back to the last '*' only. */
static bool fits(const char *pattern, size_t len, const char *text)
{
	const char *end = pattern + len;
	const char *star = NULL;
	const char *resume = NULL;

	while (*text != '\0') {
		if (pattern < end && *pattern == '*') {
			star = ++pattern;
			resume = text;
		} else if (pattern < end && *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}

/* ---- terms ---- */

static bool fits_any(const char *list, const char *text)
{
	const char *word;
	size_t len;

	while (next_word(&list, &word, &len)) {
		if (fits(word, len, text))
			return true;
	}
	return false;
}

static bool name_is(const struct filter_term *term, const struct service_image *image)
{
	return fits_any(term->text, image->name);
}

/* As `file` of the image, or as `path` of a location, which has the pool before it. */
static bool path_is(const struct filter_term *term, const struct service_image *image)
{
	char path[SERVICE_NAME + SERVICE_FILE];
	char *end;

	if (fits_any(term->text, image->file))
		return true;
	if (image->file[0] == '/')
		return false;
	end = stpcpy(path, image->pool);
	*end = '/';
	(void)stpcpy(end + 1, image->file);
	return fits_any(term->text, path);
}

static bool word_is(const struct filter_term *term, const struct service_image *image)
{
	const char *list = term->text;
	const char *word;
	size_t len;

	while (next_word(&list, &word, &len)) {
		if (same(word, len, term->fact->text(image)))
			return true;
	}
	return false;
}

static bool relative_is(const char *list, const struct service_name *name)
{
	const char *word;
	size_t len;

	while (next_word(&list, &word, &len)) {
		if (same(word, len, name->name) ||
		    (strlen(name->id) == len && strncasecmp(word, name->id, len) == 0))
			return name->id[0] != '\0';
	}
	return false;
}

static bool parent_is(const struct filter_term *term, const struct service_image *image)
{
	return relative_is(term->text, &image->parent);
}

static bool root_is(const struct filter_term *term, const struct service_image *image)
{
	return relative_is(term->text, &image->root);
}

static bool writable_is(const struct filter_term *term, const struct service_image *image)
{
	return image_writable(image) == term->flag;
}

static bool frozen_is(const struct filter_term *term, const struct service_image *image)
{
	return (image->frozen != SERVICE_NOT_FROZEN) == term->flag;
}

static bool text_has(const struct filter_term *term, const struct service_image *image)
{
	return strcasestr(image->name, term->text) ||
	       (image->description && strcasestr(image->description, term->text));
}

/* Created or changed, not written. */
static bool since_is(const struct filter_term *term, const struct service_image *image)
{
	return image->updated_at >= term->since_ms;
}

/* "key", "key=value" or "!key". */
static bool label_is(const struct filter_term *term, const struct service_image *image)
{
	bool without = term->text[0] == '!';
	const char *key = term->text + without;
	size_t len = strcspn(key, "=");

	for (size_t i = 0; i < image->n_labels; i++) {
		if (same(key, len, image->labels[i].key))
			return without ? false
				       : key[len] == '\0' ||
						 strcmp(key + len + 1, image->labels[i].value) == 0;
	}
	return without;
}

static bool compare(const char *op, uint64_t a, uint64_t b)
{
	if (strcmp(op, "gt") == 0)
		return a > b;
	if (strcmp(op, "ge") == 0)
		return a >= b;
	if (strcmp(op, "lt") == 0)
		return a < b;
	if (strcmp(op, "le") == 0)
		return a <= b;
	return a == b;
}

static bool number_is(const struct filter_term *term, const struct service_image *image)
{
	uint64_t value = term->fact->number(image);

	for (size_t i = 0; i < term->n; i++) {
		if (compare(term->op, value, term->numbers[i]))
			return strcmp(term->op, "ne") != 0;
	}
	return strcmp(term->op, "ne") == 0;
}

/* ---- parse ---- */

static void parse_numbers(struct filter_term *term, const char *name, struct problem *problem)
{
	const char *list = term->text;
	const char *word;
	size_t len;

	while (next_word(&list, &word, &len)) {
		char text[32];

		(void)snprintf(text, sizeof text, "%.*s", (int)(len < 31 ? len : 31), word);
		if (term->n == FILTER_NUMBERS || len > 31 ||
		    !number_size(text, &term->numbers[term->n++])) {
			problem_parameter(problem, name, CODE_INVALID_VALUE,
					  "'%.60s' is not a number like 3, 64K or 10G, or up to %d "
					  "of them with commas",
					  term->text, FILTER_NUMBERS);
			return;
		}
	}
}

static void parse_words(const struct filter_term *term, const char *name, struct problem *problem)
{
	static const char kinds[] = "dynamic fixed differencing";
	static const char states[] =
		"creating ready busy missing corrupt parent-missing failed deleting";
	const char *known = strcmp(name, "kind") == 0 ? kinds : states;
	const char *list = term->text;
	const char *word;
	size_t len;

	while (next_word(&list, &word, &len)) {
		char text[SERVICE_NAME];

		(void)snprintf(text, sizeof text, "%.*s", (int)(len < 127 ? len : 127), word);
		if (strcmp(name, "pool") != 0 && !routes_listed(known, text))
			problem_parameter(problem, name, CODE_INVALID_VALUE, "'%s' is none of: %s",
					  text, known);
	}
}

static const struct {
	const char *name;
	filter_fn *holds;
	bool flag;
} plain[] = {
	{"name", name_is, false},    {"path", path_is, false},        {"parent", parent_is, false},
	{"root", root_is, false},    {"label", label_is, false},      {"q", text_has, false},
	{"frozen", frozen_is, true}, {"writable", writable_is, true},
};

static bool parse_since(struct filter_term *term, const struct http_field *field, int64_t now_ms,
			struct problem *problem)
{
	if (strcmp(field->name, "since") != 0)
		return false;
	term->holds = since_is;
	if (!number_moment(field->value, now_ms, &term->since_ms))
		problem_parameter(problem, field->name, CODE_INVALID_VALUE,
				  "'%.60s' is neither a duration like 30s, 5m, 2h or 7d nor a time "
				  "like 2026-11-22T06:00:00Z, from 2000 to 2135",
				  field->value);
	return true;
}

/* "!key=value" would say nothing of the value. */
static void parse_label(const struct filter_term *term, struct problem *problem)
{
	const char *key = term->text + (term->text[0] == '!');
	size_t len = strcspn(key, "=");

	if (!labels_key(key, len) || (key != term->text && key[len] == '='))
		problem_parameter(problem, "label", CODE_INVALID_VALUE,
				  "'%.80s' is not KEY, KEY=VALUE or !KEY", term->text);
}

static bool parse_plain(struct filter_term *term, const struct http_field *field,
			struct problem *problem)
{
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
		if (strcmp(field->name, plain[i].name) != 0)
			continue;
		term->holds = plain[i].holds;
		if (plain[i].flag && !number_bool(field->value, &term->flag))
			problem_parameter(problem, field->name, CODE_INVALID_VALUE,
					  "'%s' is neither y nor n", field->value);
		if (term->holds == label_is)
			parse_label(term, problem);
		return true;
	}
	return false;
}

/* "usage.file.gt" is about "usage.file". */
static void parse_fact(struct filter_term *term, const struct http_field *field,
		       struct problem *problem)
{
	static const char ops[] = "gt ge lt le ne";
	const char *dot = strrchr(field->name, '.');
	bool op = dot && routes_listed(ops, dot + 1);
	size_t len = op ? (size_t)(dot - field->name) : strlen(field->name);

	(void)snprintf(term->op, sizeof term->op, "%s", op ? dot + 1 : "eq");
	term->fact = facts_find(field->name, len);
	if (!term->fact) {
		problem_parameter(problem, field->name, CODE_UNKNOWN_PARAMETER,
				  "is not known here");
	} else if (term->fact->number) {
		term->holds = number_is;
		parse_numbers(term, field->name, problem);
	} else {
		term->holds = word_is;
		parse_words(term, field->name, problem);
	}
}

uint32_t filter_hash(uint32_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT32_C(0x01000193);
	return hash;
}

bool filter_parse(const struct query *query, int64_t now_ms, struct filter *ret_filter,
		  struct problem *problem)
{
	struct filter *filter = ret_filter;

	filter->n = 0;
	filter->hash = 0;
	for (size_t i = 0; i < query->n; i++) {
		const struct http_field *field = &query->items[i];
		struct filter_term *term = &filter->terms[filter->n];

		if (!routes_listed(FILTER_PARAMETERS, field->name))
			continue;
		if (filter->n == FILTER_TERMS) {
			problem_set(problem, CODE_INVALID_VALUE, "more than %d filters",
				    FILTER_TERMS);
			return false;
		}
		*term = (struct filter_term){.text = field->value};
		if (!parse_since(term, field, now_ms, problem) &&
		    !parse_plain(term, field, problem))
			parse_fact(term, field, problem);
		filter->n++;
		filter->hash +=
			filter_hash(filter_hash(FILTER_HASH_START, field->name), field->value);
	}
	return problem->code == CODE_NONE;
}

bool filter_matches(const struct filter *filter, const struct service_image *image)
{
	for (size_t i = 0; i < filter->n; i++) {
		if (!filter->terms[i].holds(&filter->terms[i], image))
			return false;
	}
	return true;
}
