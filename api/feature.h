/* feature.h - what the footer of an image says that it is. */
#ifndef FEATURE_H
#define FEATURE_H

#include "fields.h"

/* The list as it shall be; there is only "temporary". In a form it is one word, or nothing. False:
 * the field is not there. */
bool feature_parse(struct fields *fields, bool *temporary);

#endif
