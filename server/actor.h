/* actor.h - for which request a thread works: lines of the log name it, and who waits in vain for
 * what it has is told. */
#ifndef ACTOR_H
#define ACTOR_H

enum { ACTOR_NAME = 65 }; /* with NUL */

/* Until the next call; NULL: the daemon itself. `request` must live as long. Blames nobody. */
void actor_set(const char *request);
const char *actor_request(void);

/* Who had what this thread has just waited for in vain; "": nobody knows. A copy is kept. */
void actor_blame(const char *name);
const char *actor_blamed(void);

#endif
