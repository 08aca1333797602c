/* table.c - cells, columns and quotes. */
#include "table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void table_column(struct table *table, const char *path, size_t len)
{
	assert(table->n < TABLE_COLUMNS && !table->cells);
	table->columns[table->n].path = path;
	table->columns[table->n++].len = len;
}

/* What the path leads to; NULL: nothing. */
static const json_t *find(const json_t *from, const char *path, size_t len)
{
	while (from && len > 0) {
		const char *dot = memchr(path, '.', len);
		const json_t *whole = json_object_getn(from, path, len);
		size_t step = dot && !whole ? (size_t)(dot - path) : len;

		from = json_object_getn(from, path, step);
		step += step < len;
		path += step;
		len -= step;
	}
	return from;
}

/* Heap; NULL: no memory. */
static char *cell(const json_t *value)
{
	if (!value || json_is_null(value))
		return strdup("");
	if (json_is_string(value))
		return strdup(json_string_value(value));
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

bool table_fill(struct table *table, const json_t *items)
{
	size_t rows = json_array_size(items);

	table->cells = calloc(rows * table->n + 1, sizeof *table->cells);
	if (!table->cells)
		return false;
	table->rows = rows;
	for (size_t i = 0; i < rows * table->n; i++) {
		const struct table_column *column = &table->columns[i % table->n];
		const json_t *item = json_array_get(items, i / table->n);

		table->cells[i] = cell(find(item, column->path, column->len));
		if (!table->cells[i])
			return false;
	}
	return true;
}

void table_fini(struct table *table)
{
	for (size_t i = 0; table->cells && i < table->rows * table->n; i++)
		free(table->cells[i]);
	free(table->cells);
	table->cells = NULL;
}

static size_t width(const struct table *table, size_t column)
{
	size_t most = table->columns[column].len + (column == 0);

	for (size_t row = 0; row < table->rows; row++) {
		size_t len = strlen(table->cells[row * table->n + column]);

		most = len > most ? len : most;
	}
	return most;
}

/* One line, whatever the text is; then blanks up to the next column. */
static void put_cell(struct buf *buf, const char *text, size_t len, size_t blanks)
{
	buf_line(buf, text, len);
	if (blanks > 0)
		buf_printf(buf, "%*s", (int)blanks, "");
}

void table_text(const struct table *table, struct buf *buf)
{
	size_t widths[TABLE_COLUMNS];

	for (size_t i = 0; i < table->n; i++)
		widths[i] = width(table, i);
	buf_append(buf, "#", 1);
	for (size_t i = 0; i < table->n; i++) {
		size_t len = table->columns[i].len;
		size_t gap = widths[i] - len + 1 - (i == 0);

		put_cell(buf, table->columns[i].path, len, i + 1 < table->n ? gap : 0);
	}
	buf_append(buf, "\n", 1);
	for (size_t at = 0; at < table->rows * table->n; at++) {
		const char *text = *table->cells[at] ? table->cells[at] : "-";
		bool last = at % table->n + 1 == table->n;

		put_cell(buf, text, strlen(text),
			 last ? 0 : widths[at % table->n] - strlen(text) + 1);
		if (last)
			buf_append(buf, "\n", 1);
	}
}

static void put_quoted(struct buf *buf, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		buf_append(buf, text, strlen(text));
		return;
	}
	buf_append(buf, "\"", 1);
	for (; *text != '\0'; text++)
		buf_append(buf, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
	buf_append(buf, "\"", 1);
}

void table_csv(const struct table *table, struct buf *buf)
{
	for (size_t i = 0; i < table->n; i++) {
		buf_append(buf, ",", i > 0);
		buf_append(buf, table->columns[i].path, table->columns[i].len);
	}
	buf_append(buf, "\r\n", 2);
	for (size_t at = 0; at < table->rows * table->n; at++) {
		buf_append(buf, ",", at % table->n > 0);
		put_quoted(buf, table->cells[at]);
		if (at % table->n + 1 == table->n)
			buf_append(buf, "\r\n", 2);
	}
}
