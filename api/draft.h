/* draft.h - a new image as the body of a request asks for it. */
#ifndef DRAFT_H
#define DRAFT_H

#include <stdbool.h>

#include "call.h"
#include "service.h"

/* With the memory that `spec` points to beyond the body. */
struct draft {
	struct service_create spec;
	char uuid[SERVICE_ID];
	struct service_label *labels; /* heap */
};
void draft_fini(struct draft *draft);

/* All fields of call->body; `named`: the name is in the path. False: problem set. */
bool draft_parse(struct api_call *call, struct draft *draft, bool named);
/* The same without kind and parent, which the path says. */
bool draft_parse_child(struct api_call *call, struct draft *draft);

#endif
