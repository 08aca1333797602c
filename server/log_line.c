/* log_line.c - escapes what it is given, so that a line stays one line and valid JSON. A member
 * that might not fit is left out whole. */
#include "log_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* For people these stand without their names. */
static const char *const plain[] = {"time",   "level", "message", "method",
				    "status", "path",  "peer",    NULL};

static void add(struct log_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct log_line *line, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line->text + line->length, sizeof line->text - line->length, format, args);
	va_end(args);
	if (n > 0)
		line->length += (size_t)n;
}

/* Room for this much escaped, and for the end. */
static bool has_room(const struct log_line *line, size_t length)
{
	return sizeof line->text - line->length > 6 * length + 64;
}

static void name_of(struct log_line *line, const char *name)
{
	const char *const *known = plain;

	if (!line->for_people) {
		add(line, "%c\"%s\":", line->length ? ',' : '{', name);
		return;
	}
	add(line, "%s", line->length ? " " : "");
	while (*known && strcmp(*known, name) != 0)
		known++;
	if (!*known)
		add(line, "%s=", name);
}

/* JSON knows no escape for a byte that is not text, so that one is written as people write it. */
static void add_byte(struct log_line *line, unsigned char byte)
{
	if (byte == '\\' || (byte == '"' && !line->for_people))
		add(line, "\\%c", byte);
	else if (byte >= 0x20 && byte < 0x7f)
		line->text[line->length++] = (char)byte;
	else
		add(line, line->for_people ? "\\x%02x" : "\\\\x%02x", byte);
}

void log_line_begin(struct log_line *line, bool for_people)
{
	line->for_people = for_people;
	line->length = 0;
}

void log_line_string(struct log_line *line, const char *name, const char *value)
{
	size_t length = strnlen(value, LOG_LINE_STRING - 1);

	if (!has_room(line, length))
		return;
	name_of(line, name);
	add(line, "%s", line->for_people ? "" : "\"");
	for (size_t i = 0; i < length; i++)
		add_byte(line, (unsigned char)value[i]);
	add(line, "%s", line->for_people ? "" : "\"");
}

void log_line_number(struct log_line *line, const char *name, uint64_t value)
{
	if (!has_room(line, 0))
		return;
	name_of(line, name);
	add(line, "%" PRIu64, value);
}

void log_line_end(struct log_line *line)
{
	add(line, "%s\n", line->for_people ? "" : "}");
}
