/* crash.c - what is in flight at a point of a journal, and the disks that can come of it. */
#include "crash.h"

#include <stdlib.h>
#include <string.h>

#include "must.h"

enum { SECTOR = 512 };

void crash_init(struct crash *crash, struct memjournal *journal)
{
	*crash = (struct crash){.journal = journal, .unit = SECTOR};
	crash->upto = memjournal_length(journal);
}

static void choice_free(struct crash_choice *choice)
{
	for (unsigned v = 0; v < choice->n; v++)
		must_free(choice->version[v].bytes);
	must_free(choice);
}

void crash_fini(struct crash *crash)
{
	for (size_t i = 0; i < crash->n_choices; i++)
		choice_free(crash->choices[i]);
	for (unsigned i = 0; i < crash->n_files; i++) {
		memio_free(crash->durable[i]);
		memio_free(crash->live[i]);
	}
	must_free(crash->choices);
	*crash = (struct crash){0};
}

void crash_add(struct crash *crash, struct memio *file)
{
	if (memio_number(file) != crash->n_files || crash->n_files == CRASH_FILES)
		abort();
	crash->settled[crash->n_files] = crash->upto;
	crash->durable[crash->n_files] = memio_clone(file, NULL);
	crash->live[crash->n_files] = memio_clone(file, NULL);
	crash->n_files++;
}

static struct crash_choice *choice_for(struct crash *crash, unsigned file, bool is_size,
				       uint64_t off)
{
	struct crash_choice *choice;

	for (size_t i = 0; i < crash->n_choices; i++) {
		choice = crash->choices[i];
		if (choice->file == file && choice->is_size == is_size && choice->off == off)
			return choice;
	}
	if (crash->n_choices == crash->room) {
		crash->room = crash->room ? crash->room * 2 : 32;
		crash->choices = must_grow(crash->choices, crash->room * sizeof(void *));
	}
	choice = must_alloc(sizeof *choice);
	choice->file = file;
	choice->is_size = is_size;
	choice->off = off;
	crash->choices[crash->n_choices++] = choice;
	return choice;
}

/* Takes `bytes` over. What changed more often than there is room for keeps its first and its last
 * versions. */
static void add_version(struct crash_choice *choice, size_t event, uint8_t *bytes)
{
	if (choice->n == CRASH_VERSIONS)
		must_free(choice->version[--choice->n].bytes);
	memset(&choice->version[choice->n], 0, sizeof choice->version[0]);
	choice->version[choice->n].event = event;
	choice->version[choice->n++].bytes = bytes;
}

static void size_changed(struct crash *crash, unsigned file, size_t event, uint64_t size)
{
	struct crash_choice *choice = choice_for(crash, file, true, 0);

	add_version(choice, event, NULL);
	choice->version[choice->n - 1].size = size;
}

/* Old and new bytes meet somewhere between the first and the last that changed. */
static void torn(struct crash *crash, struct crash_choice *choice, size_t event,
		 const uint8_t *fresh)
{
	uint8_t *bytes = must_alloc(SECTOR);
	size_t from = 0, to = SECTOR;

	memio_peek(crash->live[choice->file], bytes, SECTOR, choice->off);
	while (from < SECTOR && bytes[from] == fresh[from])
		from++;
	while (to > from && bytes[to - 1] == fresh[to - 1])
		to--;
	if (to - from < 2) {
		must_free(bytes);
		return;
	}
	from += 1 + (size_t)rng_below(&crash->rng, to - from - 1);
	if (rng_one_in(&crash->rng, 4))
		memcpy(bytes + from, fresh + from, SECTOR - from);
	else
		memcpy(bytes, fresh, from);
	add_version(choice, event, bytes);
	choice->version[choice->n - 1].torn = true;
}

/* Before the live file has what a write gives a sector. */
static void may_tear(struct crash *crash, const struct mem_event *event, size_t index)
{
	for (uint64_t at = 0; crash->tears && at + SECTOR <= event->len; at += SECTOR) {
		if (event->off % SECTOR == 0 &&
		    crash->tears(crash->tears_ctx, event->file, event->data + at))
			torn(crash, choice_for(crash, event->file, false, event->off + at), index,
			     event->data + at);
	}
}

static void unit_changed(struct crash *crash, unsigned file, size_t event, uint64_t off)
{
	uint8_t *bytes = must_alloc(crash->unit);

	memio_peek(crash->live[file], bytes, crash->unit, off);
	add_version(choice_for(crash, file, false, off), event, bytes);
}

static void range_changed(struct crash *crash, unsigned file, size_t index, uint64_t off,
			  uint64_t len)
{
	uint64_t first = off / crash->unit * crash->unit;

	for (uint64_t at = first; at < off + len; at += crash->unit)
		unit_changed(crash, file, index, at);
}

struct punched {
	struct crash *crash;
	const struct mem_event *event;
	size_t index;
};

/* Zeroes over what is zero anyway change nothing: only pages in memory count. */
static void page_punched(void *ctx, uint64_t off, const uint8_t *page)
{
	struct punched *punched = ctx;
	const struct mem_event *event = punched->event;

	(void)page;
	for (uint64_t at = off; at < off + MEM_PAGE; at += punched->crash->unit) {
		if (at + punched->crash->unit > event->off && at < event->off + event->len)
			unit_changed(punched->crash, event->file, punched->index, at);
	}
}

/* Forgets what is in flight for a file up to an event: it is durable now. */
static void settle(struct crash *crash, unsigned file, size_t covers)
{
	size_t kept = 0;

	for (size_t i = 0; i < crash->n_choices; i++) {
		struct crash_choice *choice = crash->choices[i];
		unsigned n = 0;

		for (unsigned v = 0; v < choice->n; v++) {
			if (choice->file == file && choice->version[v].event < covers)
				must_free(choice->version[v].bytes);
			else
				choice->version[n++] = choice->version[v];
		}
		choice->n = n;
		if (n > 0)
			crash->choices[kept++] = choice;
		else
			must_free(choice);
	}
	crash->n_choices = kept;
}

static void flushed(struct crash *crash, const struct mem_event *flush)
{
	for (size_t i = crash->settled[flush->file]; i < flush->covers; i++) {
		const struct mem_event *event = memjournal_event(crash->journal, i);

		if (event->file == flush->file)
			memio_replay(crash->durable[flush->file], event);
	}
	crash->settled[flush->file] = flush->covers;
	settle(crash, flush->file, flush->covers);
}

static void punched(struct crash *crash, const struct mem_event *event, size_t index)
{
	struct punched punched = {crash, event, index};
	struct memio *before = memio_clone(crash->live[event->file], NULL);

	memio_replay(crash->live[event->file], event);
	memio_each_page(before, page_punched, &punched);
	memio_free(before);
}

bool crash_step(struct crash *crash)
{
	size_t index = crash->upto;
	const struct mem_event *event = memjournal_event(crash->journal, index);
	struct memio *live;
	uint64_t size;

	if (!event)
		return false;
	crash->upto++;
	live = crash->live[event->file];
	size = memio_size(live);
	if (event->kind == MEM_WRITE)
		may_tear(crash, event, index);
	if (event->kind == MEM_PUNCH)
		punched(crash, event, index);
	else
		memio_replay(live, event);
	if (event->kind == MEM_WRITE)
		range_changed(crash, event->file, index, event->off, event->len);
	else if (event->kind == MEM_FLUSH && !(crash->lies && crash->lies(crash->lies_ctx, event)))
		flushed(crash, event);
	if (memio_size(live) != size)
		size_changed(crash, event->file, index, memio_size(live));
	return true;
}

/* ---- states ---- */

/* What the file's size choice says: sizes it went through, up to the picked one. */
struct sizes {
	const struct crash_choice *choice;
	unsigned n;
	uint64_t durable;
};

static struct sizes sizes_of(const struct crash *crash, unsigned file, const unsigned *pick)
{
	struct sizes sizes = {.durable = memio_size(crash->durable[file])};

	for (size_t i = 0; i < crash->n_choices; i++) {
		if (crash->choices[i]->file == file && crash->choices[i]->is_size)
			sizes.choice = crash->choices[i], sizes.n = pick[i];
	}
	return sizes;
}

/* Up to where the file still has what `event` wrote: cuts that reached the disk took the rest. */
static uint64_t kept_upto(const struct sizes *sizes, size_t event, uint64_t size)
{
	for (unsigned v = 0; v < sizes->n; v++) {
		if (sizes->choice->version[v].event > event &&
		    sizes->choice->version[v].size < size)
			size = sizes->choice->version[v].size;
	}
	return size;
}

bool crash_is_torn(const struct crash *crash, unsigned file, const unsigned *pick)
{
	for (size_t i = 0; i < crash->n_choices; i++) {
		if (crash->choices[i]->file == file && pick[i] > 0 &&
		    crash->choices[i]->version[pick[i] - 1].torn)
			return true;
	}
	return false;
}

struct memio *crash_image(const struct crash *crash, unsigned file, const unsigned *pick,
			  struct memjournal *journal)
{
	struct sizes sizes = sizes_of(crash, file, pick);
	struct memio *image = memio_clone(crash->durable[file], journal);
	uint64_t size;

	for (unsigned v = 0; v < sizes.n; v++)
		memio_cut(image, sizes.choice->version[v].size);
	size = memio_size(image);
	for (size_t i = 0; i < crash->n_choices; i++) {
		const struct crash_choice *choice = crash->choices[i];
		uint64_t end;

		if (choice->file != file || choice->is_size || pick[i] == 0)
			continue;
		end = kept_upto(&sizes, choice->version[pick[i] - 1].event, size);
		if (choice->off < end)
			memio_poke(image, choice->version[pick[i] - 1].bytes,
				   end - choice->off < crash->unit ? (size_t)(end - choice->off)
								   : crash->unit,
				   choice->off);
	}
	return image;
}

struct states {
	const struct crash *crash;
	unsigned *pick;
	bool fresh, stopped;
	size_t count;
	crash_fn *each;
	void *ctx;
};

static bool has_newest(const struct states *states)
{
	const struct crash *crash = states->crash;

	for (size_t i = 0; i < crash->n_choices; i++) {
		unsigned v = states->pick[i];

		if (v > 0 && crash->choices[i]->version[v - 1].event + 1 == crash->upto)
			return true;
	}
	return false;
}

static void state_try(struct states *states)
{
	if (states->stopped || (states->fresh && !has_newest(states)))
		return;
	states->count++;
	states->stopped = !states->each(states->ctx, states->crash, states->pick);
}

/* Everything written before `event` reached the disk, and nothing else. */
static void pick_before(const struct crash *crash, size_t event, unsigned *pick)
{
	for (size_t i = 0; i < crash->n_choices; i++) {
		pick[i] = 0;
		while (pick[i] < crash->choices[i]->n &&
		       crash->choices[i]->version[pick[i]].event < event)
			pick[i]++;
	}
}

static void states_all(struct states *states)
{
	const struct crash *crash = states->crash;
	size_t i;

	memset(states->pick, 0, crash->n_choices * sizeof states->pick[0]);
	do {
		state_try(states);
		for (i = 0; i < crash->n_choices; i++) {
			if (++states->pick[i] <= crash->choices[i]->n)
				break;
			states->pick[i] = 0;
		}
	} while (i < crash->n_choices && !states->stopped);
}

static void states_typical(struct states *states)
{
	const struct crash *crash = states->crash;

	for (size_t event = crash->upto + 1; event-- > 0 && !states->stopped;) {
		pick_before(crash, event, states->pick);
		if (event < crash->upto && event > 0 &&
		    memjournal_event(crash->journal, event - 1)->kind == MEM_FLUSH)
			break;
		state_try(states);
	}
	for (size_t i = 0; i < crash->n_choices; i++) {
		memset(states->pick, 0, crash->n_choices * sizeof states->pick[0]);
		states->pick[i] = crash->choices[i]->n;
		state_try(states);
		pick_before(crash, crash->upto, states->pick);
		states->pick[i]--;
		state_try(states);
		states->pick[i] = 0;
		state_try(states);
	}
}

static void states_random(struct states *states, size_t limit, struct rng *rng)
{
	const struct crash *crash = states->crash;

	for (size_t tries = 0; tries < limit && states->count < limit && !states->stopped;
	     tries++) {
		for (size_t i = 0; i < crash->n_choices; i++)
			states->pick[i] = (unsigned)rng_below(rng, crash->choices[i]->n + 1);
		state_try(states);
	}
}

static size_t combinations(const struct crash *crash, size_t limit)
{
	size_t product = 1;

	for (size_t i = 0; i < crash->n_choices && product <= limit; i++)
		product *= crash->choices[i]->n + 1;
	return product;
}

size_t crash_each(const struct crash *crash, size_t limit, bool fresh, struct rng *rng,
		  crash_fn *each, void *ctx)
{
	struct states states = {.crash = crash, .fresh = fresh, .each = each, .ctx = ctx};

	states.pick = must_alloc((crash->n_choices + 1) * sizeof states.pick[0]);
	if (combinations(crash, limit) <= limit) {
		states_all(&states);
	} else {
		memset(states.pick, 0, crash->n_choices * sizeof states.pick[0]);
		state_try(&states);
		states_typical(&states);
		states_random(&states, limit, rng);
	}
	must_free(states.pick);
	return states.count;
}
