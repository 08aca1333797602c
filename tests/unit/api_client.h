/* api_client.h - sends requests through api.h as server/ does, without a socket. */
#ifndef API_CLIENT_H
#define API_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api.h"
#include "fake_service.h"

/* A request leaves out what is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* One request and what became of it. Zero it, fill in the first part, send. */
struct exchange {
	const char *method;
	const char *target;  /* path and query */
	const char *headers; /* "Name: value\n" lines; Host is there already unless there is one */
	const char *body;
	size_t body_length; /* 0: strlen(body) */
	size_t piece;       /* bytes of one piece of the body; 0 = 7 */
	bool chunked;
	bool no_length; /* neither Content-Length nor chunked */
	bool no_look;   /* leave text and json out: the test fails allocations */

	struct http_response *response;
	char steps[128]; /* names of the steps, with a blank between */
	char *text;      /* the body with a NUL, heap */
	size_t length;
	json_t *json; /* the body, when it is JSON */
};

void exchange_send(struct service *service, struct exchange *exchange);
void exchange_fini(struct exchange *exchange); /* also sets the results to nothing */

/* Sends and checks the status; returns the JSON of the answer, which lives until exchange_fini. */
json_t *exchange_json(struct service *service, struct exchange *exchange, unsigned status);
/* Sends and checks status, code and detail of a problem. */
void exchange_problem(struct service *service, struct exchange *exchange, unsigned status,
		      const char *code, const char *detail);
/* A header of the response, "" when it is not there. */
const char *exchange_header(const struct exchange *exchange, const char *name);
/* Text of a member of the answer, which must be there; dots go down. */
const char *exchange_text(const struct exchange *exchange, const char *member);
json_int_t exchange_number(const struct exchange *exchange, const char *member);

#endif
