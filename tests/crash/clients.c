/* clients.c - random requests, through the questions that the HTTP side asks. */
#include "clients.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "service_content.h"

enum { SECTOR = 512, SIZE = 8 << 20 };

static bool wrong(struct client *client, const char *format, ...) VHD_PRINTF(2, 3);

static bool wrong(struct client *client, const char *format, ...)
{
	va_list args;

	if (client->what[0])
		return false;
	va_start(args, format);
	(void)vsnprintf(client->what, sizeof client->what, format, args);
	va_end(args);
	return false;
}

void client_init(struct client *client, unsigned number, const char *folder, uint64_t seed)
{
	memset(client, 0, sizeof *client);
	(void)snprintf(client->pool, sizeof client->pool, "%s/images", folder);
	client->number = number;
	client->rng.state = seed;
}

/* ---- what is asked for ---- */

static void id_of(const struct client *client, unsigned image, char ret_id[SERVICE_ID])
{
	(void)snprintf(ret_id, SERVICE_ID, "%08x-0000-4000-8000-%012x", client->number + 1,
		       image + 1);
}

static void name_of(const struct client *client, unsigned image, uint32_t value, char ret_name[64])
{
	(void)snprintf(ret_name, 64, "image-%u-%u-%u", client->number, image, value);
}

/* Some in one block, some in others. */
static uint64_t offset_of(unsigned sector)
{
	static const uint64_t sectors[CLIENT_SECTORS] = {0, 1, 8, 1023, 1024, 4095, 4096, 12289};

	return sectors[sector] * SECTOR;
}

static void bytes_of(uint32_t value, uint8_t ret_bytes[SECTOR])
{
	struct rng rng = {value};

	memset(ret_bytes, 0, SECTOR);
	if (value == 0)
		return;
	rng_fill(&rng, ret_bytes, SECTOR);
	memcpy(ret_bytes, &value, sizeof value);
}

static enum service_code create(struct client *client, const struct client_op *op,
				struct service_error *err)
{
	char id[SERVICE_ID], parent[SERVICE_ID], name[64];
	struct service_create spec = {.name = name, .uuid = id, .kind = SERVICE_DYNAMIC};
	struct service_created created = {.froze_parent = false};
	enum service_code code;

	id_of(client, op->image, id);
	name_of(client, op->image, op->value, name);
	spec.size = SIZE;
	spec.block_size = 512 << 10;
	if (op->parent >= 0) {
		id_of(client, (unsigned)op->parent, parent);
		spec.parent = parent;
		spec.kind = SERVICE_DIFFERENCING;
		spec.size = spec.block_size = 0;
	}
	code = service_image_create(client->service, &spec, &created, err);
	if (code == SERVICE_OK)
		service_image_fini(&created.image);
	return code;
}

static enum service_code update(struct client *client, const struct client_op *op,
				struct service_error *err)
{
	char id[SERVICE_ID], name[64];
	struct service_update spec = {.freeze = op->kind == CLIENT_FREEZE,
				      .thaw = op->kind == CLIENT_THAW};
	struct service_image image = {.kind = SERVICE_DYNAMIC};
	enum service_code code;

	id_of(client, op->image, id);
	name_of(client, op->image, op->value, name);
	if (op->kind == CLIENT_RENAME)
		spec.name = name;
	spec.has_saved_state = spec.has_temporary = op->kind == CLIENT_FOOTER;
	spec.saved_state = spec.temporary = op->value % 2 == 1;
	code = service_image_update(client->service, id, &spec, &image, err);
	if (code == SERVICE_OK)
		service_image_fini(&image);
	return code;
}

static enum service_code adopt(struct client *client, const struct client_op *op,
			       struct service_error *err)
{
	char id[SERVICE_ID], name[64], path[sizeof client->pool + SERVICE_ID + 8];
	const struct service_adopt spec = {
		.path = path, .chain = true, .mode = SERVICE_ADOPT, .name = name};
	struct service_adopted adopted = {.n_warnings = 0};
	enum service_code code;

	id_of(client, op->image, id);
	name_of(client, op->image, op->value, name);
	(void)snprintf(path, sizeof path, "%s/%s.vhd", client->pool, id);
	code = service_image_adopt(client->service, &spec, &adopted, err);
	if (code == SERVICE_OK)
		service_adopted_fini(&adopted);
	return code;
}

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	enum service_code code;
};

static void flush_done(void *ctx, enum service_code code)
{
	struct waiting *waiting = ctx;

	(void)pthread_mutex_lock(&waiting->lock);
	waiting->done = true;
	waiting->code = code;
	(void)pthread_cond_signal(&waiting->changed);
	(void)pthread_mutex_unlock(&waiting->lock);
}

static enum service_code flush(struct service_data *data)
{
	struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER,
				  .changed = PTHREAD_COND_INITIALIZER};

	service_data_flush(data, flush_done, &waiting);
	(void)pthread_mutex_lock(&waiting.lock);
	while (!waiting.done)
		(void)pthread_cond_wait(&waiting.changed, &waiting.lock);
	(void)pthread_mutex_unlock(&waiting.lock);
	return waiting.code;
}

static enum service_code write_or_flush(struct client *client, const struct client_op *op,
					struct service_error *err)
{
	struct service_data *data = NULL;
	uint8_t bytes[SECTOR];
	char id[SERVICE_ID];
	enum service_code code;

	id_of(client, op->image, id);
	code = service_data_open(client->service, id, SERVICE_WRITE, 0, &data, err);
	bytes_of(op->value, bytes);
	if (code == SERVICE_OK && op->kind == CLIENT_WRITE)
		code = service_data_write(data, bytes, SECTOR, offset_of(op->sector), err);
	else if (code == SERVICE_OK)
		code = flush(data);
	service_data_close(data);
	return code;
}

static enum service_code ask(struct client *client, const struct client_op *op,
			     struct service_error *err)
{
	const struct service_delete how = {.keep_file = op->kind == CLIENT_LEAVE};
	char id[SERVICE_ID];

	switch (op->kind) {
	case CLIENT_CREATE: return create(client, op, err);
	case CLIENT_ADOPT: return adopt(client, op, err);
	case CLIENT_LEAVE:
	case CLIENT_DELETE:
		id_of(client, op->image, id);
		return service_image_delete(client->service, id, &how, err);
	case CLIENT_WRITE:
	case CLIENT_FLUSH: return write_or_flush(client, op, err);
	case CLIENT_RENAME:
	case CLIENT_FREEZE:
	case CLIENT_FOOTER:
	case CLIENT_THAW: return update(client, op, err);
	case CLIENT_RESTART: break;
	}
	return SERVICE_OK;
}

/* ---- random work ---- */

static bool is_there(const struct client *client, unsigned image)
{
	return client->images[image].made && !client->images[image].gone &&
	       !client->images[image].left;
}

static bool may(const struct client *client, unsigned image, enum client_kind kind)
{
	bool leaf = client->images[image].children == 0;

	if (kind == CLIENT_CREATE)
		return !client->images[image].made;
	if (kind == CLIENT_ADOPT)
		return client->images[image].left;
	if (!is_there(client, image))
		return false;
	if (kind == CLIENT_DELETE || kind == CLIENT_LEAVE)
		return leaf;
	return kind == CLIENT_RENAME ||
	       (leaf && client->images[image].frozen == (kind == CLIENT_THAW));
}

/* Which image an operation may be about; CLIENT_IMAGES: there is none. */
static unsigned some_image(struct client *client, enum client_kind kind)
{
	unsigned start = (unsigned)rng_below(&client->rng, CLIENT_IMAGES);

	for (unsigned i = 0; i < CLIENT_IMAGES; i++) {
		unsigned at = (start + i) % CLIENT_IMAGES;

		if (may(client, at, kind))
			return at;
	}
	return CLIENT_IMAGES;
}

static void done(struct client *client, const struct client_op *op)
{
	if (op->kind == CLIENT_CREATE) {
		client->images[op->image].made = true;
		client->images[op->image].parent = op->parent;
		if (op->parent >= 0)
			client->images[op->parent].children++;
	} else if (op->kind == CLIENT_DELETE) {
		client->images[op->image].gone = true;
		if (client->images[op->image].parent >= 0)
			client->images[client->images[op->image].parent].children--;
	} else if (op->kind == CLIENT_LEAVE || op->kind == CLIENT_ADOPT) {
		/* For its parent it is a child all the time, so that nobody writes there. */
		client->images[op->image].left = op->kind == CLIENT_LEAVE;
		client->images[op->image].frozen = false;
	} else if (op->kind == CLIENT_FREEZE || op->kind == CLIENT_THAW) {
		client->images[op->image].frozen = op->kind == CLIENT_FREEZE;
	}
}

static enum client_kind some_kind(struct client *client)
{
	static const enum client_kind kinds[] = {
		CLIENT_WRITE,  CLIENT_WRITE,  CLIENT_WRITE,  CLIENT_WRITE,
		CLIENT_FLUSH,  CLIENT_FLUSH,  CLIENT_CREATE, CLIENT_CREATE,
		CLIENT_DELETE, CLIENT_RENAME, CLIENT_FREEZE, CLIENT_THAW,
		CLIENT_FOOTER, CLIENT_FOOTER, CLIENT_LEAVE,  CLIENT_ADOPT,
	};

	return kinds[rng_below(&client->rng, sizeof kinds / sizeof kinds[0])];
}

static int some_parent(struct client *client)
{
	unsigned at = (unsigned)rng_below(&client->rng, CLIENT_IMAGES);

	return is_there(client, at) ? (int)at : -1;
}

bool client_work(struct client *client)
{
	struct client_op *op = &client->ops[client->n_ops];
	struct service_error err = {.code = SERVICE_OK};
	enum service_code code;

	*op = (struct client_op){.kind = some_kind(client), .parent = -1};
	op->image = some_image(client, op->kind);
	if (op->image == CLIENT_IMAGES || client->n_ops == CLIENT_OPS)
		return true;
	if (op->kind == CLIENT_CREATE)
		op->parent = some_parent(client);
	op->sector = (unsigned)rng_below(&client->rng, CLIENT_SECTORS);
	op->value = ++client->values;
	op->begin = recorder_now();
	op->end = SIZE_MAX;
	client->n_ops++;
	code = ask(client, op, &err);
	op->end = recorder_now();
	if (code != SERVICE_OK)
		return wrong(client, "request %d of image %u: %s", (int)op->kind, op->image,
			     err.text);
	done(client, op);
	return true;
}

void client_restarted(struct client *client, size_t begin, size_t end)
{
	if (client->n_ops < CLIENT_OPS)
		client->ops[client->n_ops++] =
			(struct client_op){.kind = CLIENT_RESTART, .begin = begin, .end = end};
}

/* ---- what must be there ---- */

enum presence { ABSENT, PRESENT, EITHER };

struct expected {
	enum presence presence;
	int parent;
	uint32_t names[2]; /* 0: none */
	enum presence frozen, saved;
	struct {
		uint32_t values[CLIENT_OPS + 1]; /* 0: what the parent has */
		unsigned n;
	} sectors[CLIENT_SECTORS];
};

static void flushed(struct expected *image)
{
	for (unsigned s = 0; s < CLIENT_SECTORS; s++) {
		image->sectors[s].values[0] = image->sectors[s].values[image->sectors[s].n - 1];
		image->sectors[s].n = 1;
	}
}

static void created(struct expected *images, const struct client_op *op, bool answered)
{
	struct expected *image = &images[op->image];

	image->presence = answered ? PRESENT : EITHER;
	image->parent = op->parent;
	image->names[0] = op->value;
	for (unsigned s = 0; s < CLIENT_SECTORS; s++)
		image->sectors[s].n = 1;
	if (answered && op->parent >= 0)
		flushed(&images[op->parent]);
}

static void expect(struct expected *images, const struct client_op *op, bool answered)
{
	struct expected *image = &images[op->image];

	switch (op->kind) {
	case CLIENT_CREATE: created(images, op, answered); break;
	case CLIENT_DELETE: image->presence = answered ? ABSENT : EITHER; break;
	case CLIENT_LEAVE:
		image->presence = answered ? ABSENT : EITHER;
		if (answered)
			flushed(image);
		break;
	case CLIENT_ADOPT:
		image->presence = answered ? PRESENT : EITHER;
		image->names[0] = op->value;
		image->frozen = ABSENT;
		break;
	case CLIENT_FOOTER:
		image->saved = answered ? (op->value % 2 ? PRESENT : ABSENT) : EITHER;
		break;
	case CLIENT_WRITE:
		image->sectors[op->sector].values[image->sectors[op->sector].n++] = op->value;
		break;
	case CLIENT_RENAME: image->names[answered ? 0 : 1] = op->value; break;
	case CLIENT_FREEZE:
		image->frozen = answered ? PRESENT : EITHER;
		if (answered)
			flushed(image);
		break;
	case CLIENT_THAW: image->frozen = answered ? ABSENT : EITHER; break;
	case CLIENT_FLUSH:
		if (answered)
			flushed(image);
		break;
	case CLIENT_RESTART:
		for (unsigned i = 0; answered && i < CLIENT_IMAGES; i++) {
			if (images[i].presence != ABSENT)
				flushed(&images[i]);
		}
		break;
	}
}

static bool allows(const struct expected *images, int image, unsigned sector, uint32_t value)
{
	if (image < 0)
		return value == 0;
	for (unsigned i = 0; i < images[image].sectors[sector].n; i++) {
		uint32_t may = images[image].sectors[sector].values[i];

		if (may == 0 ? allows(images, images[image].parent, sector, value) : may == value)
			return true;
	}
	return false;
}

static bool check_data(struct client *client, struct service *service,
		       const struct expected *images, unsigned image)
{
	struct service_data *data = NULL;
	struct service_error err = {.code = SERVICE_OK};
	uint8_t bytes[SECTOR], right[SECTOR];
	char id[SERVICE_ID];
	uint32_t value;
	bool ok;

	id_of(client, image, id);
	if (service_data_open(service, id, SERVICE_READ, 0, &data, &err) != SERVICE_OK)
		return wrong(client, "image %u cannot be opened: %s", image, err.text);
	ok = true;
	for (unsigned s = 0; s < CLIENT_SECTORS && ok; s++) {
		if (service_data_read(data, bytes, SECTOR, offset_of(s), 0, &err) != SERVICE_OK)
			ok = wrong(client, "image %u sector %u: %s", image, s, err.text);
		memcpy(&value, bytes, sizeof value);
		bytes_of(value, right);
		if (ok &&
		    (memcmp(bytes, right, SECTOR) != 0 || !allows(images, (int)image, s, value)))
			ok = wrong(client, "image %u sector %u has the value %u, never allowed",
				   image, s, value);
	}
	service_data_close(data);
	return ok;
}

static bool check_row(struct client *client, const struct expected *image, unsigned number,
		      const struct service_image *row)
{
	char names[2][64];

	for (unsigned i = 0; i < 2; i++)
		name_of(client, number, image->names[i], names[i]);
	if (row->state != SERVICE_READY)
		return wrong(client, "image %u is in state %d", number, (int)row->state);
	if (strcmp(row->name, names[0]) != 0 && strcmp(row->name, names[1]) != 0)
		return wrong(client, "image %u is called %s, not %s", number, row->name, names[0]);
	if (image->frozen != EITHER && row->frozen != SERVICE_FROZEN_CHILDREN &&
	    (row->frozen == SERVICE_FROZEN_REQUEST) != (image->frozen == PRESENT))
		return wrong(client, "image %u: frozen is %d", number, (int)row->frozen);
	if (row->saved_state != row->temporary ||
	    (image->saved != EITHER && row->saved_state != (image->saved == PRESENT)))
		return wrong(client, "image %u: saved_state is %d, temporary %d", number,
			     row->saved_state, row->temporary);
	return true;
}

static bool check_image(struct client *client, struct service *service,
			const struct expected *images, unsigned number)
{
	struct service_image row = {.kind = SERVICE_DYNAMIC};
	struct service_error err;
	char id[SERVICE_ID];
	bool ok;

	id_of(client, number, id);
	if (service_image_get(service, id, 0, &row, &err) != SERVICE_OK)
		return images[number].presence != PRESENT ||
		       wrong(client, "image %u is lost: %s", number, err.text);
	ok = images[number].presence != ABSENT || wrong(client, "image %u is back", number);
	ok = ok && check_row(client, &images[number], number, &row);
	service_image_fini(&row);
	return ok && check_data(client, service, images, number);
}

bool client_check(struct client *client, struct service *service, size_t upto, size_t *images)
{
	struct expected expected[CLIENT_IMAGES] = {{.presence = ABSENT}};
	bool ok = true;

	for (size_t i = 0; i < client->n_ops && client->ops[i].begin < upto; i++)
		expect(expected, &client->ops[i], client->ops[i].end <= upto);
	for (unsigned i = 0; i < CLIENT_IMAGES && ok; i++) {
		ok = check_image(client, service, expected, i);
		*images += expected[i].presence == PRESENT;
	}
	return ok;
}

bool client_left(const struct client *client, const char *file, size_t upto)
{
	char id[SERVICE_ID];
	bool left = false;

	for (size_t i = 0; i < client->n_ops && client->ops[i].begin < upto; i++) {
		const struct client_op *op = &client->ops[i];

		id_of(client, op->image, id);
		if (strncmp(file, id, SERVICE_ID - 1) != 0)
			continue;
		if (op->kind == CLIENT_LEAVE)
			left = true;
		else if (op->kind == CLIENT_ADOPT && op->end <= upto)
			left = false;
	}
	return left;
}

bool client_goes_on(struct client *client, struct service *service)
{
	struct service_data *data = NULL;
	struct service_error err;
	uint8_t bytes[SECTOR], found[SECTOR];
	char id[SERVICE_ID];
	bool ok = true;

	bytes_of(UINT32_MAX, bytes);
	for (unsigned i = 0; i < CLIENT_IMAGES; i++) {
		id_of(client, i, id);
		if (service_data_open(service, id, SERVICE_WRITE, 0, &data, &err) != SERVICE_OK)
			continue;
		ok = service_data_write(data, bytes, SECTOR, 0, &err) == SERVICE_OK &&
		     flush(data) == SERVICE_OK &&
		     service_data_read(data, found, SECTOR, 0, 0, &err) == SERVICE_OK &&
		     memcmp(bytes, found, SECTOR) == 0;
		service_data_close(data);
		return ok || wrong(client, "image %u cannot be written on: %s", i, err.text);
	}
	return true;
}
