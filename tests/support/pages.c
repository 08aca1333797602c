/* pages.c - open addressing by page number; a dropped page leaves its key behind. */
#include "pages.h"

#include <string.h>

#include "must.h"

static void page_unref(struct page *page)
{
	if (page && __atomic_sub_fetch(&page->users, 1, __ATOMIC_ACQ_REL) == 0)
		must_free(page);
}

static struct page_slot *find(const struct pages *pages, uint64_t key)
{
	size_t i = (size_t)(key * 0x9E3779B97F4A7C15 >> 20) & (pages->n_slots - 1);

	while (pages->slots[i].key && pages->slots[i].key != key)
		i = (i + 1) & (pages->n_slots - 1);
	return &pages->slots[i];
}

static void grow(struct pages *pages)
{
	struct pages old = *pages;

	pages->n_slots = old.n_slots ? old.n_slots * 2 : 64;
	pages->slots = must_alloc(pages->n_slots * sizeof pages->slots[0]);
	pages->n_keys = 0;
	for (size_t i = 0; i < old.n_slots; i++) {
		if (old.slots[i].page) {
			*find(pages, old.slots[i].key) = old.slots[i];
			pages->n_keys++;
		}
	}
	must_free(old.slots);
}

void pages_copy(struct pages *to, const struct pages *from)
{
	*to = *from;
	if (!from->n_slots)
		return;
	to->slots = must_alloc(from->n_slots * sizeof to->slots[0]);
	memcpy(to->slots, from->slots, from->n_slots * sizeof to->slots[0]);
	for (size_t i = 0; i < to->n_slots; i++) {
		if (to->slots[i].page)
			(void)__atomic_add_fetch(&to->slots[i].page->users, 1, __ATOMIC_RELAXED);
	}
}

void pages_free(struct pages *pages)
{
	for (size_t i = 0; i < pages->n_slots; i++)
		page_unref(pages->slots[i].page);
	must_free(pages->slots);
	*pages = (struct pages){0};
}

const struct page *pages_find(const struct pages *pages, uint64_t number)
{
	return pages->n_slots ? find(pages, number + 1)->page : NULL;
}

const uint8_t *pages_get(const struct pages *pages, uint64_t number)
{
	const struct page *page = pages_find(pages, number);

	return page ? page->bytes : NULL;
}

static struct page *page_new(const struct page *like)
{
	struct page *page = must_raw(sizeof *page);

	page->users = 1;
	if (like)
		memcpy(page->bytes, like->bytes, PAGE_SIZE);
	else
		memset(page->bytes, 0, PAGE_SIZE);
	return page;
}

uint8_t *pages_edit(struct pages *pages, uint64_t number)
{
	static uint64_t edits;
	struct page_slot *slot;

	if ((pages->n_keys + 1) * 3 > pages->n_slots * 2)
		grow(pages);
	slot = find(pages, number + 1);
	if (!slot->key) {
		slot->key = number + 1;
		pages->n_keys++;
	}
	if (!slot->page) {
		slot->page = page_new(NULL);
		pages->n_pages++;
	} else if (__atomic_load_n(&slot->page->users, __ATOMIC_ACQUIRE) > 1) {
		struct page *shared = slot->page;

		slot->page = page_new(shared);
		page_unref(shared);
	}
	slot->page->stamp = __atomic_add_fetch(&edits, 1, __ATOMIC_RELAXED);
	return slot->page->bytes;
}

static void slot_empty(struct pages *pages, struct page_slot *slot)
{
	if (!slot->page)
		return;
	page_unref(slot->page);
	slot->page = NULL;
	pages->n_pages--;
}

void pages_drop(struct pages *pages, uint64_t number)
{
	if (pages->n_slots)
		slot_empty(pages, find(pages, number + 1));
}

void pages_drop_from(struct pages *pages, uint64_t number)
{
	for (size_t i = 0; i < pages->n_slots; i++) {
		if (pages->slots[i].key > number)
			slot_empty(pages, &pages->slots[i]);
	}
}
