/* catalog_turn.h - who may change what of the catalog now, and which changes share a commit; for
 * catalog*.c only.
 *
 * A change takes its turn with the images and the name that it will touch, runs its statements with
 * `writer` held, and gives `writer` up while it waits for the commit: then changes that touch
 * something else run their statements too, and one commit makes all of them durable. What two
 * changes both touch is changed one after the other, so nobody decides by what is not durable yet.
 * A change that fails takes back its own statements only. */
#ifndef CATALOG_TURN_H
#define CATALOG_TURN_H

#include <pthread.h>
#include <stdatomic.h>

#include "catalog.h"

/* The first members are set by whoever takes the turn; zero ids are none. */
struct catalog_turn {
	uint8_t ids[2][IDS_SIZE]; /* as a rule an image and its parent */
	const char *name;         /* that it gives to an image; NULL: none */
	bool alone;               /* nobody else may be at work */

	struct catalog_turn *next;    /* who came later */
	struct catalog_turn *in_wait; /* the next one that waits for the same commit */
	enum { TURN_WORKS, TURN_WAITS, TURN_ENDED } state;
	uint64_t revision; /* of its event; 0: it has none */
	int result;        /* of the commit */
	struct catalog_error why;
};

/* Guarded by `writer`, but for `arriving`. */
struct catalog_turns {
	pthread_cond_t changed;
	struct catalog_turn *first;   /* at work or in wait for others, as they came */
	struct catalog_turn *current; /* the one that holds `writer` */
	struct catalog_turn *waiting; /* for the commit of the open transaction */
	unsigned n_waiting;
	atomic_uint arriving; /* who will hold `writer` soon, without waiting for anybody */
	bool open;            /* a transaction is */
};

void catalog_turns_init(struct catalog_turns *turns);
void catalog_turns_fini(struct catalog_turns *turns);

/* Returns with `writer` held, when no change that came before touches the same. */
void catalog_turn_take(struct catalog *catalog, struct catalog_turn *turn);
/* The same with an image and its parent; it may be gone when its turn has come. */
void catalog_turn_take_of(struct catalog *catalog, struct catalog_turn *turn,
			  const uint8_t id[IDS_SIZE]);
/* Gives `writer` up. */
void catalog_turn_leave(struct catalog *catalog, struct catalog_turn *turn);

/* The change of the current turn. Refused while the disk is full; the second one is for what ends
 * something or makes room. */
int catalog_sql_begin(struct catalog *catalog, struct catalog_error *err);
int catalog_sql_begin_closing(struct catalog *catalog, struct catalog_error *err);
/* Returns when the change is durable, if r is 0; else, or when the commit fails, nothing of it is
 * left. Answers r, or why the commit failed. */
int catalog_sql_end(struct catalog *catalog, int r, struct catalog_error *err);

#endif
