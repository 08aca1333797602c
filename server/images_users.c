/* images_users.c - who uses an image now, so that who waits for it in vain is told. A user who
 * found no memory is not told of. All with the lock of the table. */
#include <stdio.h>
#include <string.h>

#include "images_table.h"

struct images_user {
	struct images_user *next;
	int use;
	char name[ACTOR_NAME];
};

static void name_self(char ret_name[ACTOR_NAME])
{
	const char *request = actor_request();

	/* No request can have a name like this. */
	(void)snprintf(ret_name, ACTOR_NAME, "%s", request ? request : "(daemon)");
}

void images_users_hold(struct image *image)
{
	image->held = true;
	name_self(image->held_by);
}

void images_users_add(struct image *image, int use)
{
	struct images_user *user = malloc(sizeof *user);

	if (!user)
		return;
	user->use = use;
	name_self(user->name);
	user->next = image->users;
	image->users = user;
}

/* Users of one name are alike. */
void images_users_remove(struct image *image, int use)
{
	struct images_user **at = &image->users, *user;
	char self[ACTOR_NAME];

	name_self(self);
	while (*at && ((*at)->use != use || strcmp((*at)->name, self) != 0))
		at = &(*at)->next;
	user = *at;
	if (!user)
		return;
	*at = user->next;
	free(user);
}

/* Somebody else who uses it so. */
static const char *find(const struct image *image, int use)
{
	const struct images_user *user = image->users;
	char self[ACTOR_NAME];

	name_self(self);
	while (user &&
	       ((use != IMAGES_ANY_USE && user->use != use) || strcmp(user->name, self) == 0))
		user = user->next;
	return user ? user->name : NULL;
}

void images_users_blame(const struct image *image, int use)
{
	const char *name = image->held ? image->held_by : find(image, use);

	if (!name)
		name = image->flushing ? "(flush)" : "";
	actor_blame(name);
}

void images_holder(struct images *images, const uint8_t id[IDS_SIZE], char ret_name[ACTOR_NAME])
{
	const struct image *image;

	(void)pthread_mutex_lock(&images->lock);
	image = images_find(images, id);
	(void)snprintf(ret_name, ACTOR_NAME, "%s", image && image->held ? image->held_by : "");
	(void)pthread_mutex_unlock(&images->lock);
}

bool images_users_left_child(struct images *images, const uint8_t id[IDS_SIZE])
{
	const struct image *child;
	struct catalog_brief brief;
	uint8_t child_id[IDS_SIZE];

	if (!catalog_unsettled_child(images->catalog, id, child_id) ||
	    !catalog_brief(images->catalog, child_id, &brief) || brief.state != CATALOG_DELETING)
		return false;
	child = images_find(images, child_id);
	return !child || !child->held;
}
