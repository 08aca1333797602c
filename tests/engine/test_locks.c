/* test_locks.c - the locks of a file while others come and go: what is held is never given up for a
 * moment. And what the store makes of the answers of a file system. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test.h"

#include "vhd.h"

static int sync_error;

/* In the place of the C library's: as of a file system that answers with an error. */
int fdatasync(int fd)
{
	errno = sync_error;
	return sync_error ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* QEMU's bytes: 100 + p "I use permission p", 200 + p "nobody else may"; 0 read, 1 write, 3 resize.
 */
enum { USES_READ = 100, USES_WRITE = 101, DENIES_WRITE = 201, DENIES_RESIZE = 203 };

struct lab {
	char path[32];
	int other; /* a descriptor of another program, as far as locks know */
	struct vhd_engine *engine;
	struct vhd *disk;
	struct vhd_error err;
};

static int other_lock(const struct lab *lab, short type, off_t byte)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(lab->other, F_OFD_SETLK, &lock);
}

/* Whether our image holds the byte, as another program sees it. */
static bool held(const struct lab *lab, off_t byte)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	assert_int_equal(fcntl(lab->other, F_OFD_GETLK, &lock), 0);
	return lock.l_type != F_UNLCK;
}

static int set_up(void **state)
{
	static struct lab lab;
	const struct vhd_create_args args = {.type = VHD_DYNAMIC, .size = 8 << 20, .id = {1}};
	struct vhd_io io;
	int fd;

	lab = (struct lab){.path = "vhdd-locks-XXXXXX"};
	*state = &lab;
	fd = mkstemp(lab.path);
	lab.other = open(lab.path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || lab.other < 0 || vhd_engine_new(NULL, &lab.engine, NULL) < 0 ||
	    vhd_io_from_fd(fd, &io, NULL) < 0)
		return -1;
	return vhd_create(lab.engine, &io, &args, &lab.disk, NULL);
}

static int tear_down(void **state)
{
	struct lab *lab = *state;

	vhd_close(lab->disk);
	vhd_engine_free(lab->engine);
	(void)close(lab->other);
	return unlink(lab->path);
}

static void freezing_does_not_ask_who_else_wants_to_write(void **state)
{
	struct lab *lab = *state;

	/* qemu takes its byte first and looks afterwards. */
	assert_int_equal(other_lock(lab, F_RDLCK, USES_WRITE), 0);
	assert_int_equal(vhd_freeze(lab->disk, &lab->err), 0);
	assert_int_equal(other_lock(lab, F_UNLCK, USES_WRITE), 0);
	assert_true(held(lab, USES_READ));
	assert_true(held(lab, DENIES_WRITE));
	assert_true(held(lab, DENIES_RESIZE));
	assert_false(held(lab, USES_WRITE));
}

static void thawing_that_is_refused_keeps_the_lock_of_a_parent(void **state)
{
	struct lab *lab = *state;
	struct vhd_state now;

	assert_int_equal(vhd_freeze(lab->disk, &lab->err), 0);
	assert_int_equal(other_lock(lab, F_RDLCK, DENIES_WRITE),
			 0); /* a reader that wants no writers */
	assert_int_equal(vhd_thaw(lab->disk, &lab->err), VHD_E_BUSY);
	assert_string_equal(lab->err.text, "another program has this image open");
	assert_int_equal(other_lock(lab, F_UNLCK, DENIES_WRITE), 0);
	vhd_state(lab->disk, &now);
	assert_true(now.frozen);
	assert_true(held(lab, USES_READ));
	assert_true(held(lab, DENIES_WRITE));
	assert_false(held(lab, USES_WRITE));
	assert_int_equal(vhd_thaw(lab->disk, &lab->err), 0);
	assert_true(held(lab, USES_WRITE));
}

static void a_descriptor_for_reading_is_not_opened_for_writing(void **state)
{
	struct lab *lab = *state;
	int fd = open(lab->path, O_RDONLY | O_CLOEXEC);
	struct vhd_io io;
	struct vhd *disk;

	vhd_close(lab->disk);
	lab->disk = NULL;
	assert_int_equal(vhd_io_from_fd(fd, &io, &lab->err), 0);
	assert_int_equal(vhd_open(lab->engine, &io, VHD_WRITE, NULL, &disk, &lab->err),
			 VHD_E_READONLY);
	assert_string_equal(lab->err.text, "the file was opened for reading");
	vhd_io_close(&io);
}

static void a_descriptor_for_appending_is_refused(void **state)
{
	struct lab *lab = *state;
	int fd = open(lab->path, O_RDWR | O_APPEND | O_CLOEXEC);
	struct vhd_io io;

	assert_int_equal(vhd_io_from_fd(fd, &io, &lab->err), VHD_E_INVALID);
	assert_string_equal(lab->err.text,
			    "a file opened for appending cannot be written at places");
	(void)close(fd);
}

/* Bytes that this process has read, from wherever. */
static long bytes_read(void)
{
	static const char first[] = "rchar: ";
	FILE *file = fopen("/proc/self/io", "re");
	char line[64];

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof line, file));
	(void)fclose(file);
	assert_memory_equal(line, first, strlen(first));
	return strtol(line + strlen(first), NULL, 10);
}

static int reread(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;
	struct vhd_io io;

	assert_int_equal(vhd_io_from_fd(fd, &io, NULL), 0);
	r = io.ops->reread(io.store);
	vhd_io_close(&io);
	return r;
}

/* sysfs stands for FUSE with direct I/O. */
static void what_nobody_can_map_is_believed(void **state)
{
	(void)state;
	assert_int_equal(reread("/sys/kernel/fscaps"), 0);
}

/* The kernel says that all of it stays: to compare it would take hours, if it is large. */
static void what_another_user_alone_can_write_is_not_compared(void **state)
{
	uid_t user = geteuid();
	struct stat st;
	long before;
	int r;

	(void)state;
	assert_int_equal(stat("/bin/sh", &st), 0);
	assert_true(st.st_uid != 65534 && st.st_size > 65536);
	before = bytes_read();
	if (user == 0)
		assert_int_equal(seteuid(65534), 0);
	r = reread("/bin/sh");
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(r, 0);
	assert_true(bytes_read() - before < st.st_size);
}

/* Pages that stay are compared with the disk, as far as that has O_DIRECT; the descriptor is as
 * before. */
static void recovery_goes_on_while_another_maps_what_the_disk_holds(void **state)
{
	struct lab *lab = *state;
	size_t len = 2 << 20;
	uint8_t data[512] = {'d'}, got[512];
	struct vhd_io io;
	uint8_t *map;
	long before;
	int fd;

	assert_int_equal(vhd_write(lab->disk, data, sizeof data, 0, NULL, &lab->err), 0);
	assert_int_equal(vhd_flush(lab->disk, 0, &lab->err), 0);
	vhd_close(lab->disk);
	lab->disk = NULL;
	map = mmap(NULL, len, PROT_READ, MAP_SHARED | MAP_POPULATE, lab->other, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_memory_equal(map, "conectix", 8);
	before = bytes_read();
	fd = open(lab->path, O_RDWR | O_CLOEXEC);
	assert_int_equal(vhd_io_from_fd(fd, &io, &lab->err), 0);
	assert_int_equal(
		vhd_open(lab->engine, &io, VHD_WRITE | VHD_RECOVER, NULL, &lab->disk, &lab->err),
		0);
	assert_true(bytes_read() - before >= 1 << 20);
	assert_int_equal(fcntl(fd, F_GETFL) & O_DIRECT, 0);
	assert_int_equal(vhd_read(lab->disk, got, sizeof got, 0, 0, &lab->err), 0);
	assert_memory_equal(got, data, sizeof data);
	assert_int_equal(munmap(map, len), 0);
}

static void what_nobody_can_write_is_read_without_a_sync(void **state)
{
	static const struct {
		int error, flags, code;
	} cases[] = {
		{EINVAL, O_RDONLY, 0},       /* squashfs */
		{EROFS, O_RDONLY, VHD_E_IO}, /* ext4 that has given up */
		{EIO, O_RDONLY, VHD_E_IO},
		{EINVAL, O_RDWR, VHD_E_IO}, /* something may wait */
	};
	struct lab *lab = *state;
	struct vhd_io io;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unsigned write = cases[i].flags == O_RDWR ? VHD_WRITE : 0;
		int fd, r;

		vhd_close(lab->disk);
		lab->disk = NULL;
		fd = open(lab->path, cases[i].flags | O_CLOEXEC);
		assert_int_equal(vhd_io_from_fd(fd, &io, &lab->err), 0);
		sync_error = cases[i].error;
		r = vhd_open(lab->engine, &io, VHD_RECOVER | write, NULL, &lab->disk, &lab->err);
		sync_error = 0;
		assert_int_equal(r, cases[i].code);
		if (r < 0)
			vhd_io_close(&io);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(freezing_does_not_ask_who_else_wants_to_write),
		CASE(thawing_that_is_refused_keeps_the_lock_of_a_parent),
		CASE(a_descriptor_for_reading_is_not_opened_for_writing),
		CASE(a_descriptor_for_appending_is_refused),
		CASE(what_nobody_can_map_is_believed),
		CASE(what_another_user_alone_can_write_is_not_compared),
		CASE(recovery_goes_on_while_another_maps_what_the_disk_holds),
		CASE(what_nobody_can_write_is_read_without_a_sync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
