/* digest.h - SHA-256 of what comes in pieces. */
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 32 };

struct digest;

struct digest *digest_new(void); /* NULL: out of memory */
void digest_add(struct digest *digest, const void *bytes, size_t len);
/* The end of it. */
void digest_finish(struct digest *digest, uint8_t ret_sum[DIGEST_SIZE]);

#endif
