/* pool_backup.h - the files beside the catalog: <catalog>.<time>.bak are backups,
 * <catalog>.<time>.old is one that was moved out of the way. Failures are told by errno. */
#ifndef POOL_BACKUP_H
#define POOL_BACKUP_H

#include <stdint.h>

enum { POOL_BACKUP_PATH = 1200 + 64, POOL_BACKUPS = 7 };

/* Where a new backup is to be written; what an interrupted one has left there is gone. -1 and
 * errno.
 */
int pool_backup_begin(const char *catalog_path, char ret_path[POOL_BACKUP_PATH]);
/* It has failed: what is there of it takes room that others may lack. */
void pool_backup_give_up(const char *catalog_path);
/* The backup is complete: it is made durable and gets its name; old ones go. */
int pool_backup_keep(const char *catalog_path);

enum { POOL_BACKUP_UNREADABLE = -2 };
/* -1: there is none. POOL_BACKUP_UNREADABLE: nobody knows, for the folder cannot be read. */
int pool_backup_newest(const char *catalog_path, char ret_path[POOL_BACKUP_PATH]);
/* The next older one than that at `path`, which it becomes; answers as the call above. */
int pool_backup_older(const char *catalog_path, char path[POOL_BACKUP_PATH]);
/* The newest one with content, of a catalog that is not there or holds nothing; -1 when the catalog
 * is there, too. Answers as the calls above. */
int pool_backup_of_lost(const char *catalog_path, char ret_path[POOL_BACKUP_PATH]);
/* What its name says, in milliseconds since 1970; 0 = there is none. Later than now when there are
 * only such. */
int64_t pool_backup_time(const char *catalog_path);

/* An empty file, unless it is there already, and its name is on the disk. */
int pool_backup_make_file(const char *path);

/* The file `fresh` (complete, closed) becomes the catalog. One that was there keeps its bytes, and
 * its journal, under the name that is answered; "" = there was none. */
int pool_backup_replace(const char *catalog_path, const char *fresh,
			char ret_old[POOL_BACKUP_PATH]);
/* Undoes one that was interrupted before the fresh one came: the catalog and the old one are one
 * file then, and what is written to either would be in both. Before the catalog is opened. */
int pool_backup_undo(const char *catalog_path);

#endif
