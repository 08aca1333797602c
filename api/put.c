/* put.c - JSON, member by member. Not text that is parsed for those who want a tree: when memory is
 * out, jansson 2.14 goes on with half of a string. */
#include "put.h"

#include <assert.h>
#include <string.h>

#include "number.h"

/* ---- as text: commas are set by looking at what is there already ---- */

static void begin(struct buf *text, const char *name)
{
	char last = '{';

	if (text->len > 0)
		last = text->data[text->len - 1];
	if (last != '{' && last != '[' && last != ':')
		buf_byte(text, ',');
	if (!name)
		return;
	buf_json(text, name);
	buf_byte(text, ':');
}

static void put_word(struct put *put, const char *name, const char *word)
{
	begin(&put->text, name);
	buf_append(&put->text, word, strlen(word));
}

/* ---- as a tree ---- */

/* Takes over the value, and answers whether it is there to be used. */
static bool add(struct put *put, const char *name, json_t *value)
{
	json_t *to = put->depth > 0 ? put->open[put->depth - 1] : NULL;

	if (put->depth == 0 && !put->root)
		put->root = value;
	else if (name ? json_object_set_new(to, name, value) : json_array_append_new(to, value))
		value = NULL;
	put->failed = put->failed || !value;
	return value;
}

static void open_tree(struct put *put, const char *name, char bracket)
{
	json_t *value = bracket == '{' ? json_object() : json_array();
	bool added = add(put, name, value);

	assert(put->depth < PUT_DEPTH);
	put->open[put->depth++] = added ? value : NULL;
}

/* ---- either ---- */

void put_open(struct put *put, const char *name, char bracket)
{
	if (put->tree) {
		open_tree(put, name, bracket);
		return;
	}
	begin(&put->text, name);
	buf_byte(&put->text, bracket);
}

void put_close(struct put *put, char bracket)
{
	if (put->tree)
		put->depth--;
	else
		buf_byte(&put->text, bracket);
}

void put_string(struct put *put, const char *name, const char *text)
{
	if (put->tree) {
		(void)add(put, name, json_string(text));
		return;
	}
	begin(&put->text, name);
	buf_json(&put->text, text);
}

void put_string_or_null(struct put *put, const char *name, const char *text)
{
	if (*text)
		put_string(put, name, text);
	else
		put_null(put, name);
}

static void put_digits(struct put *put, const char *name, uint64_t number)
{
	char digits[NUMBER_TEXT];
	size_t len = (size_t)(number_text(number, digits) - digits);

	begin(&put->text, name);
	buf_append(&put->text, digits, len);
}

void put_number(struct put *put, const char *name, uint64_t number)
{
	if (put->tree)
		(void)add(put, name, json_integer((json_int_t)number));
	else
		put_digits(put, name, number);
}

void put_bool(struct put *put, const char *name, bool value)
{
	if (put->tree)
		(void)add(put, name, json_boolean(value));
	else
		put_word(put, name, value ? "true" : "false");
}

void put_null(struct put *put, const char *name)
{
	if (put->tree)
		(void)add(put, name, json_null());
	else
		put_word(put, name, "null");
}

json_t *put_take(struct put *put)
{
	json_t *root = put->root;

	if (put->failed) {
		json_decref(root);
		root = NULL;
	}
	*put = (struct put){.tree = true, .failed = true};
	return root;
}

void put_fini(struct put *put)
{
	json_decref(put->root);
	buf_fini(&put->text);
	*put = (struct put){.tree = put->tree};
}
