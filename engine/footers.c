/* footers.c - which of a file's footer copies counts. FORMAT.md 1. */
#include <inttypes.h>
#include <string.h>

#include "error.h"
#include "image.h"

struct copy {
	uint8_t raw[FOOTER_SIZE];
	struct footer footer;
	bool good;
	uint64_t offset;
};

/* Reads and decodes one copy; only a failing store is an error. `why` keeps what is wrong with a
 * copy that has the cookie. */
static int copy_read(const struct vhd_io *io, size_t len, struct copy *copy, struct vhd_error *why,
		     struct vhd_error *err)
{
	struct vhd_error bad;
	int r = io_read(io, copy->raw, len, copy->offset, err);

	if (r < 0)
		return vhd_wrap(err, r, "footer");
	r = footer_decode(copy->raw, &copy->footer, &bad);
	copy->good = r == 0;
	if (r < 0 && r != VHD_E_NOT_VHD)
		*why = bad;
	return 0;
}

struct copies {
	struct copy head, tail;
	struct vhd_error why; /* what is wrong with one that has the cookie */
	unsigned found;       /* enum vhd_footers */
};

static int read_copies(const struct vhd_io *io, uint64_t size, struct copies *all,
		       struct vhd_error *err)
{
	int r = 0;

	if (size >= FOOTER_SIZE) {
		r = copy_read(io, FOOTER_SIZE, &all->head, &all->why, err);
		all->tail.offset = size - FOOTER_SIZE;
	}
	if (r == 0 && size >= FOOTER_SIZE)
		r = copy_read(io, FOOTER_SIZE, &all->tail, &all->why, err);
	all->found =
		(all->head.good ? VHD_FOOTER_HEAD : 0U) | (all->tail.good ? VHD_FOOTER_EOF : 0U);
	if (r < 0 || all->tail.good || size < FOOTER_SIZE_OLD ||
	    (size - FOOTER_SIZE_OLD) % VHD_SECTOR != 0)
		return r;
	all->tail = (struct copy){.offset = size - FOOTER_SIZE_OLD};
	r = copy_read(io, FOOTER_SIZE_OLD, &all->tail, &all->why, err);
	all->found |= all->tail.good ? VHD_FOOTER_EOF511 : 0U;
	return r;
}

bool footer_same_disk(const struct footer *a, const struct footer *b)
{
	return a->type == b->type && memcmp(a->id, b->id, VHD_ID_SIZE) == 0;
}

/* NULL when neither will do. */
static const struct footer *choose(const struct copy *head, const struct copy *tail,
				   bool head_first)
{
	/* What a fixed disk has at offset 0 is the guest's, even if it looks like a footer. */
	if (tail->good && tail->footer.type == VHD_FIXED &&
	    tail->footer.current_size <= tail->offset)
		return &tail->footer;
	/* And what a growing file has at its end after an unclean stop may be the guest's too. */
	if (head->good && head->footer.type != VHD_FIXED) {
		bool newer =
			!head_first && tail->good && footer_same_disk(&head->footer, &tail->footer);

		return newer ? &tail->footer : &head->footer;
	}
	return tail->good && tail->footer.type != VHD_FIXED ? &tail->footer : NULL;
}

static int no_footer(const struct copies *all, uint64_t size, struct vhd_error *err)
{
	if (all->tail.good)
		return vhd_fail(err, VHD_E_CORRUPT,
				"footer: a fixed disk of %" PRIu64
				" bytes does not fit its file of %" PRIu64,
				all->tail.footer.current_size, size);
	if (all->why.code != VHD_OK)
		return vhd_fail(err, all->why.code, "%s", all->why.text);
	return vhd_fail(err, VHD_E_NOT_VHD, "no VHD footer at the end or the start of the file");
}

int footers_read(const struct vhd_io *io, bool head_first, struct footers *ret,
		 struct vhd_error *err)
{
	struct copies all = {0};
	const struct footer *chosen;
	uint64_t size = 0;
	int r = io_size(io, &size, err);

	if (r == 0)
		r = read_copies(io, size, &all, err);
	if (r < 0)
		return r;
	chosen = choose(&all.head, &all.tail, head_first);
	if (!chosen)
		return no_footer(&all, size, err);
	if (chosen->type != VHD_FIXED && all.head.good && all.tail.good &&
	    memcmp(all.head.raw, all.tail.raw, FOOTER_SIZE) != 0)
		all.found |= VHD_FOOTER_DIFFER;
	*ret = (struct footers){.footer = *chosen, .found = all.found, .file_size = size};
	return 0;
}
