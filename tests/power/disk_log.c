/* disk_log.c - a disk for nbdkit that keeps a log of all that reaches it, so that any power cut can
 * be replayed.
 *
 * The content is a file; so is the log: a record for each write, with its data, and for each flush.
 * Requests are served one after the other: what is in the log before a flush was done when the
 * flush came.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_SERIALIZE_ALL_REQUESTS

enum kind { LOG_WRITE = 1, LOG_FLUSH = 2 };

/* In the byte order of the machine; the data of a write follows. */
struct record {
	uint32_t kind, length;
	uint64_t offset;
};

static char *disk_path, *log_path, *stall_path;
static int disk = -1, disk_log = -1;

static int take(const char *value, char **ret_path)
{
	free(*ret_path);
	*ret_path = nbdkit_absolute_path(value);
	return *ret_path ? 0 : -1;
}

static int power_config(const char *key, const char *value)
{
	if (strcmp(key, "disk") == 0)
		return take(value, &disk_path);
	if (strcmp(key, "log") == 0)
		return take(value, &log_path);
	if (strcmp(key, "stall") == 0)
		return take(value, &stall_path);
	nbdkit_error("no parameter %s", key);
	return -1;
}

static int power_get_ready(void)
{
	if (!disk_path || !log_path) {
		nbdkit_error("disk= and log= are needed");
		return -1;
	}
	disk = open(disk_path, O_RDWR | O_CLOEXEC);
	disk_log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (disk >= 0 && disk_log >= 0)
		return 0;
	nbdkit_error("open: %m");
	return -1;
}

static void power_unload(void)
{
	if (disk >= 0)
		(void)close(disk);
	if (disk_log >= 0)
		(void)close(disk_log);
	free(disk_path);
	free(log_path);
	free(stall_path);
}

static void *power_open(int readonly)
{
	(void)readonly;
	return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t power_size(void *handle)
{
	struct stat st;

	(void)handle;
	return fstat(disk, &st) < 0 ? -1 : st.st_size;
}

static int whole(ssize_t done, size_t length)
{
	if (done == (ssize_t)length)
		return 0;
	nbdkit_set_error(done < 0 ? errno : EIO);
	nbdkit_error("the disk or its log: %m");
	return -1;
}

static int keep(enum kind kind, const void *data, uint32_t length, uint64_t offset)
{
	struct record record = {kind, length, offset};
	struct iovec parts[] = {{&record, sizeof record}, {(void *)(uintptr_t)data, length}};

	return whole(writev(disk_log, parts, data ? 2 : 1), sizeof record + (data ? length : 0));
}

/* A disk that is slow: changes wait until the file is gone. */
static void stall(void)
{
	const struct timespec moment = {.tv_nsec = 10000000};

	while (stall_path && access(stall_path, F_OK) == 0)
		(void)nanosleep(&moment, NULL);
}

static int power_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	(void)flags;
	return whole(pread(disk, buf, count, (off_t)offset), count);
}

static int power_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset,
			uint32_t flags)
{
	(void)handle;
	(void)flags;
	stall();
	if (whole(pwrite(disk, buf, count, (off_t)offset), count) < 0)
		return -1;
	return keep(LOG_WRITE, buf, count, offset);
}

static int power_flush(void *handle, uint32_t flags)
{
	(void)handle;
	(void)flags;
	stall();
	return keep(LOG_FLUSH, NULL, 0, 0);
}

static struct nbdkit_plugin plugin = {
	.name = "disk-log",
	.longname = "a disk with a log of writes and flushes",
	.config = power_config,
	.get_ready = power_get_ready,
	.unload = power_unload,
	.open = power_open,
	.get_size = power_size,
	.pread = power_pread,
	.pwrite = power_pwrite,
	.flush = power_flush,
};

/* What the macro defines has no prototype in nbdkit's header. */
struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
