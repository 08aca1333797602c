/* checksum.c - reads the dictionary of Content-Digest (RFC 9651), and compares. */
#include "checksum.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base64.h"

enum { ENCODED_MAX = 88 + 1 };

static const struct {
	const char *name; /* in Content-Digest; NULL: it has a header of its own */
	enum service_digest_kind kind;
	size_t length;
} kinds[CHECKSUMS] = {
	{"sha-256", SERVICE_SHA_256, 32},
	{"sha-512", SERVICE_SHA_512, 64},
	{NULL, SERVICE_MD5, 16},
};
enum { MD5 = CHECKSUMS - 1 };

/* ---- parse ---- */

static bool refuse(struct problem *problem, const char *header, const char *value, const char *what)
{
	problem_set(problem, CODE_INVALID_VALUE, "%s '%.200s' %s", header, value, what);
	return false;
}

static bool decode(const char *text, size_t len, struct checksum_item *item, size_t want)
{
	unsigned char sum[ENCODED_MAX / 4 * 3];
	size_t got = 0;

	if (len >= ENCODED_MAX || !base64_decode(text, len, sum, &got) || got != want)
		return false;
	memcpy(item->sum, sum, want);
	item->wanted = true;
	return true;
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* ";name=value" any number of times: they mean nothing here. NULL: malformed. */
static const char *skip_parameters(const char *at)
{
	static const char key[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.*";

	while (*at == ';') {
		size_t n;

		at = skip_blanks(at + 1);
		n = strspn(at, key);
		at += n;
		if (n == 0)
			return NULL;
		if (*at == '=')
			at += 1 + strcspn(at + 1, ",; \t");
	}
	return at;
}

/* One "name=:base64:"; NULL: malformed. One that is not known is skipped. */
static const char *member(const char *at, struct checksum *checksum)
{
	size_t name = strcspn(at, "=,; \t");
	size_t len;
	const char *text;

	if (name == 0 || at[name] != '=' || at[name + 1] != ':')
		return NULL;
	text = at + name + 2;
	len = strcspn(text, ":,; \t");
	if (text[len] != ':')
		return NULL;
	for (size_t i = 0; i < MD5; i++) {
		if (strlen(kinds[i].name) == name && strncmp(kinds[i].name, at, name) == 0 &&
		    !decode(text, len, &checksum->items[i], kinds[i].length))
			return NULL;
	}
	return skip_parameters(text + len + 1);
}

static bool parse_dictionary(const char *value, struct checksum *checksum, struct problem *problem)
{
	static const char form[] = "is not like sha-256=:BASE64:, sha-512=:BASE64:";
	const char *at = skip_blanks(value);

	while (at) {
		at = member(at, checksum);
		at = at ? skip_blanks(at) : NULL;
		if (!at || *at == '\0')
			break;
		at = *at == ',' ? skip_blanks(at + 1) : NULL;
	}
	return at || refuse(problem, "Content-Digest", value, form);
}

/* A header may come in several lines, which are one list. */
static bool parse_digests(const struct http_request *request, struct checksum *checksum,
			  struct problem *problem)
{
	const char *value = NULL;

	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcasecmp(request->headers[i].name, "Content-Digest") != 0)
			continue;
		value = request->headers[i].value;
		if (!parse_dictionary(value, checksum, problem))
			return false;
	}
	if (!value || checksum->items[0].wanted || checksum->items[1].wanted)
		return true;
	problem_set(problem, CODE_NOT_SUPPORTED,
		    "Content-Digest '%.200s' has none of the known algorithms, sha-256 and sha-512",
		    value);
	return false;
}

static bool parse_md5(const struct http_request *request, struct checksum *checksum,
		      struct problem *problem)
{
	const char *value = http_header(request, "Content-MD5");

	if (!value || (http_header_count(request, "Content-MD5") == 1 &&
		       decode(value, strlen(value), &checksum->items[MD5], kinds[MD5].length)))
		return true;
	return refuse(problem, "Content-MD5", value, "is not one MD5 sum in base64");
}

bool checksum_begin(const struct http_request *request, struct checksum *checksum,
		    struct problem *problem)
{
	if (!parse_digests(request, checksum, problem) || !parse_md5(request, checksum, problem))
		return false;
	for (size_t i = 0; i < CHECKSUMS; i++) {
		struct checksum_item *item = &checksum->items[i];

		if (!item->wanted)
			continue;
		checksum->wanted = true;
		item->digest = service_digest_new(kinds[i].kind);
		if (item->digest)
			continue;
		problem_set(problem, CODE_INTERNAL, "no memory");
		return false;
	}
	return true;
}

/* ---- compute ---- */

void checksum_add(struct checksum *checksum, const void *bytes, size_t len)
{
	for (size_t i = 0; i < CHECKSUMS; i++) {
		if (checksum->items[i].digest && len > 0)
			service_digest_add(checksum->items[i].digest, bytes, len);
	}
}

static void describe(size_t i, const uint8_t *sum, char ret_text[CHECKSUM_TEXT])
{
	char encoded[ENCODED_MAX];

	base64_encode(sum, kinds[i].length, encoded);
	(void)snprintf(ret_text, CHECKSUM_TEXT, kinds[i].name ? "%s=:%s:" : "%s %s",
		       kinds[i].name ? kinds[i].name : "Content-MD5", encoded);
}

bool checksum_holds(struct checksum *checksum, char ret_said[CHECKSUM_TEXT],
		    char ret_has[CHECKSUM_TEXT])
{
	bool holds = true;

	for (size_t i = 0; i < CHECKSUMS; i++) {
		struct checksum_item *item = &checksum->items[i];
		uint8_t sum[SERVICE_DIGEST_MAX];

		if (!item->digest)
			continue;
		service_digest_end(item->digest, sum);
		item->digest = NULL;
		if (!holds || memcmp(sum, item->sum, kinds[i].length) == 0)
			continue;
		holds = false;
		describe(i, item->sum, ret_said);
		describe(i, sum, ret_has);
	}
	return holds;
}

void checksum_fini(struct checksum *checksum)
{
	uint8_t sum[SERVICE_DIGEST_MAX];

	for (size_t i = 0; i < CHECKSUMS; i++) {
		if (checksum->items[i].digest)
			service_digest_end(checksum->items[i].digest, sum);
		checksum->items[i].digest = NULL;
	}
}
