/* recorder.c - every call is made and noted under one lock, so the journal has the order in which
 * things happened; a sync covers what was noted before it began. */
#undef _FILE_OFFSET_BITS /* the calls that have two names are defined by the shorter one */
#include "recorder.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "must.h"

enum { SECTOR = 512, NAMES = 64 };

static struct {
	pthread_mutex_t lock;
	struct recording *to; /* NULL: nothing is recorded */
	dev_t dev;
	ino_t inodes[RECORDER_FILES];
	struct { /* of folders; the sector is the place in here */
		int folder;
		char name[128];
	} names[NAMES];
	unsigned n_names;
} recorder = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* ---- which file ---- */

static int number_of(const struct stat *st)
{
	if (!recorder.to || st->st_dev != recorder.dev)
		return -1;
	for (unsigned i = recorder.to->n_files; i-- > 0;) {
		if (recorder.inodes[i] == st->st_ino)
			return (int)i;
	}
	return -1;
}

static int number_of_fd(int fd)
{
	struct stat st;

	return recorder.to && fstat(fd, &st) == 0 ? number_of(&st) : -1;
}

/* The folder that a path leads to, and the name in it. */
static int folder_of(int at, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char folder[512] = ".";
	struct stat st;

	*ret_name = slash ? slash + 1 : path;
	if (!recorder.to || (slash && (size_t)(slash - path) >= sizeof folder))
		return -1;
	if (slash) {
		memcpy(folder, path, (size_t)(slash - path));
		folder[slash - path] = '\0';
	}
	return fstatat(at, folder, &st, 0) == 0 ? number_of(&st) : -1;
}

static int new_file(ino_t inode)
{
	struct recording *to = recorder.to;

	if (to->n_files == RECORDER_FILES)
		abort();
	recorder.inodes[to->n_files] = inode;
	to->files[to->n_files] = memio_new(to->journal);
	return (int)to->n_files++;
}

/* ---- events ---- */

static void note(int file, struct mem_event event)
{
	if (file < 0)
		return;
	event.file = (unsigned)file;
	memjournal_append(recorder.to->journal, &event);
}

static void note_write(int file, const uint8_t *data, size_t len, uint64_t off)
{
	struct mem_event event = {.kind = MEM_WRITE, .off = off, .len = len};

	/* The journal takes a copy. */
	memcpy(&event.data, &data, sizeof data);
	note(file, event);
}

static unsigned place_of(int folder, const char *name)
{
	for (unsigned i = 0; i < recorder.n_names; i++) {
		if (recorder.names[i].folder == folder && strcmp(recorder.names[i].name, name) == 0)
			return i;
	}
	if (recorder.n_names == NAMES || strlen(name) >= sizeof recorder.names[0].name)
		abort();
	recorder.names[recorder.n_names].folder = folder;
	strcpy(recorder.names[recorder.n_names].name, name);
	return recorder.n_names++;
}

static struct recorder_name entry_of(const char *name, int file, bool is_folder)
{
	struct recorder_name entry = {.file = (uint32_t)(file + 1), .folder = is_folder};

	(void)snprintf(entry.name, sizeof entry.name, "%s", name);
	return entry;
}

/* `file` -1: the name goes. */
static void note_name(int folder, const char *name, int file)
{
	struct recorder_name entry = entry_of(name, file, false);
	uint8_t sector[SECTOR] = {0};

	if (folder < 0)
		return;
	if (file >= 0)
		memcpy(sector, &entry, sizeof entry);
	note_write(folder, sector, sizeof sector, (uint64_t)place_of(folder, name) * SECTOR);
}

static void note_size(int fd)
{
	struct stat st;

	if (recorder.to && fstat(fd, &st) == 0)
		note(number_of(&st),
		     (struct mem_event){.kind = MEM_RESIZE, .len = (uint64_t)st.st_size});
}

/* ---- the life of a recording ---- */

/* What is there already is durable. Holes stay holes. */
static void add_content(struct memio *file, const char *path, uint64_t size)
{
	static const uint8_t zeroes[MEM_PAGE];
	uint8_t page[MEM_PAGE];
	int fd = REAL(open64)(path, O_RDONLY | O_CLOEXEC);

	for (uint64_t at = 0; at < size; at += sizeof page) {
		ssize_t n = pread(fd, page, sizeof page, (off_t)at);

		if (n <= 0)
			abort();
		if (memcmp(page, zeroes, (size_t)n) != 0)
			memio_poke(file, page, (size_t)n, at);
	}
	(void)close(fd);
	memio_cut(file, size);
}

static void add_folder(int folder, const char *path);

static void add_one(int folder, const char *path, const char *name)
{
	struct recorder_name entry;
	char below[512];
	struct stat st;
	int number;

	(void)snprintf(below, sizeof below, "%s/%s", path, name);
	if (lstat(below, &st) < 0)
		abort();
	number = number_of(&st);
	if (number < 0) {
		number = new_file(st.st_ino);
		if (S_ISDIR(st.st_mode))
			add_folder(number, below);
		else if (S_ISREG(st.st_mode))
			add_content(recorder.to->files[number], below, (uint64_t)st.st_size);
		else
			abort();
	}
	entry = entry_of(name, number, S_ISDIR(st.st_mode));
	memio_poke(recorder.to->files[folder], &entry, sizeof entry,
		   (uint64_t)place_of(folder, name) * SECTOR);
}

static void add_folder(int folder, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			add_one(folder, path, entry->d_name);
	}
	(void)closedir(dir);
}

void recorder_start(struct recording *recording, const char *folder)
{
	struct stat st;

	*recording = (struct recording){.journal = memjournal_new()};
	if (stat(folder, &st) < 0)
		abort();
	(void)pthread_mutex_lock(&recorder.lock);
	recorder.to = recording;
	recorder.dev = st.st_dev;
	recorder.n_names = 0;
	add_folder(new_file(st.st_ino), folder);
	(void)pthread_mutex_unlock(&recorder.lock);
}

void recorder_stop(void)
{
	(void)pthread_mutex_lock(&recorder.lock);
	recorder.to = NULL;
	(void)pthread_mutex_unlock(&recorder.lock);
}

void recorder_free(struct recording *recording)
{
	for (unsigned i = 0; i < recording->n_files; i++)
		memio_free(recording->files[i]);
	memjournal_free(recording->journal);
}

size_t recorder_now(void)
{
	size_t now = 0;

	(void)pthread_mutex_lock(&recorder.lock);
	if (recorder.to)
		now = memjournal_length(recorder.to->journal);
	(void)pthread_mutex_unlock(&recorder.lock);
	return now;
}

/* ---- the calls ---- */

static int leave(int r)
{
	int sys = errno;

	(void)pthread_mutex_unlock(&recorder.lock);
	errno = sys;
	return r;
}

/* After an open that worked. */
static void opened(int at, const char *path, int flags, int fd, bool was_there)
{
	const char *name;
	int folder = folder_of(at, path, &name);
	struct stat st;

	if (folder < 0 || fstat(fd, &st) < 0)
		return;
	if (!was_there && flags & O_CREAT)
		note_name(folder, name, new_file(st.st_ino));
	else if (flags & O_TRUNC)
		note_size(fd);
}

static int open_noted(int at, const char *path, int flags, mode_t mode)
{
	struct stat st;
	bool was_there;
	int fd;

	(void)pthread_mutex_lock(&recorder.lock);
	was_there = recorder.to && fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	fd = REAL(openat64)(at, path, flags, mode);
	if (fd >= 0)
		opened(at, path, flags, fd, was_there);
	return leave(fd);
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & O_CREAT ? va_arg(args, mode_t) : 0;
}

/* Both names mean the same where a file may have 2^63 bytes anyway. */
#define ALSO_64(name) extern __typeof__(name) name##64 __attribute__((alias(#name)))

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	return open_noted(AT_FDCWD, path, flags, mode);
}
ALSO_64(open);

int openat(int at, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	return open_noted(at, path, flags, mode);
}
ALSO_64(openat);

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	ssize_t n;

	(void)pthread_mutex_lock(&recorder.lock);
	n = REAL(pwrite)(fd, buf, len, off);
	if (n > 0)
		note_write(number_of_fd(fd), buf, (size_t)n, (uint64_t)off);
	return leave((int)n);
}
ALSO_64(pwrite);

static void note_vectors(int fd, const struct iovec *iov, ssize_t n, off_t off)
{
	int file = number_of_fd(fd);

	for (int i = 0; n > 0; i++) {
		size_t part = iov[i].iov_len < (size_t)n ? iov[i].iov_len : (size_t)n;

		note_write(file, iov[i].iov_base, part, (uint64_t)off);
		off += (off_t)part;
		n -= (ssize_t)part;
	}
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t off)
{
	ssize_t n;

	(void)pthread_mutex_lock(&recorder.lock);
	n = REAL(pwritev)(fd, iov, count, off);
	note_vectors(fd, iov, n, off);
	return leave((int)n);
}
ALSO_64(pwritev);

/* After a call that may have made the file longer or shorter. */
static int resized(int fd, int r)
{
	if (r == 0)
		note_size(fd);
	return leave(r);
}

int ftruncate(int fd, off_t size)
{
	(void)pthread_mutex_lock(&recorder.lock);
	return resized(fd, REAL(ftruncate)(fd, size));
}
ALSO_64(ftruncate);

int fallocate(int fd, int mode, off_t off, off_t len)
{
	struct mem_event punch = {.kind = MEM_PUNCH, .off = (uint64_t)off, .len = (uint64_t)len};
	int r;

	(void)pthread_mutex_lock(&recorder.lock);
	r = REAL(fallocate)(fd, mode, off, len);
	if (r < 0 || !(mode & FALLOC_FL_PUNCH_HOLE))
		return resized(fd, r);
	note(number_of_fd(fd), punch);
	return leave(r);
}
ALSO_64(fallocate);

int posix_fallocate(int fd, off_t off, off_t len)
{
	(void)pthread_mutex_lock(&recorder.lock);
	return resized(fd, REAL(posix_fallocate)(fd, off, len));
}
ALSO_64(posix_fallocate);

/* Others may write while it lasts, and are not covered. */
static int sync_noted(int fd, int (*sync)(int fd))
{
	size_t covers = recorder_now();
	int r = sync(fd);

	(void)pthread_mutex_lock(&recorder.lock);
	if (r == 0)
		note(number_of_fd(fd), (struct mem_event){.kind = MEM_FLUSH, .covers = covers});
	return leave(r);
}

int fsync(int fd)
{
	return sync_noted(fd, REAL(fsync));
}

int fdatasync(int fd)
{
	return sync_noted(fd, REAL(fdatasync));
}

static int named(int at, const char *path, int r)
{
	const char *name;
	int folder = folder_of(at, path, &name);
	struct stat st;

	if (r == 0 && folder >= 0 && fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		note_name(folder, name, number_of(&st));
	return r;
}

static int unnamed(int at, const char *path, int r)
{
	const char *name;
	int folder = folder_of(at, path, &name);

	if (r == 0)
		note_name(folder, name, -1);
	return r;
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
	(void)pthread_mutex_lock(&recorder.lock);
	return leave(named(to_at, to, REAL(linkat)(from_at, from, to_at, to, flags)));
}

int unlinkat(int at, const char *path, int flags)
{
	(void)pthread_mutex_lock(&recorder.lock);
	return leave(unnamed(at, path, REAL(unlinkat)(at, path, flags)));
}

int unlink(const char *path)
{
	(void)pthread_mutex_lock(&recorder.lock);
	return leave(unnamed(AT_FDCWD, path, REAL(unlink)(path)));
}

int rename(const char *from, const char *to)
{
	int r;

	(void)pthread_mutex_lock(&recorder.lock);
	r = named(AT_FDCWD, to, REAL(rename)(from, to));
	return leave(unnamed(AT_FDCWD, from, r));
}
