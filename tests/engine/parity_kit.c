/* parity_kit.c - a folder of image files for each test. */
#include "parity_kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "footer.h"
#include "locator.h"

int kit_set_up(void **state)
{
	struct kit *kit = calloc(1, sizeof *kit);

	if (!kit)
		return -1;
	*state = kit;
	(void)snprintf(kit->dir, sizeof kit->dir, "%s/parity-XXXXXX", WORK_DIR);
	if (!mkdtemp(kit->dir) || vhd_engine_new(NULL, &kit->engine, NULL) < 0)
		return -1;
	kit->root = kit->dir;
	kit->paths = (struct vhd_paths){
		.roots = &kit->root, .n_roots = 1, .search = &kit->root, .n_search = 1};
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int kit_tear_down(void **state)
{
	struct kit *kit = *state;

	vhd_engine_free(kit->engine);
	(void)nftw(kit->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(kit);
	return 0;
}

const char *kit_path(const struct kit *kit, const char *name)
{
	static char paths[4][KIT_PATH * 2];
	static unsigned next;
	char *path = paths[next++ % 4];

	if (name[0] == '/')
		(void)snprintf(path, sizeof paths[0], "%s", name);
	else
		(void)snprintf(path, sizeof paths[0], "%s/%s", kit->dir, name);
	return path;
}

static struct vhd *made(const struct kit *kit, int r, struct vhd *disk)
{
	if (r < 0)
		fail_msg("%s", kit->err.text);
	return disk;
}

static struct vhd_create_args args_of(uint64_t size, uint8_t id)
{
	return (struct vhd_create_args){.size = size, .id = {id}, .timestamp = 1000U + id};
}

static struct vhd *create(struct kit *kit, __typeof__(vhd_create_dynamic) *how, const char *name,
			  const struct vhd_create_args *args)
{
	struct vhd *disk = NULL;
	int r = how(kit->engine, &kit->paths, kit_path(kit, name), args, &disk, &kit->err);

	return made(kit, r, disk);
}

struct vhd *kit_dynamic(struct kit *kit, const char *name, uint64_t size, uint8_t id)
{
	struct vhd_create_args args = args_of(size, id);

	return create(kit, vhd_create_dynamic, name, &args);
}

struct vhd *kit_fixed(struct kit *kit, const char *name, uint64_t size, uint8_t id)
{
	struct vhd_create_args args = args_of(size, id);

	return create(kit, vhd_create_fixed, name, &args);
}

struct vhd *kit_child(struct kit *kit, const char *name, const char *parent, uint8_t id)
{
	struct vhd_create_args args = args_of(0, id);

	args.parent_path = kit_path(kit, parent);
	return create(kit, vhd_create_difference, name, &args);
}

struct vhd *kit_open(struct kit *kit, const char *name, unsigned flags)
{
	struct vhd *disk = NULL;
	int r = vhd_open_chain(kit->engine, &kit->paths, name, flags, &disk, &kit->err);

	return made(kit, r, disk);
}

int kit_refused(struct kit *kit, const char *name, unsigned flags)
{
	struct vhd *disk = NULL;
	int r = vhd_open_chain(kit->engine, &kit->paths, name, flags, &disk, &kit->err);

	assert_null(disk);
	assert_true(r < 0);
	assert_int_equal(kit->err.code, r);
	return r;
}

void kit_done(struct vhd *disk)
{
	assert_int_equal(vhd_flush(disk, 0, NULL), 0);
	vhd_close(disk);
}

void kit_make_root(struct kit *kit, const char *name, uint8_t id, uint64_t sector, char byte)
{
	struct vhd *disk = kit_dynamic(kit, name, 8 * MIB, id);

	kit_fill(disk, sector, 1, byte);
	kit_done(disk);
}

void kit_make_child(struct kit *kit, const char *name, const char *parent, uint8_t id,
		    uint64_t sector, char byte)
{
	struct vhd *disk = kit_child(kit, name, parent, id);

	kit_fill(disk, sector, 1, byte);
	kit_done(disk);
}

void kit_fill(struct vhd *disk, uint64_t sector, uint64_t count, char byte)
{
	size_t len = count * VHD_SECTOR;
	char *buf = malloc(len);

	assert_non_null(buf);
	memset(buf, byte, len);
	assert_int_equal(vhd_write(disk, buf, len, sector * VHD_SECTOR, NULL, NULL), 0);
	free(buf);
}

void kit_check(struct vhd *disk, uint64_t sector, char byte)
{
	char buf[VHD_SECTOR], expected[VHD_SECTOR];

	memset(buf, byte + 1, sizeof buf);
	memset(expected, byte, sizeof expected);
	assert_int_equal(vhd_read(disk, buf, sizeof buf, sector * VHD_SECTOR, 0, NULL), 0);
	assert_memory_equal(buf, expected, sizeof buf);
}

void kit_folder(struct kit *kit, const char *name)
{
	assert_int_equal(mkdir(kit_path(kit, name), 0755), 0);
}

void kit_move(struct kit *kit, const char *from, const char *to)
{
	assert_int_equal(rename(kit_path(kit, from), kit_path(kit, to)), 0);
}

static int open_file(struct kit *kit, const char *name, int flags)
{
	int fd = open(kit_path(kit, name), flags | O_CLOEXEC, 0644);

	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	return fd;
}

void kit_copy(struct kit *kit, const char *from, const char *to)
{
	uint64_t size = kit_size(kit, from);
	int fd = open_file(kit, to, O_WRONLY | O_CREAT);

	assert_int_equal(close(fd), 0);
	for (uint64_t off = 0; off < size; off += VHD_SECTOR) {
		char buf[VHD_SECTOR];
		size_t len = size - off < sizeof buf ? size - off : sizeof buf;

		kit_peek(kit, from, buf, len, off);
		kit_poke(kit, to, buf, len, off);
	}
}

uint64_t kit_size(struct kit *kit, const char *name)
{
	struct stat st;

	assert_int_equal(stat(kit_path(kit, name), &st), 0);
	return (uint64_t)st.st_size;
}

void kit_peek(struct kit *kit, const char *name, void *buf, size_t len, uint64_t off)
{
	int fd = open_file(kit, name, O_RDONLY);

	assert_int_equal(pread(fd, buf, len, (off_t)off), len);
	assert_int_equal(close(fd), 0);
}

void kit_poke(struct kit *kit, const char *name, const void *buf, size_t len, uint64_t off)
{
	int fd = open_file(kit, name, O_WRONLY);

	assert_int_equal(pwrite(fd, buf, len, (off_t)off), len);
	assert_int_equal(close(fd), 0);
}

uint64_t kit_sum(struct kit *kit, const char *name)
{
	uint64_t sum = kit_size(kit, name);
	FILE *file = fopen(kit_path(kit, name), "re");

	assert_non_null(file);
	for (int c = getc(file); c != EOF; c = getc(file))
		sum = sum * 31 + (unsigned)c;
	assert_int_equal(fclose(file), 0);
	return sum;
}

unsigned kit_count(struct kit *kit)
{
	DIR *dir = opendir(kit->dir);
	unsigned n = 0;

	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	assert_int_equal(closedir(dir), 0);
	return n;
}

struct header kit_header(struct kit *kit, const char *name)
{
	struct header header;
	uint8_t raw[HEADER_SIZE];

	kit_peek(kit, name, raw, sizeof raw, FOOTER_SIZE);
	assert_int_equal(
		header_decode(raw, FOOTER_SIZE, VHD_SECTOR, kit_size(kit, name), &header, NULL), 0);
	return header;
}

void kit_set_header(struct kit *kit, const char *name, const struct header *header)
{
	uint8_t raw[HEADER_SIZE];

	header_encode(header, raw);
	kit_poke(kit, name, raw, sizeof raw, FOOTER_SIZE);
}

void kit_only_locator(struct kit *kit, const char *name, uint32_t code, const void *text,
		      size_t len)
{
	struct header header = kit_header(kit, name);
	uint64_t at = header.locators[0].data_offset;

	assert_true(len <= VHD_SECTOR);
	kit_poke(kit, name, text, len, at);
	memset(header.locators, 0, sizeof header.locators);
	header.locators[0] = (struct locator_entry){code, VHD_SECTOR, (uint32_t)len, at};
	header.parent_name[0] = '\0';
	kit_set_header(kit, name, &header);
}

static void set_footer(struct kit *kit, const char *name, uint64_t at, size_t field,
		       const void *bytes, size_t len)
{
	uint8_t raw[FOOTER_SIZE];
	uint32_t sum = 0;

	kit_peek(kit, name, raw, sizeof raw, at);
	memcpy(raw + field, bytes, len);
	memset(raw + 64, 0, 4);
	for (size_t i = 0; i < sizeof raw; i++)
		sum += raw[i];
	put_be32(raw + 64, ~sum);
	kit_poke(kit, name, raw, sizeof raw, at);
}

void kit_set_footers(struct kit *kit, const char *name, size_t field, const void *bytes, size_t len)
{
	set_footer(kit, name, 0, field, bytes, len);
	set_footer(kit, name, kit_size(kit, name) - FOOTER_SIZE, field, bytes, len);
}
