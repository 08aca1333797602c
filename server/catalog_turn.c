/* catalog_turn.c - turns, and transactions that several of them share. */
#include "catalog_turn.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "catalog_sql.h"
#include "log.h"
#include "pool_ballast.h"

enum { SHARED_MAX = 64 }; /* changes of one commit */

static const char full[] =
	"the disk of the catalog is full: nothing new is begun until " POOL_BALLAST_ROOM;

void catalog_turns_init(struct catalog_turns *turns)
{
	(void)pthread_cond_init(&turns->changed, NULL);
	atomic_init(&turns->arriving, 0);
}

void catalog_turns_fini(struct catalog_turns *turns)
{
	(void)pthread_cond_destroy(&turns->changed);
}

/* ---- turns ---- */

static bool touches(const struct catalog_turn *turn, const uint8_t id[IDS_SIZE])
{
	return !ids_is_zero(id) &&
	       (memcmp(turn->ids[0], id, IDS_SIZE) == 0 || memcmp(turn->ids[1], id, IDS_SIZE) == 0);
}

static bool meet(const struct catalog_turn *a, const struct catalog_turn *b)
{
	return a->alone || b->alone || touches(a, b->ids[0]) || touches(a, b->ids[1]) ||
	       (a->name && b->name && strcmp(a->name, b->name) == 0);
}

static bool must_wait(const struct catalog_turns *turns, const struct catalog_turn *turn)
{
	const struct catalog_turn *other = turns->first;

	while (other != turn && !meet(other, turn))
		other = other->next;
	return other != turn;
}

/* Whoever waits looks again: for its turn, or whether the commit is left to it. */
static void wake(struct catalog_turns *turns)
{
	(void)pthread_cond_broadcast(&turns->changed);
}

static void arrived(struct catalog_turns *turns)
{
	if (atomic_fetch_sub(&turns->arriving, 1) == 1 && turns->waiting)
		wake(turns);
}

void catalog_turn_take(struct catalog *catalog, struct catalog_turn *turn)
{
	struct catalog_turns *turns = &catalog->turns;
	struct catalog_turn **link = &turns->first;

	atomic_fetch_add(&turns->arriving, 1);
	(void)pthread_mutex_lock(&catalog->writer);
	while (*link)
		link = &(*link)->next;
	*link = turn;
	while (must_wait(turns, turn)) {
		arrived(turns);
		(void)pthread_cond_wait(&turns->changed, &catalog->writer);
		atomic_fetch_add(&turns->arriving, 1);
	}
	turns->current = turn;
}

void catalog_turn_take_of(struct catalog *catalog, struct catalog_turn *turn,
			  const uint8_t id[IDS_SIZE])
{
	const struct catalog_node *node;

	memcpy(turn->ids[0], id, IDS_SIZE);
	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_find(&catalog->index, id);
	if (node) /* the id of a parent is for ever */
		memcpy(turn->ids[1], node->image.parent_id, IDS_SIZE);
	(void)pthread_mutex_unlock(&catalog->memory);
	catalog_turn_take(catalog, turn);
}

void catalog_turn_leave(struct catalog *catalog, struct catalog_turn *turn)
{
	struct catalog_turns *turns = &catalog->turns;
	struct catalog_turn **link = &turns->first;

	while (*link != turn)
		link = &(*link)->next;
	*link = turn->next;
	if (turn->state == TURN_WORKS)
		arrived(turns);
	wake(turns);
	(void)pthread_mutex_unlock(&catalog->writer);
}

/* ---- the health of the disk ---- */

static void note_health(struct catalog *catalog, const char *why)
{
	(void)pthread_mutex_lock(&catalog->memory);
	(void)snprintf(catalog->sick, sizeof catalog->sick, "%s", catalog->full ? full : why);
	(void)pthread_mutex_unlock(&catalog->memory);
}

static void note_full(struct catalog *catalog)
{
	if (!catalog->full)
		log_warning("%s", full);
	(void)pthread_mutex_lock(&catalog->memory);
	catalog->full = true;
	(void)pthread_mutex_unlock(&catalog->memory);
	note_health(catalog, full);
	pool_ballast_drop(catalog->path);
}

/* The pages may be on the disk or not: going on with either belief could lose what was answered, or
 * answer what is lost. */
static void end_if_uncertain(const struct catalog *catalog, const struct catalog_error *why)
{
	if ((sqlite3_extended_errcode(catalog->db) & 0xff) != SQLITE_IOERR)
		return;
	log_error("%s; the next start finds out whether it is durable", why->text);
	_exit(EX_SOFTWARE);
}

/* ---- transactions ---- */

static int run_plain(struct catalog *catalog, enum catalog_statement statement, const char *what,
		     struct catalog_error *err)
{
	sqlite3_stmt *stmt = catalog_sql_use(catalog, statement);
	int r = 0;

	if (sqlite3_step(stmt) != SQLITE_DONE)
		r = catalog_sql_error(catalog, what, err);
	(void)sqlite3_reset(stmt);
	return r;
}

#ifdef VHDD_TESTING
/* VHDD_CATALOG_REFUSES=busy:N or failed:N in the environment: the first N transactions do not
 * begin, for no test can make that happen to a database that is locked and open. */
static int refuse_in_test(struct catalog_error *err)
{
	static long refused;
	/* Nobody sets it. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *text = getenv("VHDD_CATALOG_REFUSES");
	const char *count = text ? strchr(text, ':') : NULL;

	if (!count || refused >= strtol(count + 1, NULL, 10))
		return 0;
	refused++;
	return catalog_sql_fail(err, *text == 'b' ? CATALOG_E_BUSY : CATALOG_E_FAILED,
				"catalog: begin: made to be %s", text);
}
#endif

static int begin(struct catalog *catalog, struct catalog_error *err)
{
	int r = 0;

#ifdef VHDD_TESTING
	r = refuse_in_test(err);
	if (r < 0)
		return r;
#endif
	/* Even the end of a change that failed can fail, for lack of memory. */
	if (!sqlite3_get_autocommit(catalog->db))
		r = run_plain(catalog, SQL_ROLLBACK, "rollback", err);
	if (r == 0)
		r = run_plain(catalog, SQL_BEGIN, "begin", err);
	catalog->turns.open = r == 0;
	return r;
}

/* All that wait for the transaction learn how it ended. */
static void ended(struct catalog *catalog, int r, const struct catalog_error *why)
{
	struct catalog_turns *turns = &catalog->turns;

	for (struct catalog_turn *turn = turns->waiting; turn; turn = turn->in_wait) {
		turn->state = TURN_ENDED;
		turn->result = r;
		turn->why = *why;
		if (r == 0 && turn->revision > catalog->revision)
			catalog->revision = turn->revision;
	}
	turns->waiting = NULL;
	turns->n_waiting = 0;
	turns->open = false;
	wake(turns);
}

/* Some errors have rolled back already; then there is nothing to do. */
static void roll_back(struct catalog *catalog, int r, const struct catalog_error *why)
{
	if (!sqlite3_get_autocommit(catalog->db))
		(void)run_plain(catalog, SQL_ROLLBACK, "rollback", NULL);
	ended(catalog, r, why);
}

static void commit(struct catalog *catalog)
{
	struct catalog_error why = {0};
	int r = run_plain(catalog, SQL_COMMIT, "commit", &why);

	if (r < 0)
		end_if_uncertain(catalog, &why);
	note_health(catalog, r < 0 ? why.text : "");
	if (r == CATALOG_E_NOSPC)
		note_full(catalog);
	if (r < 0)
		roll_back(catalog, r, &why);
	else
		ended(catalog, 0, &why);
}

/* The statements of the current turn only, unless the database has given up the whole transaction.
 */
static void take_back(struct catalog *catalog, int r, const struct catalog_error *why)
{
	if (!catalog->turns.waiting || sqlite3_get_autocommit(catalog->db) ||
	    run_plain(catalog, SQL_TAKE_BACK, "take back", NULL) < 0 ||
	    run_plain(catalog, SQL_RELEASE, "release", NULL) < 0)
		roll_back(catalog, r, why);
	if (r == CATALOG_E_NOSPC)
		note_full(catalog);
}

int catalog_sql_begin_closing(struct catalog *catalog, struct catalog_error *err)
{
	struct catalog_error why = {0};
	int r = catalog->turns.open ? 0 : begin(catalog, err);

	if (r < 0)
		return r;
	r = run_plain(catalog, SQL_SAVEPOINT, "savepoint", err);
	if (r < 0 && !catalog->turns.waiting)
		roll_back(catalog, r, &why);
	return r;
}

int catalog_sql_begin(struct catalog *catalog, struct catalog_error *err)
{
	if (catalog->full)
		return catalog_sql_fail(err, CATALOG_E_NOSPC, "%s", full);
	return catalog_sql_begin_closing(catalog, err);
}

/* The last one to come commits for all. */
static void wait_for_commit(struct catalog *catalog, struct catalog_turn *turn)
{
	struct catalog_turns *turns = &catalog->turns;

	turn->state = TURN_WAITS;
	turn->in_wait = turns->waiting;
	turns->waiting = turn;
	turns->n_waiting++;
	arrived(turns);
	while (turn->state == TURN_WAITS) {
		if (atomic_load(&turns->arriving) == 0 || turns->n_waiting >= SHARED_MAX)
			commit(catalog);
		else
			(void)pthread_cond_wait(&turns->changed, &catalog->writer);
	}
	turns->current = turn;
}

int catalog_sql_end(struct catalog *catalog, int r, struct catalog_error *err)
{
	struct catalog_turn *turn = catalog->turns.current;
	struct catalog_error why = {0};

	if (r == 0)
		r = run_plain(catalog, SQL_RELEASE, "release", err);
	if (r < 0) {
		take_back(catalog, r, err ? err : &why);
		return r;
	}
	wait_for_commit(catalog, turn);
	if (turn->result < 0 && err)
		*err = turn->why;
	return turn->result;
}
