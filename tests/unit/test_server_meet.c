/* test_server_meet.c - two operations that meet at the worst moment, which is a point where a crash
 * may be tried: what is done there, others do between two steps of the first one. */
#include "service.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor.h"
#include "alloc_fault.h"
#include "config.h"
#include "crash_point.h"
#include "service_main.h"
#include "service_private.h"
#include "service_recover.h"
#include "test.h"

struct meeting {
	char folder[64];
	struct config config;
	struct service *service;
	struct service_error err;
	const char *point; /* where `other` runs, once */
	void (*other)(struct meeting *meeting);
	enum service_code code; /* of what it did */
};

static pthread_mutex_t hook = PTHREAD_MUTEX_INITIALIZER; /* guards `point` and `other` */
static struct meeting *now; /* the one that goes on; tests run one after the other */

/* By any thread of the service. */
static void at_point(const char *name)
{
	void (*other)(struct meeting * meeting) = NULL;

	(void)pthread_mutex_lock(&hook);
	if (now->other && strcmp(name, now->point) == 0) {
		other = now->other;
		now->other = NULL;
	}
	(void)pthread_mutex_unlock(&hook);
	if (other)
		other(now);
}

static int set_up(void **state)
{
	struct meeting *meeting = calloc(1, sizeof *meeting);
	char why[SERVICE_WHY];

	assert_non_null(meeting);
	(void)strcpy(meeting->folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/vhdd-meet-XXXXXX"
								    : "/tmp/vhdd-meet-XXXXXX");
	assert_non_null(mkdtemp(meeting->folder));
	config_init(&meeting->config);
	now = meeting;
	vhd_at_crash_point = at_point; /* before there are threads, as long as there are any */
	assert_int_equal(
		service_main_open(meeting->folder, &meeting->config, NULL, &meeting->service, why),
		0);
	*state = meeting;
	return 0;
}

static int tear_down(void **state)
{
	struct meeting *meeting = *state;
	char command[128];

	service_main_close(meeting->service);
	vhd_at_crash_point = NULL;
	(void)snprintf(command, sizeof command, "rm -rf '%s'", meeting->folder);
	assert_int_equal(system(command), 0);
	free(meeting);
	return 0;
}

static void meet(struct meeting *meeting, const char *point, void (*other)(struct meeting *))
{
	(void)pthread_mutex_lock(&hook);
	meeting->point = point;
	meeting->other = other;
	(void)pthread_mutex_unlock(&hook);
}

static enum service_code create(struct meeting *meeting, const char *name, const char *parent,
				struct service_error *err)
{
	const struct service_create spec = {.name = name,
					    .parent = parent,
					    .kind = parent ? SERVICE_DIFFERENCING : SERVICE_DYNAMIC,
					    .size = parent ? 0 : 1 << 20};
	struct service_created created;
	enum service_code code = service_image_create(meeting->service, &spec, &created, err);

	if (code == SERVICE_OK) {
		assert_string_equal(created.image.name, name);
		service_image_fini(&created.image);
	}
	return code;
}

static uint64_t version_of(struct meeting *meeting, const char *name)
{
	struct service_image image;
	uint64_t version;

	assert_int_equal(service_image_get(meeting->service, name, 0, &image, &meeting->err), 0);
	version = image.meta_version;
	service_image_fini(&image);
	return version;
}

static enum service_code rename_image(struct meeting *meeting, const char *name, const char *to,
				      struct service_error *err)
{
	const struct service_update update = {.name = to};
	struct service_image image;
	enum service_code code = service_image_update(meeting->service, name, &update, &image, err);

	if (code == SERVICE_OK) {
		assert_string_equal(image.name, to);
		service_image_fini(&image);
	}
	return code;
}

/* In a thread of its own: the first one may hold what this waits for. */
static void *delete_disk(void *ctx)
{
	struct meeting *meeting = ctx;
	struct service_error err;

	meeting->code = service_image_delete(meeting->service, "disk",
					     &(struct service_delete){.version = 0}, &err);
	return NULL;
}

static void deleted(struct meeting *meeting)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, delete_disk, meeting), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_creation_is_told_before_the_image_can_go(void **state)
{
	struct meeting *meeting = *state;

	meet(meeting, "create.answering", deleted);
	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	assert_int_equal(meeting->code, SERVICE_IMAGE_BUSY);
	(void)delete_disk(meeting);
	assert_int_equal(meeting->code, SERVICE_OK);
}

/* ---- who is waited for ---- */

/* Another request, by a thread of its own, which tries to write. */
static void *write_disk(void *ctx)
{
	struct meeting *meeting = ctx;
	struct service_data *data;

	actor_set("second");
	meeting->code =
		service_data_open(meeting->service, "disk", SERVICE_WRITE, 0, &data, &meeting->err);
	if (meeting->code == SERVICE_OK)
		service_data_close(data);
	return NULL;
}

static void written(struct meeting *meeting)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, write_disk, meeting), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void create_disk(struct meeting *meeting)
{
	struct service_error err;

	assert_int_equal(create(meeting, "disk", NULL, &err), SERVICE_OK);
}

/* And thaw it again. */
static void freeze_disk(struct meeting *meeting)
{
	const struct service_update updates[] = {
		{.freeze = true, .has_saved_state = true, .saved_state = actor_request() != NULL},
		{.thaw = true}};

	for (size_t i = 0; i < sizeof updates / sizeof *updates; i++) {
		struct service_image image;
		struct service_error err;

		assert_int_equal(
			service_image_update(meeting->service, "disk", &updates[i], &image, &err),
			SERVICE_OK);
		service_image_fini(&image);
	}
}

static void create_and_delete_child(struct meeting *meeting)
{
	struct service_error err;

	assert_int_equal(create(meeting, "child", "disk", &err), SERVICE_OK);
	assert_int_equal(service_image_delete(meeting->service, "child",
					      &(struct service_delete){.version = 0}, &err),
			 SERVICE_OK);
}

static void who_waits_in_vain_is_told_for_whom(void **state)
{
	static const struct {
		const char *point;
		void (*first)(struct meeting *meeting);
		const char *request, *holder, *text;
	} rows[] = {
		{"create.written", create_disk, "first", "first", "is being created"},
		{"update.footer-set", freeze_disk, "first", "first", "the image is in use"},
		{"update.footer-set", freeze_disk, NULL, "(daemon)", "the image is in use"},
		{"delete.removed", create_and_delete_child, "first", "first",
		 ", is being deleted: try again later"},
	};
	struct meeting *meeting = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		meet(meeting, rows[i].point, written);
		actor_set(rows[i].request);
		rows[i].first(meeting);
		assert_null(meeting->other);
		assert_int_equal(meeting->code, SERVICE_IMAGE_BUSY);
		assert_string_equal(meeting->err.holder, rows[i].holder);
		assert_non_null(strstr(meeting->err.text, rows[i].text));
		written(meeting);
		assert_int_equal(meeting->code, SERVICE_OK);
	}
	actor_set(NULL);
}

/* Each says who makes it. */
static void comes_too_early(struct meeting *meeting)
{
	struct service *service = meeting->service;
	struct service_error errs[3] = {{.text = ""}};

	actor_set("second");
	assert_int_equal(service_image_ready(service, "disk", &errs[0]), SERVICE_IMAGE_BUSY);
	assert_int_equal(rename_image(meeting, "disk", "other", &errs[1]), SERVICE_IMAGE_BUSY);
	assert_int_equal(create(meeting, "child", "disk", &errs[2]), SERVICE_IMAGE_BUSY);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(errs[i].text, "The image is being created.");
		assert_string_equal(errs[i].holder, "first");
		assert_string_equal(errs[i].image.name, "disk");
	}
	actor_set("first");
}

static void who_comes_too_early_is_told_who_makes_the_image(void **state)
{
	struct meeting *meeting = *state;

	actor_set("first");
	meet(meeting, "create.written", comes_too_early);
	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	assert_null(meeting->other);
	assert_int_equal(service_image_ready(meeting->service, "disk", &meeting->err), SERVICE_OK);
	actor_set(NULL);
}

static void a_change_is_told_as_it_was_when_the_image_has_gone(void **state)
{
	struct meeting *meeting = *state;

	assert_int_equal(create(meeting, "before", NULL, &meeting->err), SERVICE_OK);
	meet(meeting, "update.answering", deleted);
	assert_int_equal(rename_image(meeting, "before", "disk", &meeting->err), SERVICE_OK);
	assert_int_equal(meeting->code, SERVICE_OK);
}

/* The file of a child of "root", which is no image any more. */
static const char *leave_file(struct meeting *meeting)
{
	static char path[128];
	struct service_image image;

	assert_int_equal(create(meeting, "root", NULL, &meeting->err), SERVICE_OK);
	assert_int_equal(create(meeting, "child", "root", &meeting->err), SERVICE_OK);
	assert_int_equal(service_image_get(meeting->service, "child", 0, &image, &meeting->err), 0);
	(void)snprintf(path, sizeof path, "%s/images/%.40s", meeting->folder, image.file);
	service_image_fini(&image);
	assert_int_equal(service_image_delete(meeting->service, "child",
					      &(struct service_delete){.keep_file = true},
					      &meeting->err),
			 SERVICE_OK);
	return path;
}

static void an_adoption_is_told_as_it_was_when_the_image_has_gone(void **state)
{
	struct meeting *meeting = *state;
	const struct service_adopt spec = {
		.chain = true, .name = "disk", .path = leave_file(meeting)};
	struct service_adopted adopted = {.n_warnings = 0};

	meet(meeting, "adopt.answering", deleted);
	assert_int_equal(service_image_adopt(meeting->service, &spec, &adopted, &meeting->err),
			 SERVICE_OK);
	assert_int_equal(meeting->code, SERVICE_OK);
	assert_int_equal(adopted.images.n, 1);
	assert_string_equal(adopted.images.items[0].name, "disk");
	assert_string_equal(adopted.images.items[0].parent.name, "root");
	assert_int_equal(adopted.known.n, 1);
	assert_int_equal(adopted.known.items[0].children_count, 1);
	service_adopted_fini(&adopted);
}

/* How many bytes the seal says that the file has; 0: there is no seal. */
static uint64_t sealed_bytes(struct meeting *meeting, const char *name)
{
	struct catalog_image row;
	struct catalog_error why;
	uint8_t id[IDS_SIZE];
	uint64_t bytes;

	assert_int_equal(service_find(meeting->service, name, id, &meeting->err), SERVICE_OK);
	assert_int_equal(catalog_get(meeting->service->catalog, id, &row, &why), 0);
	bytes = row.sealed ? row.seal.file_bytes : 0;
	catalog_image_fini(&row);
	return bytes;
}

/* A change of its file behind the daemon's back was not seen at the next start. */
static void a_parent_keeps_a_seal_when_its_last_child_goes_while_another_is_adopted(void **state)
{
	struct meeting *meeting = *state;
	const struct service_adopt spec = {
		.chain = true, .name = "kid", .path = leave_file(meeting)};
	struct service_adopted adopted = {.n_warnings = 0};
	uint64_t bytes;

	assert_int_equal(create(meeting, "disk", "root", &meeting->err), SERVICE_OK);
	bytes = sealed_bytes(meeting, "root");
	assert_true(bytes > 0);
	meet(meeting, "adopt.entering", deleted);
	assert_int_equal(service_image_adopt(meeting->service, &spec, &adopted, &meeting->err),
			 SERVICE_OK);
	assert_int_equal(meeting->code, SERVICE_OK);
	service_adopted_fini(&adopted);
	assert_int_equal(sealed_bytes(meeting, "root"), bytes);
}

/* ---- no memory to tell what was done ---- */

static void without_memory(struct meeting *meeting)
{
	(void)meeting;
	alloc_fault_arm(0, true);
}

/* The image has what was asked for, and whoever asked is told of the image. */
static void expect_untold(struct meeting *meeting, enum service_code code, const char *name)
{
	struct service_image image;

	alloc_fault_disarm();
	assert_int_equal(code, SERVICE_INTERNAL);
	assert_true(meeting->err.done);
	assert_string_equal(meeting->err.image.name, name);
	assert_int_equal(service_image_get(meeting->service, meeting->err.image.id, 0, &image,
					   &(struct service_error){.done = false}),
			 SERVICE_OK);
	assert_string_equal(image.name, name);
	assert_string_equal(image.description, "mine");
	service_image_fini(&image);
}

static void what_was_done_is_not_denied_for_want_of_memory(void **state)
{
	struct meeting *meeting = *state;
	const struct service_create create = {
		.name = "disk", .kind = SERVICE_DYNAMIC, .size = 1 << 20, .description = "mine"};
	const struct service_update update = {.name = "other"};
	const struct service_adopt adopt = {
		.chain = true, .name = "kid", .description = "mine", .path = leave_file(meeting)};
	struct service_created created;
	struct service_adopted adopted;
	struct service_image image;

	meet(meeting, "create.answering", without_memory);
	expect_untold(meeting,
		      service_image_create(meeting->service, &create, &created, &meeting->err),
		      "disk");
	meet(meeting, "update.answering", without_memory);
	expect_untold(
		meeting,
		service_image_update(meeting->service, "disk", &update, &image, &meeting->err),
		"other");
	meet(meeting, "adopt.answering", without_memory);
	expect_untold(meeting,
		      service_image_adopt(meeting->service, &adopt, &adopted, &meeting->err),
		      "kid");
	/* What was not done is not said to be. */
	meet(meeting, "create.sealed", without_memory);
	assert_int_equal(
		service_image_create(meeting->service,
				     &(struct service_create){.name = "no",
							      .parent = "kid",
							      .kind = SERVICE_DIFFERENCING},
				     &created, &meeting->err),
		SERVICE_INTERNAL);
	alloc_fault_disarm();
	assert_false(meeting->err.done);
}

/* It was told as refused, and its parent thawed over it. */
static void an_adoption_that_was_committed_is_not_denied_for_want_of_memory(void **state)
{
	struct meeting *meeting = *state;
	const struct service_adopt spec = {
		.chain = true, .name = "kid", .description = "mine", .path = leave_file(meeting)};
	struct service_adopted adopted;

	meet(meeting, "catalog.adopt.committed", without_memory);
	expect_untold(meeting,
		      service_image_adopt(meeting->service, &spec, &adopted, &meeting->err), "kid");
	assert_true(sealed_bytes(meeting, "root") > 0);
}

static void renamed(struct meeting *meeting)
{
	struct service_error err;

	meeting->code = rename_image(meeting, "disk", "other", &err);
}

static void an_image_that_changed_is_not_forgotten(void **state)
{
	struct meeting *meeting = *state;
	struct service_delete how = {.keep_file = true};
	struct service_image image;
	char etag[SERVICE_ETAG];

	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	how.version = version_of(meeting, "disk");
	meet(meeting, "close.dropped", renamed);
	assert_int_equal(service_image_delete(meeting->service, "disk", &how, &meeting->err),
			 SERVICE_CHANGED);
	assert_int_equal(meeting->code, SERVICE_OK);
	assert_string_equal(meeting->err.text, "'other' has changed.");
	memcpy(etag, meeting->err.etag, sizeof etag);
	assert_int_equal(service_image_get(meeting->service, "other", 0, &image, &meeting->err),
			 SERVICE_OK);
	service_meta_etag(image.id, image.meta_version, "", "", meeting->err.etag);
	assert_string_equal(etag, meeting->err.etag);
	service_image_fini(&image);
}

/* ---- changes whose way was chosen by what the image is no more ---- */

static enum service_code update_disk(struct meeting *meeting, const struct service_update *update,
				     struct service_error *err)
{
	struct service_image image;
	enum service_code code =
		service_image_update(meeting->service, "disk", update, &image, err);

	if (code == SERVICE_OK)
		service_image_fini(&image);
	return code;
}

static struct service_data *writer;

static void open_writer(struct meeting *meeting)
{
	assert_int_equal(service_data_open(meeting->service, "disk", SERVICE_WRITE, 0, &writer,
					   &(struct service_error){.done = false}),
			 SERVICE_OK);
}

static void write_through(struct service_data *data, const char *text)
{
	struct service_error err;

	assert_int_equal(service_data_write(data, text, strlen(text), 0, &err), SERVICE_OK);
}

static void thawed_and_written(struct meeting *meeting)
{
	struct service_error err;

	assert_int_equal(update_disk(meeting, &(struct service_update){.thaw = true}, &err),
			 SERVICE_OK);
	open_writer(meeting);
	write_through(writer, "unflushed");
}

/* It was answered at once, and the catalog called an image clean that somebody was writing. */
static void a_freeze_that_meets_a_thaw_waits_for_writers_as_any_other(void **state)
{
	const struct service_update freeze = {.freeze = true};
	struct meeting *meeting = *state;
	struct service_image image;

	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	assert_int_equal(update_disk(meeting, &freeze, &meeting->err), SERVICE_OK);
	meet(meeting, "update.chosen", thawed_and_written);
	/* The first one to come there is the freeze, the second the thaw that meets it. */
	assert_int_equal(update_disk(meeting, &freeze, &meeting->err), SERVICE_IMAGE_BUSY);
	assert_int_equal(service_image_get(meeting->service, "disk", 0, &image, &meeting->err),
			 SERVICE_OK);
	assert_int_equal(image.frozen, SERVICE_NOT_FROZEN);
	service_image_fini(&image);
	service_data_close(writer);
	assert_int_equal(update_disk(meeting, &freeze, &meeting->err), SERVICE_OK);
}

static void state_cleared(struct meeting *meeting)
{
	struct service_error err;

	assert_int_equal(
		update_disk(meeting, &(struct service_update){.has_saved_state = true}, &err),
		SERVICE_OK);
}

/* It was answered with success, and the image had what the other one had asked for. */
static void what_was_so_already_is_done_when_somebody_has_undone_it(void **state)
{
	const struct service_update save = {.has_saved_state = true, .saved_state = true};
	struct meeting *meeting = *state;
	struct service_image image;

	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	assert_int_equal(update_disk(meeting, &save, &meeting->err), SERVICE_OK);
	meet(meeting, "update.chosen", state_cleared);
	assert_int_equal(
		service_image_update(meeting->service, "disk", &save, &image, &meeting->err),
		SERVICE_OK);
	assert_true(image.saved_state);
	service_image_fini(&image);
}

/* ---- what comes to nothing ---- */

/* While a child is made whose size is refused at last. */
static void frozen_for_nothing(struct meeting *meeting)
{
	struct service_data_state state;
	struct service_data *data;
	struct service_image image;
	struct service_error err;

	assert_int_equal(service_image_get(meeting->service, "disk", 0, &image, &err), SERVICE_OK);
	assert_int_equal(image.frozen, SERVICE_NOT_FROZEN);
	assert_int_equal(image.data_etag[0], 'd');
	service_image_fini(&image);
	assert_int_equal(service_data_open(meeting->service, "disk", SERVICE_READ, 0, &data, &err),
			 SERVICE_OK);
	assert_false(service_data_info(data)->frozen);
	service_data_state(data, &state);
	assert_int_equal(state.etag[0], 'd');
	service_data_close(data);
	/* It may be tried again, which an image with children may not. */
	written(meeting);
	assert_int_equal(meeting->code, SERVICE_IMAGE_BUSY);
}

static enum service_code create_smaller(struct meeting *meeting)
{
	const struct service_create spec = {
		.name = "child", .parent = "disk", .kind = SERVICE_DIFFERENCING, .size = 1 << 19};
	struct service_created created;

	return service_image_create(meeting->service, &spec, &created, &meeting->err);
}

static enum service_code freeze_by_a_name_that_is_taken(struct meeting *meeting)
{
	return update_disk(meeting, &(struct service_update){.freeze = true, .name = "taken"},
			   &meeting->err);
}

/* Of the ETag that was told of it meanwhile there was another content later, and writers were shut
 * out until all had gone who read. */
static void what_comes_to_nothing_freezes_nobody(void **state)
{
	static const struct {
		const char *point; /* NULL: nobody comes */
		enum service_code (*refused)(struct meeting *meeting);
		enum service_code code;
	} rows[] = {
		{"create.sealed", create_smaller, SERVICE_SIZE_MISMATCH},
		{NULL, freeze_by_a_name_that_is_taken, SERVICE_NAME_EXISTS},
	};
	struct meeting *meeting = *state;
	struct service_data *reader;

	assert_int_equal(create(meeting, "taken", NULL, &meeting->err), SERVICE_OK);
	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		open_writer(meeting);
		write_through(writer, i ? "second" : "first");
		service_data_close(writer);
		assert_int_equal(service_data_open(meeting->service, "disk", SERVICE_READ, 0,
						   &reader, &meeting->err),
				 SERVICE_OK);
		if (rows[i].point)
			meet(meeting, rows[i].point, frozen_for_nothing);
		assert_int_equal(rows[i].refused(meeting), rows[i].code);
		assert_null(meeting->other);
		written(meeting);
		assert_int_equal(meeting->code, SERVICE_OK);
		service_data_close(reader);
	}
}

/* What a creation has left that could not be undone at once; its file is gone. */
static void leave_child(struct meeting *meeting, const char *pool, struct catalog_image *ret_row)
{
	struct catalog_error why;

	*ret_row = (struct catalog_image){.id = {7},
					  .kind = CATALOG_DIFFERENCING,
					  .vhd = {.size = 1 << 20, .block_size = 2 << 20}};
	(void)strcpy(ret_row->name, "child");
	(void)strcpy(ret_row->pool, pool);
	assert_int_equal(service_find(meeting->service, "disk", ret_row->parent_id, &meeting->err),
			 0);
	assert_int_equal(catalog_insert(meeting->service->catalog, ret_row, &why), 0);
}

/* Writers were sent away for good, by an answer that spoke of images that read through it. */
static void a_child_that_waits_to_be_undone_can_be_waited_for(void **state)
{
	const struct service_update freeze = {.freeze = true}, thaw = {.thaw = true};
	struct meeting *meeting = *state;
	struct catalog_image child;
	pthread_t thread;

	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	leave_child(meeting, "default", &child);
	written(meeting);
	assert_int_equal(meeting->code, SERVICE_IMAGE_BUSY);
	assert_string_equal(meeting->err.text,
			    "A child of it, 07000000-0000-0000-0000-000000000000, could not be "
			    "created, which is undone when its disk lets it: the log says why");
	deleted(meeting);
	assert_int_equal(meeting->code, SERVICE_IMAGE_BUSY);
	assert_int_equal(service_image_delete(meeting->service, "child",
					      &(struct service_delete){.version = 0},
					      &meeting->err),
			 SERVICE_IMAGE_BUSY);
	assert_string_equal(meeting->err.text, "The image could not be created, which is undone "
					       "when its disk lets it: the log says why");
	assert_int_equal(update_disk(meeting, &freeze, &meeting->err), SERVICE_OK);
	written(meeting);
	assert_int_equal(meeting->code, SERVICE_IMAGE_FROZEN);
	assert_string_equal(meeting->err.text, "'disk' is frozen; its content must not change");
	assert_int_equal(meeting->err.n_related, 0);
	assert_int_equal(update_disk(meeting, &thaw, &meeting->err), SERVICE_OK);
	/* Whoever waits when it is undone does not wait on. */
	assert_int_equal(pthread_create(&thread, NULL, write_disk, meeting), 0);
	assert_true(service_recover_image(meeting->service, child.id));
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(meeting->code, SERVICE_OK);
}

/* Nothing else would free the parent, and nothing said so. */
static void a_child_whose_pool_is_not_configured_can_be_forgotten(void **state)
{
	struct meeting *meeting = *state;
	struct catalog_image child;

	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	leave_child(meeting, "gone", &child);
	written(meeting);
	assert_int_equal(meeting->code, SERVICE_IMAGE_BUSY);
	assert_string_equal(meeting->err.text,
			    "A child of it, 07000000-0000-0000-0000-000000000000, could not be "
			    "created, which is undone when the configuration has the pool 'gone' "
			    "again: DELETE of it with keep_file=1 forgets it at once");
	assert_int_equal(service_image_delete(meeting->service, "child",
					      &(struct service_delete){.version = 0},
					      &meeting->err),
			 SERVICE_POOL_OFFLINE);
	assert_non_null(strstr(meeting->err.text, "keep_file=1 forgets the image alone"));
	assert_int_equal(service_image_delete(meeting->service, "child",
					      &(struct service_delete){.keep_file = true},
					      &meeting->err),
			 SERVICE_OK);
	written(meeting);
	assert_int_equal(meeting->code, SERVICE_OK);
}

/* ---- content that somebody has alone ---- */

static void *write_meanwhile(void *ctx)
{
	static const char sector[512] = "second";
	struct meeting *meeting = ctx;
	struct service_data *data;

	meeting->code =
		service_data_open(meeting->service, "disk", SERVICE_WRITE, 0, &data, &meeting->err);
	assert_int_equal(meeting->code, SERVICE_OK);
	meeting->code = service_data_write(data, sector, sizeof sector, 0, &meeting->err);
	service_data_close(data);
	return NULL;
}

/* It waited without end, and with it the worker that it had. */
static void a_write_does_not_wait_for_ever_for_one_that_compares(void **state)
{
	struct meeting *meeting = *state;
	struct service_data_state before;
	pthread_t thread;

	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	open_writer(meeting);
	service_data_state(writer, &before);
	assert_int_equal(service_data_lock(writer, before.etag, &meeting->err), SERVICE_OK);
	assert_int_equal(pthread_create(&thread, NULL, write_meanwhile, meeting), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(meeting->code, SERVICE_IMAGE_BUSY);
	service_data_unlock(writer);
	service_data_close(writer);
	(void)write_meanwhile(meeting);
	assert_int_equal(meeting->code, SERVICE_OK);
}

/* Of the content now, and of what was written through `data`. */
static void etags(const struct service_data *data, char ret_now[SERVICE_ETAG],
		  char ret_result[SERVICE_ETAG])
{
	struct service_data_state state;

	service_data_state(data, &state);
	memcpy(ret_now, state.etag, SERVICE_ETAG);
	service_data_result(data, &state);
	memcpy(ret_result, state.etag, SERVICE_ETAG);
}

/* The ETag that it was answered with was that of the other one: its next write, with If-Match,
 * overwrote what it had never seen. */
static void a_write_is_answered_with_the_etag_of_what_it_wrote(void **state)
{
	struct meeting *meeting = *state;
	char first[SERVICE_ETAG], current[SERVICE_ETAG], result[SERVICE_ETAG];
	struct service_data *other;

	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	open_writer(meeting);
	write_through(writer, "mine");
	etags(writer, first, result);
	assert_string_equal(result, first);
	assert_int_equal(service_data_open(meeting->service, "disk", SERVICE_WRITE, 0, &other,
					   &meeting->err),
			 SERVICE_OK);
	write_through(other, "yours");
	etags(writer, current, result);
	assert_string_not_equal(current, first);
	assert_string_equal(result, first);
	etags(other, current, result);
	assert_string_equal(result, current);
	/* What the other one wrote between two of mine is not known to me. */
	write_through(writer, "mine");
	etags(writer, current, result);
	assert_string_equal(result, "");
	service_data_close(other);
	service_data_close(writer);
}

/* ---- a parent whose footer changes ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool sealed, ended, put_back; /* guarded by `lock` */
static pthread_t snapshot_thread;

static void set(bool *what)
{
	(void)pthread_mutex_lock(&lock);
	*what = true;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

static void wait_for(const bool *one, const bool *other)
{
	(void)pthread_mutex_lock(&lock);
	while (!*one && !*other)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
}

/* The parent has its seal: nobody may change its file now. */
static void seal_taken(struct meeting *meeting)
{
	(void)meeting;
	set(&sealed);
	wait_for(&put_back, &put_back);
}

static void *make_child(void *ctx)
{
	struct meeting *meeting = ctx;
	struct service_error err;

	meeting->code = create(meeting, "child", "disk", &err);
	set(&ended);
	return NULL;
}

static void snapshot_begins(struct meeting *meeting)
{
	meet(meeting, "create.sealed", seal_taken);
	assert_int_equal(pthread_create(&snapshot_thread, NULL, make_child, meeting), 0);
	wait_for(&sealed, &ended);
}

/* A change that freezes an image and sets its saved state had the file of a parent back as it was,
 * although its seal had been taken already. */
static void a_parent_does_not_change_once_it_is_sealed(void **state)
{
	struct meeting *meeting = *state;
	const struct service_update update = {
		.freeze = true, .has_saved_state = true, .saved_state = true};
	struct service_image image = {0};
	struct service_data *data;
	enum service_code code;

	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	meet(meeting, "update.footer-set", snapshot_begins);
	code = service_image_update(meeting->service, "disk", &update, &image, &meeting->err);
	set(&put_back);
	assert_int_equal(pthread_join(snapshot_thread, NULL), 0);
	service_image_fini(&image);
	if (meeting->code == SERVICE_IMAGE_BUSY)
		meeting->code = create(meeting, "child", "disk", &meeting->err);
	assert_int_equal(meeting->code, SERVICE_OK);
	service_main_close(meeting->service);
	meeting->service = NULL;
	assert_int_equal(service_main_open(meeting->folder, &meeting->config, NULL,
					   &meeting->service, (char[SERVICE_WHY]){""}),
			 0);
	assert_int_equal(
		service_data_open(meeting->service, "child", SERVICE_READ, 0, &data, &meeting->err),
		SERVICE_OK);
	service_data_close(data);
	assert_int_equal(code, SERVICE_OK);
}

/* Who found it frozen for a child that has gone by the time it is told why. */
static void what_is_frozen_no_more_is_tried_again(void **state)
{
	const struct vhd_error frozen = {.code = VHD_E_FROZEN, .text = "the image is frozen"};
	struct meeting *meeting = *state;
	uint8_t id[IDS_SIZE];

	assert_int_equal(create(meeting, "disk", NULL, &meeting->err), SERVICE_OK);
	assert_int_equal(service_find(meeting->service, "disk", id, &meeting->err), SERVICE_OK);
	assert_int_equal(service_codes_image(meeting->service, id, &frozen, &meeting->err),
			 SERVICE_IMAGE_BUSY);
	assert_string_equal(meeting->err.text, "'disk' was frozen until just now");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_creation_is_told_before_the_image_can_go),
		CASE(who_waits_in_vain_is_told_for_whom),
		CASE(who_comes_too_early_is_told_who_makes_the_image),
		CASE(a_change_is_told_as_it_was_when_the_image_has_gone),
		CASE(an_adoption_is_told_as_it_was_when_the_image_has_gone),
		CASE(a_parent_keeps_a_seal_when_its_last_child_goes_while_another_is_adopted),
		CASE(what_was_done_is_not_denied_for_want_of_memory),
		CASE(an_adoption_that_was_committed_is_not_denied_for_want_of_memory),
		CASE(an_image_that_changed_is_not_forgotten),
		CASE(a_parent_does_not_change_once_it_is_sealed),
		CASE(a_freeze_that_meets_a_thaw_waits_for_writers_as_any_other),
		CASE(what_was_so_already_is_done_when_somebody_has_undone_it),
		CASE(what_comes_to_nothing_freezes_nobody),
		CASE(a_child_that_waits_to_be_undone_can_be_waited_for),
		CASE(a_child_whose_pool_is_not_configured_can_be_forgotten),
		CASE(what_is_frozen_no_more_is_tried_again),
		CASE(a_write_does_not_wait_for_ever_for_one_that_compares),
		CASE(a_write_is_answered_with_the_etag_of_what_it_wrote),
	};

	return cmocka_run_group_tests_name("server/meet", tests, NULL, NULL);
}
