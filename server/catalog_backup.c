/* catalog_backup.c - copies of the catalog, and what is done when its disk is full. */
#include "catalog.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "catalog_sql.h"
#include "crash_point.h"
#include "pool_backup.h"
#include "pool_ballast.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static int fail_sys(struct catalog_error *err)
{
	int sys = errno;
	char text[128];

	return catalog_sql_fail(err, sys == ENOSPC ? CATALOG_E_NOSPC : CATALOG_E_FAILED,
				"catalog: backup: %s", strerror_r(sys, text, sizeof text));
}

int catalog_backup_write(struct catalog *catalog, struct catalog_error *err)
{
	char path[POOL_BACKUP_PATH];
	char *sql;
	int r;

	if (pool_backup_begin(catalog->path, path) < 0)
		return fail_sys(err);
	sql = sqlite3_mprintf("VACUUM INTO %Q", path);
	if (!sql)
		return catalog_sql_fail(err, CATALOG_E_NOMEM, "catalog: out of memory");
	/* The copy is attached while it is written. */
	(void)sqlite3_limit(catalog->db, SQLITE_LIMIT_ATTACHED, 1);
	r = catalog_sql_execute(catalog, sql, err);
	CRASH_POINT("backup.written");
	(void)sqlite3_limit(catalog->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_free(sql);
	if (r == 0 && pool_backup_keep(catalog->path) < 0)
		r = fail_sys(err);
	if (r < 0)
		pool_backup_give_up(catalog->path);
	return r;
}

int catalog_backup(struct catalog *catalog, struct catalog_error *err)
{
	struct catalog_turn turn = {.alone = true};
	int r;

	catalog_turn_take(catalog, &turn);
	r = catalog_backup_write(catalog, err);
	catalog_turn_leave(catalog, &turn);
	return r;
}

bool catalog_backup_due(struct catalog *catalog)
{
	int64_t age = catalog_sql_now() - pool_backup_time(catalog->path);
	bool empty;

	(void)pthread_mutex_lock(&catalog->memory);
	empty = catalog->index.n == 0;
	(void)pthread_mutex_unlock(&catalog->memory);
	return !empty && (age >= DAY_MS || age < 0); /* of a time to come: the clock was set back */
}

bool catalog_keep_room(struct catalog *catalog)
{
	struct catalog_turn turn = {.alone = true};
	bool there;

	catalog_turn_take(catalog, &turn);
	there = pool_ballast_make(catalog->path);
	if (there && catalog->full) {
		(void)pthread_mutex_lock(&catalog->memory);
		catalog->full = false;
		*catalog->sick = '\0';
		(void)pthread_mutex_unlock(&catalog->memory);
	}
	catalog_turn_leave(catalog, &turn);
	return there;
}
