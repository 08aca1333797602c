/* fields.c - metadata by the names of the reference library. Numbers are unsigned here: it prints
 * large ones as negative. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "error.h"
#include "image.h"
#include "locator.h"
#include "utf.h"
#include "writer.h"

/* blktap's batmap header, FORMAT.md 7. */
enum { BM_OFFSET = 8, BM_SIZE = 16, BM_VERSION = 20, BM_CHECKSUM = 24, BM_LENGTH = 28 };

static const char batmap_cookie[8] = "tdbatmap";

struct text {
	char *buf;
	size_t size;
};

/* `arg`: where in struct image, or which of several. VHD_E_NOT_FOUND: this image has none. */
typedef int say_fn(const struct image *image, size_t arg, const struct text *out,
		   struct vhd_error *err);

static int say(const struct text *out, const char *format, ...) VHD_PRINTF(2, 3);
static int say(const struct text *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(out->buf, out->size, format, args);
	va_end(args);
	return 0;
}

static const void *member(const struct image *image, size_t at)
{
	return (const char *)image + at;
}

static int say_u32(const struct image *image, size_t at, const struct text *out,
		   struct vhd_error *err)
{
	(void)err;
	return say(out, "%" PRIu32, *(const uint32_t *)member(image, at));
}

static int say_u64(const struct image *image, size_t at, const struct text *out,
		   struct vhd_error *err)
{
	(void)err;
	return say(out, "%" PRIu64, *(const uint64_t *)member(image, at));
}

static int say_id(const struct image *image, size_t at, const struct text *out,
		  struct vhd_error *err)
{
	char id[ID_TEXT];

	(void)err;
	image_id_text(member(image, at), id);
	return say(out, "%s", id);
}

static int say_features(const struct image *image, size_t arg, const struct text *out,
			struct vhd_error *err)
{
	(void)arg, (void)err;
	return say(out, "%s", image->footer.features & FOOTER_TEMPORARY ? "Temporary" : "");
}

/* NULs at its end are padding. */
static int say_creator(const struct image *image, size_t arg, const struct text *out,
		       struct vhd_error *err)
{
	int len = 4;

	(void)arg, (void)err;
	while (len > 0 && image->footer.creator[len - 1] == 0)
		len--;
	return say(out, "%.*s", len, image->info.creator);
}

static int say_host(const struct image *image, size_t arg, const struct text *out,
		    struct vhd_error *err)
{
	const uint8_t *os = image->footer.creator_os;

	(void)arg, (void)err;
	if (memcmp(os, "Wi2k", 4) == 0)
		return say(out, "Windows");
	if (memcmp(os, "Mac ", 4) == 0)
		return say(out, "Macintosh");
	return say(out, "Other %" PRIx32, get_be32(os));
}

static int say_geometry(const struct image *image, size_t arg, const struct text *out,
			struct vhd_error *err)
{
	const struct footer *footer = &image->footer;

	(void)arg, (void)err;
	return say(out, "{ cylinders = %u; heads = %u; sectors = %u }", footer->cylinders,
		   footer->heads, footer->sectors_per_track);
}

static int say_type(const struct image *image, size_t arg, const struct text *out,
		    struct vhd_error *err)
{
	(void)arg, (void)err;
	switch (image->footer.type) {
	case VHD_FIXED: return say(out, "Fixed_hard_disk");
	case VHD_DYNAMIC: return say(out, "Dynamic_hard_disk");
	case VHD_DIFF: return say(out, "Differencing_hard_disk");
	case VHD_RAW: break;
	}
	return say(out, "Raw");
}

static int say_saved(const struct image *image, size_t arg, const struct text *out,
		     struct vhd_error *err)
{
	(void)arg, (void)err;
	return say(out, "%s", image->footer.saved_state ? "true" : "false");
}

static int say_shift(const struct image *image, size_t arg, const struct text *out,
		     struct vhd_error *err)
{
	(void)arg, (void)err;
	return say(out, "%d", __builtin_ctz(image->header.block_size / VHD_SECTOR));
}

static int say_name(const struct image *image, size_t arg, const struct text *out,
		    struct vhd_error *err)
{
	(void)arg, (void)err;
	return say(out, "%s", image->header.parent_name);
}

static const char *code_name(uint32_t code)
{
	switch (code) {
	case 0: return "None";
	case LOCATOR_WI2R: return "Wi2r [deprecated]";
	case LOCATOR_WI2K: return "Wi2k [deprecated]";
	case LOCATOR_W2RU: return "W2ru";
	case LOCATOR_W2KU: return "W2ku";
	case LOCATOR_MAC: return "Mac ";
	case LOCATOR_MACX: return "MacX";
	default: return "Unknown";
	}
}

/* Its kind, the space in bytes and as stored, the length, the offset, and the text. */
static int say_locator(const struct image *image, size_t slot, const struct text *out,
		       struct vhd_error *err)
{
	CLEANUP(freep) struct vhd_locator *locators = calloc(VHD_LOCATORS, sizeof *locators);
	const struct locator_entry *entry = &image->header.locators[slot];
	int r;

	if (!locators)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for locators");
	r = image_locators(image, locators, err);
	if (r < 0)
		return r;
	return say(out, "(%s %" PRIx64 " %" PRIx32 ", %" PRIu32 ", 0x%" PRIx64 ", %s)",
		   code_name(entry->code), locator_space(entry), entry->data_space,
		   entry->data_length, entry->data_offset, locators[slot].text);
}

static int read_batmap(const struct image *image, uint8_t raw[BM_LENGTH], struct vhd_error *err)
{
	uint64_t table_size = round_up((uint64_t)image->header.max_entries * 4, VHD_SECTOR);
	uint64_t at = image->header.table_offset + table_size;
	int r;

	if (!range_ok(at, VHD_SECTOR, image->file_size))
		return vhd_fail(err, VHD_E_NOT_FOUND, "the image has no batmap");
	r = io_read(&image->io, raw, BM_LENGTH, at, err);
	if (r == 0 && memcmp(raw, batmap_cookie, sizeof batmap_cookie) != 0)
		return vhd_fail(err, VHD_E_NOT_FOUND, "the image has no batmap");
	return r;
}

static int say_batmap(const struct image *image, size_t at, const struct text *out,
		      struct vhd_error *err)
{
	uint8_t raw[BM_LENGTH] = {0};
	int r = read_batmap(image, raw, err);

	if (r < 0)
		return r;
	if (at == BM_VERSION)
		return say(out, "%u.%u", get_be16(raw + BM_VERSION),
			   get_be16(raw + BM_VERSION + 2));
	if (at == BM_OFFSET)
		return say(out, "%" PRIu64, get_be64(raw + BM_OFFSET));
	return say(out, "%" PRIu32, get_be32(raw + at));
}

#define IN_FOOTER(field) FOOTER, offsetof(struct image, footer.field)
#define IN_HEADER(field) HEADER, offsetof(struct image, header.field)

/* In the reference's order, its mixed spelling included: name, how it is said, and of what. */
#define FIELDS(ROW)                                                    \
	ROW("features", say_features, FOOTER, 0)                       \
	ROW("data-offset", say_u64, IN_FOOTER(data_offset))            \
	ROW("time-stamp", say_u32, IN_FOOTER(timestamp))               \
	ROW("creator-application", say_creator, FOOTER, 0)             \
	ROW("creator_version", say_u32, IN_FOOTER(creator_version))    \
	ROW("creator-host-os", say_host, FOOTER, 0)                    \
	ROW("original-size", say_u64, IN_FOOTER(original_size))        \
	ROW("current-size", say_u64, IN_FOOTER(current_size))          \
	ROW("geometry", say_geometry, FOOTER, 0)                       \
	ROW("disk-type", say_type, FOOTER, 0)                          \
	ROW("footer-checksum", say_u32, IN_FOOTER(checksum))           \
	ROW("uuid", say_id, IN_FOOTER(id))                             \
	ROW("saved-state", say_saved, FOOTER, 0)                       \
	ROW("table-offset", say_u64, IN_HEADER(table_offset))          \
	ROW("max-table-entries", say_u32, IN_HEADER(max_entries))      \
	ROW("block-size-sectors-shift", say_shift, HEADER, 0)          \
	ROW("header-checksum", say_u32, IN_HEADER(checksum))           \
	ROW("parent_unique_id", say_id, IN_HEADER(parent_id))          \
	ROW("parent-time-stamp", say_u32, IN_HEADER(parent_timestamp)) \
	ROW("parent-unicode-name", say_name, HEADER, 0)                \
	ROW("parent-locator-0", say_locator, HEADER, 0)                \
	ROW("parent-locator-1", say_locator, HEADER, 1)                \
	ROW("parent-locator-2", say_locator, HEADER, 2)                \
	ROW("parent-locator-3", say_locator, HEADER, 3)                \
	ROW("parent-locator-4", say_locator, HEADER, 4)                \
	ROW("parent-locator-5", say_locator, HEADER, 5)                \
	ROW("parent-locator-6", say_locator, HEADER, 6)                \
	ROW("parent-locator-7", say_locator, HEADER, 7)                \
	ROW("batmap-version", say_batmap, HEADER, BM_VERSION)          \
	ROW("batmap-offset", say_batmap, HEADER, BM_OFFSET)            \
	ROW("batmap-size-in-sectors", say_batmap, HEADER, BM_SIZE)     \
	ROW("batmap-checksum", say_batmap, HEADER, BM_CHECKSUM)

enum part { FOOTER, HEADER };

#define NAME_OF(name, ...) name,
#define ROW_OF(name, ...)  {__VA_ARGS__},

static const char *const names[] = {FIELDS(NAME_OF) NULL};
static const struct {
	say_fn *say;
	enum part part;
	size_t arg;
} fields[] = {FIELDS(ROW_OF)};

const char *const *vhd_field_names(void)
{
	return names;
}

/* What was cut may end in half a character. */
static void trim(char *text)
{
	size_t len = strlen(text), i = 0;

	while (i < len) {
		uint32_t c;
		size_t n = utf8_next(text + i, len - i, &c);

		if (c == UTF_MALFORMED)
			break;
		i += n;
	}
	text[i] = '\0';
}

/* vhd_set_footer may change it meanwhile. */
static void lock_footer(const struct image *image)
{
	if (image->writer)
		pthread_mutex_lock(&image->writer->lock);
}

static void unlock_footer(const struct image *image)
{
	if (image->writer)
		pthread_mutex_unlock(&image->writer->lock);
}

int vhd_field(const struct vhd *disk, const char *name, char *ret_text, size_t len,
	      struct vhd_error *err)
{
	const struct image *image = disk->image;
	const struct text out = {ret_text, len};
	size_t i = 0;
	int r;

	if (len == 0)
		return vhd_fail(err, VHD_E_INVALID, "no room for the text of a field");
	while (names[i] && strcmp(names[i], name) != 0)
		i++;
	if (!names[i])
		return vhd_fail(err, VHD_E_NOT_FOUND, "no field is called %s", name);
	if (image->info.type == VHD_RAW || (fields[i].part == HEADER && image_flat(image)))
		return vhd_fail(err, VHD_E_NOT_FOUND, "%s: this image has no %s", name,
				fields[i].part == HEADER ? "header" : "footer");
	if (fields[i].part == FOOTER)
		lock_footer(image);
	r = fields[i].say(image, fields[i].arg, &out, err);
	if (fields[i].part == FOOTER)
		unlock_footer(image);
	if (r < 0)
		return vhd_wrap(err, r, "%s", name);
	trim(ret_text);
	return 0;
}
