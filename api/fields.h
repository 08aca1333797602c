/* fields.h - typed looks at the members of a JSON object. What nobody asked for is an error at the
 * end.
 *
 * Getters leave *value alone when the member is not there; a member of the wrong type or out of
 * bounds adds to the problem, so that a client learns of all its mistakes at once. null is a
 * mistake like any other type. Text stands for numbers and booleans too, as a form has nothing
 * else. */
#ifndef FIELDS_H
#define FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem.h"

enum { FIELDS_MAX = 32 };

struct fields {
	json_t *object; /* borrowed */
	struct problem *problem;
	const char *path; /* JSON pointer of the object: "" or "/ops/3" */
	const char *seen[FIELDS_MAX];
	size_t n_seen;
};

/* The member, or NULL; it counts as known from now on. */
json_t *fields_get(struct fields *fields, const char *name);
void fields_error(struct fields *fields, const char *name, enum code code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Text of at most max - 1 bytes; borrowed from the object. */
void fields_text(struct fields *fields, const char *name, size_t max, const char **value);
void fields_bool(struct fields *fields, const char *name, bool *value);
/* Bytes as a number or as text like "10G". True: it was there and valid. */
bool fields_size(struct fields *fields, const char *name, uint64_t *value);
/* One of `words` (n of them): its index. */
void fields_choice(struct fields *fields, const char *name, const char *const *words, size_t n,
		   unsigned *value);
/* Before it: a choice of a later version, which is no choice yet. True: it was that, and is
 * refused. */
bool fields_later_choice(struct fields *fields, const char *name, const char *word);

/* A member of a later version: refused when it is there, as it would be ignored. */
void fields_later(struct fields *fields, const char *name);

/* Members that no getter asked for. */
void fields_finish(struct fields *fields);

#endif
