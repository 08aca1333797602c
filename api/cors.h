/* cors.h - what pages of foreign origins may do: those of the configuration, everything. */
#ifndef CORS_H
#define CORS_H

#include <stdbool.h>

#include "call.h"

/* A browser asks whether a page of an allowed origin may send what it is about to: then it is
 * answered, in call->response. */
bool cors_preflight(struct api_call *call);

/* Lets such a page read the answer. False: no memory. */
bool cors_headers(const struct api *api, const struct http_request *request,
		  struct http_response *response);

#endif
