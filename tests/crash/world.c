/* world.c - memory files become files again. */
#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512 };

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

void world_make(char ret_path[WORLD_PATH])
{
	char pool[WORLD_PATH + 8];

	(void)snprintf(ret_path, WORLD_PATH, "%s/vhdd-crash-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(ret_path) != NULL, ret_path);
	(void)snprintf(pool, sizeof pool, "%s/images", ret_path);
	must(mkdir(pool, 0700) == 0, pool);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

void world_remove(const char *path)
{
	must(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0, path);
}

size_t world_files(const char *path, char ret_names[WORLD_NAMES][WORLD_PATH])
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	size_t files = 0;

	must(folder != NULL, path);
	while ((entry = readdir(folder))) {
		if (entry->d_type != DT_REG)
			continue;
		must(files < WORLD_NAMES, path);
		(void)snprintf(ret_names[files++], WORLD_PATH, "%.120s", entry->d_name);
	}
	(void)closedir(folder);
	return files;
}

static void put_page(void *ctx, uint64_t off, const uint8_t *page)
{
	must(pwrite(*(const int *)ctx, page, MEM_PAGE, (off_t)off) == MEM_PAGE, "pwrite");
}

static void lay_file(const char *path, const struct crash *crash, unsigned file,
		     const unsigned *pick)
{
	struct memio *image = crash_image(crash, file, pick, NULL);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0, path);
	memio_each_page(image, put_page, &fd);
	must(ftruncate(fd, (off_t)memio_size(image)) == 0, path);
	must(close(fd) == 0, path);
	memio_free(image);
}

/* A second name of a file that is there. */
static bool link_to(const char *path, char first[WORLD_PATH + 256])
{
	if (first[0])
		return link(first, path) == 0;
	(void)snprintf(first, WORLD_PATH + 256, "%s", path);
	return false;
}

struct layout {
	const struct crash *crash;
	const unsigned *pick;
	char first[RECORDER_FILES][WORLD_PATH + 256]; /* name of each file */
};

static void lay_folder(struct layout *layout, const char *path, unsigned folder)
{
	struct memio *names = crash_image(layout->crash, folder, layout->pick, NULL);
	struct recorder_name entry;

	for (uint64_t at = 0; at < memio_size(names); at += SECTOR) {
		char below[WORLD_PATH + 256];

		memio_peek(names, &entry, sizeof entry, at);
		if (!entry.file)
			continue;
		(void)snprintf(below, sizeof below, "%s/%s", path, entry.name);
		if (entry.folder) {
			must(mkdir(below, 0700) == 0, below);
			lay_folder(layout, below, entry.file - 1);
		} else if (!link_to(below, layout->first[entry.file - 1])) {
			lay_file(below, layout->crash, entry.file - 1, layout->pick);
		}
	}
	memio_free(names);
}

void world_lay_out(const char *path, const struct crash *crash, const unsigned *pick)
{
	static struct layout layout;

	layout = (struct layout){.crash = crash, .pick = pick};
	must(mkdir(path, 0700) == 0, path);
	lay_folder(&layout, path, 0);
}
