/* catalog_schema.c - all SQL text: the schema, version by version, and the statements. */
#include "catalog_sql.h"

/* The walks are bounded by a counter, for a damaged catalog may hold a cycle. */
#define IMAGE_TRIGGERS                                                                           \
	"CREATE TRIGGER image_child BEFORE INSERT ON image WHEN NEW.parent_id IS NOT NULL BEGIN" \
	"  SELECT RAISE(ABORT, 'parent is not ready')"                                           \
	"    WHERE NOT EXISTS (SELECT 1 FROM image WHERE id = NEW.parent_id AND state = 1);"     \
	"  SELECT RAISE(ABORT, 'chain is too deep') WHERE ("                                     \
	"    WITH RECURSIVE up (id, n) AS (SELECT NEW.parent_id, 1 UNION ALL"                    \
	"      SELECT image.parent_id, n + 1 FROM up JOIN image ON image.id = up.id"             \
	"        WHERE image.parent_id IS NOT NULL AND n < 1024)"                                \
	"    SELECT max(n) FROM up) >= 1024;"                                                    \
	"END;"                                                                                   \
	"CREATE TRIGGER image_reparent BEFORE UPDATE OF parent_id ON image"                      \
	"  WHEN NEW.parent_id IS NOT NULL BEGIN"                                                 \
	"  SELECT RAISE(ABORT, 'chain is a cycle') WHERE EXISTS ("                               \
	"    WITH RECURSIVE up (id, n) AS (SELECT NEW.parent_id, 1 UNION ALL"                    \
	"      SELECT image.parent_id, n + 1 FROM up JOIN image ON image.id = up.id"             \
	"        WHERE image.parent_id IS NOT NULL AND n < 1024)"                                \
	"    SELECT 1 FROM up WHERE id = NEW.id OR n >= 1024);"                                  \
	"END;"                                                                                   \
	"CREATE TRIGGER image_state BEFORE UPDATE OF state ON image"                             \
	"  WHEN NEW.state <> OLD.state BEGIN"                                                    \
	"  SELECT RAISE(ABORT, 'no such change of state') WHERE NEW.state < OLD.state;"          \
	"  SELECT RAISE(ABORT, 'image has children')"                                            \
	"    WHERE NEW.state = 2 AND EXISTS (SELECT 1 FROM image WHERE parent_id = NEW.id);"     \
	"END;"                                                                                   \
	"CREATE TRIGGER image_identity BEFORE UPDATE OF id ON image BEGIN"                       \
	"  SELECT RAISE(ABORT, 'an id is for ever');"                                            \
	"END;"

static const char version_1[] =
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE image ("
	"  id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),"
	"  parent_id BLOB REFERENCES image (id) ON DELETE RESTRICT CHECK (parent_id <> id),"
	"  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 127"
	"    AND name GLOB '[A-Za-z0-9]*' AND name NOT GLOB '*[^A-Za-z0-9._-]*'),"
	"  kind INTEGER NOT NULL CHECK (kind IN (0, 1, 2)),"
	"  state INTEGER NOT NULL CHECK (state IN (0, 1, 2)),"
	"  frozen INTEGER NOT NULL CHECK (frozen IN (0, 1)),"
	"  dirty INTEGER NOT NULL CHECK (dirty IN (0, 1)),"
	"  generation INTEGER NOT NULL CHECK (generation >= 0),"
	"  size INTEGER NOT NULL CHECK (size > 0 AND size % 512 = 0),"
	"  block_size INTEGER NOT NULL CHECK (block_size >= 0),"
	"  timestamp INTEGER NOT NULL,"
	"  parent_timestamp INTEGER NOT NULL,"
	"  creator_version INTEGER NOT NULL,"
	"  creator TEXT NOT NULL,"
	"  creator_os TEXT NOT NULL,"
	"  cylinders INTEGER NOT NULL,"
	"  heads INTEGER NOT NULL,"
	"  sectors INTEGER NOT NULL,"
	"  saved_state INTEGER NOT NULL CHECK (saved_state IN (0, 1)),"
	"  temporary INTEGER NOT NULL CHECK (temporary IN (0, 1)),"
	"  file_bytes INTEGER NOT NULL,"
	"  blocks INTEGER NOT NULL,"
	"  measured_at INTEGER NOT NULL,"
	"  pool TEXT NOT NULL,"
	"  description TEXT NOT NULL,"
	"  version INTEGER NOT NULL,"
	"  created_at INTEGER NOT NULL,"
	"  updated_at INTEGER NOT NULL,"
	"  CHECK ((kind = 2) = (parent_id IS NOT NULL))) STRICT;"
	/* A name is free again as soon as its image is being deleted. */
	"CREATE UNIQUE INDEX image_name ON image (name) WHERE state <> 2;"
	"CREATE INDEX image_parent ON image (parent_id);"
	"CREATE TABLE label ("
	"  image_id BLOB NOT NULL REFERENCES image (id) ON DELETE CASCADE,"
	"  key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 63),"
	"  value TEXT NOT NULL,"
	"  PRIMARY KEY (image_id, key)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX label_key ON label (key, value);"
	"CREATE TABLE event ("
	"  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  time INTEGER NOT NULL,"
	"  type TEXT NOT NULL,"
	"  image_id BLOB) STRICT;" IMAGE_TRIGGERS;

static const char version_2[] =
	"ALTER TABLE image ADD COLUMN seal_bytes INTEGER;"
	"ALTER TABLE image ADD COLUMN seal_mtime INTEGER;"
	"ALTER TABLE image ADD COLUMN seal_ino INTEGER;"
	"ALTER TABLE image ADD COLUMN seal_sha256 BLOB CHECK (length(seal_sha256) = 32);";

/* All columns of an image of the second version. */
#define COLUMNS_2                                                             \
	"id, parent_id, name, kind, state, frozen, dirty, generation, size, " \
	"block_size, timestamp, parent_timestamp, creator_version, creator, " \
	"creator_os, cylinders, heads, sectors, saved_state, temporary, "     \
	"file_bytes, blocks, measured_at, pool, description, version, "       \
	"created_at, updated_at, seal_bytes, seal_mtime, seal_ino, seal_sha256"

/* Where an image that was adopted lies, and whether its file is the daemon's to remove; and the
 * parent that a differencing image has and the catalog has not. A check of a table changes only
 * when the table is made anew, and all that hangs on it. */
static const char version_3[] =
	"CREATE TABLE image_3 ("
	"  id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),"
	"  parent_id BLOB REFERENCES image (id) ON DELETE RESTRICT CHECK (parent_id <> id),"
	"  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 127"
	"    AND name GLOB '[A-Za-z0-9]*' AND name NOT GLOB '*[^A-Za-z0-9._-]*'),"
	"  kind INTEGER NOT NULL CHECK (kind IN (0, 1, 2)),"
	"  state INTEGER NOT NULL CHECK (state IN (0, 1, 2)),"
	"  frozen INTEGER NOT NULL CHECK (frozen IN (0, 1)),"
	"  dirty INTEGER NOT NULL CHECK (dirty IN (0, 1)),"
	"  generation INTEGER NOT NULL CHECK (generation >= 0),"
	"  size INTEGER NOT NULL CHECK (size > 0 AND size % 512 = 0),"
	"  block_size INTEGER NOT NULL CHECK (block_size >= 0),"
	"  timestamp INTEGER NOT NULL,"
	"  parent_timestamp INTEGER NOT NULL,"
	"  creator_version INTEGER NOT NULL,"
	"  creator TEXT NOT NULL,"
	"  creator_os TEXT NOT NULL,"
	"  cylinders INTEGER NOT NULL,"
	"  heads INTEGER NOT NULL,"
	"  sectors INTEGER NOT NULL,"
	"  saved_state INTEGER NOT NULL CHECK (saved_state IN (0, 1)),"
	"  temporary INTEGER NOT NULL CHECK (temporary IN (0, 1)),"
	"  file_bytes INTEGER NOT NULL,"
	"  blocks INTEGER NOT NULL,"
	"  measured_at INTEGER NOT NULL,"
	"  pool TEXT NOT NULL,"
	"  description TEXT NOT NULL,"
	"  version INTEGER NOT NULL,"
	"  created_at INTEGER NOT NULL,"
	"  updated_at INTEGER NOT NULL,"
	"  seal_bytes INTEGER,"
	"  seal_mtime INTEGER,"
	"  seal_ino INTEGER,"
	"  seal_sha256 BLOB CHECK (length(seal_sha256) = 32),"
	"  root TEXT CHECK (root GLOB '/*'),"
	"  path TEXT CHECK ((path IS NULL) = (root IS NULL)"
	"    AND (path IS NULL OR (path <> '' AND '/' || path || '/' NOT GLOB '*//*'"
	"      AND '/' || path || '/' NOT GLOB '*/./*' AND '/' || path || '/' NOT GLOB '*/../*'))),"
	"  linked INTEGER NOT NULL DEFAULT 0"
	"    CHECK (linked = 0 OR (linked = 1 AND path IS NOT NULL)),"
	"  missing_id BLOB CHECK (length(missing_id) = 16 AND missing_id <> id),"
	"  CHECK ((parent_id IS NOT NULL) + (missing_id IS NOT NULL) = (kind = 2))) STRICT;"
	"INSERT INTO image_3 (" COLUMNS_2 ") SELECT " COLUMNS_2 " FROM image;"
	"DROP TABLE image;"
	"ALTER TABLE image_3 RENAME TO image;"
	"CREATE UNIQUE INDEX image_name ON image (name) WHERE state <> 2;"
	"CREATE INDEX image_parent ON image (parent_id);"
	"CREATE INDEX image_missing ON image (missing_id) WHERE missing_id IS NOT NULL;"
	"CREATE UNIQUE INDEX image_place ON image (root, path) WHERE path IS NOT NULL;" IMAGE_TRIGGERS
	"CREATE TRIGGER image_moved BEFORE UPDATE OF root, path, linked ON image BEGIN"
	"  SELECT RAISE(ABORT, 'a file stays where it is');"
	"END;"
	"CREATE TRIGGER image_orphan BEFORE INSERT ON image WHEN NEW.missing_id IS NOT NULL BEGIN"
	"  SELECT RAISE(ABORT, 'the parent is known')"
	"    WHERE EXISTS (SELECT 1 FROM image WHERE id = NEW.missing_id AND state = 1);"
	"END;"
	"CREATE TRIGGER image_lost BEFORE UPDATE OF missing_id ON image"
	"  WHEN NEW.missing_id IS NOT NULL BEGIN"
	"  SELECT RAISE(ABORT, 'a parent is not lost again');"
	"END;";

/* What decides whether a file is removed is in two places, so that the check of the start notices
 * when a flipped bit makes a creation that was interrupted out of an image, or a file of the
 * daemon's out of a linked one. */
static const char version_4[] =
	"CREATE INDEX image_fate ON image (state, linked) WHERE state <> 1 OR linked <> 0;";

const char *const catalog_schema[] = {version_1, version_2, version_3, version_4};
const int catalog_schema_version = sizeof catalog_schema / sizeof *catalog_schema;

#define IMAGE_COLUMNS                                                                           \
	"id, parent_id, name, kind, state, frozen, dirty, generation, size, block_size, "       \
	"timestamp, parent_timestamp, creator_version, creator, creator_os, cylinders, heads, " \
	"sectors, saved_state, temporary, file_bytes, blocks, measured_at, pool, description, " \
	"version, created_at, updated_at, root, path, linked, missing_id, "                     \
	"seal_bytes, seal_mtime, seal_ino, seal_sha256"

const char *const catalog_statements[SQL_STATEMENTS] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SAVEPOINT] = "SAVEPOINT change",
	[SQL_TAKE_BACK] = "ROLLBACK TO change",
	[SQL_RELEASE] = "RELEASE change",
	[SQL_IMAGE_INSERT] =
		"INSERT INTO image (" IMAGE_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, "
		"?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, "
		"?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, "
		"?33, ?34, ?35, ?36)",
	[SQL_LABEL_INSERT] = "INSERT INTO label (image_id, key, value) VALUES (?1, ?2, ?3)",
	[SQL_EVENT_INSERT] = "INSERT INTO event (time, type, image_id) VALUES (?1, ?2, ?3)",
	/* A piece of what an older vhdd has left, too, for it is a part of every such change. */
	[SQL_EVENT_TRIM] = "DELETE FROM event WHERE seq IN "
			   "(SELECT seq FROM event WHERE seq <= ?1 ORDER BY seq LIMIT 512)",
	[SQL_IMAGE_FINISH] =
		"UPDATE image SET state = 1, size = ?2, block_size = ?3, timestamp = ?4, "
		"parent_timestamp = ?5, creator_version = ?6, creator = ?7, creator_os = ?8, "
		"cylinders = ?9, heads = ?10, sectors = ?11, saved_state = ?12, temporary = ?13, "
		"file_bytes = ?14, blocks = ?15, measured_at = ?16, version = version + 1, "
		"updated_at = ?17 WHERE id = ?1 AND state = 0",
	[SQL_IMAGE_DELETING] = "UPDATE image SET state = 2, version = version + 1, updated_at = ?2 "
			       "WHERE id = ?1 AND state = 1",
	[SQL_IMAGE_FORGET] = "DELETE FROM image WHERE id = ?1",
	[SQL_IMAGE_DIRTY] = "UPDATE image SET dirty = 1, generation = generation + 1, "
			    "seal_bytes = NULL, seal_mtime = NULL, seal_ino = NULL, "
			    "seal_sha256 = NULL WHERE id = ?1",
	[SQL_IMAGE_CLEAN] = "UPDATE image SET dirty = 0, file_bytes = ?2, blocks = ?3, "
			    "measured_at = ?4 WHERE id = ?1",
	/* A parent got or lost a child: what is told of it changes. */
	[SQL_IMAGE_TOUCH] = "UPDATE image SET version = version + 1, "
			    "updated_at = max(updated_at, ?2) WHERE id = ?1",
	/* Freezing it for its first child has flushed it. */
	[SQL_IMAGE_SEAL] = "UPDATE image SET dirty = 0, seal_bytes = coalesce(?2, seal_bytes), "
			   "seal_mtime = coalesce(?3, seal_mtime), "
			   "seal_ino = coalesce(?4, seal_ino), "
			   "seal_sha256 = coalesce(?5, seal_sha256), "
			   "file_bytes = coalesce(?2, file_bytes), "
			   "blocks = coalesce(?6, blocks) WHERE id = ?1",
	[SQL_IMAGE_UPDATE] = "UPDATE image SET name = ?2, description = ?3, "
			     /* Freezing it has flushed and measured it. */
			     "dirty = CASE WHEN ?4 > frozen THEN 0 ELSE dirty END, "
			     "file_bytes = CASE WHEN ?4 > frozen THEN ?9 ELSE file_bytes END, "
			     "blocks = CASE WHEN ?4 > frozen THEN ?10 ELSE blocks END, "
			     "measured_at = CASE WHEN ?4 > frozen THEN ?11 ELSE measured_at END, "
			     "frozen = ?4, "
			     "version = version + 1, updated_at = ?5, "
			     "saved_state = ?7, temporary = ?8 "
			     "WHERE id = ?1 AND version = ?6 AND state = 1",
	[SQL_IMAGE_FOUND] = "UPDATE image SET parent_id = missing_id, missing_id = NULL, "
			    "version = version + 1, updated_at = ?2 WHERE id = ?1",
	[SQL_LABEL_CLEAR] = "DELETE FROM label WHERE image_id = ?1",
	[SQL_IMAGE_UNSEAL] = "UPDATE image SET seal_bytes = NULL, seal_mtime = NULL, "
			     "seal_ino = NULL, seal_sha256 = NULL WHERE id = ?1",
	/* Parents before their children. */
	[SQL_IMAGE_LOAD] =
		"WITH RECURSIVE tree (node, level) AS ("
		"SELECT id, 0 FROM image WHERE parent_id IS NULL UNION ALL "
		"SELECT image.id, level + 1 FROM tree JOIN image ON image.parent_id = tree.node "
		"WHERE level < 1024) "
		"SELECT " IMAGE_COLUMNS
		" FROM tree JOIN image ON image.id = tree.node ORDER BY level",
	[SQL_ROW_COUNT] = "SELECT count(*) FROM image",
	[SQL_LABEL_LOAD] = "SELECT key, value FROM label WHERE image_id = ?1 ORDER BY key",
	[SQL_IMAGE_LIST] =
		"SELECT id FROM image WHERE state <> 2 AND name > ?1 ORDER BY name LIMIT ?2",
	[SQL_IMAGE_COUNT] = "SELECT count(*) FROM image WHERE state <> 2",
	[SQL_IMAGE_IN_STATE] = "SELECT id FROM image WHERE state = ?1",
	[SQL_REVISION] = "SELECT coalesce(max(seq), 0) FROM event",
};
