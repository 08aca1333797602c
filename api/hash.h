/* hash.h - tells answers apart, for ETags that must change with every byte. Against chance, not
 * against malice: whoever makes two alike fools nobody but who reads them. */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `hash`, 0 at first. On the hot path of lookups: a digest of a library takes longer
 * than the lookup. */
uint64_t hash_bytes(uint64_t hash, const void *data, size_t len);

/* Behind an ETag: a hyphen, 16 digits and a NUL. */
enum { HASH_SUFFIX = 1 + 16 + 1 };
void hash_suffix(uint64_t hash, char ret_text[HASH_SUFFIX]);

#endif
