/* log.h - one line per event to standard error: text on a terminal, JSON otherwise. Whatever bytes
 * are in a text, it neither ends the line nor makes it unreadable. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_PRINTF(text, args) __attribute__((format(printf, text, args)))

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Their names, in this order; NULL at the end. */
extern const char *const log_level_names[];

/* Lines less important than `level` are dropped. Call it before the first thread; until then the
 * level is info and the form JSON. */
void log_start(enum log_level level);

/* Every line names the request of its thread: actor.h. */
void log_error(const char *format, ...) LOG_PRINTF(1, 2);
void log_warning(const char *format, ...) LOG_PRINTF(1, 2);
void log_info(const char *format, ...) LOG_PRINTF(1, 2);
void log_debug(const char *format, ...) LOG_PRINTF(1, 2);

/* A request that has ended. */
struct log_access {
	const char *id, *peer, *method;
	const char *route;   /* template of the path, "-" if none has it */
	const char *path;    /* as the client wrote it */
	const char *code;    /* of the error; NULL for a success */
	unsigned status;     /* 0: there was no answer */
	uint64_t received;   /* bytes of the body */
	uint64_t sent;       /* likewise */
	int64_t duration_ms; /* from the first line of the request to the last byte of the answer */
	bool cut;            /* the connection ended before the answer did */
};

void log_access(const struct log_access *access);

#endif
