/* rebuild_files.c - the files that were found, by id. */
#include <stdlib.h>
#include <string.h>

#include "pool_place.h"
#include "rebuild_private.h"

struct rebuild_file *rebuild_files_add(struct rebuild *rebuild)
{
	struct rebuild_file *files = rebuild->files;

	if (rebuild->n == rebuild->room) {
		size_t room = rebuild->room ? 2 * rebuild->room : 64;

		files = reallocarray(files, room, sizeof *files);
		if (!files)
			return NULL;
		rebuild->files = files;
		rebuild->room = room;
	}
	files[rebuild->n] = (struct rebuild_file){.level = REBUILD_UNKNOWN};
	return &files[rebuild->n++];
}

static int compare(const void *a, const void *b)
{
	const struct rebuild_file *x = a, *y = b;

	return memcmp(x->row.id, y->row.id, IDS_SIZE);
}

/* Of two files with one id that which the catalog means comes first: another one is a copy. */
static int compare_place(const void *a, const void *b)
{
	const struct rebuild_file *x = a, *y = b;
	int order = compare(a, b);

	return order ? order : y->placed - x->placed;
}

struct rebuild_file *rebuild_find(const struct rebuild *rebuild, const uint8_t id[IDS_SIZE])
{
	struct rebuild_file key;

	if (!rebuild->n)
		return NULL;
	memcpy(key.row.id, id, IDS_SIZE);
	return bsearch(&key, rebuild->files, rebuild->n, sizeof key, compare);
}

void rebuild_leave_out(const struct rebuild *rebuild, struct rebuild_file *file, const char *why)
{
	struct catalog_place at;
	char text[PLACE_TEXT];

	file->level = REBUILD_LEFT_OUT;
	catalog_place_of(&file->row, &at);
	place_text(&at, text);
	rebuild_say(rebuild, "left out %s: %s", text, why);
}

static void drop_duplicates(struct rebuild *rebuild)
{
	size_t n = 0;

	for (size_t i = 0; i < rebuild->n; i++) {
		if (n > 0 && ids_equal(rebuild->files[n - 1].row.id, rebuild->files[i].row.id)) {
			rebuild_leave_out(rebuild, &rebuild->files[i], "another file has its id");
			catalog_image_fini(&rebuild->files[i].row);
		} else {
			rebuild->files[n++] = rebuild->files[i];
		}
	}
	rebuild->n = n;
}

void rebuild_files_sort(struct rebuild *rebuild)
{
	if (rebuild->n > 0)
		qsort(rebuild->files, rebuild->n, sizeof *rebuild->files, compare_place);
	drop_duplicates(rebuild);
}
