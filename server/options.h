/* options.h - the command line of the daemon. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "address.h"
#include "config.h"

enum { OPTIONS_LISTEN_MAX = 16, OPTIONS_WHY = 512 };

enum options_action {
	OPTIONS_RUN,
	OPTIONS_PRINT_CONFIG,
	OPTIONS_REBUILD_CATALOG,
	OPTIONS_VERSION,
	OPTIONS_HELP,
};

struct options {
	enum options_action action;
	char state_dir[CONFIG_PATH];
	struct address listen[OPTIONS_LISTEN_MAX];
	size_t n_listen;
	bool has_log_level;
	uint64_t log_level; /* over what the file says, wherever it stands */
	struct config config;
};

/* -1 and a line in `ret_why` for a person when the command line makes no sense. */
int options_parse(int argc, char *const argv[], struct options *ret_options,
		  char ret_why[OPTIONS_WHY]);

/* The sockets `first` and following, which the service manager has opened. */
int options_inherit(struct options *options, int first, unsigned n, char ret_why[OPTIONS_WHY]);
/* When there are no others: one of them is in the state folder, whose path may be too long. */
int options_default_listen(struct options *options, char ret_why[OPTIONS_WHY]);

extern const char options_help[];

#endif
