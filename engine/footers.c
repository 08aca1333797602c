/* footers.c - which of a file's footer copies counts. FORMAT.md 1. */
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

static int read_copies(const struct vhd_io *io, uint64_t size, struct copy *head, struct copy *tail,
		       struct footers *ret, struct vhd_error *why, struct vhd_error *err)
{
	int r = 0;

	if (size >= FOOTER_SIZE) {
		r = copy_read(io, FOOTER_SIZE, head, why, err);
		tail->offset = size - FOOTER_SIZE;
	}
	if (r == 0 && size >= FOOTER_SIZE)
		r = copy_read(io, FOOTER_SIZE, tail, why, err);
	ret->found = (head->good ? VHD_FOOTER_HEAD : 0U) | (tail->good ? VHD_FOOTER_EOF : 0U);
	if (r < 0 || tail->good || size < FOOTER_SIZE_OLD ||
	    (size - FOOTER_SIZE_OLD) % VHD_SECTOR != 0)
		return r;
	*tail = (struct copy){.offset = size - FOOTER_SIZE_OLD};
	r = copy_read(io, FOOTER_SIZE_OLD, tail, why, err);
	ret->found |= tail->good ? VHD_FOOTER_EOF511 : 0U;
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
	if (head->good && head->footer.type != VHD_FIXED)
		return !head_first && tail->good && footer_same_disk(&head->footer, &tail->footer)
			       ? &tail->footer
			       : &head->footer;
	return tail->good && tail->footer.type != VHD_FIXED ? &tail->footer : NULL;
}

int footers_read(const struct vhd_io *io, bool head_first, struct footers *ret,
		 struct vhd_error *err)
{
	struct copy head = {0}, tail = {0};
	struct vhd_error why = {0};
	struct footers footers = {0};
	const struct footer *chosen;
	int r = io_size(io, &footers.file_size, err);

	if (r == 0)
		r = read_copies(io, footers.file_size, &head, &tail, &footers, &why, err);
	if (r < 0)
		return r;
	chosen = choose(&head, &tail, head_first);
	if (!chosen && tail.good)
		return vhd_fail(err, VHD_E_CORRUPT,
				"footer: a fixed disk of %llu bytes does not fit its file of %llu",
				(unsigned long long)tail.footer.current_size,
				(unsigned long long)footers.file_size);
	if (!chosen && why.code != VHD_OK)
		return vhd_fail(err, why.code, "%s", why.text);
	if (!chosen)
		return vhd_fail(err, VHD_E_NOT_VHD,
				"no VHD footer at the end or the start of the file");
	footers.footer = *chosen;
	if (chosen->type != VHD_FIXED && head.good && tail.good &&
	    memcmp(head.raw, tail.raw, FOOTER_SIZE) != 0)
		footers.found |= VHD_FOOTER_DIFFER;
	*ret = footers;
	return 0;
}
