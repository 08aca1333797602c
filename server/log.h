/* log.h - one line per event to standard error: text on a terminal, JSON otherwise. */
#ifndef LOG_H
#define LOG_H

#define LOG_PRINTF(text, args) __attribute__((format(printf, text, args)))

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines less important than `level` are dropped. Call it before the first thread. */
void log_set_level(enum log_level level);

/* The request that this thread works on, or NULL; every line of the thread names it. `id` must live
 * on. */
void log_set_request(const char *id);

void log_error(const char *format, ...) LOG_PRINTF(1, 2);
void log_warning(const char *format, ...) LOG_PRINTF(1, 2);
void log_info(const char *format, ...) LOG_PRINTF(1, 2);
void log_debug(const char *format, ...) LOG_PRINTF(1, 2);

#endif
