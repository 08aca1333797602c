/* service_digest.c - digests of bodies, for api/. */
#include "digest.h"
#include "service.h"

static enum digest_kind kind_of(enum service_digest_kind kind)
{
	switch (kind) {
	case SERVICE_SHA_256: return DIGEST_SHA256;
	case SERVICE_SHA_512: return DIGEST_SHA512;
	case SERVICE_MD5: return DIGEST_MD5;
	}
	return DIGEST_SHA256;
}

/* What api/ calls a digest is the one of digest.h. */
struct service_digest *service_digest_new(enum service_digest_kind kind)
{
	return (struct service_digest *)digest_new_of(kind_of(kind));
}

void service_digest_add(struct service_digest *digest, const void *bytes, size_t len)
{
	digest_add((struct digest *)digest, bytes, len);
}

void service_digest_end(struct service_digest *digest, uint8_t ret_sum[SERVICE_DIGEST_MAX])
{
	digest_finish((struct digest *)digest, ret_sum);
}
