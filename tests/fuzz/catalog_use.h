/* catalog_use.h - a state folder with a catalog of unknown content: started as the daemon starts,
 * with an empty pool, without its threads. */
#ifndef CATALOG_USE_H
#define CATALOG_USE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the catalog is to be; the folder goes when the process ends. */
const char *catalog_use_path(void);

/* Puts the bytes there, and nothing else. */
void catalog_use_write(const uint8_t *bytes, size_t size);

/* Refused, or started, and then everything asked; what was started must start again and say the
 * same. `forged`: its rows are such as its constraints would forbid, so recovery may leave what is
 * refused the next time. */
void catalog_use(bool forged);

#endif
