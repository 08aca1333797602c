/* clock.h - the two clocks, in milliseconds. */
#ifndef CLOCK_H
#define CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Seconds from 1970 to 2000, when the time of images begins. */
enum { CLOCK_2000 = 946684800 };

/* Seconds that can be reckoned with, whatever the file system says of a file. */
int64_t clock_bounded(int64_t seconds);

int64_t clock_monotonic_ms(void);
int64_t clock_wall_ms(void); /* since 1970 */

/* A condition whose time-outs are in monotonic time, and the time `ms` from now for it. */
void clock_cond_init(pthread_cond_t *cond);
struct timespec clock_deadline(int64_t ms);

#endif
