/* workers.h - a bounded number of threads for what may block. */
#ifndef WORKERS_H
#define WORKERS_H

#include <stdbool.h>
#include <stddef.h>

struct workers;

/* A piece of work; lies inside whatever it is about, and belongs to the pool until `run` is called.
 */
struct workers_item {
	void (*run)(struct workers_item *item);
	struct workers_item *next; /* of the pool */
};

enum { WORKERS_ASIDE = 56 }; /* threads that may wait beside those that work */

/* So many work at once. NULL when threads cannot be made. */
struct workers *workers_new(size_t threads);
/* Does all that was added, then ends the threads. NULL is fine. */
void workers_free(struct workers *workers);

void workers_add(struct workers *workers, struct workers_item *item);

/* Around a wait for another request, which may be long: others are worked on meanwhile, also when
 * it comes back. False: so many stand aside already that the caller would keep others waiting. True
 * in a thread that is no worker. */
bool workers_step_aside(void);
void workers_step_back(void); /* after true */

#endif
