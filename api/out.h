/* out.h - an answer in JSON, member by member. After a failed allocation it stays failed, so that
 * only out_take needs a check, and nothing is ever left out in silence. */
#ifndef OUT_H
#define OUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct out {
	json_t *json; /* an object or an array */
	bool failed;
};

struct out out_object(void);
struct out out_array(void);

void out_text(struct out *out, const char *name, const char *text);
void out_text_or_null(struct out *out, const char *name, const char *text); /* "" is null */
void out_number(struct out *out, const char *name, uint64_t number);
void out_bool(struct out *out, const char *name, bool value);
void out_time(struct out *out, const char *name, int64_t unix_ms);
/* Steals `json`; NULL is taken for lack of memory. */
void out_json(struct out *out, const char *name, json_t *json);

/* Elements of an array. */
void out_add(struct out *out, json_t *json);
void out_add_text(struct out *out, const char *text);

/* What was made; NULL: memory was out. */
json_t *out_take(struct out *out);

#endif
