/* digest.c - the only file that knows gnutls. */
#include "digest.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

/* What gnutls calls a handle is a pointer. */
struct digest *digest_new_of(enum digest_kind kind)
{
	static const gnutls_digest_algorithm_t algorithms[] = {
		[DIGEST_SHA256] = GNUTLS_DIG_SHA256,
		[DIGEST_SHA512] = GNUTLS_DIG_SHA512,
		[DIGEST_MD5] = GNUTLS_DIG_MD5,
	};
	gnutls_hash_hd_t hash;

	if (gnutls_hash_init(&hash, algorithms[kind]) < 0)
		return NULL;
	return (struct digest *)hash;
}

struct digest *digest_new(void)
{
	return digest_new_of(DIGEST_SHA256);
}

void digest_add(struct digest *digest, const void *bytes, size_t len)
{
	/* It only fails for an algorithm that the library lacks. */
	if (gnutls_hash((gnutls_hash_hd_t)digest, bytes, len) < 0)
		abort();
}

void digest_finish(struct digest *digest, uint8_t *ret_sum)
{
	gnutls_hash_deinit((gnutls_hash_hd_t)digest, ret_sum);
}
