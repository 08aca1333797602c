/* config_file.c - reads the file; whatever is not known is refused, with its line. */
#include "config_private.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

struct reading {
	struct config *config;
	FILE *file;
	int line;      /* the last one that was read */
	bool has_key;  /* see config_line_flaw() */
	uint64_t seen; /* a bit for each key */
	char what[CONFIG_WHY];
};

/* The first complaint counts; nothing is read after it. */
static int refuse(struct reading *reading, const char *section, const char *name, const char *what)
{
	if (!*reading->what)
		(void)snprintf(reading->what, sizeof reading->what, "[%.64s]%s%.32s: %s", section,
			       *name ? " " : "", name, what);
	return 0; /* as inih has it */
}

/* One of the list in the section, with what is wrong with it. */
static int refuse_item(struct reading *reading, const char *section, const char *name,
		       const char *item, const char *why)
{
	char what[CONFIG_WHAT];

	(void)snprintf(what, sizeof what, "'%.80s' %s", item, why);
	return refuse(reading, section, name, what);
}

static int set_path(struct reading *reading, const char *section, const char *name,
		    const char *text, char *ret_path)
{
	if (*text != '/' || strlen(text) >= CONFIG_PATH)
		return refuse_item(reading, section, name, text, "is not an absolute path");
	memcpy(ret_path, text, strlen(text) + 1);
	return 1;
}

static int add_root(struct reading *reading, const char *text)
{
	struct config *config = reading->config;

	if (config->n_roots == CONFIG_ROOTS_MAX)
		return refuse(reading, "pool", "roots", "more than 16 folders");
	if (!set_path(reading, "pool", "roots", text, config->roots[config->n_roots]))
		return 0;
	config->n_roots++;
	return 1;
}

static int add_host(struct reading *reading, const char *text)
{
	const char *why = config_add_host(reading->config, text);

	return why ? refuse_item(reading, "http", "hosts", text, why) : 1;
}

static int add_origin(struct reading *reading, const char *text)
{
	const char *why = config_add_origin(reading->config, text);

	return why ? refuse_item(reading, "http", "origins", text, why) : 1;
}

/* Keys that may come again, for more of the same. */
static const struct list {
	const char *section, *name, *parted_by;
	int (*add)(struct reading *reading, const char *item);
} lists[] = {
	{"pool", "roots", ":", add_root},
	{"http", "hosts", " \t", add_host},
	{"http", "origins", " \t", add_origin},
};

static const struct list *find_list(const char *section, const char *name)
{
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		if (strcmp(lists[i].section, section) == 0 && strcmp(lists[i].name, name) == 0)
			return &lists[i];
	}
	return NULL;
}

static int add_all(struct reading *reading, const struct list *list, const char *text)
{
	CLEANUP(freep) char *copy = strdup(text);
	char *rest = copy;
	const char *item;

	if (!copy)
		return refuse(reading, list->section, list->name, "out of memory");
	while ((item = strsep(&rest, list->parted_by)) != NULL) {
		if (*item && !list->add(reading, item))
			return 0;
	}
	return 1;
}

/* [pool NAME] */
static int open_pool(struct reading *reading, const char *section)
{
	struct config *config = reading->config;
	const char *name = section + 5;

	if (strcmp(name, "default") == 0)
		return refuse(reading, section, "", "the default pool lies in the state folder");
	if (!*name || strspn(name, config_name_chars) != strlen(name))
		return refuse(reading, section, "", "a pool has a name of A-Z a-z 0-9 . _ -");
	for (size_t i = 0; i < config->n_pools; i++) {
		if (strcmp(config->pools[i].name, name) == 0)
			return refuse(reading, section, "", "is there twice");
	}
	if (config->n_pools == CONFIG_POOLS_MAX || strlen(name) >= CONFIG_NAME)
		return refuse(reading, section, "", "more than 16 pools, or a long name");
	memcpy(config->pools[config->n_pools++].name, name, strlen(name) + 1);
	return 1;
}

static int set_pool(struct reading *reading, const char *section, const char *name,
		    const char *text)
{
	struct config_pool *pool = &reading->config->pools[reading->config->n_pools - 1];

	if (strcmp(name, "path") != 0)
		return refuse(reading, section, name, "no such key");
	if (*pool->path)
		return refuse(reading, section, name, "is given twice");
	return set_path(reading, section, name, text, pool->path);
}

static int set_key(struct reading *reading, const char *section, const char *name, const char *text)
{
	int key = config_key(section, name);
	char what[CONFIG_WHAT];

	if (key < 0)
		return refuse(reading, section, name, "no such key");
	if (reading->seen & 1ULL << key)
		return refuse(reading, section, name, "is given twice");
	reading->seen |= 1ULL << key;
	return config_set(reading->config, key, text, what) == 0
		       ? 1
		       : refuse(reading, section, name, what);
}

static int on_value(void *ctx, const char *section, const char *name, const char *value)
{
	struct reading *reading = ctx;
	const struct list *list = find_list(section, name);

	if (*reading->what)
		return 0;
	if (!*section)
		return refuse(reading, section, name, "comes before the first [section]");
	if (list)
		return add_all(reading, list, value);
	if (strncmp(section, "pool ", 5) == 0)
		return set_pool(reading, section, name, value);
	return set_key(reading, section, name, value);
}

/* inih tells only sections that have keys. */
static int on_section(struct reading *reading, const char *line)
{
	char section[CONFIG_NAME + 6] = "";

	(void)snprintf(section, sizeof section, "%.*s", (int)strcspn(line, "]\n"), line);
	if (strncmp(section, "pool ", 5) == 0)
		return open_pool(reading, section);
	if (strcmp(section, "pool") == 0 || config_has_section(section))
		return 1;
	return refuse(reading, section, "", "no such section");
}

/* fgets() ends before a newline only where the file ends or the buffer does. */
static void check_line(struct reading *reading, const char *line, size_t size)
{
	const char *text = line + strspn(line, " \t");
	const char *flaw = config_line_flaw(line, &reading->has_key);

	if (strlen(line) == size - 1 && line[size - 2] != '\n')
		(void)snprintf(reading->what, sizeof reading->what,
			       "longer than %zu characters; lists may have several lines",
			       size - 2);
	else if (!strchr(line, '\n') && !feof(reading->file))
		(void)snprintf(reading->what, sizeof reading->what,
			       "a NUL character: save the file as UTF-8");
	else if (flaw)
		(void)snprintf(reading->what, sizeof reading->what, "%s", flaw);
	else if (*text == '[')
		(void)on_section(reading, text + 1);
}

/* As fgets(). */
static char *read_line(char *buffer, int size, void *ctx)
{
	struct reading *reading = ctx;

	if (*reading->what || !fgets(buffer, size, reading->file))
		return NULL;
	reading->line++;
	check_line(reading, buffer, (size_t)size);
	return *reading->what ? NULL : buffer;
}

static void whole(struct reading *reading)
{
	const struct config *config = reading->config;

	for (size_t i = 0; i < config->n_pools; i++) {
		if (!*config->pools[i].path)
			(void)snprintf(reading->what, sizeof reading->what,
				       "[pool %.64s] has no path", config->pools[i].name);
	}
}

/* -1: errno says why it cannot be read. */
static int parse_file(const char *path, struct reading *reading)
{
	int line;

	reading->file = fopen(path, "re");
	if (!reading->file)
		return -1;
	line = ini_parse_stream(read_line, reading, on_value, reading);
	if (line == 0 && ferror(reading->file)) /* a folder can be opened, too */
		line = -1;
	(void)fclose(reading->file);
	if (line > 0 && line < reading->line)
		*reading->what = '\0'; /* that came later */
	return *reading->what ? reading->line : line;
}

int config_read(struct config *config, const char *path, char ret_why[CONFIG_WHY])
{
	char text[64];
	struct reading reading = {.config = config, .what = ""};
	int line = parse_file(path, &reading);

	if (line < 0) {
		(void)snprintf(ret_why, CONFIG_WHY, "%.150s: %s", path,
			       strerror_r(errno, text, sizeof text));
		return -1;
	}
	if (line > 0) {
		(void)snprintf(ret_why, CONFIG_WHY, "%.90s, line %d: %.140s", path, line,
			       *reading.what ? reading.what : "neither [section] nor key = value");
		return -1;
	}
	whole(&reading);
	if (*reading.what)
		(void)snprintf(ret_why, CONFIG_WHY, "%.100s: %.140s", path, reading.what);
	return *reading.what ? -1 : 0;
}
