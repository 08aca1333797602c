/* reconcile.c - one image: its row against its file. */
#include "reconcile.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "crash_point.h"
#include "failure.h"
#include "log.h"
#include "pool_place.h"
#include "reconcile_private.h"
#include "seal.h"

enum { TRIES = 3 };

/* What is found of one image. */
struct report {
	const struct catalog_image *row;
	struct place place;
	char where[PLACE_TEXT]; /* for people */
	struct finding items[FINDINGS_OF_IMAGE];
	size_t n;
	bool serious;
	uint64_t bytes; /* length of the file */
};

static void word(struct finding *finding, const char *name, const char *where, const char *what)
{
	(void)snprintf(finding->text, sizeof finding->text, "'%.60s': %.120s %.100s", name, where,
		       what);
}

static void find(struct report *report, enum finding_kind kind, const char *format, ...)
	VHD_PRINTF(3, 4);

static void find(struct report *report, enum finding_kind kind, const char *format, ...)
{
	struct finding *finding = &report->items[report->n];
	char text[FINDINGS_TEXT];
	va_list args;

	if (report->n == FINDINGS_OF_IMAGE)
		return;
	report->n++;
	report->serious = report->serious || findings_effect(kind) != FINDING_NOTE;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	*finding = (struct finding){.kind = kind};
	memcpy(finding->id, report->row->id, IDS_SIZE);
	word(finding, report->row->name, report->where, text);
}

/* ---- the name ---- */

static void look_at_name(struct report *report)
{
	const struct place *place = &report->place;
	struct pool_facts facts;
	struct vhd_error why;

	if (pool_look(&place->folder, place->name, &facts, &why) < 0) {
		if (why.code == VHD_E_NOT_FOUND)
			find(report, FINDING_MISSING_FILE, "is not there");
		else
			find(report, FINDING_UNREADABLE, "%s", why.text);
		return;
	}
	if (facts.kind == POOL_SYMLINK)
		find(report, FINDING_SYMLINK, "is a symbolic link, which is not followed");
	else if (facts.kind != POOL_REGULAR)
		find(report, FINDING_NOT_REGULAR, "is not a regular file");
	else if (facts.names != 1 && !place->adopted)
		find(report, FINDING_HARD_LINK, "has %" PRIu64 " names", facts.names);
	if (facts.owner != geteuid() && !place->adopted)
		find(report, FINDING_WRONG_OWNER, "belongs to user %u", facts.owner);
	report->bytes = facts.bytes;
}

/* ---- the seal ---- */

static void add_seal(struct reconcile *reconcile, const struct report *report, int fd)
{
	struct catalog_seal seal;
	struct catalog_error why = {0};
	struct vhd_error vhd_why = {0};

	if (seal_take(fd, &seal, &vhd_why) < 0)
		log_warning("'%s' is not sealed: %s", report->row->name, vhd_why.text);
	else if (catalog_seal(reconcile->catalog, report->row->id, &seal, &why) < 0 &&
		 why.code != CATALOG_E_STATE)
		log_warning("'%s' is not sealed: %s", report->row->name, why.text);
}

static void look_at_seal(struct report *report, int fd)
{
	struct vhd_error why = {0};
	int verdict = seal_check(fd, &report->row->seal, true, &why);

	CRASH_POINT("reconcile.seal-checked");
	if (verdict == SEAL_BROKEN)
		find(report, FINDING_PARENT_CHANGED, "%s", why.text);
	else if (verdict == SEAL_TOUCHED)
		find(report, FINDING_PARENT_TOUCHED,
		     "was touched since it got its first child; it has the same content");
	else if (verdict < 0)
		find(report, FINDING_UNREADABLE, "%s", why.text);
}

/* ---- what the file says it is ---- */

static enum finding_kind kind_of_failure(enum vhd_code code)
{
	if (code == VHD_E_NOT_VHD)
		return FINDING_NOT_A_VHD;
	return code == VHD_E_IO || code == VHD_E_NOMEM ? FINDING_UNREADABLE : FINDING_DAMAGED;
}

static enum vhd_type type_of(enum catalog_kind kind)
{
	switch (kind) {
	case CATALOG_DYNAMIC: return VHD_DYNAMIC;
	case CATALOG_FIXED: return VHD_FIXED;
	case CATALOG_DIFFERENCING: return VHD_DIFF;
	}
	return VHD_RAW;
}

static void compare_ids(struct report *report, const struct vhd_info *info)
{
	char id[IDS_TEXT];

	if (!ids_equal(info->id, report->row->id)) {
		ids_format(info->id, id);
		find(report, FINDING_WRONG_ID, "is the image %s", id);
	} else if (info->type != type_of(report->row->kind)) {
		find(report, FINDING_WRONG_TYPE, "is of type %d, not %d", info->type,
		     type_of(report->row->kind));
	} else if (!ids_equal(info->parent_id, report->row->parent_id)) {
		ids_format(info->parent_id, id);
		find(report, FINDING_WRONG_PARENT, "has the parent %s", id);
	}
}

static void compare_sizes(struct report *report, const struct vhd_info *info)
{
	const struct catalog_vhd *vhd = &report->row->vhd;

	if (info->size != vhd->size)
		find(report, FINDING_WRONG_SIZE, "is a disk of %" PRIu64 " bytes, not %" PRIu64,
		     info->size, vhd->size);
	if (info->block_size != vhd->block_size)
		find(report, FINDING_WRONG_BLOCK_SIZE, "has blocks of %u bytes, not %u",
		     info->block_size, vhd->block_size);
}

static void compare_footers(struct report *report, const struct vhd_info *info)
{
	const char *unclean = reconcile_unclean(info);

	/* What is dirty is repaired when it is opened. */
	if (unclean && !report->row->dirty)
		find(report, FINDING_UNCLEAN_FOOTER, "%s", unclean);
}

/* The length that the catalog knows was measured at a close; files only grow. */
static bool is_truncated(struct report *report)
{
	const struct catalog_image *row = report->row;

	if (row->dirty || row->sealed || report->bytes >= row->usage.file_bytes)
		return false;
	find(report, FINDING_TRUNCATED, "has %" PRIu64 " bytes, and had %" PRIu64, report->bytes,
	     row->usage.file_bytes);
	return true;
}

/* `again` is another descriptor of the same file. */
static void look_inside(struct reconcile *reconcile, struct report *report,
			struct vhd_engine *engine, int *fd, int again)
{
	struct vhd_error why = {0};
	struct vhd *disk = NULL;
	int r = reconcile_open(engine, fd, reconcile_hint(report->row->kind), &disk, &why);

	if (r == 0)
		compare_ids(report, vhd_info(disk));
	if (!report->serious && report->row->sealed)
		look_at_seal(report, again);
	if (!report->serious && r < 0 && !is_truncated(report))
		find(report, kind_of_failure(why.code), "%s", why.text);
	if (!report->serious && !is_truncated(report)) {
		compare_sizes(report, vhd_info(disk));
		compare_footers(report, vhd_info(disk));
	}
	if (!report->serious)
		reconcile_footer(reconcile, engine, report->row, vhd_info(disk), again);
	vhd_close(disk);
}

/* Nothing is put on record of a file that is not in order. */
static void look_at_file(struct reconcile *reconcile, struct vhd_engine *engine,
			 struct report *report)
{
	CLEANUP(closep) int fd = -1, again = -1;
	struct vhd_error why = {0};

	if (place_open(&report->place, false, &fd, &why) == 0)
		again = dup(fd); /* the engine takes one */
	if (again < 0) {
		find(report, FINDING_UNREADABLE, "%s", *why.text ? why.text : "out of descriptors");
		return;
	}
	look_inside(reconcile, report, engine, &fd, again);
	if (!report->serious && !report->row->sealed && report->row->children &&
	    !report->row->dirty)
		add_seal(reconcile, report, again);
}

/* A folder below a root that is gone is a file that is gone. */
static void miss(struct reconcile *reconcile, struct report *report, const struct catalog_place *at,
		 const struct vhd_error *why)
{
	if (at->path[0] == '\0')
		find(report, FINDING_POOL_OFFLINE,
		     "lies in a pool that is not in the configuration now");
	else if (!pool_set_allows(reconcile->pools, at->root))
		find(report, FINDING_POOL_OFFLINE,
		     "lies below a folder that is no root of the configuration now");
	else if (why->code == VHD_E_NOT_FOUND)
		find(report, FINDING_MISSING_FILE, "is not there");
	else
		find(report, FINDING_UNREADABLE, "%s", why->text);
}

static void look(struct reconcile *reconcile, struct vhd_engine *engine, struct report *report)
{
	struct catalog_place at;
	struct vhd_error why = {0};

	catalog_place_of(report->row, &at);
	place_settle(reconcile->pools, &at);
	place_text(&at, report->where);
	if (place_reach(reconcile->pools, &at, &report->place, &why) < 0) {
		miss(reconcile, report, &at, &why);
		return;
	}
	look_at_name(report);
	if (!report->serious)
		look_at_file(reconcile, engine, report);
	place_leave(&report->place);
}

/* Whether nobody has changed the image since the row was read. */
static bool still_so(struct reconcile *reconcile, const struct catalog_image *row)
{
	struct catalog_brief brief;

	return catalog_brief(reconcile->catalog, row->id, &brief) && brief.state == row->state &&
	       brief.generation == row->generation && brief.dirty == row->dirty &&
	       brief.children == row->children && brief.size == row->vhd.size;
}

/* Whoever deletes an image forgets, once, what was found of it: what comes on record after that
 * would stay there. */
static void forget_gone(struct reconcile *reconcile, const uint8_t id[IDS_SIZE])
{
	struct catalog_brief brief;

	if (!catalog_brief(reconcile->catalog, id, &brief) || brief.state != CATALOG_READY)
		findings_forget(reconcile->findings, id);
}

void reconcile_with(struct reconcile *reconcile, struct vhd_engine *engine,
		    const uint8_t id[IDS_SIZE])
{
	for (int i = 0; i < TRIES; i++) {
		CLEANUP(catalog_image_fini) struct catalog_image row = {0};
		struct report report = {.row = &row};

		if (catalog_get(reconcile->catalog, id, &row, NULL) < 0 ||
		    row.state != CATALOG_READY) {
			findings_set(reconcile->findings, id, NULL, 0);
			return;
		}
		look(reconcile, engine, &report);
		if (!still_so(reconcile, &row))
			continue;
		findings_set(reconcile->findings, id, report.items, report.n);
		forget_gone(reconcile, id);
		catalog_checked(reconcile->catalog, id, clock_wall_ms());
		return;
	}
}

bool reconcile_image(struct reconcile *reconcile, const uint8_t id[IDS_SIZE])
{
	struct vhd_engine *engine = reconcile_engine();

	if (!engine)
		return false;
	reconcile_with(reconcile, engine, id);
	vhd_engine_free(engine);
	return true;
}

/* What the engine says of a level of a chain, as it would say it of the file alone. */
static const char *alone(const struct vhd_error *why)
{
	char prefix[32];
	int len = snprintf(prefix, sizeof prefix, "level %u: ", why->level);

	return why->placed && strncmp(why->text, prefix, (size_t)len) == 0 ? why->text + len
									   : why->text;
}

void reconcile_met(struct reconcile *reconcile, const uint8_t id[IDS_SIZE],
		   const struct vhd_error *why)
{
	struct finding finding = {.kind = FINDING_DAMAGED_BLOCK,
				  .sector = why->placed ? why->sector : FINDING_EVERYWHERE};
	struct catalog_brief brief;
	struct catalog_place at;
	char where[PLACE_TEXT];

	if (!catalog_brief(reconcile->catalog, id, &brief) || brief.state != CATALOG_READY ||
	    !catalog_place(reconcile->catalog, id, &at))
		return;
	memcpy(finding.id, id, IDS_SIZE);
	place_settle(reconcile->pools, &at);
	place_text(&at, where);
	word(&finding, brief.name, where, alone(why));
	findings_meet(reconcile->findings, &finding);
	forget_gone(reconcile, id);
}

int reconcile_opened(struct reconcile *reconcile, const uint8_t id[IDS_SIZE],
		     const struct catalog_brief *brief, int fd, struct vhd_error *err)
{
	struct finding finding;
	int verdict;

	/* It is about to be repaired: that must not happen to the file of another image. */
	if (brief->dirty) {
		if (!reconcile_image(reconcile, id))
			return failure(err, VHD_E_NOMEM, "out of memory");
		if (!findings_serious(reconcile->findings, id, &finding))
			return 0;
		return failure(err, finding.kind == FINDING_UNREADABLE ? VHD_E_IO : VHD_E_NOT_FOUND,
			       "%s", finding.text);
	}
	if (!brief->sealed || !brief->children)
		return 0;
	verdict = seal_check(fd, &brief->seal, false, err);
	if (verdict == SEAL_HOLDS || verdict < 0)
		return verdict < 0 ? verdict : 0;
	(void)reconcile_image(reconcile, id);
	return verdict == SEAL_BROKEN ? VHD_E_PARENT_MISMATCH : 0;
}
