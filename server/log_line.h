/* log_line.h - a line of the log while it is made: members of a JSON object, or words for a person.
 * Pure. */
#ifndef LOG_LINE_H
#define LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_LINE_STRING = 1024 /* bytes of one string, with its NUL */, LOG_LINE_SIZE = 16 << 10 };

struct log_line {
	bool for_people;
	size_t length;
	char text[LOG_LINE_SIZE];
};

void log_line_begin(struct log_line *line, bool for_people);
/* What is longer than LOG_LINE_STRING is cut. Whatever is not printable ASCII is escaped. */
void log_line_string(struct log_line *line, const char *name, const char *value);
void log_line_number(struct log_line *line, const char *name, uint64_t value);
/* Adds the end of the line. */
void log_line_end(struct log_line *line);

#endif
