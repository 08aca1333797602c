/* vhdicat.c - content of a chain as libvhdi reads it: vhdicat LEAF [PARENT [GRANDPARENT ...]]. */
#include <libvhdi.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILES_MAX = 16, CHUNK = 1 << 20 };

static void check(int r, libvhdi_error_t *error)
{
	if (r == 1)
		return;
	(void)libvhdi_error_fprint(error, stderr);
	exit(1);
}

static libvhdi_file_t *open_file(const char *path)
{
	libvhdi_error_t *error = NULL;
	libvhdi_file_t *file = NULL;

	check(libvhdi_file_initialize(&file, &error), error);
	check(libvhdi_file_open(file, path, LIBVHDI_OPEN_READ, &error), error);
	return file;
}

static void copy_out(libvhdi_file_t *file)
{
	static unsigned char buffer[CHUNK];
	libvhdi_error_t *error = NULL;
	size64_t size = 0;

	check(libvhdi_file_get_media_size(file, &size, &error), error);
	for (size64_t off = 0; off < size; off += CHUNK) {
		size_t len = size - off < CHUNK ? (size_t)(size - off) : CHUNK;

		if (libvhdi_file_read_buffer_at_offset(file, buffer, len, (off64_t)off, &error) !=
		    (ssize_t)len)
			check(-1, error);
		if (fwrite(buffer, 1, len, stdout) != len)
			exit(1);
	}
}

int main(int argc, char **argv)
{
	libvhdi_file_t *files[FILES_MAX];
	libvhdi_error_t *error = NULL;
	int n = argc - 1;

	if (n < 1 || n > FILES_MAX)
		return 2;
	for (int i = n - 1; i >= 0; i--) {
		files[i] = open_file(argv[1 + i]);
		if (i < n - 1)
			check(libvhdi_file_set_parent_file(files[i], files[i + 1], &error), error);
	}
	copy_out(files[0]);
	for (int i = 0; i < n; i++)
		(void)libvhdi_file_free(&files[i], NULL);
	return fflush(stdout) == 0 ? 0 : 1;
}
