/* catalog_vfs.h - the files of the database, as SQLite reads them. */
#ifndef CATALOG_VFS_H
#define CATALOG_VFS_H

/* The name of a VFS for sqlite3_open_v2: the default one, but a page that cannot be read is
 * SQLITE_IOERR_READ and never SQLITE_CORRUPT, and a journal can be written and its name is on the
 * disk, or it is not open. NULL (the default one) when it cannot be had. */
const char *catalog_vfs(void);

/* How many allocations of SQLite have failed: when some do while PRAGMA integrity_check runs, the
 * damage that it tells of may be none. */
unsigned catalog_vfs_lacks(void);

#endif
