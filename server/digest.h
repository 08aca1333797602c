/* digest.h - digests of what comes in pieces. */
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 32, DIGEST_MAX = 64 };
enum digest_kind { DIGEST_SHA256, DIGEST_SHA512, DIGEST_MD5 };

struct digest;

struct digest *digest_new(void); /* SHA-256; NULL: out of memory */
struct digest *digest_new_of(enum digest_kind kind);
void digest_add(struct digest *digest, const void *bytes, size_t len);
/* The end of it; the sum has 32 bytes, 64 or 16 by its kind. */
void digest_finish(struct digest *digest, uint8_t *ret_sum);

#endif
