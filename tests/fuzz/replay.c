/* replay.c - runs a target over the files of folders, where libFuzzer is not linked. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(1 << 20);
	size_t size = 0;

	if (file && data)
		size = fread(data, 1, 1 << 20, file);
	if (!file || !data || ferror(file)) {
		perror(path);
		return -1;
	}
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	(void)fclose(file);
	return 1;
}

static int replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int n = 0;

	if (!dir) {
		perror(folder);
		return -1;
	}
	while (n >= 0 && (entry = readdir(dir)) != NULL) {
		char path[4096];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		n = replay_file(path) < 0 ? -1 : n + 1;
	}
	(void)closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int n = replay_folder(argv[i]);

		if (n < 0)
			return 1;
		total += n;
	}
	printf("%d inputs\n", total);
	return total > 0 ? 0 : 1;
}
