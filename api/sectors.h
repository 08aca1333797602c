/* sectors.h - what all answers about sectors share. */
#ifndef SECTORS_H
#define SECTORS_H

#include "call.h"
#include "put.h"
#include "service.h"

const char *sectors_where(enum service_where where);
/* An image of the chain of call->data; with empty texts when there is no such level. */
struct service_level sectors_level(struct api_call *call, uint32_t depth);
/* The members "depth", "image" and "physical_sector" of the first sector of a run. */
void sectors_put_place(struct api_call *call, struct put *put, const struct service_run *run);

#endif
