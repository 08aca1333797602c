/* chain.h - a chain of files of unknown content, used, with a copy of what its first bytes must
 * read as. */
#ifndef CHAIN_H
#define CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memio.h"

struct chain;

/* Root first; takes over the files. */
struct chain *chain_new(struct memio *const *files, size_t n);
void chain_free(struct chain *chain);

/* With recovery, for writing. False: refused. */
bool chain_open(struct chain *chain);
/* Flushes, and opens again what must now be clean; all must read as before. */
void chain_reopen(struct chain *chain, bool recover);

/* Ranges are cut to the disk, and to what is watched of it. */
void chain_write(struct chain *chain, uint64_t off, size_t len, uint8_t fill);
void chain_zero(struct chain *chain, uint64_t off, size_t len);
void chain_ask(struct chain *chain, uint64_t off, size_t len);
void chain_flush(struct chain *chain);
/* From now on it is the child that is used. */
void chain_snapshot(struct chain *chain);
void chain_set_footer(struct chain *chain, bool saved_state, bool temporary);

#endif
