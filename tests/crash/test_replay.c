/* test_replay.c - a service with its files and its catalog, cut off at any moment: what it has
 * answered is there when it starts again.
 *
 * Clients work on a real service in a real folder while all that it does to files is recorded, in
 * the order of all threads. Then, for moments of the recording and for subsets of what no sync had
 * covered, the folder is laid out as a power cut would leave it, and the real start looks at it.
 *
 * VHDD_CRASH_REPLAYS: how many; VHDD_CRASH_TRACE=1 prints what was recorded before a failure;
 * VHDD_SEED chooses the requests, but threads of their own accord choose their order.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "catalog.h"
#include "clients.h"
#include "config.h"
#include "log.h"
#include "service_main.h"
#include "test.h"
#include "world.h"

enum { REQUESTS = 20 }; /* of each client, before and after the restart */

struct session {
	char path[WORLD_PATH];
	struct config config;
	struct recording recording;
	struct client clients[CLIENTS];
	size_t opened; /* events before the first start was over */
};

struct replays {
	struct session *session;
	struct rng rng;
	size_t runs, points, count, again, images, limit;
	char what[700];
	uint64_t seed;
};

static double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the recording ---- */

static void *client_thread(void *ctx)
{
	struct client *client = ctx;

	for (int i = 0; i < REQUESTS; i++) {
		if (!client_work(client))
			break;
	}
	return NULL;
}

static struct service *start(const struct session *session, const char *path)
{
	struct service *service = NULL;
	char why[SERVICE_WHY];

	if (service_main_open(path, &session->config, NULL, &service, why) != 0)
		fail_msg("the service does not start: %s", why);
	return service;
}

static void work(struct session *session, struct service *service)
{
	pthread_t threads[CLIENTS];

	for (unsigned i = 0; i < CLIENTS; i++) {
		session->clients[i].service = service;
		assert_int_equal(
			pthread_create(&threads[i], NULL, client_thread, &session->clients[i]), 0);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		(void)pthread_join(threads[i], NULL);
		assert_string_equal(session->clients[i].what, "");
	}
}

static void record(struct session *session, struct crash *crash, uint64_t seed)
{
	struct service *service;
	size_t begin;

	memset(session, 0, sizeof *session);
	config_init(&session->config);
	session->config.flush_ms = 20;
	world_make(session->path);
	for (unsigned i = 0; i < CLIENTS; i++)
		client_init(&session->clients[i], i, session->path, seed * CLIENTS + i);
	recorder_start(&session->recording, session->path);
	service = start(session, session->path);
	session->opened = recorder_now();
	work(session, service);
	begin = recorder_now();
	service_main_close(service);
	service = start(session, session->path);
	for (unsigned i = 0; i < CLIENTS; i++)
		client_restarted(&session->clients[i], begin, recorder_now());
	work(session, service);
	service_main_close(service);
	recorder_stop();
	crash_init(crash, session->recording.journal);
	crash->upto = 0;
	for (unsigned i = 0; i < session->recording.n_files; i++)
		crash_add(crash, session->recording.files[i]);
	crash->rng.state = seed;
}

static void forget(struct session *session, struct crash *crash)
{
	crash_fini(crash);
	recorder_free(&session->recording);
	world_remove(session->path);
}

/* ---- a replay ---- */

static bool check_service(struct replays *replays, struct service *service, size_t upto)
{
	struct session *session = replays->session;

	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *client = &session->clients[i];

		client->what[0] = '\0';
		if (!client_check(client, service, upto, &replays->images) ||
		    (rng_one_in(&replays->rng, 4) && !client_goes_on(client, service))) {
			(void)snprintf(replays->what, sizeof replays->what,
				       "after event %zu: client %u: %s", upto, i, client->what);
			return false;
		}
	}
	return true;
}

static bool is_named(const struct service_images *images, const char *file)
{
	for (size_t i = 0; i < images->n; i++) {
		if (strncmp(file, images->items[i].id, SERVICE_ID - 1) == 0 &&
		    strcmp(file + SERVICE_ID - 1, ".vhd") == 0)
			return true;
	}
	return false;
}

static bool was_left(const struct session *session, const char *file, size_t upto)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (client_left(&session->clients[i], file, upto))
			return true;
	}
	return false;
}

/* No file that no image names, unless it was left there, and no name of a creation. */
static bool check_pool(struct replays *replays, struct service *service, const char *path,
		       size_t upto)
{
	static const struct service_list all = {.limit = 1000};
	static char names[WORLD_NAMES][WORLD_PATH];
	struct service_images images = {.n = 0};
	struct service_error err;
	char folder[WORLD_PATH + 16];
	size_t files;

	assert_int_equal(service_image_list(service, &all, 0, &images, &err), SERVICE_OK);
	(void)snprintf(folder, sizeof folder, "%s/images", path);
	files = world_files(folder, names);
	for (size_t i = 0; i < files; i++) {
		if (!is_named(&images, names[i]) && !was_left(replays->session, names[i], upto))
			(void)snprintf(replays->what, sizeof replays->what,
				       "after event %zu: no image names %s", upto, names[i]);
	}
	service_images_fini(&images);
	return !replays->what[0];
}

static struct service *start_again(struct replays *replays, const char *path, size_t upto)
{
	char why[SERVICE_WHY] = "";
	struct service *service = NULL;

	if (service_main_open(path, &replays->session->config, NULL, &service, why) != 0)
		(void)snprintf(replays->what, sizeof replays->what,
			       "after event %zu: does not start: %.500s", upto, why);
	return service;
}

/* `upto`: events before the first cut, which is all that clients have seen. */
static bool check(struct replays *replays, const char *path, size_t upto)
{
	struct service *service = start_again(replays, path, upto);

	if (service && check_service(replays, service, upto))
		(void)check_pool(replays, service, path, upto);
	service_main_close(service);
	replays->count++;
	return !replays->what[0] && replays->count < replays->limit;
}

/* Some of the states of a point, however many it has. */
static bool is_picked(struct replays *replays, const struct crash *crash)
{
	return rng_below(&replays->rng, 3 * crash->n_choices + 12) < 4;
}

struct again {
	struct replays *replays;
	size_t upto;
};

static bool replay_again(void *ctx, const struct crash *crash, const unsigned *pick)
{
	const struct again *again = ctx;
	char path[WORLD_PATH + 8];
	bool more;

	if (!is_picked(again->replays, crash))
		return true;
	(void)snprintf(path, sizeof path, "%s/again", again->replays->session->path);
	world_lay_out(path, crash, pick);
	more = check(again->replays, path, again->upto);
	world_remove(path);
	again->replays->again++;
	return more;
}

/* The start after a power cut is cut off, too. */
static bool cut_again(struct replays *replays, const char *path, size_t upto)
{
	struct again again = {replays, upto};
	struct recording recording;
	struct crash crash;
	bool more;

	recorder_start(&recording, path);
	service_main_close(start_again(replays, path, upto));
	recorder_stop();
	crash_init(&crash, recording.journal);
	crash.upto = 0;
	for (unsigned i = 0; i < recording.n_files; i++)
		crash_add(&crash, recording.files[i]);
	more = !replays->what[0] && replays->count < replays->limit;
	while (more && crash_step(&crash)) {
		if (rng_one_in(&replays->rng, 8))
			(void)crash_each(&crash, 8, false, &replays->rng, replay_again, &again);
		more = !replays->what[0] && replays->count < replays->limit;
	}
	crash_fini(&crash);
	recorder_free(&recording);
	return more;
}

static bool replay(void *ctx, const struct crash *crash, const unsigned *pick)
{
	struct replays *replays = ctx;
	char path[WORLD_PATH + 8];
	bool more;

	if (!is_picked(replays, crash))
		return true;
	(void)snprintf(path, sizeof path, "%s/replay", replays->session->path);
	world_lay_out(path, crash, pick);
	more = rng_one_in(&replays->rng, 128) ? cut_again(replays, path, crash->upto)
					      : check(replays, path, crash->upto);
	world_remove(path);
	return more;
}

/* Some points of many recordings rather than all of a few: always where something became durable,
 * now and then elsewhere, and seldom in the first start. */
static bool is_chosen(struct replays *replays, const struct crash *crash, bool flush)
{
	if (crash->upto < replays->session->opened)
		return rng_one_in(&replays->rng, 16);
	return flush || rng_one_in(&replays->rng, 4);
}

/* A disk that forgets syncs, or that has none to forget. */
typedef bool lie_fn(void *ctx, const struct mem_event *flush);

/* The last events, as a person wants them. */
static void trace(const struct recording *recording, size_t upto)
{
	static const char *const kinds[] = {"write", "resize", "punch", "flush"};

	for (size_t i = 0; i < upto; i++) {
		const struct mem_event *event = memjournal_event(recording->journal, i);
		struct recorder_name entry = {.file = 0};

		if (event->kind == MEM_WRITE && event->len == 512)
			memcpy(&entry, event->data, sizeof entry);
		printf("%4zu file %u %s %llu+%llu covers %zu %.127s\n", i, event->file,
		       kinds[event->kind], (unsigned long long)event->off,
		       (unsigned long long)event->len, event->covers,
		       entry.file < 64 && entry.file ? entry.name : "");
	}
}

static struct replays replay_all(uint64_t seed, size_t limit, lie_fn *lie)
{
	static struct session session;
	struct replays replays = {.session = &session, .seed = seed, .limit = limit};

	while (replays.count < limit && !replays.what[0]) {
		struct crash crash;

		record(&session, &crash, replays.seed);
		replays.rng.state = replays.seed;
		crash.unit = replays.seed % 2 ? MEM_PAGE : crash.unit;
		crash.lies = lie;
		crash.lies_ctx = &session.recording;
		while (crash_step(&crash) && replays.count < limit && !replays.what[0]) {
			bool flush =
				memjournal_event(session.recording.journal, crash.upto - 1)->kind ==
				MEM_FLUSH;

			if (is_chosen(&replays, &crash, flush))
				(void)crash_each(&crash, 8, !flush, &replays.rng, replay, &replays);
		}
		replays.points += crash.upto;
		replays.runs++;
		if (replays.what[0] && getenv("VHDD_CRASH_TRACE"))
			trace(&session.recording, crash.upto);
		forget(&session, &crash);
		if (!replays.what[0])
			replays.seed++;
	}
	return replays;
}

static void has_what_it_answered(void **state)
{
	double start = seconds();
	struct replays replays = replay_all(rng_seed("test_replay"),
					    (size_t)rng_env("VHDD_CRASH_REPLAYS", 200), NULL);

	(void)state;
	printf("%zu recordings, %zu events, %zu replays of %zu images, %zu of starts that were cut "
	       "off, %.0f replays/s\n",
	       replays.runs, replays.points, replays.count, replays.images, replays.again,
	       (double)replays.count / (seconds() - start));
	printf("figure: crash.replays %zu\n", replays.count);
	if (replays.what[0])
		fail_msg("VHDD_SEED=%llu: %s", (unsigned long long)replays.seed, replays.what);
}

/* ---- disks that lie ---- */

static bool ends_with(const char *name, const char *ending)
{
	size_t len = strlen(name), end = strlen(ending);

	return len >= end && strcmp(name + len - end, ending) == 0;
}

static bool names(struct recorder_name entry, unsigned file, const char *ending)
{
	entry.name[sizeof entry.name - 1] = '\0';
	return entry.file == file + 1 && ends_with(entry.name, ending);
}

/* Now or from the beginning. */
static bool is_called(const struct recording *recording, unsigned file, const char *ending)
{
	const struct mem_event *event;
	struct recorder_name entry;

	for (uint64_t at = 0; at < memio_size(recording->files[0]); at += 512) {
		memio_peek(recording->files[0], &entry, sizeof entry, at);
		if (names(entry, file, ending))
			return true;
	}
	for (size_t i = 0; (event = memjournal_event(recording->journal, i)); i++) {
		if (event->kind != MEM_WRITE || event->len != 512)
			continue;
		memcpy(&entry, event->data, sizeof entry);
		if (names(entry, file, ending))
			return true;
	}
	return false;
}

static bool images_lie(void *ctx, const struct mem_event *flush)
{
	return is_called(ctx, flush->file, ".vhd");
}

static bool catalog_lies(void *ctx, const struct mem_event *flush)
{
	return is_called(ctx, flush->file, "catalog.db");
}

static bool journal_lies(void *ctx, const struct mem_event *flush)
{
	return is_called(ctx, flush->file, "catalog.db-journal");
}

static bool pool_lies(void *ctx, const struct mem_event *flush)
{
	return is_called(ctx, flush->file, "images");
}

static void notices_what_is_not_durable(void **state)
{
	static const struct {
		const char *name;
		lie_fn *lie;
	} cases[] = {
		{"images are not synced", images_lie},
		{"the catalog is not synced", catalog_lies},
		{"the journal of the catalog is not synced", journal_lies},
		{"the folder of the pool is not synced", pool_lies},
	};
	uint64_t seed = rng_seed("test_replay, lies");
	int missed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct replays replays = replay_all(seed, 5000, cases[i].lie);

		printf("%s: %s after %zu replays: %s\n", cases[i].name,
		       replays.what[0] ? "noticed" : "MISSED", replays.count, replays.what);
		missed += replays.what[0] == '\0';
	}
	assert_int_equal(missed, 0);
}

/* Of two names in one folder the second may go before the first does. */
static void a_deletion_takes_both_names_of_a_new_file_along(void **state)
{
	static char names[WORLD_NAMES][WORLD_PATH];
	static const char id[] = "00000001-0000-4000-8000-000000000001";
	struct service_create spec = {.uuid = id, .kind = SERVICE_DYNAMIC, .size = 1 << 20};
	struct service_created created = {.froze_parent = false};
	struct session session = {.opened = 0};
	struct service_error err;
	struct catalog *catalog;
	char catalog_path[WORLD_PATH + 16], pool[WORLD_PATH + 16], from[256], to[256];
	uint8_t raw[IDS_SIZE];
	struct service *service;

	(void)state;
	config_init(&session.config);
	world_make(session.path);
	service = start(&session, session.path);
	assert_int_equal(service_image_create(service, &spec, &created, &err), SERVICE_OK);
	service_image_fini(&created.image);
	service_main_close(service);
	(void)snprintf(catalog_path, sizeof catalog_path, "%s/catalog.db", session.path);
	(void)snprintf(pool, sizeof pool, "%s/images", session.path);
	(void)snprintf(from, sizeof from, "%s/%s.vhd", pool, id);
	(void)snprintf(to, sizeof to, "%s/.new-%s", pool, id);
	assert_int_equal(rename(from, to), 0);
	assert_true(ids_parse(id, raw));
	assert_int_equal(catalog_open(catalog_path, 1024, &catalog, NULL), 0);
	assert_int_equal(catalog_begin_delete(catalog, raw, 0, NULL), 0);
	catalog_close(catalog);
	service = start(&session, session.path);
	assert_int_equal(service_image_get(service, id, 0, &created.image, &err),
			 SERVICE_IMAGE_NOT_FOUND);
	assert_int_equal(world_files(pool, names), 0);
	service_main_close(service);
	world_remove(session.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_what_it_answered),
		cmocka_unit_test(notices_what_is_not_durable),
		cmocka_unit_test(a_deletion_takes_both_names_of_a_new_file_along),
	};

	log_start(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
