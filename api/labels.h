/* labels.h - labels of an image in a body. */
#ifndef LABELS_H
#define LABELS_H

#include <stdbool.h>
#include <stddef.h>

#include "fields.h"
#include "service.h"

/* May a label have the key that the first `len` characters are? */
bool labels_key(const char *key, size_t len);

/* Is it an object of labels that an image may have, or, with `removals`, null for some? False: a
 * problem is set. */
bool labels_check(struct fields *fields, json_t *object, bool removals);

/* The member "labels", on the heap; NULL: there are none, or the problem is set. */
struct service_label *labels_parse(struct fields *fields, size_t *ret_n);

#endif
