/* number.c - numbers, sizes, ids and times as text. The one place where digits become integers. */
#include "number.h"

#include <string.h>
#include <strings.h>
#include <time.h>

enum { FRACTION_DIGITS = 6 }; /* times a TiB this still fits in 64 bits */
#define DAY_MS      INT64_C(86400000)
#define TIME_END_MS INT64_C(253402300800000) /* 10000-01-01 UTC */
#define VHD_EPOCH   INT64_C(946684800)       /* 2000-01-01 UTC in seconds of Unix */

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

char *number_text(uint64_t value, char ret_text[NUMBER_TEXT])
{
	char digits[NUMBER_TEXT], *at = digits + NUMBER_TEXT;
	size_t len;

	do
		*--at = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	len = (size_t)(digits + NUMBER_TEXT - at);
	memcpy(ret_text, at, len);
	ret_text[len] = '\0';
	return ret_text + len;
}

bool number_u64(const char *text, size_t len, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!digit(text[i]) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return false;
	}
	*ret_value = value;
	return true;
}

/* The multiplier a unit stands for; 0 = no such unit. */
static uint64_t unit(const char *text)
{
	static const struct {
		const char *name;
		uint64_t value;
	} units[] = {
		{"", 1},
		{"K", UINT64_C(1) << 10},
		{"KiB", UINT64_C(1) << 10},
		{"KB", 1000},
		{"M", UINT64_C(1) << 20},
		{"MiB", UINT64_C(1) << 20},
		{"MB", UINT64_C(1000) * 1000},
		{"G", UINT64_C(1) << 30},
		{"GiB", UINT64_C(1) << 30},
		{"GB", UINT64_C(1000) * 1000 * 1000},
		{"T", UINT64_C(1) << 40},
		{"TiB", UINT64_C(1) << 40},
		{"TB", UINT64_C(1000) * 1000 * 1000 * 1000},
	};

	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcasecmp(text, units[i].name) == 0)
			return units[i].value;
	}
	return 0;
}

/* ".25" of `scale`, rounded down; *text moves behind the digits. No dot is 0. */
static bool fraction(const char **text, uint64_t scale, uint64_t *ret_value)
{
	uint64_t digits = 0;
	uint64_t power = 1;
	size_t n = 0;

	*ret_value = 0;
	if (**text != '.')
		return true;
	++*text;
	for (; digit(**text); ++*text, n++) {
		digits = digits * 10 + (uint64_t)(**text - '0');
		power *= 10;
		if (n >= FRACTION_DIGITS)
			return false;
	}
	*ret_value = digits * scale / power;
	return n > 0 && scale > 1;
}

bool number_size(const char *text, uint64_t *ret_value)
{
	size_t len = strspn(text, "0123456789");
	const char *rest = text + len;
	const char *name = rest;
	uint64_t whole;
	uint64_t part;
	uint64_t scale;

	if (!number_u64(text, len, &whole))
		return false;
	name += strspn(name, ".0123456789");
	if (*name == ' ')
		name++;
	scale = unit(name);
	if (scale == 0 || !fraction(&rest, scale, &part) || (rest != name && rest + 1 != name))
		return false;
	if (name != rest && *name == '\0') /* a blank, and no unit after it */
		return false;
	return !__builtin_mul_overflow(whole, scale, &whole) &&
	       !__builtin_add_overflow(whole, part, ret_value);
}

bool number_bool(const char *text, bool *ret_value)
{
	static const char *const yes[] = {"y", "yes", "true", "1", "on"};
	static const char *const no[] = {"n", "no", "false", "0", "off"};

	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*ret_value = strcmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

/* A hexadecimal digit in lower case, else NUL. */
static char hex_digit(char c)
{
	if (digit(c) || (c >= 'a' && c <= 'f'))
		return c;
	if (c >= 'A' && c <= 'F')
		return "abcdef"[c - 'A'];
	return '\0';
}

bool number_uuid(const char *text, char ret_uuid[37])
{
	char uuid[37] = "";

	if (strlen(text) != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		uuid[i] = '-';
		if (!dash)
			uuid[i] = hex_digit(text[i]);
		if (uuid[i] == '\0' || (dash && text[i] != '-'))
			return false;
	}
	memcpy(ret_uuid, uuid, sizeof uuid);
	return true;
}

/* At least `width` digits, with leading zeros; what follows them. */
static char *put_digits(char *at, unsigned value, size_t width)
{
	for (size_t i = width; i > 0; i--, value /= 10)
		at[i - 1] = (char)('0' + value % 10);
	return at + width;
}

/* Not strftime(): every answer has several times, and the time zone of gmtime_r() has a lock. */
static void put_date(uint32_t days, char *at)
{
	/* Counted from 1 March of year 0, so that the day that comes and goes is the last of a
	 * year. An era is 400 years. */
	uint32_t day = days + 719468, era = day / 146097;
	uint32_t of_era = day % 146097;
	uint32_t year =
		(of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365; /* of the era */
	uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint32_t month = (5 * of_year + 2) / 153; /* from March */

	at = put_digits(at, era * 400 + year + (month >= 10), 4);
	*at++ = '-';
	at = put_digits(at, month < 10 ? month + 3 : month - 9, 2);
	*at++ = '-';
	(void)put_digits(at, of_year - (153 * month + 2) / 5 + 1, 2);
}

void number_time(int64_t unix_ms, char ret_text[NUMBER_TIME])
{
	int64_t ms = unix_ms >= 0 && unix_ms < TIME_END_MS ? unix_ms : 0;
	uint32_t of_day = (uint32_t)(ms % DAY_MS);

	memcpy(ret_text, "yyyy-mm-ddThh:mm:ss.mmmZ", 25);
	put_date((uint32_t)(ms / DAY_MS), ret_text);
	(void)put_digits(ret_text + 11, of_day / 3600000, 2);
	(void)put_digits(ret_text + 14, of_day / 60000 % 60, 2);
	(void)put_digits(ret_text + 17, of_day / 1000 % 60, 2);
	(void)put_digits(ret_text + 20, of_day % 1000, 3);
}

void number_vhd_time_text(uint32_t seconds, char ret_text[NUMBER_TIME])
{
	number_time((VHD_EPOCH + seconds) * 1000, ret_text);
}

/* Digits of `text` at fixed places. */
static bool field(const char *text, size_t at, size_t len, int min, int max, int *ret_value)
{
	uint64_t value;

	if (!number_u64(text + at, len, &value) || value < (uint64_t)min || value > (uint64_t)max)
		return false;
	*ret_value = (int)value;
	return true;
}

static bool seconds_of(struct tm *tm, uint32_t *ret_seconds)
{
	int day = tm->tm_mday;
	int64_t seconds = (int64_t)timegm(tm) - VHD_EPOCH;

	/* 31 February, or out of the range of VHD */
	if (tm->tm_mday != day || seconds < 0 || seconds > UINT32_MAX)
		return false;
	*ret_seconds = (uint32_t)seconds;
	return true;
}

bool number_vhd_time(const char *text, uint32_t *ret_seconds)
{
	struct tm tm = {0};
	const char *rest;

	if (strnlen(text, 20) < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
	    text[13] != ':' || text[16] != ':')
		return false;
	if (!field(text, 0, 4, 2000, 2136, &tm.tm_year) || !field(text, 5, 2, 1, 12, &tm.tm_mon) ||
	    !field(text, 8, 2, 1, 31, &tm.tm_mday) || !field(text, 11, 2, 0, 23, &tm.tm_hour) ||
	    !field(text, 14, 2, 0, 59, &tm.tm_min) || !field(text, 17, 2, 0, 59, &tm.tm_sec))
		return false;
	rest = text + 19;
	if (*rest == '.') {
		size_t n = strspn(rest + 1, "0123456789");

		if (n == 0 || n > 9)
			return false;
		rest += 1 + n;
	}
	if (strcmp(rest, "Z") != 0)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return seconds_of(&tm, ret_seconds);
}

/* Seconds, unless a letter says otherwise. */
static bool duration(const char *text, int64_t *ret_ms)
{
	static const char letters[] = "smhd";
	static const int64_t seconds[] = {1, 60, 3600, 86400};
	size_t len = strspn(text, "0123456789");
	const char *letter = text[len] != '\0' ? strchr(letters, text[len]) : letters;
	uint64_t value;

	if (!letter || (text[len] != '\0' && text[len + 1] != '\0') ||
	    !number_u64(text, len, &value) || value > UINT32_MAX)
		return false;
	*ret_ms = (int64_t)value * seconds[letter - letters] * 1000;
	return true;
}

bool number_moment(const char *text, int64_t now_ms, int64_t *ret_ms)
{
	uint32_t since_2000;
	int64_t ago_ms;

	if (duration(text, &ago_ms)) {
		*ret_ms = now_ms - ago_ms;
		return true;
	}
	if (!number_vhd_time(text, &since_2000))
		return false;
	*ret_ms = (VHD_EPOCH + since_2000) * 1000;
	return true;
}
