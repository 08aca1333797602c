/* writes.h - the journal of uploads: who was cut off asks how far it got. */
#ifndef WRITES_H
#define WRITES_H

#include "call.h"

/* All that could be refused before the body was not. */
void writes_begin(struct api_call *call);
/* More of the body was written. */
void writes_note(struct api_call *call);
/* The answer is there, or never comes: the connection was cut. Once; later calls do nothing. */
void writes_end(struct api_call *call, bool cut);

/* The answer to ?op=writes. The journal has no ETag: who compares has compared with the content. */
enum api_step writes_list(struct api_call *call, const struct service_data_state *state);

#endif
