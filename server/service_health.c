/* service_health.c - what the findings mean to clients: an image whose file is not what the catalog
 * says is not served, nor is what is read through it. */
#include <stdio.h>
#include <string.h>

#include "service_private.h"

/* Of the image that was asked for, and of one of its ancestors. */
static enum service_code code_of(enum finding_kind kind, bool ancestor)
{
	if (kind == FINDING_PARENT_CHANGED)
		return SERVICE_PARENT_CHANGED;
	if (kind == FINDING_POOL_OFFLINE)
		return SERVICE_POOL_OFFLINE;
	if (ancestor && kind == FINDING_WRONG_ID)
		return SERVICE_PARENT_UUID_MISMATCH;
	if (ancestor && findings_effect(kind) == FINDING_MISSING)
		return SERVICE_PARENT_MISSING;
	if (!ancestor && kind == FINDING_NOT_A_VHD)
		return SERVICE_NOT_A_VHD;
	if (!ancestor && kind == FINDING_DAMAGED)
		return SERVICE_CORRUPT_IMAGE;
	return SERVICE_CHAIN_UNHEALTHY;
}

enum service_code service_health_tell(struct service *service, const struct finding *finding,
				      bool ancestor, struct service_error *err)
{
	enum service_code code = service_fail(err, code_of(finding->kind, ancestor), "%s: %s",
					      findings_name(finding->kind), finding->text);

	err->whole = finding->kind == FINDING_HARD_LINK || finding->kind == FINDING_UNREADABLE ||
		     finding->kind == FINDING_UNCLEAN_FOOTER;
	service_codes_name(service, finding->id, err);
	return code;
}

/* Asks for what somebody could not have. */
static void try_again(struct service *service, const struct finding *met)
{
	struct vhd_error why = {0};
	uint8_t sector[VHD_SECTOR];
	struct image *image;
	int r = 0;

	if (images_pin(service->images, met->id, IMAGES_READ, 0, &image, &why) < 0)
		return;
	if (met->sector != FINDING_EVERYWHERE)
		r = vhd_read(images_disk(image), sector, sizeof sector, met->sector * VHD_SECTOR, 0,
			     &why);
	images_unpin(image, IMAGES_READ);
	if (r == 0 || r == VHD_E_PARENT_MISSING)
		findings_heal(service->findings, met);
}

enum service_code service_health_chain(struct service *service, const uint8_t id[IDS_SIZE],
				       unsigned flags, struct service_error *err)
{
	struct catalog_brief brief;
	struct finding finding;
	uint8_t at[IDS_SIZE];

	if (!findings_any_serious(service->findings) && !findings_any_met(service->findings))
		return SERVICE_OK;
	memcpy(at, id, IDS_SIZE);
	for (unsigned i = 0; i < SERVICE_DEPTH_MAX && !ids_is_zero(at); i++) {
		if (findings_serious(service->findings, at, &finding)) {
			if (flags & SERVICE_NOWAIT)
				return SERVICE_AGAIN;
			/* Somebody may have put it right. */
			(void)reconcile_image(&service->reconcile, at);
			if (findings_serious(service->findings, at, &finding))
				return service_health_tell(service, &finding, i > 0, err);
		}
		if (findings_met(service->findings, at, &finding)) {
			if (flags & SERVICE_NOWAIT)
				return SERVICE_AGAIN;
			try_again(service, &finding);
		}
		if (!catalog_brief(service->catalog, at, &brief))
			break;
		memcpy(at, brief.parent_id, IDS_SIZE);
	}
	return SERVICE_OK;
}

enum service_code service_health_file(struct service *service, const uint8_t id[IDS_SIZE],
				      struct service_error *err)
{
	struct catalog_brief brief;
	struct finding finding;

	if (!reconcile_image(&service->reconcile, id))
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	if (!findings_serious(service->findings, id, &finding))
		return SERVICE_OK;
	/* What was adopted lies where others put files: only the image itself may go. A folder
	 * cannot be removed, and would let no deletion end. */
	if (catalog_brief(service->catalog, id, &brief) && brief.adopted
		    ? finding.kind == FINDING_MISSING_FILE
		    : finding.kind != FINDING_WRONG_ID && finding.kind != FINDING_NOT_REGULAR)
		return SERVICE_OK;
	return service_health_tell(service, &finding, false, err);
}

void service_health_state(struct service *service, const uint8_t id[IDS_SIZE],
			  struct service_image *image)
{
	struct finding finding;

	image->damaged = findings_met(service->findings, id, &finding);
	if (image->damaged && finding.sector == FINDING_EVERYWHERE)
		image->state = SERVICE_CORRUPT;
	if (!findings_serious(service->findings, id, &finding))
		return;
	image->state = findings_effect(finding.kind) == FINDING_MISSING ? SERVICE_MISSING
									: SERVICE_CORRUPT;
}

/* Ends behind a word where there is no room for all. */
static void put_whole_words(char *text, size_t size, const char *from)
{
	size_t len = strlen(from);

	if (len < size) {
		memcpy(text, from, len + 1);
		return;
	}
	len = size - sizeof " …";
	while (len > 0 && from[len] != ' ')
		len--;
	(void)snprintf(text, size, "%.*s …", (int)len, from);
}

/* Those that are only in the log are not told apart. */
static void put_findings(struct service_check *check, const struct findings_count *count,
			 const struct finding *worst)
{
	const size_t room = sizeof check->text;
	size_t len = (size_t)snprintf(check->text, room, "%zu finding%s, ", count->all,
				      count->all == 1 ? "" : "s");

	if (count->lost > 0) {
		(void)snprintf(check->text + len, room - len,
			       "%zu of them only in the log for want of memory", count->lost);
		return;
	}
	len += (size_t)snprintf(check->text + len, room - len, "%s: ", findings_name(worst->kind));
	put_whole_words(check->text + len, room - len, worst->text);
}

void service_health_check(struct service *service, struct service_check *ret_check)
{
	struct finding worst;
	struct findings_count count;
	size_t n = findings_list(service->findings, &worst, 1, &count);

	*ret_check = (struct service_check){.name = "images", .ok = count.serious + count.met == 0};
	if (n + count.lost > 0)
		put_findings(ret_check, &count, &worst);
}
