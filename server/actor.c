/* actor.c - one request for each thread. */
#include "actor.h"

#include <stdio.h>

static _Thread_local const char *current;
static _Thread_local char blamed[ACTOR_NAME];

void actor_set(const char *request)
{
	current = request;
	blamed[0] = '\0';
}

const char *actor_request(void)
{
	return current;
}

void actor_blame(const char *name)
{
	(void)snprintf(blamed, sizeof blamed, "%s", name);
}

const char *actor_blamed(void)
{
	return blamed;
}
