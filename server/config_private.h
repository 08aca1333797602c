/* config_private.h - what the files of the configuration share. */
#ifndef CONFIG_PRIVATE_H
#define CONFIG_PRIVATE_H

#include <stdbool.h>

#include "config.h"

enum { CONFIG_WHAT = 128, CONFIG_KEYS_MAX = 64 };

/* Of what names of hosts and of pools are made. */
extern const char config_name_chars[];

/* Which key of the table; -1: none. */
int config_key(const char *section, const char *name);
bool config_has_section(const char *section);
/* -1, and in `ret_what` what is wrong with the text. */
int config_set(struct config *config, int key, const char *text, char ret_what[CONFIG_WHAT]);
/* What is wrong with the form of a line, and what to do about it; NULL: nothing. `has_key` is kept
 * from line to line: has one given a key that the next may go on with? */
const char *config_line_flaw(const char *line, bool *has_key);

#endif
