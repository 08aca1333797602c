/* values.h - what a request said where it is wrong, for the `errors` of a problem. */
#ifndef VALUES_H
#define VALUES_H

#include <jansson.h>

#include "problem.h"
#include "query.h"

/* Fills in the values of the items of a problem, after an item for what the daemon has refused,
 * when its code tells which member of the body that is. `body` may be NULL. */
void values_fill(struct problem *problem, const struct query *query, const json_t *body);

#endif
