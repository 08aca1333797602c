/* catalog_sql.c - statements of the one connection. */
#include "catalog_sql.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "catalog_vfs.h"

enum { EVENTS = 100000, EVENTS_TRIM = 256 }; /* kept; and how many come between two trims */

int catalog_sql_fail(struct catalog_error *err, enum catalog_code code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	return code;
}

static enum catalog_code code_of(int result, const char *message)
{
	if (result == SQLITE_CONSTRAINT_TRIGGER && strstr(message, "deep"))
		return CATALOG_E_TOO_DEEP;
	if (result == SQLITE_CONSTRAINT_TRIGGER && strstr(message, "cycle"))
		return CATALOG_E_CYCLE;
	if (result == SQLITE_CONSTRAINT_TRIGGER && strstr(message, "children"))
		return CATALOG_E_HAS_CHILDREN;
	if (result == SQLITE_CONSTRAINT_PRIMARYKEY)
		return CATALOG_E_ID_EXISTS;
	if (result == SQLITE_CONSTRAINT_UNIQUE && strstr(message, "image.path"))
		return CATALOG_E_PLACE;
	if (result == SQLITE_CONSTRAINT_UNIQUE)
		return CATALOG_E_NAME_EXISTS;
	switch (result & 0xff) {
	case SQLITE_CONSTRAINT: return CATALOG_E_STATE;
	case SQLITE_FULL: return CATALOG_E_NOSPC;
	case SQLITE_NOMEM: return CATALOG_E_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return CATALOG_E_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return CATALOG_E_DAMAGED;
	case SQLITE_IOERR: return result == SQLITE_IOERR_NOMEM ? CATALOG_E_NOMEM : CATALOG_E_IO;
	default: return CATALOG_E_FAILED;
	}
}

static bool is_of_disk(int result)
{
	return (result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN;
}

/* A file keeps the errno of what failed last, but is closed when it cannot be opened. */
int catalog_sql_disk(sqlite3 *db)
{
	int sys = 0;

	if (db)
		(void)sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &sys);
	return sys || !is_of_disk(sqlite3_errcode(db)) ? sys : sqlite3_system_errno(db);
}

enum catalog_code catalog_sql_code(sqlite3 *db)
{
	return code_of(sqlite3_extended_errcode(db), sqlite3_errmsg(db));
}

/* A page that it could not have is damaged to SQLite. */
static enum catalog_code judge(sqlite3 *db, const char *text, bool lacked_memory)
{
	int sys = catalog_sql_disk(db);

	if (strcmp(text, "ok") == 0)
		return CATALOG_OK;
	if (lacked_memory)
		return CATALOG_E_NOMEM;
	return sys && sys != ENOENT ? CATALOG_E_IO : CATALOG_E_DAMAGED;
}

enum catalog_code catalog_sql_check(sqlite3 *db, char ret_text[CATALOG_WHY])
{
	sqlite3_stmt *stmt = NULL;
	const unsigned char *text = NULL;
	unsigned lacks = catalog_vfs_lacks();
	enum catalog_code code = CATALOG_E_FAILED;

	if (sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		text = sqlite3_column_text(stmt, 0);
	if (text) {
		(void)snprintf(ret_text, CATALOG_WHY, "%s", (const char *)text);
		code = judge(db, ret_text, catalog_vfs_lacks() != lacks);
	}
	(void)sqlite3_finalize(stmt);
	return code;
}

int catalog_sql_fail_disk(const char *what, int sys, struct catalog_error *err)
{
	char text[128];

	return catalog_sql_fail(err, CATALOG_E_IO, "catalog: %s: %s", what,
				strerror_r(sys, text, sizeof text));
}

int catalog_sql_error(struct catalog *catalog, const char *what, struct catalog_error *err)
{
	const char *message = sqlite3_errmsg(catalog->db);
	enum catalog_code code = catalog_sql_code(catalog->db);
	int sys = catalog_sql_disk(catalog->db);

	if (sys && (code == CATALOG_E_IO || (code == CATALOG_E_FAILED && sys == EIO)))
		return catalog_sql_fail_disk(what, sys, err);
	return catalog_sql_fail(err, code, "catalog: %s: %s", what, message);
}

int64_t catalog_sql_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t catalog_sql_now_after(int64_t ms)
{
	int64_t now = catalog_sql_now();

	return now > ms ? now : ms;
}

int64_t catalog_sql_later(int64_t ms)
{
	return catalog_sql_now_after((ms / 1000 + 1) * 1000);
}

/* ---- statements ---- */

sqlite3_stmt *catalog_sql_use(struct catalog *catalog, enum catalog_statement statement)
{
	sqlite3_stmt *stmt = catalog->statements[statement];

	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
	return stmt;
}

sqlite3_stmt *catalog_sql_use_id(struct catalog *catalog, enum catalog_statement statement,
				 const uint8_t id[IDS_SIZE])
{
	sqlite3_stmt *stmt = catalog_sql_use(catalog, statement);

	(void)sqlite3_bind_blob(stmt, 1, id, IDS_SIZE, SQLITE_STATIC);
	return stmt;
}

static int run(struct catalog *catalog, sqlite3_stmt *statement, struct catalog_error *err)
{
	int result = sqlite3_step(statement), r = 0;

	if (result != SQLITE_DONE && result != SQLITE_ROW)
		r = catalog_sql_error(catalog, "change", err);
	(void)sqlite3_reset(statement);
	return r;
}

int catalog_sql_run(struct catalog *catalog, sqlite3_stmt *statement, struct catalog_error *err)
{
	int r = run(catalog, statement, err);

	if (r < 0)
		return r;
	if (sqlite3_changes(catalog->db) == 0)
		return catalog_sql_fail(err, CATALOG_E_STATE,
					"the image is not in the right state");
	return 0;
}

int catalog_sql_execute(struct catalog *catalog, const char *sql, struct catalog_error *err)
{
	if (sqlite3_exec(catalog->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return catalog_sql_error(catalog, "execute", err);
	return 0;
}

/* The oldest go. The newest stays, for its number is the revision of the next start. */
static int trim_events(struct catalog *catalog, int64_t newest, struct catalog_error *err)
{
	sqlite3_stmt *stmt;

	if (newest % EVENTS_TRIM != 0)
		return 0;
	stmt = catalog_sql_use(catalog, SQL_EVENT_TRIM);
	(void)sqlite3_bind_int64(stmt, 1, newest - EVENTS);
	return run(catalog, stmt, err);
}

int catalog_sql_event(struct catalog *catalog, const char *type, const uint8_t id[IDS_SIZE],
		      struct catalog_error *err)
{
	sqlite3_stmt *stmt = catalog_sql_use(catalog, SQL_EVENT_INSERT);
	int64_t seq;
	int r;

	(void)sqlite3_bind_int64(stmt, 1, catalog_sql_now());
	(void)sqlite3_bind_text(stmt, 2, type, -1, SQLITE_STATIC);
	(void)sqlite3_bind_blob(stmt, 3, id, IDS_SIZE, SQLITE_STATIC);
	r = catalog_sql_run(catalog, stmt, err);
	if (r < 0)
		return r;
	seq = sqlite3_last_insert_rowid(catalog->db);
	catalog->turns.current->revision = (uint64_t)seq;
	return trim_events(catalog, seq, err);
}
