/* order.c - sort keys, places and cursors. */
#include "order.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "gate.h"
#include "number.h"

bool order_parse(const char *text, struct order *ret_order)
{
	struct order order = {.n = 0};

	for (const char *at = text ? text : "name"; at;) {
		struct order_key *key = &order.keys[order.n];
		size_t len = strcspn(at, ",");

		if (order.n == ORDER_KEYS)
			return false;
		*key = (struct order_key){.down = *at == '-'};
		key->fact = facts_find(at + key->down, len - key->down);
		if (!key->fact)
			return false;
		order.n++;
		at = at[len] == ',' ? at + len + 1 : NULL;
	}
	*ret_order = order;
	return true;
}

bool order_by_name(const struct order *order)
{
	return strcmp(order->keys[0].fact->name, "name") == 0 && !order->keys[0].down;
}

void order_place(const struct order *order, const struct service_image *image,
		 struct order_place *ret_place)
{
	for (size_t i = 0; i < order->n; i++) {
		const struct fact *fact = order->keys[i].fact;
		struct order_value *value = &ret_place->values[i];

		value->number = fact->number ? fact->number(image) : 0;
		(void)snprintf(value->text, sizeof value->text, "%s",
			       fact->text ? fact->text(image) : "");
	}
	memcpy(ret_place->id, image->id, sizeof ret_place->id);
}

int order_compare(const struct order *order, const struct order_place *a,
		  const struct order_place *b)
{
	for (size_t i = 0; i < order->n; i++) {
		const struct order_value *x = &a->values[i];
		const struct order_value *y = &b->values[i];
		int r = (x->number > y->number) - (x->number < y->number);

		if (r == 0)
			r = strcmp(x->text, y->text);
		if (r != 0)
			return order->keys[i].down ? -r : r;
	}
	return strcmp(a->id, b->id);
}

static uint32_t hash_of(const struct order *order, uint32_t hash)
{
	for (size_t i = 0; i < order->n; i++)
		hash = filter_hash(filter_hash(hash, order->keys[i].down ? "-" : "+"),
				   order->keys[i].fact->name);
	return hash;
}

void order_cursor(const struct order *order, uint32_t hash, const struct order_place *place,
		  char ret_text[ORDER_CURSOR])
{
	int at = snprintf(ret_text, ORDER_CURSOR, "%08" PRIx32, hash_of(order, hash));

	for (size_t i = 0; i < order->n; i++) {
		const struct order_value *value = &place->values[i];
		size_t room = ORDER_CURSOR - (size_t)at;

		if (order->keys[i].fact->number)
			at += snprintf(ret_text + at, room, "~%" PRIu64, value->number);
		else
			at += snprintf(ret_text + at, room, "~%s", value->text);
	}
	(void)snprintf(ret_text + at, ORDER_CURSOR - (size_t)at, "~%s", place->id);
}

/* One value of a cursor. */
static bool parse_value(const struct fact *fact, const char *text, size_t len,
			struct order_value *value)
{
	*value = (struct order_value){.number = 0};
	if (fact->number)
		return number_u64(text, len, &value->number);
	if (len >= sizeof value->text)
		return false;
	memcpy(value->text, text, len);
	return len == 0 || gate_name(value->text); /* an image may lie in no pool */
}

bool order_cursor_parse(const struct order *order, uint32_t hash, const char *text,
			struct order_place *ret_place)
{
	char head[16];
	const char *at = text + strcspn(text, "~");

	(void)snprintf(head, sizeof head, "%08" PRIx32, hash_of(order, hash));
	if ((size_t)(at - text) != strlen(head) || strncmp(text, head, strlen(head)) != 0)
		return false;
	for (size_t i = 0; i < order->n; i++) {
		size_t len;

		if (*at != '~')
			return false;
		len = strcspn(at + 1, "~");
		if (!parse_value(order->keys[i].fact, at + 1, len, &ret_place->values[i]))
			return false;
		at += 1 + len;
	}
	return *at == '~' && number_uuid(at + 1, ret_place->id);
}
