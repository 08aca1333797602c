/* log.c - formats a line and writes it with one write(2), so that lines of different threads never
 * mix. */
#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"
#include "log_line.h"

static enum log_level log_level = LOG_LEVEL_INFO;
static bool log_text;

const char *const log_level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
	NULL,
};

void log_start(enum log_level level)
{
	log_level = level;
	log_text = isatty(STDERR_FILENO);
}

/* Time, level and request, as every line begins. */
static void begin(struct log_line *line, enum log_level level, const char *id)
{
	struct timespec now;
	struct tm utc;
	char seconds[32], when[48];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &utc);
	(void)strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
	(void)snprintf(when, sizeof when, "%s.%03dZ", seconds, (int)(now.tv_nsec / 1000000));
	log_line_begin(line, log_text);
	log_line_string(line, "time", when);
	log_line_string(line, "level", log_level_names[level]);
	if (id)
		log_line_string(line, "request_id", id);
}

static void end(struct log_line *line)
{
	log_line_end(line);
	/* There is nobody to tell that the log is gone. */
	if (write(STDERR_FILENO, line->text, line->length) < 0)
		return;
}

static void emit(enum log_level level, const char *format, va_list args) LOG_PRINTF(2, 0);

static void emit(enum log_level level, const char *format, va_list args)
{
	char message[LOG_LINE_STRING];
	struct log_line line;

	if (level > log_level)
		return;
	(void)vsnprintf(message, sizeof message, format, args);
	begin(&line, level, actor_request());
	log_line_string(&line, "message", message);
	end(&line);
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

/* What is our failure rather than the client's. */
static bool ours(unsigned status)
{
	return status >= 500 && status != 501;
}

void log_access(const struct log_access *access)
{
	enum log_level level = ours(access->status) ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
	struct log_line line;

	if (level > log_level)
		return;
	begin(&line, level, access->id);
	log_line_string(&line, "message", "request");
	log_line_string(&line, "peer", access->peer);
	log_line_string(&line, "method", access->method);
	log_line_string(&line, "route", access->route);
	log_line_string(&line, "path", access->path);
	log_line_number(&line, "status", access->status);
	if (access->code)
		log_line_string(&line, "code", access->code);
	log_line_number(&line, "received", access->received);
	log_line_number(&line, "sent", access->sent);
	log_line_number(&line, "ms", (uint64_t)access->duration_ms);
	if (access->cut)
		log_line_number(&line, "cut", 1);
	end(&line);
}
