/* catalog_sql.h - the one connection to the database, for catalog*.c only. */
#ifndef CATALOG_SQL_H
#define CATALOG_SQL_H

#include <pthread.h>

#include "catalog.h"
#include "catalog_index.h"
#include "catalog_turn.h"

struct sqlite3;
struct sqlite3_stmt;

enum catalog_statement {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_SAVEPOINT,
	SQL_TAKE_BACK,
	SQL_RELEASE,
	SQL_IMAGE_INSERT,
	SQL_LABEL_INSERT,
	SQL_EVENT_INSERT,
	SQL_EVENT_TRIM,
	SQL_IMAGE_FINISH,
	SQL_IMAGE_DELETING,
	SQL_IMAGE_FORGET,
	SQL_IMAGE_DIRTY,
	SQL_IMAGE_CLEAN,
	SQL_IMAGE_TOUCH,
	SQL_IMAGE_SEAL,
	SQL_IMAGE_UPDATE,
	SQL_IMAGE_FOUND,
	SQL_LABEL_CLEAR,
	SQL_IMAGE_UNSEAL,
	SQL_IMAGE_LOAD,
	SQL_LABEL_LOAD,
	SQL_IMAGE_LIST,
	SQL_IMAGE_COUNT,
	SQL_ROW_COUNT,
	SQL_IMAGE_IN_STATE,
	SQL_REVISION,
	SQL_STATEMENTS,
};

/* Lock order: `writer`, then `memory`. Who holds `writer` may read the index without `memory`. */
struct catalog {
	pthread_mutex_t writer; /* guards db, statements, revision, and changes of the index */
	struct catalog_turns turns;
	struct sqlite3 *db;
	struct sqlite3_stmt *statements[SQL_STATEMENTS];
	uint64_t revision;
	uint32_t depth_max; /* constant, as is the next one */
	char *path;

	pthread_mutex_t
		memory; /* guards the index and what follows; never held over a system call */
	struct catalog_index index;
	char sick[CATALOG_WHY]; /* why the last commit failed; "" when it did not */
	bool full;              /* the disk is; changes with `writer` held as well */
};

int catalog_sql_fail(struct catalog_error *err, enum catalog_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The errno of the file system that made the last call on `db` fail; 0: none did. */
int catalog_sql_disk(struct sqlite3 *db);
/* What the last call on it means. */
enum catalog_code catalog_sql_code(struct sqlite3 *db);
/* Looks at every page, row and index. CATALOG_E_DAMAGED: `ret_text` is what is wrong.
 * CATALOG_E_NOMEM, CATALOG_E_IO: nobody knows, for a page could not be had. CATALOG_E_FAILED: it
 * could not be done, and the database says why. */
enum catalog_code catalog_sql_check(struct sqlite3 *db, char ret_text[CATALOG_WHY]);
int catalog_sql_fail_disk(const char *what, int sys, struct catalog_error *err);
/* What the database said last. */
int catalog_sql_error(struct catalog *catalog, const char *what, struct catalog_error *err);

/* A statement with nothing bound, or with an id as its first parameter, which must live on. */
struct sqlite3_stmt *catalog_sql_use(struct catalog *catalog, enum catalog_statement statement);
struct sqlite3_stmt *catalog_sql_use_id(struct catalog *catalog, enum catalog_statement statement,
					const uint8_t id[IDS_SIZE]);
/* Runs it to its end; a change of no row is CATALOG_E_STATE. */
int catalog_sql_run(struct catalog *catalog, struct sqlite3_stmt *statement,
		    struct catalog_error *err);

/* Into the change under way; the revision moves with its commit. */
int catalog_sql_event(struct catalog *catalog, const char *type, const uint8_t id[IDS_SIZE],
		      struct catalog_error *err);

int64_t catalog_sql_now(void); /* milliseconds since 1970 */
/* Not before `ms`: the clock may have been put back since. */
int64_t catalog_sql_now_after(int64_t ms);
/* In a later second than `ms`: of an image whose content may change from now on, so that its date,
 * in which HTTP knows only seconds, does not come again for another content. */
int64_t catalog_sql_later(int64_t ms);

/* Statements without parameters, whose answers are of no interest. */
int catalog_sql_execute(struct catalog *catalog, const char *sql, struct catalog_error *err);

/* catalog.c. Takes a turn with the image and its parent. NULL: there is none, and no turn is taken.
 */
struct catalog_node *catalog_enter(struct catalog *catalog, const uint8_t id[IDS_SIZE],
				   struct catalog_turn *turn, struct catalog_error *err);
/* With `writer` held. */
/* Whether id and name are free. */
int catalog_may_name(const struct catalog *catalog, const struct catalog_image *image,
		     struct catalog_error *err);
/* The row of a parent that got or lost a child; NULL is fine. */
int catalog_touch_parent(struct catalog *catalog, const struct catalog_node *parent, int64_t now,
			 struct catalog_error *err);
void catalog_touched(struct catalog_node *parent, int64_t now); /* the same in memory */
/* `seal` may be NULL: the parent has one already. */
int catalog_seal_row(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		     const struct catalog_seal *seal, struct catalog_error *err);
/* Both of them, in memory. */
void catalog_parent_sealed(struct catalog_node *parent, const struct catalog_seal *seal,
			   int64_t now);

/* catalog_orphan.c, with `writer` held: images whose parent the catalog does not know. */
/* Whether an image with this id may come below the parent, which may be NULL, and become the parent
 * of those that wait for it. `images`: of its chain, with itself. */
int catalog_may_find(const struct catalog *catalog, const uint8_t id[IDS_SIZE],
		     const struct catalog_node *parent, uint32_t images, struct catalog_error *err);
bool catalog_is_awaited(const struct catalog *catalog, const uint8_t id[IDS_SIZE]);
/* Those that wait for it are its children: in the transaction under way, and in memory. */
int catalog_find_rows(struct catalog *catalog, const uint8_t id[IDS_SIZE], int64_t now,
		      struct catalog_error *err);
void catalog_find(struct catalog *catalog, const uint8_t id[IDS_SIZE], int64_t now);

/* catalog_backup.c, with `writer` held. */
int catalog_backup_write(struct catalog *catalog, struct catalog_error *err);

/* catalog_setup.c: opens, sets and verifies every pragma, migrates, prepares. */
int catalog_setup_open(struct catalog *catalog, const char *path, struct catalog_error *err);
void catalog_setup_close(struct catalog *catalog);

/* catalog_schema.c: step i makes version i + 1 of the schema out of version i. */
extern const char *const catalog_schema[];
extern const int catalog_schema_version;
extern const char *const catalog_statements[SQL_STATEMENTS];

/* catalog_row.c: between rows and structs. */
void catalog_row_bind_facts(struct sqlite3_stmt *statement, const struct catalog_vhd *vhd,
			    const struct catalog_usage *usage); /* from ?2 on */
void catalog_row_bind(struct sqlite3_stmt *statement, const struct catalog_image *image);
int catalog_row_insert(struct catalog *catalog, const struct catalog_image *image,
		       struct catalog_error *err); /* with its labels */
int catalog_row_insert_labels(struct catalog *catalog, const struct catalog_image *image,
			      struct catalog_error *err);
int catalog_row_load(struct catalog *catalog,
		     struct catalog_error *err); /* all rows into the index */

#endif
