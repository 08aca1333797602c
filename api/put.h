/* put.h - JSON as text, member by member, for answers that are given often: no tree, and no memory
 * but the buffer's. Commas are set by looking at what is there already.
 *
 * `name` NULL: an element of an array, or the outermost value. */
#ifndef PUT_H
#define PUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

void put_open(struct buf *buf, const char *name, char bracket); /* '{' or '[' */
void put_close(struct buf *buf, char bracket);
void put_string(struct buf *buf, const char *name, const char *text);         /* UTF-8 */
void put_string_or_null(struct buf *buf, const char *name, const char *text); /* "" is null */
void put_number(struct buf *buf, const char *name, uint64_t number);
void put_bool(struct buf *buf, const char *name, bool value);
void put_null(struct buf *buf, const char *name);

/* The text as a tree, for those who pick from it. NULL: no memory, also while it was written. */
json_t *put_parse(const struct buf *buf);

#endif
