/* adopt_walk.c - the files of a chain that lies on disk, one after the other. What a file says is
 * only a hint: where it is and what it is decide the kernel, the roots and its unique id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adopt.h"
#include "cleanup.h"
#include "reconcile_private.h"

/* The first kind of failure is about the file that the request names. */
static enum service_code not_found(const struct vhd_error *why, struct service_error *err)
{
	switch ((int)why->code) {
	case VHD_E_NOT_FOUND: return service_fail(err, SERVICE_SOURCE_NOT_FOUND, "%s", why->text);
	case VHD_E_FORBIDDEN: return service_fail(err, SERVICE_PATH_OUTSIDE_POOL, "%s", why->text);
	default: return service_codes_vhd(why, err);
	}
}

/* ---- the chain ---- */

static struct adopt_file *add_file(struct adoption *adoption)
{
	struct adopt_file *file = calloc(1, sizeof *file), **more;
	size_t room = adoption->room ? 2 * adoption->room : 8;

	if (file && adoption->n == adoption->room) {
		more = reallocarray(adoption->files, room, sizeof(struct adopt_file *));
		if (more) {
			adoption->files = more;
			adoption->room = room;
		}
	}
	if (!file || adoption->n == adoption->room) {
		free(file);
		(void)service_fail(adoption->err, SERVICE_INTERNAL, "out of memory");
		return NULL;
	}
	file->found.fd = -1;
	adoption->files[adoption->n++] = file;
	return file;
}

void adopt_walk_close(struct adoption *adoption)
{
	for (size_t i = 0; i < adoption->n; i++) {
		closep(&adoption->files[i]->found.fd);
		vhd_close(adoption->files[i]->disk);
		free(adoption->files[i]);
	}
	for (size_t i = 0; i < adoption->n_folders; i++)
		free(adoption->folders[i]);
	free(adoption->files);
	adoption->files = NULL;
	adoption->n_folders = 0;
	adoption->n = 0;
	vhd_engine_free(adoption->engine);
	adoption->engine = NULL;
}

static void set_roots(struct adoption *adoption)
{
	const struct pool_set *pools = &adoption->service->pools;
	size_t n = 0;

	for (size_t i = 0; i < pools->n_roots; i++) {
		adoption->roots[n++] = pool_set_root_path(pools, i);
		adoption->roots[n++] = pools->roots[i].name;
	}
	for (size_t i = 0; i < pools->n; i++)
		adoption->roots[n++] = pool_path(pools->items[i].pool);
	adoption->paths.roots = adoption->roots;
	adoption->paths.n_roots = n;
}

static void set_search(struct adoption *adoption)
{
	const struct pool_set *pools = &adoption->service->pools;
	const struct service_adopt *spec = adoption->spec;
	size_t n = 0;

	for (size_t i = 0; i < adoption->n_folders; i++)
		adoption->search[n++] = adoption->folders[i];
	for (size_t i = 0; i < spec->n_search && n < ADOPT_SEARCH_MAX; i++)
		adoption->search[n++] = spec->search[i];
	for (size_t i = 0; spec->n_search == 0 && i < pools->n && n < ADOPT_SEARCH_MAX; i++)
		adoption->search[n++] = pool_path(pools->items[i].pool);
	adoption->paths.search = adoption->search;
	adoption->paths.n_search = n;
}

/* The folder of a child comes to the front; of many folders the oldest is given up. */
static bool enter_folder(struct adoption *adoption, const char *path)
{
	char *folder = strndup(path, (size_t)(strrchr(path, '/') - path) + (path[1] == '/'));
	size_t i = 0;

	if (!folder)
		return false;
	while (i < adoption->n_folders && strcmp(adoption->folders[i], folder) != 0)
		i++;
	if (i < adoption->n_folders)
		free(adoption->folders[i]);
	else if (adoption->n_folders < ADOPT_FOLDERS_MAX)
		adoption->n_folders++;
	else
		free(adoption->folders[--i]);
	memmove(adoption->folders + 1, adoption->folders, i * sizeof *adoption->folders);
	adoption->folders[0] = folder;
	return true;
}

static enum service_code take_leaf(struct adoption *adoption)
{
	struct adopt_file *file = add_file(adoption);
	struct vhd_error why = {0};

	if (!file)
		return SERVICE_INTERNAL;
	set_search(adoption);
	if (vhd_find_file(&adoption->paths, adoption->spec->path, &file->found, &why) < 0)
		return not_found(&why, adoption->err);
	return adopt_judge(adoption, file);
}

static bool is_among(const struct adoption *adoption, const uint8_t id[IDS_SIZE])
{
	for (size_t i = 0; i < adoption->n; i++) {
		if (ids_equal(vhd_info(adoption->files[i]->disk)->id, id))
			return true;
	}
	return false;
}

static enum service_code parent_not_found(const struct adoption *adoption,
					  const struct adopt_file *child,
					  const struct vhd_error *why)
{
	enum service_code code = service_codes_vhd(why, adoption->err);
	char id[IDS_TEXT];

	ids_format(vhd_info(child->disk)->parent_id, id);
	if (code != SERVICE_INTERNAL && code != SERVICE_IO_ERROR)
		(void)snprintf(adoption->err->text, sizeof adoption->err->text,
			       "%.130s: parent %s: %.320s", child->found.path, id, why->text);
	return code;
}

/* An error of an ancestor is one of the chain. */
static enum service_code take_parent(struct adoption *adoption, const struct adopt_file *child)
{
	struct adopt_file *file = add_file(adoption);
	struct vhd_error why = {0};

	if (!file)
		return SERVICE_INTERNAL;
	if (!enter_folder(adoption, child->found.path) ||
	    !enter_folder(adoption, child->found.name))
		return service_fail(adoption->err, SERVICE_INTERNAL, "out of memory");
	set_search(adoption);
	if (vhd_find_parent(&adoption->paths, child->disk, &file->found, &why) < 0)
		return parent_not_found(adoption, child, &why);
	return adopt_judge(adoption, file);
}

static enum service_code check_parent(struct adoption *adoption, const struct adopt_file *child,
				      const struct adopt_file *parent)
{
	const struct vhd_info *info = vhd_info(child->disk);

	if (!ids_equal(info->parent_id, vhd_info(parent->disk)->id))
		return service_fail(adoption->err, SERVICE_PARENT_UUID_MISMATCH,
				    "%.200s was replaced meanwhile", parent->found.path);
	return adopt_compare_times(adoption, adopt_name(child), info->parent_timestamp,
				   adopt_name(parent), parent->mtime);
}

/* One that nobody has to look for: of an image, or of one that may be missing. */
static bool ends_here(struct adoption *adoption, const struct vhd_info *info)
{
	struct catalog_brief brief;

	adoption->has_parent = catalog_brief(adoption->service->catalog, info->parent_id, &brief);
	if (adoption->has_parent)
		memcpy(adoption->parent_id, info->parent_id, IDS_SIZE);
	adoption->parent_missing = !adoption->has_parent && !adoption->spec->chain;
	return adoption->has_parent || adoption->parent_missing;
}

static enum service_code warn_missing(struct adoption *adoption, const struct adopt_file *child)
{
	char id[IDS_TEXT];

	ids_format(vhd_info(child->disk)->parent_id, id);
	return adopt_warn(adoption, SERVICE_PARENT_MISSING,
			  "parent-missing: the parent %s of %.150s is not in the catalog", id,
			  adopt_name(child));
}

static enum service_code refuse_cycle(struct adoption *adoption, const struct adopt_file *child)
{
	char id[IDS_TEXT];

	ids_format(vhd_info(child->disk)->parent_id, id);
	return service_fail(adoption->err, SERVICE_CHAIN_CYCLE,
			    "%.200s: its parent %s is among its own descendants", child->found.path,
			    id);
}

/* Down from the last file that was taken; *ret_more is false at the end of the chain. */
static enum service_code go_down(struct adoption *adoption, bool *ret_more)
{
	const struct adopt_file *child = adoption->files[adoption->n - 1];
	const struct vhd_info *info = vhd_info(child->disk);
	enum service_code code;

	*ret_more = false;
	if (info->type != VHD_DIFF)
		return SERVICE_OK;
	if (is_among(adoption, info->parent_id))
		return refuse_cycle(adoption, child);
	if (ends_here(adoption, info))
		return adoption->parent_missing ? warn_missing(adoption, child) : SERVICE_OK;
	if (adoption->n >= adoption->service->about.depth_max)
		return service_fail(adoption->err, SERVICE_CHAIN_TOO_DEEP,
				    "a chain has at most %u images",
				    adoption->service->about.depth_max);
	*ret_more = true;
	code = take_parent(adoption, child);
	return code == SERVICE_OK ? check_parent(adoption, child, adoption->files[adoption->n - 1])
				  : code;
}

enum service_code adopt_walk(struct adoption *adoption)
{
	enum service_code code;
	bool more = true;

	adoption->engine = reconcile_engine();
	if (!adoption->engine)
		return service_fail(adoption->err, SERVICE_INTERNAL, "out of memory");
	set_roots(adoption);
	code = take_leaf(adoption);
	while (code == SERVICE_OK && more)
		code = go_down(adoption, &more);
	return code;
}
