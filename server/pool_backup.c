/* pool_backup.c - names, renames and removes copies of the catalog. The time is part of the name,
 * so that the order of names is the order of age; but for what is dated later than now: the clock
 * was set back since then, and all that is made from now on is newer. */
#include "pool_backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "clock.h"
#include "crash_point.h"

enum { STAMP = 20 };

static const char suffix[] = ".bak", stamp_format[] = "%Y%m%dT%H%M%SZ";

static void stamp(char ret_text[STAMP])
{
	time_t seconds = (time_t)(clock_wall_ms() / 1000);
	struct tm utc;

	(void)gmtime_r(&seconds, &utc);
	(void)strftime(ret_text, STAMP, stamp_format, &utc);
}

/* The folder of the path, and the name in it. */
static const char *split(const char *path, char ret_folder[POOL_BACKUP_PATH])
{
	const char *slash = strrchr(path, '/');

	(void)snprintf(ret_folder, POOL_BACKUP_PATH, "%.*s", slash ? (int)(slash - path) : 1,
		       slash ? path : ".");
	return slash ? slash + 1 : path;
}

static int sync_path(const char *path, int flags)
{
	CLEANUP(closep) int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}

static int sync_folder(const char *path)
{
	char folder[POOL_BACKUP_PATH];

	(void)split(path, folder);
	return sync_path(folder, O_RDONLY | O_DIRECTORY);
}

int pool_backup_make_file(const char *path)
{
	CLEANUP(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -1 : sync_folder(path);
}

int pool_backup_begin(const char *catalog_path, char ret_path[POOL_BACKUP_PATH])
{
	(void)snprintf(ret_path, POOL_BACKUP_PATH, "%.1200s.new", catalog_path);
	return unlink(ret_path) < 0 && errno != ENOENT ? -1 : 0;
}

void pool_backup_give_up(const char *catalog_path)
{
	char path[POOL_BACKUP_PATH];

	(void)pool_backup_begin(catalog_path, path);
}

static bool is_backup(const char *name, const char *of)
{
	size_t n = strlen(of), length = strlen(name);

	return length == n + 1 + STAMP - 4 + sizeof suffix - 1 && strncmp(name, of, n) == 0 &&
	       name[n] == '.' && strcmp(name + length - (sizeof suffix - 1), suffix) == 0;
}

static int compare_age(const char *a, const char *b, const char *now)
{
	bool a_past = strcmp(a, now) <= 0, b_past = strcmp(b, now) <= 0;

	return a_past == b_past ? strcmp(a, b) : a_past - b_past;
}

struct ends {
	size_t n;
	char oldest[NAME_MAX + 1], newest[NAME_MAX + 1];
};

/* `than`: the name that all are older than, or NULL. */
static int look_older(const char *catalog_path, const char *than, char folder[POOL_BACKUP_PATH],
		      struct ends *ret_ends)
{
	const char *of = split(catalog_path, folder);
	CLEANUP(closedirp) DIR *listing = opendir(folder);
	const struct dirent *entry;
	char when[STAMP], now[NAME_MAX + 1];

	stamp(when);
	(void)snprintf(now, sizeof now, "%.200s.%s%s", of, when, suffix);
	memset(ret_ends, 0, sizeof *ret_ends);
	if (!listing)
		return -1;
	/* The handle is this function's own. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	for (errno = 0; (entry = readdir(listing)) != NULL; errno = 0) {
		if (!is_backup(entry->d_name, of) ||
		    (than && compare_age(entry->d_name, than, now) >= 0))
			continue;
		if (!ret_ends->n || compare_age(entry->d_name, ret_ends->oldest, now) < 0)
			memcpy(ret_ends->oldest, entry->d_name, strlen(entry->d_name) + 1);
		if (!ret_ends->n++ || compare_age(entry->d_name, ret_ends->newest, now) > 0)
			memcpy(ret_ends->newest, entry->d_name, strlen(entry->d_name) + 1);
	}
	return errno ? -1 : 0;
}

static int look(const char *catalog_path, char folder[POOL_BACKUP_PATH], struct ends *ret_ends)
{
	return look_older(catalog_path, NULL, folder, ret_ends);
}

static int remove_old(const char *catalog_path)
{
	char folder[POOL_BACKUP_PATH], path[POOL_BACKUP_PATH + NAME_MAX + 2];
	struct ends ends;

	while (look(catalog_path, folder, &ends) == 0 && ends.n > POOL_BACKUPS) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, ends.oldest);
		if (unlink(path) < 0)
			return -1;
		CRASH_POINT("backup.pruned");
	}
	return 0;
}

int pool_backup_keep(const char *catalog_path)
{
	char from[POOL_BACKUP_PATH], to[POOL_BACKUP_PATH], when[STAMP];

	stamp(when);
	(void)snprintf(from, sizeof from, "%.1200s.new", catalog_path);
	(void)snprintf(to, sizeof to, "%.1200s.%s%s", catalog_path, when, suffix);
	if (sync_path(from, O_RDONLY) < 0 || rename(from, to) < 0 || sync_folder(catalog_path) < 0)
		return -1;
	CRASH_POINT("backup.kept");
	return remove_old(catalog_path);
}

static int newest(const char *catalog_path, const char *than, char ret_path[POOL_BACKUP_PATH])
{
	char folder[POOL_BACKUP_PATH];
	struct ends ends;

	if (look_older(catalog_path, than, folder, &ends) < 0)
		return POOL_BACKUP_UNREADABLE;
	if (!ends.n)
		return -1;
	(void)snprintf(ret_path, POOL_BACKUP_PATH, "%.1000s/%s", folder, ends.newest);
	return 0;
}

int pool_backup_newest(const char *catalog_path, char ret_path[POOL_BACKUP_PATH])
{
	return newest(catalog_path, NULL, ret_path);
}

int pool_backup_older(const char *catalog_path, char path[POOL_BACKUP_PATH])
{
	char folder[POOL_BACKUP_PATH], than[NAME_MAX + 1];

	(void)snprintf(than, sizeof than, "%.255s", split(path, folder));
	return newest(catalog_path, than, path);
}

static bool holds_nothing(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? errno == ENOENT : st.st_size == 0;
}

int pool_backup_of_lost(const char *catalog_path, char ret_path[POOL_BACKUP_PATH])
{
	int there = -1;

	if (holds_nothing(catalog_path))
		there = pool_backup_newest(catalog_path, ret_path);
	while (there == 0 && holds_nothing(ret_path))
		there = pool_backup_older(catalog_path, ret_path);
	return there;
}

int64_t pool_backup_time(const char *catalog_path)
{
	char folder[POOL_BACKUP_PATH];
	struct ends ends;
	struct tm utc = {0};

	if (look(catalog_path, folder, &ends) < 0 || !ends.n ||
	    !strptime(ends.newest + strlen(split(catalog_path, folder)) + 1, stamp_format, &utc))
		return 0;
	return (int64_t)timegm(&utc) * 1000;
}

/* A second name for the catalog that nothing else has. */
static int keep_old(const char *catalog_path, char ret_old[POOL_BACKUP_PATH])
{
	char when[STAMP];

	stamp(when);
	(void)snprintf(ret_old, POOL_BACKUP_PATH, "%.1200s.%s.old", catalog_path, when);
	for (int i = 1; i < 100; i++) {
		if (link(catalog_path, ret_old) == 0)
			return 0;
		if (errno != EEXIST)
			break;
		(void)snprintf(ret_old, POOL_BACKUP_PATH, "%.1200s.%s-%d.old", catalog_path, when,
			       i);
	}
	*ret_old = '\0';
	return errno == ENOENT ? 0 : -1;
}

int pool_backup_replace(const char *catalog_path, const char *fresh, char ret_old[POOL_BACKUP_PATH])
{
	char from[POOL_BACKUP_PATH], to[POOL_BACKUP_PATH + 16];

	if (sync_path(fresh, O_RDONLY) < 0 || keep_old(catalog_path, ret_old) < 0)
		return -1;
	CRASH_POINT("rebuild.old-kept");
	/* A journal belongs to the old one, and would be played into the new one. */
	(void)snprintf(from, sizeof from, "%.1200s-journal", catalog_path);
	(void)snprintf(to, sizeof to, "%s-journal", ret_old);
	if (*ret_old && rename(from, to) < 0 && errno != ENOENT)
		return -1;
	if (!*ret_old && unlink(from) < 0 && errno != ENOENT)
		return -1;
	CRASH_POINT("rebuild.journal-moved");
	(void)snprintf(from, sizeof from, "%.1200s-journal", fresh);
	(void)unlink(from);
	return rename(fresh, catalog_path) < 0 ? -1 : sync_folder(catalog_path);
}

static bool is_old(const char *name, const char *of)
{
	static const char end[] = ".old";
	size_t n = strlen(of), length = strlen(name);

	return length > n + sizeof end && strncmp(name, of, n) == 0 && name[n] == '.' &&
	       strcmp(name + length - (sizeof end - 1), end) == 0;
}

/* The journal comes first, for as long as the old name is there this can be done again. */
static int take_back(const char *catalog_path, const char *old)
{
	char from[POOL_BACKUP_PATH + NAME_MAX + 16], to[POOL_BACKUP_PATH + 16];

	(void)snprintf(from, sizeof from, "%s-journal", old);
	(void)snprintf(to, sizeof to, "%.1200s-journal", catalog_path);
	if (link(from, to) < 0 && errno != ENOENT && errno != EEXIST)
		return -1;
	if (unlink(from) < 0 && errno != ENOENT)
		return -1;
	if (sync_folder(catalog_path) < 0 || unlink(old) < 0)
		return -1;
	return sync_folder(catalog_path);
}

/* Takes it back if it is another name of the catalog. */
static int undo_name(const char *catalog_path, const struct stat *catalog, const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -1;
	if (st.st_dev != catalog->st_dev || st.st_ino != catalog->st_ino)
		return 0;
	return take_back(catalog_path, path);
}

int pool_backup_undo(const char *catalog_path)
{
	char folder[POOL_BACKUP_PATH], path[POOL_BACKUP_PATH + NAME_MAX + 2];
	const char *of = split(catalog_path, folder);
	CLEANUP(closedirp) DIR *listing = NULL;
	const struct dirent *entry;
	struct stat catalog;

	if (lstat(catalog_path, &catalog) < 0)
		return errno == ENOENT ? 0 : -1;
	if (catalog.st_nlink < 2)
		return 0;
	listing = opendir(folder);
	if (!listing)
		return -1;
	/* The handle is this function's own. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	for (errno = 0; (entry = readdir(listing)) != NULL; errno = 0) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (is_old(entry->d_name, of) && undo_name(catalog_path, &catalog, path) < 0)
			return -1;
	}
	return errno ? -1 : 0;
}
