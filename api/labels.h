/* labels.h - labels of an image in a body. */
#ifndef LABELS_H
#define LABELS_H

#include <stdbool.h>
#include <stddef.h>

#include "fields.h"
#include "service.h"

/* May an image have this label? */
bool labels_ok(const char *key, const json_t *value);

/* The member "labels", on the heap; NULL: there are none, or the problem is set. */
struct service_label *labels_parse(struct fields *fields, size_t *ret_n);

#endif
