/* httpd_upload.c - a body on its way to a disk. Pieces are copied into one buffer while a worker
 * writes the other; only when both are full the connection is suspended, and the client with it. */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "actor.h"
#include "httpd_private.h"

bool httpd_upload_begin(struct httpd_request *request)
{
	uint64_t length = api_call_body_length(request->call);
	/* With a byte to spare, so that a short one is given to a worker once, at its end. */
	size_t capacity = length && length < HTTPD_BUFFER ? (size_t)length + 1 : HTTPD_BUFFER;
	struct httpd_upload *upload = malloc(sizeof *upload + 2 * capacity);

	if (!upload)
		return false;
	memset(upload, 0, sizeof *upload); /* not the buffers: pages never touched cost nothing */
	(void)pthread_mutex_init(&upload->lock, NULL);
	upload->capacity = capacity;
	request->upload = upload;
	return true;
}

void httpd_upload_free(struct httpd_upload *upload)
{
	if (!upload)
		return;
	(void)pthread_mutex_destroy(&upload->lock);
	free(upload);
}

/* ---- the worker's side ---- */

/* With the lock: gives the full buffer back, and its connection the word. */
static void written(struct httpd_request *request, bool ok)
{
	struct httpd_upload *upload = request->upload;

	upload->used[!upload->filling] = 0;
	upload->full = false;
	upload->failed = upload->failed || !ok;
	if (upload->waiting) {
		upload->waiting = false;
		httpd_request_resume(request);
	}
}

/* With the lock: at the end the last buffer is written too, full or not. */
static bool next_buffer(struct httpd_upload *upload)
{
	size_t used = upload->used[upload->filling];

	if (!upload->full && used && (upload->ended || used == upload->capacity)) {
		upload->filling = !upload->filling;
		upload->full = true;
	}
	return upload->full && !upload->abandoned;
}

static void drain(struct workers_item *item)
{
	struct httpd_request *request = httpd_request_of(item);
	struct httpd_upload *upload = request->upload;
	bool ended, abandoned;

	actor_set(httpd_request_name(request));
	(void)pthread_mutex_lock(&upload->lock);
	while (next_buffer(upload)) {
		const char *bytes = upload->bytes + !upload->filling * upload->capacity;
		size_t used = upload->used[!upload->filling];
		bool ok = !upload->failed;

		(void)pthread_mutex_unlock(&upload->lock);
		ok = ok && api_call_write(request->call, bytes, used);
		(void)pthread_mutex_lock(&upload->lock);
		written(request, ok);
	}
	ended = upload->ended;
	abandoned = upload->abandoned;
	upload->draining = false;
	(void)pthread_mutex_unlock(&upload->lock);
	/* Without an end the polling thread may have it again already. */
	if (ended) {
		request->step = api_call_written(request->call);
		httpd_steps_settle(request);
	} else if (abandoned) {
		httpd_request_free(request);
	}
	actor_set(NULL);
}

/* With the lock: whether a worker is needed, and has none yet. From then on the caller owes one. */
static bool owes_worker(struct httpd_upload *upload)
{
	bool owes = !upload->draining;

	upload->draining = true;
	return owes;
}

/* Without the lock, which the worker takes at once. */
static void start_worker(struct httpd_request *request)
{
	request->item.run = drain;
	workers_add(request->httpd->workers, &request->item);
}

/* ---- the polling thread's side ---- */

/* Into the buffer that is being filled, as far as there is room. */
static size_t copy(struct httpd_upload *upload, const char *bytes, size_t len)
{
	size_t used = upload->used[upload->filling], room = upload->capacity - used;
	size_t n = len < room ? len : room;

	memcpy(upload->bytes + upload->filling * upload->capacity + used, bytes, n);
	upload->used[upload->filling] += n;
	return n;
}

/* With the lock: whether a full buffer could be given to the worker. */
static bool hand_over(struct httpd_upload *upload, bool *owes)
{
	if (upload->full)
		return false;
	upload->filling = !upload->filling;
	upload->full = true;
	*owes = owes_worker(upload) || *owes;
	return true;
}

size_t httpd_upload_take(struct httpd_request *request, const char *bytes, size_t len)
{
	struct httpd_upload *upload = request->upload;
	size_t taken = 0;
	bool room = true, owes = false;

	(void)pthread_mutex_lock(&upload->lock);
	while (room && taken < len && !upload->failed) {
		taken += copy(upload, bytes + taken, len - taken);
		room = upload->used[upload->filling] < upload->capacity || hand_over(upload, &owes);
	}
	/* A piece that was all taken need not wait for a buffer; the next one will. */
	if (!room && taken < len) {
		upload->waiting = httpd_request_suspend(request);
		request->cut = !upload->waiting;
	}
	(void)pthread_mutex_unlock(&upload->lock);
	if (owes)
		start_worker(request);
	return taken;
}

bool httpd_upload_failed(struct httpd_request *request)
{
	bool failed;

	(void)pthread_mutex_lock(&request->upload->lock);
	failed = request->upload->failed;
	(void)pthread_mutex_unlock(&request->upload->lock);
	return failed;
}

bool httpd_upload_end(struct httpd_request *request)
{
	struct httpd_upload *upload = request->upload;
	bool waits, owes;

	(void)pthread_mutex_lock(&upload->lock);
	waits = httpd_request_suspend(request);
	upload->ended = waits;
	owes = waits && owes_worker(upload);
	(void)pthread_mutex_unlock(&upload->lock);
	if (owes)
		start_worker(request);
	return waits;
}

bool httpd_upload_abandon(struct httpd_request *request)
{
	struct httpd_upload *upload = request->upload;
	bool mine;

	(void)pthread_mutex_lock(&upload->lock);
	mine = !upload->draining;
	upload->abandoned = true;
	(void)pthread_mutex_unlock(&upload->lock);
	return mine;
}
