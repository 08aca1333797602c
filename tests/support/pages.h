/* pages.h - a sparse array of 4 KiB pages, shared between copies until one of them writes. */
#ifndef PAGES_H
#define PAGES_H

#include <stddef.h>
#include <stdint.h>

enum { PAGE_SIZE = 4096 };

struct page {
	int users;      /* copies that share it; atomic */
	uint64_t stamp; /* of these bytes: no other page, and no edit, ever gets the same */
	uint8_t bytes[PAGE_SIZE];
};
struct page_slot {
	uint64_t key; /* page number + 1; 0 = never used */
	struct page *page;
};
struct pages {
	struct page_slot *slots;
	size_t n_slots, n_keys, n_pages;
};

void pages_copy(struct pages *to, const struct pages *from);
void pages_free(struct pages *pages);
const struct page *pages_find(const struct pages *pages, uint64_t number); /* or NULL */
const uint8_t *pages_get(const struct pages *pages, uint64_t number); /* NULL: it is all zero */
uint8_t *pages_edit(struct pages *pages, uint64_t number);
void pages_drop(struct pages *pages, uint64_t number);
void pages_drop_from(struct pages *pages, uint64_t number); /* this one and all behind it */

#endif
