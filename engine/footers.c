/* footers.c - which of a file's footer copies counts. FORMAT.md 1. */
#include <inttypes.h>
#include <string.h>

#include "bytes.h"
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

/* Whether the copy at the end can be that of a fixed disk which fills the file. */
static bool may_be_fixed(const struct copies *all, unsigned hint)
{
	return all->tail.good && all->tail.footer.type == VHD_FIXED && !(hint & VHD_NOT_FIXED) &&
	       all->tail.footer.current_size <= all->tail.offset;
}

/* Whether the file can be a growing disk: what a fixed one has at its start is its guest's. */
static bool may_be_growing(const struct copies *all, unsigned hint)
{
	bool head = all->head.good && all->head.footer.type != VHD_FIXED;
	bool tail = all->tail.good && all->tail.footer.type != VHD_FIXED;

	return !(hint & VHD_IS_FIXED) && (head || tail);
}

int footer_fits(const struct vhd_io *io, const struct footer *footer, uint64_t file_size,
		bool *ret_fits, struct vhd_error *err)
{
	uint64_t at = footer->data_offset;
	uint8_t raw[HEADER_SIZE];
	struct header header;
	int r = 0;

	*ret_fits = range_ok(at, HEADER_SIZE, file_size);
	if (*ret_fits)
		r = io_read(io, raw, sizeof raw, at, err);
	if (r == 0 && *ret_fits)
		*ret_fits =
			header_decode(raw, at, footer->current_size, file_size, &header, NULL) == 0;
	return r;
}

static bool differ(const struct copies *all)
{
	return all->head.good && all->tail.good &&
	       memcmp(all->head.raw, all->tail.raw, FOOTER_SIZE) != 0;
}

/* Of a growing disk. After an unclean stop the end of the file may be the guest's. Where another
 * program has not ended a change of the size, the header tells which copy is right. */
static int choose(const struct vhd_io *io, const struct copies *all, bool head_first, uint64_t size,
		  const struct copy **ret_chosen, struct vhd_error *err)
{
	const struct copy *head = &all->head, *tail = &all->tail;
	const struct copy *first = head_first ? head : tail, *second = head_first ? tail : head;
	bool fits = true;
	int r = 0;

	if (!head->good || head->footer.type == VHD_FIXED)
		first = tail;
	else if (!tail->good || !footer_same_disk(&head->footer, &tail->footer))
		first = head;
	else if (differ(all))
		r = footer_fits(io, &first->footer, size, &fits, err);
	if (r == 0 && !fits) {
		r = footer_fits(io, &second->footer, size, &fits, err);
		first = fits ? second : first;
	}
	if (r == 0)
		*ret_chosen = first;
	return r;
}

/* Which copies speak of the disk that was chosen; another one at the end is the guest's. */
static unsigned found(const struct copies *all, const struct copy *chosen)
{
	unsigned found = all->found;

	if (chosen->footer.type == VHD_FIXED)
		return found & ~(unsigned)VHD_FOOTER_HEAD;
	if (all->tail.good && !footer_same_disk(&all->tail.footer, &chosen->footer))
		return VHD_FOOTER_HEAD;
	if (differ(all))
		found |= VHD_FOOTER_DIFFER;
	return found;
}

static int no_footer(const struct copies *all, uint64_t size, struct vhd_error *err)
{
	if (all->tail.good && all->tail.footer.type == VHD_FIXED &&
	    all->tail.footer.current_size > all->tail.offset)
		return vhd_fail(
			err, VHD_E_CORRUPT,
			"footer: current size %" PRIu64
			" at 48: a fixed disk of that size does not fit its file of %" PRIu64,
			all->tail.footer.current_size, size);
	if (all->why.code != VHD_OK)
		return vhd_fail(err, all->why.code, "%s", all->why.text);
	return vhd_fail(err, VHD_E_NOT_VHD, "no VHD footer at the end or the start of the file");
}

int footers_read(const struct vhd_io *io, bool head_first, struct footers *ret,
		 struct vhd_error *err)
{
	struct copies all = {0};
	const struct copy *chosen;
	bool fixed, growing;
	uint64_t size = 0;
	int r = io_size(io, &size, err);

	if (r == 0)
		r = read_copies(io, size, &all, err);
	if (r < 0)
		return r;
	fixed = may_be_fixed(&all, io->hint);
	growing = may_be_growing(&all, io->hint);
	if (fixed && growing)
		return vhd_fail(
			err, VHD_E_AMBIGUOUS,
			"the file has the footer of a fixed disk at its end and that of a growing one at its start: "
			"only who made it knows which it is");
	if (!fixed && !growing)
		return no_footer(&all, size, err);
	chosen = &all.tail;
	if (!fixed)
		r = choose(io, &all, head_first, size, &chosen, err);
	if (r < 0)
		return r;
	*ret = (struct footers){
		.footer = chosen->footer, .found = found(&all, chosen), .file_size = size};
	memcpy(ret->raw, chosen->raw, FOOTER_SIZE);
	return 0;
}
