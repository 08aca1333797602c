/* date.c - the fixed form of dates, in English whatever the locale. */
#include "date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void date_text(int64_t seconds, char ret_text[DATE_TEXT])
{
	time_t time = seconds;
	struct tm tm;

	ret_text[0] = '\0';
	if (!gmtime_r(&time, &tm))
		return;
	(void)snprintf(ret_text, DATE_TEXT, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
		       tm.tm_mday, months[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour,
		       tm.tm_min, tm.tm_sec);
}

/* `n` digits at `at`; -1: there are others. */
static int digits(const char *at, int n)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		value = value * 10 + (at[i] - '0');
	}
	return value;
}

/* What is written back must be what was read: so no field can be out of its range. */
bool date_parse(const char *text, int64_t *ret_seconds)
{
	struct tm tm = {.tm_mon = -1};
	char again[DATE_TEXT];
	int64_t seconds;

	if (strlen(text) != 29)
		return false;
	for (int i = 0; i < 12; i++)
		tm.tm_mon = strncmp(text + 8, months[i], 3) == 0 ? i : tm.tm_mon;
	tm.tm_mday = digits(text + 5, 2);
	tm.tm_year = digits(text + 12, 4) - 1900;
	tm.tm_hour = digits(text + 17, 2);
	tm.tm_min = digits(text + 20, 2);
	tm.tm_sec = digits(text + 23, 2);
	if (tm.tm_mon < 0)
		return false;
	seconds = timegm(&tm);
	date_text(seconds, again);
	*ret_seconds = seconds;
	return strcmp(text, again) == 0;
}
