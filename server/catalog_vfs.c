/* catalog_vfs.c - what SQLite is more forgiving about than a catalog can be.
 *
 * It takes EIO for a damaged page, because some file systems say so of a wrong checksum. Whoever
 * believed it would make a new catalog out of backups, although the old one may be sound. And it
 * makes do with a journal that can only be read, in which every change fails from then on, and with
 * one whose name may not be on the disk. A page that it had no memory for is damaged to its check
 * of all pages. */
#include "catalog_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "pool_backup.h"

enum { KINDS = 4 }; /* of files: those with locks, and journals */

struct methods {
	sqlite3_io_methods mine; /* first: files point to it */
	const sqlite3_io_methods *real;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the next two */
static struct methods kinds[KINDS];
static int n_kinds;
static sqlite3_vfs vfs, *real_vfs; /* set once */
static bool registered;
static atomic_uint lacks; /* allocations that have failed */

static int read_page(sqlite3_file *file, void *buf, int len, sqlite3_int64 off)
{
	const struct methods *methods = (const struct methods *)(const void *)file->pMethods;
	int result = methods->real->xRead(file, buf, len, off);

	return result == SQLITE_IOERR_CORRUPTFS ? SQLITE_IOERR_READ : result;
}

/* With the lock. */
static const sqlite3_io_methods *wrap(const sqlite3_io_methods *real)
{
	int i = 0;

	while (i < n_kinds && kinds[i].real != real)
		i++;
	if (i == KINDS)
		return real;
	if (i == n_kinds) {
		kinds[i] = (struct methods){.mine = *real, .real = real};
		kinds[i].mine.xRead = read_page;
		n_kinds++;
	}
	return &kinds[i].mine;
}

static int open_journal(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags,
			int *ret_flags)
{
	int got = 0, result;

	file->pMethods = NULL;
	if (flags & SQLITE_OPEN_CREATE && pool_backup_make_file(name) < 0)
		return SQLITE_CANTOPEN;
	result = real_vfs->xOpen(self, name, file, flags & ~SQLITE_OPEN_CREATE, &got);
	if (result == SQLITE_OK && flags & SQLITE_OPEN_READWRITE && got & SQLITE_OPEN_READONLY) {
		(void)file->pMethods->xClose(file);
		file->pMethods = NULL;
		result = SQLITE_CANTOPEN;
	}
	if (ret_flags)
		*ret_flags = got;
	return result;
}

static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags,
		     int *ret_flags)
{
	int result = flags & SQLITE_OPEN_MAIN_JOURNAL
			     ? open_journal(self, name, file, flags, ret_flags)
			     : real_vfs->xOpen(self, name, file, flags, ret_flags);

	if (!file->pMethods)
		return result;
	(void)pthread_mutex_lock(&lock);
	file->pMethods = wrap(file->pMethods);
	(void)pthread_mutex_unlock(&lock);
	return result;
}

static void on_log(void *ctx, int code, const char *text)
{
	(void)ctx, (void)text; /* what matters is answered, too */
	lacks += code == SQLITE_NOMEM;
}

static void set_up(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_LOG, on_log, NULL);
	real_vfs = sqlite3_vfs_find(NULL);
	if (!real_vfs)
		return;
	vfs = *real_vfs;
	vfs.zName = "vhdd";
	vfs.xOpen = open_file;
	registered = sqlite3_vfs_register(&vfs, false) == SQLITE_OK;
}

const char *catalog_vfs(void)
{
	(void)pthread_once(&once, set_up);
	return registered ? vfs.zName : NULL;
}

unsigned catalog_vfs_lacks(void)
{
	return lacks;
}
