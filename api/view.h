/* view.h - which members of an answer are shown, and in which shape: ?fields=, ?format= and Accept.
 */
#ifndef VIEW_H
#define VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "call.h"

enum { VIEW_FIELDS = 64 };

enum view_format { VIEW_JSON, VIEW_TEXT, VIEW_NDJSON, VIEW_CSV };

struct view {
	enum view_format format;
	char *text;                      /* heap; `fields` point into it */
	const char *fields[VIEW_FIELDS]; /* "usage.file" */
	size_t n;                        /* 0 = all of them, or the usual columns */
};
void view_fini(struct view *view);

/* The sample has every member that fields may name; a member "*" stands for any name. It is made
 * only when there are fields. False: problem set. */
bool view_parse(struct api_call *call, json_t *(*make_sample)(void), struct view *ret_view);
/* Only the format, of lists whose members are fixed. It is the usual one when nothing is asked for.
 */
bool view_parse_format(struct api_call *call, struct view *view);
/* The same of what is text or JSON. */
bool view_parse_text(struct api_call *call, bool *text);

/* The members that are shown. Steals `object`; NULL is lack of memory, in and out. */
json_t *view_pick(const struct view *view, json_t *object);

/* call_etag_weak() of what has several formats. */
bool view_etag(struct api_call *call, const char *etag);
/* Answers a list: `items` (array) and `rest` (object), the members beside it, are stolen; NULL is
 * lack of memory. `columns` are those of text and CSV when fields names none, parted by blanks. */
enum api_step view_list(struct api_call *call, const struct view *view, json_t *items, json_t *rest,
			const char *columns);
/* The same of an array that was put: as a tree when view_picks says so, else as text, which is sent
 * as it is. */
enum api_step view_list_put(struct api_call *call, const struct view *view, struct put *items,
			    json_t *rest, const char *columns);
bool view_picks(const struct view *view);
/* Answers an object that was put like that: one of its members is the list, `name`. As text it is
 * sent as it is; else the other members are those beside the list. */
enum api_step view_put(struct api_call *call, const struct view *view, struct put *put,
		       const char *name, const char *columns);

#endif
