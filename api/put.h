/* put.h - JSON, member by member: as text, for answers that are given often (no tree, and no memory
 * but the text's), or as a tree, for those who pick from it. After a failed allocation it stays
 * failed, so that only the end needs a check. */
#ifndef PUT_H
#define PUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

enum { PUT_DEPTH = 8 };

/* A zero one writes text, to be given to call_text; whoever wants a tree sets `tree`. */
struct put {
	struct buf text;
	bool tree, failed;       /* failed: of a tree */
	json_t *root;            /* the outermost value */
	json_t *open[PUT_DEPTH]; /* borrowed, from the outermost to the innermost */
	size_t depth;
};

/* `name` NULL: an element of an array, or the outermost value. */
void put_open(struct put *put, const char *name, char bracket);               /* '{' or '[' */
void put_close(struct put *put, char bracket);                                /* '}' or ']' */
void put_string(struct put *put, const char *name, const char *text);         /* UTF-8 */
void put_string_or_null(struct put *put, const char *name, const char *text); /* "" is null */
void put_number(struct put *put, const char *name, uint64_t number);
void put_bool(struct put *put, const char *name, bool value);
void put_null(struct put *put, const char *name);

/* The tree, which the caller gets. NULL: memory was out. */
json_t *put_take(struct put *put);
void put_fini(struct put *put);

#endif
