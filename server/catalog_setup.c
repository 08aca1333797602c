/* catalog_setup.c - opens and closes the database. Whatever the design relies on is read back, and
 * the daemon does not start when it did not take. */
#include "catalog_sql.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_vfs.h"
#include "crash_point.h"
#include "pool_backup.h"

enum { APPLICATION_ID = 0x76686464 }; /* "vhdd" */

/* The single value that a query answers. */
static int query(struct catalog *catalog, const char *sql, char *ret_text, size_t size,
		 struct catalog_error *err)
{
	sqlite3_stmt *stmt = NULL;
	const unsigned char *text = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(catalog->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return catalog_sql_error(catalog, "open", err);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		text = sqlite3_column_text(stmt, 0);
	if (text)
		(void)snprintf(ret_text, size, "%s", (const char *)text);
	else
		r = catalog_sql_error(catalog, "open", err);
	(void)sqlite3_finalize(stmt);
	return r;
}

static const struct pragma {
	const char *set, *get, *value;
} pragmas[] = {
	/* The lock comes first, so that nobody else may ever open what follows. */
	{"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA locking_mode", "exclusive"},
	{"BEGIN EXCLUSIVE; COMMIT", NULL, NULL},
	{"PRAGMA journal_mode = PERSIST", "PRAGMA journal_mode", "persist"},
	{"PRAGMA synchronous = EXTRA", "PRAGMA synchronous", "3"},
	{"PRAGMA foreign_keys = ON", "PRAGMA foreign_keys", "1"},
	{"PRAGMA trusted_schema = OFF", "PRAGMA trusted_schema", "0"},
	{"PRAGMA cell_size_check = ON", "PRAGMA cell_size_check", "1"},
	{"PRAGMA temp_store = MEMORY", "PRAGMA temp_store", "2"},
	/* Has no value to read back where memory maps are compiled out. */
	{"PRAGMA mmap_size = 0", NULL, NULL},
};

static int set_pragmas(struct catalog *catalog, struct catalog_error *err)
{
	char value[64];
	int r;

	for (size_t i = 0; i < sizeof pragmas / sizeof *pragmas; i++) {
		r = catalog_sql_execute(catalog, pragmas[i].set, err);
		if (r < 0)
			return r;
		if (!pragmas[i].get)
			continue;
		r = query(catalog, pragmas[i].get, value, sizeof value, err);
		if (r < 0)
			return r;
		if (strcmp(value, pragmas[i].value) != 0)
			return catalog_sql_fail(err, CATALOG_E_FAILED,
						"catalog: '%s' did not take: %s", pragmas[i].set,
						value);
	}
	if (sqlite3_db_config(catalog->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK)
		return catalog_sql_error(catalog, "defensive", err);
	(void)sqlite3_limit(catalog->db, SQLITE_LIMIT_LENGTH, 1 << 20);
	(void)sqlite3_limit(catalog->db, SQLITE_LIMIT_SQL_LENGTH, 1 << 16);
	(void)sqlite3_limit(catalog->db, SQLITE_LIMIT_ATTACHED, 0);
	return 0;
}

static int number(struct catalog *catalog, const char *sql, long *ret_value,
		  struct catalog_error *err)
{
	char text[64];
	int r = query(catalog, sql, text, sizeof text, err);

	if (r == 0)
		*ret_value = strtol(text, NULL, 10);
	return r;
}

#ifdef VHDD_TESTING
static int before_statement(unsigned what, void *ctx, void *stmt, void *text)
{
	(void)what, (void)ctx, (void)stmt, (void)text;
	CRASH_POINT("migrate.statement");
	return 0;
}
#endif

static int check_references(struct catalog *catalog, struct catalog_error *err)
{
	long broken = 0;
	int r = number(catalog, "SELECT count(*) FROM pragma_foreign_key_check", &broken, err);

	if (r == 0 && broken > 0)
		r = catalog_sql_fail(err, CATALOG_E_DAMAGED,
				     "catalog: damaged: %ld rows name an image that is not there",
				     broken);
	return r;
}

/* A table that is made anew is away for a moment, and what names it must not go with it. A step
 * looks at all names at its end. */
static int set_references(struct catalog *catalog, bool on, struct catalog_error *err)
{
	long is = -1;
	int r = catalog_sql_execute(
		catalog, on ? "PRAGMA foreign_keys = ON" : "PRAGMA foreign_keys = OFF", err);

	if (r == 0)
		r = number(catalog, "PRAGMA foreign_keys", &is, err);
	if (r == 0 && is != on)
		r = catalog_sql_fail(err, CATALOG_E_FAILED, "catalog: foreign_keys stay %s",
				     on ? "off" : "on");
	return r;
}

/* One step, one transaction, with the version inside it. */
static int migrate_step(struct catalog *catalog, int version, struct catalog_error *err)
{
	char sql[96];
	int r = catalog_sql_execute(catalog, "BEGIN IMMEDIATE", err);

	if (r < 0)
		return r;
	r = catalog_sql_execute(catalog, catalog_schema[version], err);
	CRASH_POINT("migrate.changed");
	if (r == 0)
		r = check_references(catalog, err);
	(void)snprintf(sql, sizeof sql, "PRAGMA user_version = %d; PRAGMA application_id = %d",
		       version + 1, APPLICATION_ID);
	if (r == 0)
		r = catalog_sql_execute(catalog, sql, err);
	CRASH_POINT("migrate.commit");
	if (r == 0)
		return catalog_sql_execute(catalog, "COMMIT", err);
	(void)catalog_sql_execute(catalog, "ROLLBACK", NULL);
	return r;
}

static int refuse_newer(const struct catalog *catalog, long version, struct catalog_error *err)
{
	char backup[POOL_BACKUP_PATH] = "none";

	(void)pool_backup_newest(catalog->path, backup);
	return catalog_sql_fail(err, CATALOG_E_NEWER,
				"catalog: version %ld is from a newer vhdd, this one knows %d; "
				"newest backup: %.120s",
				version, catalog_schema_version, backup);
}

static int migrate(struct catalog *catalog, struct catalog_error *err)
{
	long version = 0, application = 0;
	int r = number(catalog, "PRAGMA user_version", &version, err);

	if (r == 0)
		r = number(catalog, "PRAGMA application_id", &application, err);
	if (r < 0)
		return r;
	if (version < 0)
		return catalog_sql_fail(err, CATALOG_E_DAMAGED, "catalog: damaged: version %ld",
					version);
	if (version && application != APPLICATION_ID)
		return catalog_sql_fail(err, CATALOG_E_FAILED,
					"catalog: the file is the database of another program");
	if (version > catalog_schema_version)
		return refuse_newer(catalog, version, err);
	if (version && version < catalog_schema_version)
		r = catalog_backup_write(catalog, err);
	CRASH_POINT("migrate.backed-up");
#ifdef VHDD_TESTING
	(void)sqlite3_trace_v2(catalog->db, SQLITE_TRACE_STMT, before_statement, NULL);
#endif
	if (r == 0)
		r = set_references(catalog, false, err);
	for (; r == 0 && version < catalog_schema_version; version++)
		r = migrate_step(catalog, (int)version, err);
	if (r == 0)
		r = set_references(catalog, true, err);
	CRASH_POINT("migrate.done");
#ifdef VHDD_TESTING
	(void)sqlite3_trace_v2(catalog->db, 0, NULL, NULL);
#endif
	return r;
}

static int prepare(struct catalog *catalog, struct catalog_error *err)
{
	for (int i = 0; i < SQL_STATEMENTS; i++) {
		if (sqlite3_prepare_v3(catalog->db, catalog_statements[i], -1,
				       SQLITE_PREPARE_PERSISTENT, &catalog->statements[i],
				       NULL) != SQLITE_OK)
			return catalog_sql_error(catalog, catalog_statements[i], err);
	}
	return 0;
}

/* Every page, row and index is looked at before anything is believed: a flipped bit that made a
 * wrong parent out of a right one, or a deletion out of an image, is in one place only. */
static int check(struct catalog *catalog, struct catalog_error *err)
{
	char text[CATALOG_WHY];
	const char *why;
	enum catalog_code code = catalog_sql_check(catalog->db, text);

	if (code == CATALOG_OK)
		return 0;
	if (code == CATALOG_E_FAILED)
		return catalog_sql_error(catalog, "check", err);
	if (code == CATALOG_E_IO)
		return catalog_sql_fail_disk("check", catalog_sql_disk(catalog->db), err);
	if (code == CATALOG_E_NOMEM)
		return catalog_sql_fail(err, code, "catalog: check: out of memory");
	why = strncmp(text, "***", 3) == 0 ? strchr(text, '\n') : NULL; /* a title */
	why = why ? why + 1 : text;
	return catalog_sql_fail(err, code, "catalog: damaged: %.*s", (int)strcspn(why, "\n"), why);
}

/* SQLite is content with a file that it may only read. */
static int open_file(struct catalog *catalog, const char *path, struct catalog_error *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;

	if (sqlite3_open_v2(path, &catalog->db, flags, catalog_vfs()) != SQLITE_OK)
		return catalog_sql_error(catalog, path, err);
	if (sqlite3_db_readonly(catalog->db, "main") != 0)
		return catalog_sql_fail(err, CATALOG_E_FAILED,
					"%.160s cannot be opened for writing: look at its owner, "
					"its mode and the quota",
					path);
	return 0;
}

/* An empty one in its place would be backed up in turn, until no backup knows the names. A first
 * start that was cut off leaves no backup, for there was nothing to back up. */
static int refuse_lost(const char *path, struct catalog_error *err)
{
	char backup[POOL_BACKUP_PATH];
	int there = pool_backup_of_lost(path, backup);

	if (there == POOL_BACKUP_UNREADABLE)
		return catalog_sql_fail(err, CATALOG_E_FAILED,
					"catalog: nobody knows whether %.160s is lost: its folder "
					"cannot be read",
					path);
	if (there < 0)
		return 0;
	return catalog_sql_fail(err, CATALOG_E_LOST,
				"catalog: lost: there is none, but a backup of it, %.160s", backup);
}

int catalog_setup_open(struct catalog *catalog, const char *path, struct catalog_error *err)
{
	char text[128];
	int r;

	if (pool_backup_undo(path) < 0)
		return catalog_sql_fail(err, CATALOG_E_FAILED,
					"%.120s: a rebuild of it cannot be undone: %s", path,
					strerror_r(errno, text, sizeof text));
	r = refuse_lost(path, err);
	if (r == 0)
		r = open_file(catalog, path, err);
	if (r == 0)
		r = set_pragmas(catalog, err);
	if (r == 0)
		r = check(catalog, err);
	if (r == 0)
		r = migrate(catalog, err);
	if (r == 0)
		r = prepare(catalog, err);
	return r;
}

void catalog_setup_close(struct catalog *catalog)
{
	for (int i = 0; i < SQL_STATEMENTS; i++)
		(void)sqlite3_finalize(catalog->statements[i]);
	(void)sqlite3_close(catalog->db);
}
