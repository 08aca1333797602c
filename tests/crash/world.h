/* world.h - folders of the daemon, as they were and as a power cut may leave them. */
#ifndef WORLD_H
#define WORLD_H

#include "crash.h"
#include "recorder.h"

enum { WORLD_PATH = 128 };

/* A new folder, where syncs cost nothing, with the pool in it. */
void world_make(char ret_path[WORLD_PATH]);
void world_remove(const char *path);

/* The names of the files of a folder. */
enum { WORLD_NAMES = 64 };
size_t world_files(const char *path, char ret_names[WORLD_NAMES][WORLD_PATH]);

/* What a state has below a folder that is made for it. */
void world_lay_out(const char *path, const struct crash *crash, const unsigned *pick);

#endif
