/* images_content.c - who may change the content of an image now: all writers, or one alone. */
#include "clock.h"
#include "failure.h"
#include "images_table.h"
#include "workers.h"

/* Writers come in a steady stream; who wants it alone is not kept waiting for the last of them. */
void images_content_init(struct image *image)
{
	pthread_rwlockattr_t attr;

	(void)pthread_rwlockattr_init(&attr);
	(void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(&image->content, &attr);
	(void)pthread_rwlockattr_destroy(&attr);
}

/* Of a lock that was waited for until its deadline. */
static int answer(struct image *image, int error, struct vhd_error *err)
{
	if (error == 0)
		return 0;
	(void)pthread_mutex_lock(&image->images->lock);
	images_users_blame(image, IMAGES_WRITE);
	(void)pthread_mutex_unlock(&image->images->lock);
	return failure(err, VHD_E_BUSY, "others are writing to the image");
}

typedef int lock_fn(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *deadline);

static int wait_for(struct image *image, lock_fn *lock, struct vhd_error *err)
{
	struct timespec deadline = clock_deadline(IMAGES_WAIT_MS);
	bool aside = workers_step_aside();
	int r = lock(&image->content, CLOCK_MONOTONIC, &deadline);

	if (aside)
		workers_step_back();
	return answer(image, r, err);
}

int images_content_lock(struct image *image, struct vhd_error *err)
{
	if (pthread_rwlock_trywrlock(&image->content) == 0)
		return 0;
	return wait_for(image, pthread_rwlock_clockwrlock, err);
}

int images_content_share(struct image *image, struct vhd_error *err)
{
	if (pthread_rwlock_tryrdlock(&image->content) == 0)
		return 0;
	return wait_for(image, pthread_rwlock_clockrdlock, err);
}

void images_content_unlock(struct image *image)
{
	(void)pthread_rwlock_unlock(&image->content);
}
