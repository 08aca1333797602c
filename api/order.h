/* order.h - in which order a list shows images, and where a page of it begins. */
#ifndef ORDER_H
#define ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facts.h"
#include "service.h"

enum {
	ORDER_KEYS = 4,
	ORDER_CURSOR = 16 + ORDER_KEYS * SERVICE_NAME + SERVICE_ID, /* text with NUL */
};

/* In words. */
#define ORDER_FIELDS                                                                         \
	"name pool kind state virtual_size usage.file usage.allocated depth children_count " \
	"created_at updated_at"

struct order {
	struct order_key {
		const struct fact *fact;
		bool down;
	} keys[ORDER_KEYS];
	size_t n; /* one at least */
};

/* The place of one image in an order. */
struct order_place {
	struct order_value {
		char text[SERVICE_NAME];
		uint64_t number;
	} values[ORDER_KEYS];
	char id[SERVICE_ID];
};

/* "-usage.file,name"; NULL is "name". False: not one. */
bool order_parse(const char *text, struct order *ret_order);
/* By name alone, as the catalog has it. */
bool order_by_name(const struct order *order);

void order_place(const struct order *order, const struct service_image *image,
		 struct order_place *ret_place);
/* Before, at or after; the id decides at last. */
int order_compare(const struct order *order, const struct order_place *a,
		  const struct order_place *b);

/* A cursor is the place of the last image of a page, for this order and these filters (`hash`). */
void order_cursor(const struct order *order, uint32_t hash, const struct order_place *place,
		  char ret_text[ORDER_CURSOR]);
bool order_cursor_parse(const struct order *order, uint32_t hash, const char *text,
			struct order_place *ret_place);

#endif
