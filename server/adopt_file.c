/* adopt_file.c - one file that is to enter the catalog: whether it may, and what a person should
 * know of it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adopt.h"
#include "cleanup.h"
#include "clock.h"
#include "failure.h"
#include "seal.h"

enum service_code adopt_warn(struct adoption *adoption, enum service_code code, const char *format,
			     ...)
{
	struct service_adopted *answer = adoption->answer;
	char text[sizeof answer->warnings[0]];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (adoption->spec->strict)
		return service_fail(adoption->err, code, "%s", text);
	if (answer->n_warnings < SERVICE_ADOPT_WARNINGS)
		memcpy(answer->warnings[answer->n_warnings++], text, sizeof text);
	return SERVICE_OK;
}

enum service_code adopt_compare_times(struct adoption *adoption, const char *child,
				      uint32_t parent_timestamp, const char *parent, int64_t mtime)
{
	int64_t then = (int64_t)parent_timestamp + CLOCK_2000;

	if (service_facts_same_time(parent_timestamp, mtime))
		return SERVICE_OK;
	return adopt_warn(adoption, SERVICE_PARENT_CHANGED,
			  "parent-changed: %.90s was modified %lld s %s than %.90s says", parent,
			  (long long)(mtime > then ? mtime - then : then - mtime),
			  mtime > then ? "later" : "earlier", child);
}

static enum service_code failed(const struct adoption *adoption, const struct adopt_file *file,
				struct vhd_error *why)
{
	enum service_code code = service_codes_vhd(why, adoption->err);

	if (code != SERVICE_INTERNAL && code != SERVICE_IO_ERROR)
		(void)snprintf(adoption->err->text, sizeof adoption->err->text, "%.200s: %.300s",
			       file->found.path, why->text);
	return code;
}

/* What a crash or another daemon may do to it, no image of ours can have. */
static enum service_code judge_place(const struct adoption *adoption, struct adopt_file *file)
{
	if (!place_below(&adoption->service->pools, file->found.path, &file->at))
		return service_fail(adoption->err, SERVICE_PATH_OUTSIDE_POOL,
				    "%.200s lies below no root", file->found.path);
	if (strncmp(adopt_name(file), ".new-", 5) == 0)
		return service_fail(adoption->err, SERVICE_PATH_OUTSIDE_POOL,
				    "%.200s is the file of an image that is being made",
				    file->found.path);
	return SERVICE_OK;
}

/* What the request says of the file that it names; VHD_RAW: nothing. */
static enum vhd_type wanted(const struct adoption *adoption, const struct adopt_file *file)
{
	if (adoption->n > 0 && file != adoption->files[0])
		return VHD_RAW;
	switch (adoption->spec->kind) {
	case SERVICE_ANY_KIND: return VHD_RAW;
	case SERVICE_ONLY_FIXED: return VHD_FIXED;
	case SERVICE_ONLY_DYNAMIC: return VHD_DYNAMIC;
	case SERVICE_ONLY_DIFFERENCING: return VHD_DIFF;
	}
	return VHD_RAW;
}

static unsigned hint_of(const struct adoption *adoption, const struct adopt_file *file)
{
	enum vhd_type type = wanted(adoption, file);

	if (type == VHD_RAW)
		return 0;
	return type == VHD_FIXED ? VHD_IS_FIXED : VHD_NOT_FIXED;
}

/* The kind that the request says settles only what the file leaves open. */
static int open_disk(const struct adoption *adoption, const struct adopt_file *file, int fd,
		     unsigned flags, struct vhd **ret_disk, struct vhd_error *err)
{
	struct vhd_io io;
	int r = vhd_io_from_fd(fd, &io, err);

	if (r < 0)
		return r;
	r = vhd_open(adoption->engine, &io, flags, NULL, ret_disk, err);
	if (r == VHD_E_AMBIGUOUS && hint_of(adoption, file)) {
		io.hint = hint_of(adoption, file);
		r = vhd_open(adoption->engine, &io, flags, NULL, ret_disk, err);
	}
	if (r < 0)
		vhd_io_close(&io);
	return r;
}

static enum service_code already_there(const struct adoption *adoption, const uint8_t id[IDS_SIZE],
				       const struct adopt_file *file)
{
	struct service *service = adoption->service;
	struct catalog_place at;
	char path[PLACE_TEXT] = "";
	bool same = catalog_place(service->catalog, id, &at) &&
		    place_path(&service->pools, &at, path, NULL) == 0 &&
		    strcmp(path, file->found.path) == 0;

	(void)service_fail(adoption->err, SERVICE_DUPLICATE_UUID,
			   same ? "%.300s is in the catalog already"
				: "%.300s has the id of another image of the catalog",
			   file->found.path);
	return service_codes_taken(service, id, adoption->err);
}

/* A look without a lock, for the daemon itself may have the file open. */
static enum service_code refuse_known(const struct adoption *adoption,
				      const struct adopt_file *file)
{
	int fd = dup(file->found.fd);
	struct catalog_brief brief;
	struct vhd *disk = NULL;
	struct vhd_error why = {.code = VHD_E_NOMEM, .text = "out of descriptors"};
	enum service_code code = SERVICE_OK;

	if (fd < 0 || open_disk(adoption, file, fd, VHD_NO_PARENT | VHD_NO_LOCK, &disk, &why) < 0) {
		code = failed(adoption, file, &why);
		if (why.code == VHD_E_AMBIGUOUS)
			(void)snprintf(adoption->err->text, sizeof adoption->err->text,
				       "%.200s: %.200s: say it with 'kind'", file->found.path,
				       why.text);
		return code;
	}
	if (catalog_brief(adoption->service->catalog, vhd_info(disk)->id, &brief))
		code = already_there(adoption, vhd_info(disk)->id, file);
	vhd_close(disk);
	return code;
}

/* Locked against writers from here on; its seal is what it is now. Somebody may have failed to sync
 * it: only what the disk holds is believed. */
static int open_locked(const struct adoption *adoption, struct adopt_file *file,
		       struct vhd_error *err)
{
	CLEANUP(closep) int again = dup(file->found.fd);
	struct stat st;
	int r;

	if (again < 0 || fstat(again, &st) < 0)
		return failure(err, VHD_E_IO, "cannot look at the file");
	r = open_disk(adoption, file, file->found.fd, VHD_NO_PARENT | VHD_REREAD, &file->disk, err);
	file->found.fd = -1;
	if (r == 0)
		r = seal_take(again, &file->seal, err);
	file->mtime = clock_bounded(st.st_mtim.tv_sec);
	return r;
}

static const char *wrong_footers(const struct vhd_info *info)
{
	unsigned wanted = VHD_FOOTER_EOF | (info->type == VHD_FIXED ? 0U : VHD_FOOTER_HEAD);

	if (info->footers & VHD_FOOTER_EOF511)
		return "its footer has 511 bytes";
	if (!(info->footers & VHD_FOOTER_EOF))
		return "it has no valid footer at its end";
	if ((info->footers & wanted) != wanted)
		return "it has no valid footer at its start";
	return info->footers & VHD_FOOTER_DIFFER ? "its two footers differ" : NULL;
}

static const char *const kind_names[] = {[VHD_RAW] = "raw",
					 [VHD_FIXED] = "fixed",
					 [VHD_DYNAMIC] = "dynamic",
					 [VHD_DIFF] = "differencing"};

static enum service_code judge_kind(const struct adoption *adoption, const struct adopt_file *file)
{
	enum vhd_type type = vhd_info(file->disk)->type;
	enum vhd_type want = wanted(adoption, file);

	if (want == VHD_RAW || want == type)
		return SERVICE_OK;
	return service_fail(adoption->err, SERVICE_INVALID_VALUE,
			    "/source/kind: %.200s is a %s disk", file->found.path,
			    kind_names[type]);
}

static enum service_code judge_content(const struct adoption *adoption,
				       const struct adopt_file *file)
{
	const struct vhd_info *info = vhd_info(file->disk);
	const char *footers = wrong_footers(info);
	struct vhd_error why = {0};

	if (footers)
		return service_fail(adoption->err, SERVICE_CORRUPT_IMAGE, "%.200s: %s",
				    file->found.path, footers);
	if (info->size == 0 || info->size % VHD_SECTOR != 0)
		return service_fail(adoption->err, SERVICE_UNSUPPORTED_VHD,
				    "%.200s: its size of %llu bytes is not a multiple of 512",
				    file->found.path, (unsigned long long)info->size);
	if (info->type == VHD_DIFF && ids_is_zero(info->parent_id))
		return service_fail(adoption->err, SERVICE_UNSUPPORTED_VHD,
				    "%.200s: its parent is a raw file", file->found.path);
	if (vhd_check_blocks(file->disk, &why) < 0)
		return failed(adoption, file, &why);
	return SERVICE_OK;
}

/* Whether the name that the catalog will keep leads to the very file that was judged. */
static enum service_code judge_way(struct adoption *adoption, struct adopt_file *file)
{
	CLEANUP(closep) int fd = -1;
	bool write = file == adoption->files[0] && !adoption->spec->read_only;
	struct vhd_error why = {0};
	struct stat st = {.st_nlink = 1};
	enum service_code code = SERVICE_OK;
	int r;

	memcpy(file->at.id, vhd_info(file->disk)->id, IDS_SIZE);
	r = place_open_id(&adoption->service->pools, &file->at, write, &fd, &why);
	if ((r == VHD_E_FORBIDDEN || r == VHD_E_READONLY) && write) {
		code = adopt_warn(adoption, SERVICE_IMAGE_FROZEN,
				  "read-only: %.150s cannot be opened for writing",
				  file->found.path);
		r = place_open_id(&adoption->service->pools, &file->at, false, &fd, &why);
	}
	if (code != SERVICE_OK)
		return code;
	if (r < 0)
		return failed(adoption, file, &why);
	if (fstat(fd, &st) < 0 || st.st_dev != file->found.device || st.st_ino != file->found.inode)
		return service_fail(adoption->err, SERVICE_IMAGE_BUSY,
				    "%.200s was replaced meanwhile", file->found.path);
	if (st.st_nlink > 1)
		code = adopt_warn(adoption, SERVICE_CHAIN_UNHEALTHY,
				  "hard-link: %.150s has %lu names", file->found.path,
				  (unsigned long)st.st_nlink);
	return code;
}

/* It may be what others have waited for, which know the time it had. */
static enum service_code judge_waiting(struct adoption *adoption, const struct adopt_file *file)
{
	struct catalog_waiting children[SERVICE_ADOPT_WARNINGS];
	size_t n = catalog_waiting(adoption->service->catalog, vhd_info(file->disk)->id, children,
				   SERVICE_ADOPT_WARNINGS);
	enum service_code code = SERVICE_OK;

	for (size_t i = 0; code == SERVICE_OK && i < n; i++)
		code = adopt_compare_times(adoption, children[i].name, children[i].parent_timestamp,
					   adopt_name(file), file->mtime);
	return code;
}

enum service_code adopt_judge(struct adoption *adoption, struct adopt_file *file)
{
	struct vhd_error why = {0};
	enum service_code code = judge_place(adoption, file);

	if (code == SERVICE_OK)
		code = refuse_known(adoption, file);
	if (code != SERVICE_OK)
		return code;
	if (open_locked(adoption, file, &why) < 0)
		return failed(adoption, file, &why);
	code = judge_kind(adoption, file);
	if (code == SERVICE_OK)
		code = judge_content(adoption, file);
	if (code == SERVICE_OK)
		code = judge_way(adoption, file);
	if (code == SERVICE_OK)
		code = judge_waiting(adoption, file);
	return code;
}
