/* table.h - JSON objects as lines with columns, for people and for spreadsheets. */
#ifndef TABLE_H
#define TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

enum { TABLE_COLUMNS = 64 };

struct table {
	struct table_column {
		const char *path; /* borrowed; "usage.file" */
		size_t len;
	} columns[TABLE_COLUMNS];
	size_t n;
	size_t rows;
	char **cells; /* heap, rows * n */
};

void table_column(struct table *table, const char *path, size_t len);
/* Takes the cells out of an array of objects. False: no memory. */
bool table_fill(struct table *table, const json_t *items);
void table_fini(struct table *table);

void table_text(const struct table *table, struct buf *buf); /* aligned, '-' for nothing */
void table_csv(const struct table *table, struct buf *buf);  /* RFC 4180 */

#endif
