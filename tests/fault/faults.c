/* faults.c - preloaded into the daemon: knows every call that may fail, where it was made, and
 * makes the chosen one fail. */
#include "faults.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <ini.h>
#include <link.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
/* Symbols as the linker sees them; the test reads their order from the shared page. */
#define CALLS(X)                                                                                   \
	X(open64) X(openat64) X(syscall) X(close) X(dup) X(fcntl64) X(flock) X(pread64)            \
	X(preadv64v2) X(pwrite64) X(pwritev64) X(read) X(write) X(ftruncate64) X(fallocate64)      \
	X(posix_fallocate64) X(posix_fadvise64) X(fsync) X(fdatasync) X(fstat64) X(stat64)         \
	X(lstat64) X(fstatat64) X(fstatvfs64) X(access) X(link) X(linkat) X(rename) X(unlink)      \
	X(unlinkat) X(mkdir) X(chmod) X(realpath) X(opendir) X(fopen64) X(fdopendir) X(readdir64) X(socket) X(bind)    \
	X(listen) X(connect) X(accept4) X(recv) X(send) X(sendmsg) X(sendfile64) X(shutdown)       \
	X(getsockname) X(getpeername) X(getsockopt) X(setsockopt) X(getnameinfo) X(poll)           \
	X(eventfd) X(getrandom) X(getrlimit64) X(setrlimit64) X(sigwaitinfo) X(sigtimedwait)       \
	X(pthread_create) X(malloc) X(calloc) X(realloc) X(strdup) X(strndup) X(vasprintf)         \
	X(posix_memalign) X(tsearch) X(gnutls_hash_init) X(ini_parse_stream) X(clock_gettime) X(getcwd)  \
	X(readlink) X(reallocarray) X(aligned_alloc) X(lseek64) X(mincore) X(mmap64) X(MHD_queue_response)  \
	X(epoll_create1) X(epoll_ctl) X(epoll_wait)
/* clang-format on */

#define NUMBER(name) CALL_##name,
#define TEXT(name)   #name,
enum call { CALLS(NUMBER) CALLS_NUMBER };
static const char *const names[] = {CALLS(TEXT)};

_Static_assert((int)CALLS_NUMBER <= (int)FAULTS_CALLS, "the page is too small");

static struct faults *page;
static struct part {
	const char *name;
	uintptr_t from, to;
} parts[] = {{.name = ""}, {.name = "libsqlite3"}, {.name = "libjansson"}};
static void *reals[CALLS_NUMBER];

static void *real(enum call call)
{
	if (!reals[call])
		reals[call] = dlsym(RTLD_NEXT, names[call]);
	return reals[call];
}

/* The real one, in the type of the one that was called. */
#define REAL(call, function) ((__typeof__(&(function)))real(CALL_##call))
#define HERE                 ((uintptr_t)__builtin_return_address(0))

/* ---- who calls ---- */

/* The program is the first. */
static int look(struct dl_phdr_info *info, size_t size, void *ctx)
{
	bool *first = ctx;
	uintptr_t end = 0;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t to = info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;

		if (info->dlpi_phdr[i].p_type == PT_LOAD && to > end)
			end = to;
	}
	for (size_t i = *first ? 0 : 1; i < (*first ? 1 : sizeof parts / sizeof *parts); i++) {
		if (strstr(info->dlpi_name, parts[i].name)) {
			parts[i].from = info->dlpi_addr;
			parts[i].to = info->dlpi_addr + end;
		}
	}
	*first = false;
	return 0;
}

static unsigned part_of(uintptr_t site)
{
	for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (site >= parts[i].from && site < parts[i].to)
			return 1U << i;
	}
	return FAULTS_OTHERS;
}

__attribute__((constructor)) static void attach(void)
{
	const char *path = getenv("VHDD_FAULTS");
	bool first = true;
	struct faults *found;
	int fd;

	(void)dl_iterate_phdr(look, &first);
	fd = path ? REAL(open64, open)(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)REAL(close, close)(fd);
	if (found == MAP_FAILED)
		abort();
	for (int i = 0; i < CALLS_NUMBER; i++)
		(void)snprintf(found->names[i], FAULTS_NAME, "%s", names[i]);
	page = found;
}

/* ---- what fails ---- */

static struct faults_site *site_of(uint64_t at, enum call call)
{
	uint64_t slot = at * 0x9e3779b97f4a7c15U >> 52;

	for (;; slot = (slot + 1) % FAULTS_SITES) {
		struct faults_site *site = &page->sites[slot];
		uint64_t empty = 0;

		if (__atomic_load_n(&site->at, __ATOMIC_RELAXED) == at ||
		    __atomic_compare_exchange_n(&site->at, &empty, at, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED) ||
		    empty == at) {
			site->call = call;
			return site;
		}
	}
}

static bool is_chosen(enum call call, unsigned part, const struct faults_site *site)
{
	int64_t number;

	if (page->only_site && (!site || site->at != page->only_site))
		return false;
	if (!page->chosen[call] || !(page->parts & part))
		return false;
	number = __atomic_fetch_add(&page->calls, 1, __ATOMIC_RELAXED);
	return number >= page->fail_at && number - page->fail_at < page->burst;
}

/* 0: the call goes on. Else what it does instead. */
static int error_of(enum call call, unsigned part, const struct faults_site *site)
{
	if (!__atomic_load_n(&page->armed, __ATOMIC_ACQUIRE))
		return 0;
	if (site && site->at == page->also_site)
		return (int)page->also_error;
	return is_chosen(call, part, site) ? page->error : 0;
}

/* As error_of(). */
static int fault(enum call call, uintptr_t from)
{
	unsigned part = page ? part_of(from) : 0;
	struct faults_site *site = NULL;
	int error;

	if (!page)
		return 0;
	if (part == FAULTS_OURS) {
		site = site_of(from - parts[0].from, call);
		(void)__atomic_fetch_add(&site->seen, 1, __ATOMIC_RELAXED);
	}
	error = error_of(call, part, site);
	if (!error)
		return 0;
	if (site)
		(void)__atomic_fetch_add(&site->failed, 1, __ATOMIC_RELAXED);
	page->last_call = call;
	page->last_site = site ? site->at : 0;
	(void)__atomic_fetch_add(&page->failed, 1, __ATOMIC_RELAXED);
	if (error > 0)
		errno = error;
	return error;
}

#define FAILS(call) (fault(CALL_##call, HERE) != 0)

/* How much of a transfer is done; `len` when it is not cut short. */
static size_t cut(int error, size_t len)
{
	switch (error) {
	case FAULTS_ONE: return len < 1 ? len : 1;
	case FAULTS_HALF: return len - len / 2;
	case FAULTS_ZERO: return 0;
	default: return len;
	}
}

/* ---- files ---- */

#define MODE(flags, last)                             \
	({                                            \
		va_list args;                         \
		mode_t given = 0;                     \
		va_start(args, last);                 \
		if ((flags) & (O_CREAT | O_TMPFILE))  \
			given = va_arg(args, mode_t); \
		va_end(args);                         \
		given;                                \
	})

int open(const char *path, int flags, ...)
{
	return FAILS(open64) ? -1 : REAL(open64, open)(path, flags, MODE(flags, flags));
}

int openat(int folder, const char *path, int flags, ...)
{
	return FAILS(openat64) ? -1
			       : REAL(openat64, openat)(folder, path, flags, MODE(flags, flags));
}

/* openat2, which the C library does not know. */
long syscall(long number, ...)
{
	long a[4];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_openat2 && FAILS(syscall))
		return -1;
	return REAL(syscall, syscall)(number, a[0], a[1], a[2], a[3]);
}

int close(int fd)
{
	bool fails = FAILS(close);
	int error = errno, r = REAL(close, close)(fd);

	if (fails)
		errno = error;
	return fails ? -1 : r;
}

int dup(int fd)
{
	return FAILS(dup) ? -1 : REAL(dup, dup)(fd);
}

int fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	return FAILS(fcntl64) ? -1 : REAL(fcntl64, fcntl)(fd, command, arg);
}

int flock(int fd, int operation)
{
	return FAILS(flock) ? -1 : REAL(flock, flock)(fd, operation);
}

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	int error = fault(CALL_pread64, HERE);

	return error > 0 ? -1 : REAL(pread64, pread)(fd, buf, cut(error, len), off);
}

ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	int error = fault(CALL_preadv64v2, HERE);
	struct iovec less = {iov->iov_base, cut(error, iov->iov_len)};

	if (error > 0)
		return -1;
	return REAL(preadv64v2, preadv2)(fd, error ? &less : iov, error ? 1 : n, off, flags);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	int error = fault(CALL_pwrite64, HERE);

	if (error == FAULTS_ZERO)
		return 0;
	return error > 0 ? -1 : REAL(pwrite64, pwrite)(fd, buf, cut(error, len), off);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	int error = fault(CALL_pwritev64, HERE);
	struct iovec less = {iov->iov_base, cut(error, iov->iov_len)};

	if (error == FAULTS_ZERO)
		return 0;
	if (error > 0)
		return -1;
	return REAL(pwritev64, pwritev)(fd, error ? &less : iov, error ? 1 : n, off);
}

ssize_t read(int fd, void *buf, size_t len)
{
	int error = fault(CALL_read, HERE);

	return error > 0 ? -1 : REAL(read, read)(fd, buf, cut(error, len));
}

ssize_t write(int fd, const void *buf, size_t len)
{
	int error = fault(CALL_write, HERE);

	return error > 0 ? -1 : REAL(write, write)(fd, buf, cut(error, len));
}

int ftruncate(int fd, off_t size)
{
	return FAILS(ftruncate64) ? -1 : REAL(ftruncate64, ftruncate)(fd, size);
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
	return FAILS(fallocate64) ? -1 : REAL(fallocate64, fallocate)(fd, mode, off, len);
}

int posix_fallocate(int fd, off_t off, off_t len)
{
	int error = fault(CALL_posix_fallocate64, HERE);

	return error ? error : REAL(posix_fallocate64, posix_fallocate)(fd, off, len);
}

int posix_fadvise(int fd, off_t off, off_t len, int advice)
{
	int error = fault(CALL_posix_fadvise64, HERE);

	return error ? error : REAL(posix_fadvise64, posix_fadvise)(fd, off, len, advice);
}

off_t lseek(int fd, off_t off, int whence)
{
	return FAILS(lseek64) ? -1 : REAL(lseek64, lseek)(fd, off, whence);
}

void *mmap(void *addr, size_t len, int protection, int flags, int fd, off_t off)
{
	return FAILS(mmap64) ? MAP_FAILED
			     : REAL(mmap64, mmap)(addr, len, protection, flags, fd, off);
}

int mincore(void *addr, size_t len, unsigned char *ret_pages)
{
	return FAILS(mincore) ? -1 : REAL(mincore, mincore)(addr, len, ret_pages);
}

int fsync(int fd)
{
	return FAILS(fsync) ? -1 : REAL(fsync, fsync)(fd);
}

int fdatasync(int fd)
{
	return FAILS(fdatasync) ? -1 : REAL(fdatasync, fdatasync)(fd);
}

int fstat(int fd, struct stat *ret_stat)
{
	return FAILS(fstat64) ? -1 : REAL(fstat64, fstat)(fd, ret_stat);
}

int stat(const char *path, struct stat *ret_stat)
{
	return FAILS(stat64) ? -1 : REAL(stat64, stat)(path, ret_stat);
}

int lstat(const char *path, struct stat *ret_stat)
{
	return FAILS(lstat64) ? -1 : REAL(lstat64, lstat)(path, ret_stat);
}

int fstatat(int folder, const char *path, struct stat *ret_stat, int flags)
{
	return FAILS(fstatat64) ? -1 : REAL(fstatat64, fstatat)(folder, path, ret_stat, flags);
}

int fstatvfs(int fd, struct statvfs *ret_stat)
{
	return FAILS(fstatvfs64) ? -1 : REAL(fstatvfs64, fstatvfs)(fd, ret_stat);
}

int access(const char *path, int mode)
{
	return FAILS(access) ? -1 : REAL(access, access)(path, mode);
}

int link(const char *from, const char *to)
{
	return FAILS(link) ? -1 : REAL(link, link)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
	return FAILS(linkat) ? -1 : REAL(linkat, linkat)(from_folder, from, to_folder, to, flags);
}

int rename(const char *from, const char *to)
{
	return FAILS(rename) ? -1 : REAL(rename, rename)(from, to);
}

int unlink(const char *path)
{
	return FAILS(unlink) ? -1 : REAL(unlink, unlink)(path);
}

int unlinkat(int folder, const char *path, int flags)
{
	return FAILS(unlinkat) ? -1 : REAL(unlinkat, unlinkat)(folder, path, flags);
}

int mkdir(const char *path, mode_t mode)
{
	return FAILS(mkdir) ? -1 : REAL(mkdir, mkdir)(path, mode);
}

int chmod(const char *path, mode_t mode)
{
	return FAILS(chmod) ? -1 : REAL(chmod, chmod)(path, mode);
}

char *realpath(const char *path, char *ret_path)
{
	return FAILS(realpath) ? NULL : REAL(realpath, realpath)(path, ret_path);
}

ssize_t readlink(const char *path, char *ret_path, size_t size)
{
	return FAILS(readlink) ? -1 : REAL(readlink, readlink)(path, ret_path, size);
}

char *getcwd(char *ret_path, size_t size)
{
	return FAILS(getcwd) ? NULL : REAL(getcwd, getcwd)(ret_path, size);
}

DIR *opendir(const char *path)
{
	return FAILS(opendir) ? NULL : REAL(opendir, opendir)(path);
}

FILE *fopen64(const char *path, const char *mode)
{
	return FAILS(fopen64) ? NULL : REAL(fopen64, fopen64)(path, mode);
}

DIR *fdopendir(int fd)
{
	return FAILS(fdopendir) ? NULL : REAL(fdopendir, fdopendir)(fd);
}

struct dirent *readdir(DIR *folder)
{
	return FAILS(readdir64) ? NULL : REAL(readdir64, readdir)(folder);
}

/* ---- sockets ---- */

int socket(int domain, int type, int protocol)
{
	return FAILS(socket) ? -1 : REAL(socket, socket)(domain, type, protocol);
}

int bind(int fd, const struct sockaddr *name, socklen_t len)
{
	return FAILS(bind) ? -1 : REAL(bind, bind)(fd, name, len);
}

int listen(int fd, int backlog)
{
	return FAILS(listen) ? -1 : REAL(listen, listen)(fd, backlog);
}

int connect(int fd, const struct sockaddr *name, socklen_t len)
{
	return FAILS(connect) ? -1 : REAL(connect, connect)(fd, name, len);
}

int accept4(int fd, struct sockaddr *ret_name, socklen_t *len, int flags)
{
	return FAILS(accept4) ? -1 : REAL(accept4, accept4)(fd, ret_name, len, flags);
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	int error = fault(CALL_recv, HERE);

	return error > 0 ? -1 : REAL(recv, recv)(fd, buf, cut(error, len), flags);
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	int error = fault(CALL_send, HERE);

	return error > 0 ? -1 : REAL(send, send)(fd, buf, cut(error, len), flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	return FAILS(sendmsg) ? -1 : REAL(sendmsg, sendmsg)(fd, message, flags);
}

ssize_t sendfile(int to, int from, off_t *off, size_t len)
{
	int error = fault(CALL_sendfile64, HERE);

	return error > 0 ? -1 : REAL(sendfile64, sendfile)(to, from, off, cut(error, len));
}

int shutdown(int fd, int how)
{
	return FAILS(shutdown) ? -1 : REAL(shutdown, shutdown)(fd, how);
}

int getsockname(int fd, struct sockaddr *ret_name, socklen_t *len)
{
	return FAILS(getsockname) ? -1 : REAL(getsockname, getsockname)(fd, ret_name, len);
}

int getpeername(int fd, struct sockaddr *ret_name, socklen_t *len)
{
	return FAILS(getpeername) ? -1 : REAL(getpeername, getpeername)(fd, ret_name, len);
}

int getsockopt(int fd, int level, int option, void *ret_value, socklen_t *len)
{
	return FAILS(getsockopt) ? -1
				 : REAL(getsockopt, getsockopt)(fd, level, option, ret_value, len);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	return FAILS(setsockopt) ? -1 : REAL(setsockopt, setsockopt)(fd, level, option, value, len);
}

int getnameinfo(const struct sockaddr *name, socklen_t len, char *ret_host, socklen_t host_size,
		char *ret_service, socklen_t service_size, int flags)
{
	if (FAILS(getnameinfo))
		return EAI_SYSTEM;
	return REAL(getnameinfo, getnameinfo)(name, len, ret_host, host_size, ret_service,
					      service_size, flags);
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
	return FAILS(poll) ? -1 : REAL(poll, poll)(fds, n, ms);
}

int eventfd(unsigned value, int flags)
{
	return FAILS(eventfd) ? -1 : REAL(eventfd, eventfd)(value, flags);
}

int epoll_create1(int flags)
{
	return FAILS(epoll_create1) ? -1 : REAL(epoll_create1, epoll_create1)(flags);
}

/* To take a descriptor out needs nothing that could be missing. */
int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
	if (operation != EPOLL_CTL_DEL && FAILS(epoll_ctl))
		return -1;
	return REAL(epoll_ctl, epoll_ctl)(set, operation, fd, event);
}

int epoll_wait(int set, struct epoll_event *ret_events, int most, int ms)
{
	return FAILS(epoll_wait) ? -1 : REAL(epoll_wait, epoll_wait)(set, ret_events, most, ms);
}

/* ---- the rest of the system ---- */

ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
	int error = fault(CALL_getrandom, HERE);

	return error > 0 ? -1 : REAL(getrandom, getrandom)(buf, cut(error, len), flags);
}

int getrlimit(__rlimit_resource_t which, struct rlimit *ret_limit)
{
	return FAILS(getrlimit64) ? -1 : REAL(getrlimit64, getrlimit)(which, ret_limit);
}

int setrlimit(__rlimit_resource_t which, const struct rlimit *limit)
{
	return FAILS(setrlimit64) ? -1 : REAL(setrlimit64, setrlimit)(which, limit);
}

int sigwaitinfo(const sigset_t *signals, siginfo_t *ret_info)
{
	return FAILS(sigwaitinfo) ? -1 : REAL(sigwaitinfo, sigwaitinfo)(signals, ret_info);
}

int sigtimedwait(const sigset_t *signals, siginfo_t *ret_info, const struct timespec *time)
{
	return FAILS(sigtimedwait) ? -1 : REAL(sigtimedwait, sigtimedwait)(signals, ret_info, time);
}

int pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes, void *(*run)(void *),
		   void *ctx)
{
	int error = fault(CALL_pthread_create, HERE);

	return error ? error
		     : REAL(pthread_create, pthread_create)(ret_thread, attributes, run, ctx);
}

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	int r = REAL(clock_gettime, clock_gettime)(clock, ret_time);

	if (page && clock == CLOCK_REALTIME)
		ret_time->tv_sec += page->clock_shift;
	return r;
}

/* ---- memory ---- */

void *malloc(size_t size)
{
	return FAILS(malloc) ? NULL : REAL(malloc, malloc)(size);
}

void *calloc(size_t n, size_t size)
{
	return FAILS(calloc) ? NULL : REAL(calloc, calloc)(n, size);
}

void *realloc(void *mem, size_t size)
{
	return FAILS(realloc) ? NULL : REAL(realloc, realloc)(mem, size);
}

void *reallocarray(void *mem, size_t n, size_t size)
{
	return FAILS(reallocarray) ? NULL : REAL(reallocarray, reallocarray)(mem, n, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return FAILS(aligned_alloc) ? NULL : REAL(aligned_alloc, aligned_alloc)(align, size);
}

int posix_memalign(void **ret_mem, size_t align, size_t size)
{
	return FAILS(posix_memalign) ? ENOMEM
				     : REAL(posix_memalign, posix_memalign)(ret_mem, align, size);
}

char *strdup(const char *text)
{
	return FAILS(strdup) ? NULL : REAL(strdup, strdup)(text);
}

char *strndup(const char *text, size_t len)
{
	return FAILS(strndup) ? NULL : REAL(strndup, strndup)(text, len);
}

int vasprintf(char **ret_text, const char *format, va_list args)
{
	return FAILS(vasprintf) ? -1 : REAL(vasprintf, vasprintf)(ret_text, format, args);
}

void *tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
	return FAILS(tsearch) ? NULL : REAL(tsearch, tsearch)(key, root, compare);
}

/* ---- libraries that are asked for what may fail ---- */

int gnutls_hash_init(gnutls_hash_hd_t *ret_hash, gnutls_digest_algorithm_t algorithm)
{
	return FAILS(gnutls_hash_init)
		       ? GNUTLS_E_MEMORY_ERROR
		       : REAL(gnutls_hash_init, gnutls_hash_init)(ret_hash, algorithm);
}

/* Says yes and forgets the answer, as the library does when it is being stopped. */
enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
				   struct MHD_Response *response)
{
	return FAILS(MHD_queue_response)
		       ? MHD_YES
		       : REAL(MHD_queue_response, MHD_queue_response)(connection, status, response);
}

int ini_parse_stream(ini_reader reader, void *stream, ini_handler handler, void *user)
{
	return FAILS(ini_parse_stream)
		       ? -1
		       : REAL(ini_parse_stream, ini_parse_stream)(reader, stream, handler, user);
}
