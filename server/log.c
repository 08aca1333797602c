/* log.c - formats a line and writes it with one write(2), so that lines of different threads never
 * mix. */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_SIZE = 1024, LINE_SIZE = 2 * MESSAGE_SIZE + 256 };

static enum log_level log_level = LOG_LEVEL_INFO;
static _Thread_local const char *request_id;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
	log_level = level;
}

void log_set_request(const char *id)
{
	request_id = id;
}

/* Escapes for a JSON string, and keeps a text line one line. What does not fit is cut. */
static void escape(const char *text, char *ret_text, size_t size)
{
	size_t n = 0;

	for (; *text && n + 7 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			n += (size_t)snprintf(ret_text + n, size - n, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(ret_text + n, size - n, "\\u%04x", c);
		else
			ret_text[n++] = (char)c;
	}
	ret_text[n] = '\0';
}

static void stamp(char *ret_text, size_t size)
{
	struct timespec now;
	struct tm utc;
	char seconds[32];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &utc);
	(void)strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
	(void)snprintf(ret_text, size, "%s.%03dZ", seconds, (int)(now.tv_nsec / 1000000));
}

static int line_text(char *line, const char *when, enum log_level level, const char *message)
{
	return snprintf(line, LINE_SIZE, "%s %-7s %s%s%s%s\n", when, level_names[level],
			request_id ? "[" : "", request_id ? request_id : "", request_id ? "] " : "",
			message);
}

static int line_json(char *line, const char *when, enum log_level level, const char *message)
{
	char safe[2 * MESSAGE_SIZE];
	char request[128] = "";

	escape(message, safe, sizeof safe);
	if (request_id)
		(void)snprintf(request, sizeof request, ",\"request_id\":\"%.100s\"", request_id);
	return snprintf(line, LINE_SIZE,
			"{\"time\":\"%s\",\"level\":\"%s\"%s,\"message\":\"%s\"}\n", when,
			level_names[level], request, safe);
}

static void emit(enum log_level level, const char *format, va_list args) LOG_PRINTF(2, 0);

static void emit(enum log_level level, const char *format, va_list args)
{
	char message[MESSAGE_SIZE], when[64], line[LINE_SIZE];
	int n;

	if (level > log_level)
		return;
	(void)vsnprintf(message, sizeof message, format, args);
	stamp(when, sizeof when);
	if (isatty(STDERR_FILENO))
		n = line_text(line, when, level, message);
	else
		n = line_json(line, when, level, message);
	if (n >= LINE_SIZE)
		n = LINE_SIZE - 1;
	/* There is nobody to tell that the log is gone. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

#define LOG_FUNCTION(name, level)                \
	void log_##name(const char *format, ...) \
	{                                        \
		va_list args;                    \
                                                 \
		va_start(args, format);          \
		emit(level, format, args);       \
		va_end(args);                    \
	}

LOG_FUNCTION(error, LOG_LEVEL_ERROR)
LOG_FUNCTION(warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(info, LOG_LEVEL_INFO)
LOG_FUNCTION(debug, LOG_LEVEL_DEBUG)
