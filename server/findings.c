/* findings.c - a table of findings by image. */
#include "findings.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

enum { BUCKETS = 1024, MOST_FILES = 10000, SPARE = 64 };

static const struct {
	const char *name;
	enum finding_effect effect;
} kinds[FINDING_KINDS] = {
	[FINDING_POOL_OFFLINE] = {"pool-offline", FINDING_MISSING},
	[FINDING_MISSING_FILE] = {"missing-file", FINDING_MISSING},
	[FINDING_SYMLINK] = {"symlink", FINDING_MISSING},
	[FINDING_NOT_REGULAR] = {"not-regular", FINDING_MISSING},
	[FINDING_HARD_LINK] = {"hard-link", FINDING_CORRUPT},
	[FINDING_UNREADABLE] = {"unreadable", FINDING_CORRUPT},
	[FINDING_TRUNCATED] = {"truncated", FINDING_CORRUPT},
	[FINDING_NOT_A_VHD] = {"not-a-vhd", FINDING_CORRUPT},
	[FINDING_DAMAGED] = {"damaged", FINDING_CORRUPT},
	[FINDING_UNCLEAN_FOOTER] = {"unclean-footer", FINDING_CORRUPT},
	[FINDING_WRONG_ID] = {"wrong-id", FINDING_CORRUPT},
	[FINDING_WRONG_TYPE] = {"wrong-type", FINDING_CORRUPT},
	[FINDING_WRONG_PARENT] = {"wrong-parent", FINDING_CORRUPT},
	[FINDING_WRONG_SIZE] = {"wrong-size", FINDING_CORRUPT},
	[FINDING_WRONG_BLOCK_SIZE] = {"wrong-block-size", FINDING_CORRUPT},
	[FINDING_PARENT_CHANGED] = {"parent-changed", FINDING_CORRUPT},
	[FINDING_DAMAGED_BLOCK] = {"damaged-block", FINDING_MET},
	[FINDING_PARENT_TOUCHED] = {"parent-touched", FINDING_NOTE},
	[FINDING_WRONG_OWNER] = {"wrong-owner", FINDING_NOTE},
	[FINDING_DUPLICATE_ID] = {"duplicate-id", FINDING_NOTE},
	[FINDING_UNKNOWN_IMAGE] = {"unknown-image", FINDING_NOTE},
	[FINDING_FOREIGN_FILE] = {"foreign-file", FINDING_NOTE},
	[FINDING_LEFT_OVER] = {"left-over", FINDING_NOTE},
};

struct item {
	struct finding finding;
	struct item *next;
};

struct findings {
	atomic_size_t serious, met;
	pthread_mutex_t lock; /* guards what follows, and changes of what is before */
	size_t all;
	size_t files, files_kept; /* how many there are, and are in the table */
	size_t lost;              /* serious ones that found no memory */
	size_t changes;           /* of what is known of images, so far */
	struct item *buckets[BUCKETS];
	struct item *spare; /* some of these: what is serious needs no other memory */
	struct item items[SPARE];
};

const char *findings_name(enum finding_kind kind)
{
	return kinds[kind].name;
}

enum finding_effect findings_effect(enum finding_kind kind)
{
	return kinds[kind].effect;
}

static bool is_spare(const struct findings *findings, const struct item *item)
{
	return (uintptr_t)item >= (uintptr_t)findings->items &&
	       (uintptr_t)item < (uintptr_t)(findings->items + SPARE);
}

/* With the lock, as those that follow. */
static void give_back(struct findings *findings, struct item *item)
{
	if (!is_spare(findings, item)) {
		free(item);
		return;
	}
	item->next = findings->spare;
	findings->spare = item;
}

static void give_back_all(struct findings *findings, struct item *item)
{
	while (item) {
		struct item *next = item->next;

		give_back(findings, item);
		item = next;
	}
}

struct findings *findings_new(void)
{
	struct findings *findings = calloc(1, sizeof *findings);

	if (!findings)
		return NULL;
	(void)pthread_mutex_init(&findings->lock, NULL);
	for (size_t i = 0; i < SPARE; i++)
		give_back(findings, &findings->items[i]);
	return findings;
}

static struct item **bucket(struct findings *findings, const uint8_t id[IDS_SIZE])
{
	uint32_t key;

	memcpy(&key, id, sizeof key);
	return &findings->buckets[(key ^ key >> 16) % BUCKETS];
}

void findings_free(struct findings *findings)
{
	if (!findings)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		give_back_all(findings, findings->buckets[i]);
	(void)pthread_mutex_destroy(&findings->lock);
	free(findings);
}

/* ---- one finding: of which sort ---- */

typedef bool sort_fn(const struct finding *finding);

static bool is_serious(const struct finding *finding)
{
	return findings_effect(finding->kind) > FINDING_MET;
}

static bool is_met(const struct finding *finding)
{
	return findings_effect(finding->kind) == FINDING_MET;
}

static bool is_note(const struct finding *finding)
{
	return findings_effect(finding->kind) == FINDING_NOTE;
}

static bool is_looked_for(const struct finding *finding)
{
	return !is_met(finding);
}

static bool is_any(const struct finding *finding)
{
	(void)finding;
	return true;
}

/* ---- the table ---- */

/* What is known of the image, of one sort, leaves the table, and is answered as a list. */
static struct item *take(struct findings *findings, const uint8_t id[IDS_SIZE], sort_fn *is_sort)
{
	struct item **at = bucket(findings, id), *list = NULL;

	while (*at) {
		struct item *item = *at;

		if (!ids_equal(item->finding.id, id) || !is_sort(&item->finding)) {
			at = &item->next;
			continue;
		}
		*at = item->next;
		item->next = list;
		list = item;
		findings->all--;
		findings->serious -= is_serious(&item->finding);
		findings->met -= is_met(&item->finding);
	}
	return list;
}

static const struct item *find(struct findings *findings, const uint8_t id[IDS_SIZE],
			       sort_fn *is_sort)
{
	const struct item *item = *bucket(findings, id);

	while (item && !(ids_equal(item->finding.id, id) && is_sort(&item->finding)))
		item = item->next;
	return item;
}

static struct item *new_item(struct findings *findings, const struct finding *finding)
{
	struct item *item = calloc(1, sizeof *item);

	if (!item && is_serious(finding)) {
		item = findings->spare;
		if (item)
			findings->spare = item->next;
		else
			findings->lost++;
	}
	return item;
}

/* False: there is no memory for it. */
static bool put(struct findings *findings, const struct finding *finding)
{
	struct item **at = bucket(findings, finding->id);
	struct item *item = new_item(findings, finding);

	if (!item)
		return false;
	item->finding = *finding;
	item->next = *at;
	*at = item;
	findings->all++;
	findings->serious += is_serious(finding);
	findings->met += is_met(finding);
	return true;
}

/* Those that are in the table are taken from it one by one. */
static void forget_files(struct findings *findings)
{
	findings->all -= findings->files - findings->files_kept;
	findings->files = findings->files_kept = 0;
}

static bool is_among(const struct item *list, const struct finding *finding)
{
	for (; list; list = list->next) {
		if (list->finding.kind == finding->kind &&
		    strcmp(list->finding.text, finding->text) == 0)
			return true;
	}
	return false;
}

/* Whether the list says just that. */
static bool says(const struct item *list, const struct finding *items, size_t n)
{
	size_t have = 0;

	for (const struct item *item = list; item; item = item->next)
		have++;
	for (size_t i = 0; have == n && i < n; i++) {
		if (!is_among(list, &items[i]))
			return false;
	}
	return have == n;
}

static void tell(const struct finding *finding)
{
	if (is_note(finding))
		log_warning("%s: %s", findings_name(finding->kind), finding->text);
	else
		log_error("%s: %s", findings_name(finding->kind), finding->text);
}

/* Without the lock. */
static void let_go(struct findings *findings, struct item *list)
{
	(void)pthread_mutex_lock(&findings->lock);
	give_back_all(findings, list);
	(void)pthread_mutex_unlock(&findings->lock);
}

void findings_set(struct findings *findings, const uint8_t id[IDS_SIZE],
		  const struct finding *items, size_t n)
{
	struct item *old;

	(void)pthread_mutex_lock(&findings->lock);
	if (ids_is_zero(id))
		forget_files(findings);
	old = take(findings, id, is_looked_for);
	findings->changes += !says(old, items, n);
	for (size_t i = n; i > 0; i--)
		(void)put(findings, &items[i - 1]); /* the first ends up first */
	(void)pthread_mutex_unlock(&findings->lock);
	for (size_t i = 0; i < n; i++) {
		if (!is_among(old, &items[i]))
			tell(&items[i]);
	}
	if (old && n == 0)
		log_info("healthy again: %s", old->finding.text);
	let_go(findings, old);
}

/* Without memory it is in the log, and found again by the next one who meets it. */
void findings_meet(struct findings *findings, const struct finding *finding)
{
	bool news;

	(void)pthread_mutex_lock(&findings->lock);
	news = !find(findings, finding->id, is_met);
	if (news && put(findings, finding))
		findings->changes++;
	(void)pthread_mutex_unlock(&findings->lock);
	if (news)
		tell(finding);
}

void findings_heal(struct findings *findings, const struct finding *finding)
{
	struct item *old = NULL;
	const struct item *now;

	(void)pthread_mutex_lock(&findings->lock);
	now = find(findings, finding->id, is_met);
	if (now && now->finding.sector == finding->sector) {
		old = take(findings, finding->id, is_met);
		findings->changes++;
	}
	(void)pthread_mutex_unlock(&findings->lock);
	if (old)
		log_info("healthy again: %s", old->finding.text);
	let_go(findings, old);
}

void findings_forget(struct findings *findings, const uint8_t id[IDS_SIZE])
{
	struct item *old;

	(void)pthread_mutex_lock(&findings->lock);
	old = take(findings, id, is_any);
	findings->changes += old != NULL;
	give_back_all(findings, old);
	(void)pthread_mutex_unlock(&findings->lock);
}

void findings_add(struct findings *findings, const struct finding *finding)
{
	(void)pthread_mutex_lock(&findings->lock);
	findings->files++;
	if (findings->files_kept < MOST_FILES && put(findings, finding))
		findings->files_kept++;
	else
		findings->all++;
	(void)pthread_mutex_unlock(&findings->lock);
	tell(finding);
}

bool findings_any_serious(struct findings *findings)
{
	return findings->serious > 0;
}

bool findings_any_met(struct findings *findings)
{
	return findings->met > 0;
}

static bool copy_one(struct findings *findings, const uint8_t id[IDS_SIZE], sort_fn *is_sort,
		     struct finding *ret_finding)
{
	const struct item *item;

	(void)pthread_mutex_lock(&findings->lock);
	item = find(findings, id, is_sort);
	if (item)
		*ret_finding = item->finding;
	(void)pthread_mutex_unlock(&findings->lock);
	return item != NULL;
}

bool findings_serious(struct findings *findings, const uint8_t id[IDS_SIZE],
		      struct finding *ret_finding)
{
	return findings_any_serious(findings) && copy_one(findings, id, is_serious, ret_finding);
}

bool findings_met(struct findings *findings, const uint8_t id[IDS_SIZE],
		  struct finding *ret_finding)
{
	return findings_any_met(findings) && copy_one(findings, id, is_met, ret_finding);
}

static size_t copy(const struct findings *findings, sort_fn *is_sort, struct finding *items,
		   size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < BUCKETS && n < max; i++) {
		const struct item *item = findings->buckets[i];

		for (; item && n < max; item = item->next) {
			if (is_sort(&item->finding))
				items[n++] = item->finding;
		}
	}
	return n;
}

size_t findings_list(struct findings *findings, struct finding *ret_items, size_t max,
		     struct findings_count *ret_count)
{
	size_t n;

	(void)pthread_mutex_lock(&findings->lock);
	n = copy(findings, is_serious, ret_items, max);
	n += copy(findings, is_met, ret_items + n, max - n);
	n += copy(findings, is_note, ret_items + n, max - n);
	*ret_count = (struct findings_count){.all = findings->all + findings->lost,
					     .serious = findings->serious + findings->lost,
					     .met = findings->met,
					     .lost = findings->lost,
					     .changes = findings->changes};
	(void)pthread_mutex_unlock(&findings->lock);
	return n;
}
