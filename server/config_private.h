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

#endif
