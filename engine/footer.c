/* footer.c - 512 bytes on disk <-> struct footer. What passed footer_decode is not checked again.
 */
#include "footer.h"

#include "bytes.h"
#include "error.h"

#include <inttypes.h>
#include <string.h>

/* FORMAT.md 1 */
enum {
	FTR_COOKIE = 0,
	FTR_FEATURES = 8,
	FTR_VERSION = 12,
	FTR_DATA_OFFSET = 16,
	FTR_TIMESTAMP = 24,
	FTR_CREATOR = 28,
	FTR_CREATOR_VERSION = 32,
	FTR_CREATOR_OS = 36,
	FTR_ORIGINAL_SIZE = 40,
	FTR_CURRENT_SIZE = 48,
	FTR_CYLINDERS = 56,
	FTR_HEADS = 58,
	FTR_SECTORS = 59,
	FTR_TYPE = 60,
	FTR_CHECKSUM = 64,
	FTR_ID = 68,
	FTR_SAVED_STATE = 84,
	FTR_HIDDEN = 85,
};
enum { VERSION = 0x00010000, TAP_HIDDEN_UNSUMMED = 0x00010001, TAP_LITTLE_ENDIAN = 0x00000001 };
#define FIXED_SIZE_END (1ULL << 62)

static const char cookie[8] = "conectix", poison[8] = "v_poison";
static const char tap[4] = "tap";

bool footer_has_cookie(const uint8_t raw[FOOTER_SIZE])
{
	return memcmp(raw + FTR_COOKIE, cookie, sizeof cookie) == 0;
}

/* The ones' complement of the sum of all bytes but the checksum's own. */
static uint32_t checksum(const uint8_t raw[FOOTER_SIZE])
{
	uint32_t sum = 0;

	for (size_t i = 0; i < FOOTER_SIZE; i++)
		sum += raw[i];
	for (size_t i = 0; i < 4; i++)
		sum -= raw[FTR_CHECKSUM + i];
	return ~sum;
}

static bool made_by_tap(const uint8_t raw[FOOTER_SIZE], uint32_t version_max)
{
	return memcmp(raw + FTR_CREATOR, tap, sizeof tap) == 0 &&
	       get_be32(raw + FTR_CREATOR_VERSION) <= version_max;
}

static int prove_checksum(const uint8_t raw[FOOTER_SIZE], struct vhd_error *err)
{
	uint32_t stored = get_be32(raw + FTR_CHECKSUM), sum = checksum(raw);

	if (stored == sum)
		return 0;
	/* Early blktap set `hidden` without summing again. */
	if (made_by_tap(raw, TAP_HIDDEN_UNSUMMED) && stored == sum + raw[FTR_HIDDEN])
		return 0;
	return vhd_fail(err, VHD_E_CORRUPT,
			"footer: checksum 0x%08" PRIX32 " at %d: the bytes give 0x%08" PRIX32,
			stored, FTR_CHECKSUM, sum);
}

static int prove_kind(const uint8_t raw[FOOTER_SIZE], struct vhd_error *err)
{
	uint32_t version = get_be32(raw + FTR_VERSION), type = get_be32(raw + FTR_TYPE);

	if (version != VERSION)
		return vhd_fail(err, VHD_E_UNSUPPORTED,
				"footer: version 0x%08" PRIX32 " at %d: only 0x%08X is known",
				version, FTR_VERSION, (unsigned)VERSION);
	if (type != VHD_FIXED && type != VHD_DYNAMIC && type != VHD_DIFF)
		return vhd_fail(err, VHD_E_UNSUPPORTED,
				"footer: disk type %" PRIu32 " at %d: only 2, 3 and 4 are known",
				type, FTR_TYPE);
	if (type != VHD_FIXED && made_by_tap(raw, TAP_LITTLE_ENDIAN))
		return vhd_fail(err, VHD_E_UNSUPPORTED,
				"footer: creator version 0x%08" PRIX32
				" at %d: bitmaps of tap 0.1 are little-endian",
				get_be32(raw + FTR_CREATOR_VERSION), FTR_CREATOR_VERSION);
	return 0;
}

static int prove_size(const uint8_t raw[FOOTER_SIZE], struct vhd_error *err)
{
	uint64_t size = get_be64(raw + FTR_CURRENT_SIZE);
	bool fixed = get_be32(raw + FTR_TYPE) == VHD_FIXED;

	if (size == 0 || size % VHD_SECTOR != 0)
		return vhd_fail(err, VHD_E_CORRUPT,
				"footer: current size %" PRIu64
				" at %d: not a multiple of 512 from 512 on",
				size, FTR_CURRENT_SIZE);
	if (fixed && size >= FIXED_SIZE_END)
		return vhd_fail(err, VHD_E_CORRUPT,
				"footer: current size %" PRIu64 " at %d: more than a file can hold",
				size, FTR_CURRENT_SIZE);
	if (!fixed && size > VHD_SIZE_MAX)
		return vhd_fail(err, VHD_E_CORRUPT,
				"footer: current size %" PRIu64 " at %d: the limit is %" PRIu64
				" (2040 GiB)",
				size, FTR_CURRENT_SIZE, (uint64_t)VHD_SIZE_MAX);
	return 0;
}

/* What a fixed disk says there means nothing. */
static int prove_data_offset(const uint8_t raw[FOOTER_SIZE], struct vhd_error *err)
{
	uint64_t off = get_be64(raw + FTR_DATA_OFFSET);

	if (get_be32(raw + FTR_TYPE) == VHD_FIXED || (off >= FOOTER_SIZE && off % VHD_SECTOR == 0))
		return 0;
	return vhd_fail(err, VHD_E_CORRUPT,
			"footer: data offset 0x%" PRIX64
			" at %d: not a multiple of 512 from 512 on",
			off, FTR_DATA_OFFSET);
}

static int prove(const uint8_t raw[FOOTER_SIZE], struct vhd_error *err)
{
	static int (*const steps[])(const uint8_t raw[FOOTER_SIZE], struct vhd_error *err) = {
		prove_checksum,
		prove_kind,
		prove_size,
		prove_data_offset,
	};

	if (memcmp(raw + FTR_COOKIE, poison, sizeof poison) == 0)
		return vhd_fail(err, VHD_E_UNSUPPORTED,
				"footer: cookie \"v_poison\" at %d: blktap did not finish a resize",
				FTR_COOKIE);
	if (!footer_has_cookie(raw))
		return vhd_fail(err, VHD_E_NOT_VHD,
				"footer: cookie 0x%016" PRIX64 " at %d: not \"conectix\"",
				get_be64(raw + FTR_COOKIE), FTR_COOKIE);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		int r = steps[i](raw, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int footer_decode(const uint8_t raw[FOOTER_SIZE], struct footer *ret_footer, struct vhd_error *err)
{
	int r = prove(raw, err);

	if (r < 0)
		return r;
	*ret_footer = (struct footer){
		.features = get_be32(raw + FTR_FEATURES),
		.data_offset = get_be64(raw + FTR_DATA_OFFSET),
		.timestamp = get_be32(raw + FTR_TIMESTAMP),
		.creator_version = get_be32(raw + FTR_CREATOR_VERSION),
		.original_size = get_be64(raw + FTR_ORIGINAL_SIZE),
		.current_size = get_be64(raw + FTR_CURRENT_SIZE),
		.cylinders = get_be16(raw + FTR_CYLINDERS),
		.heads = raw[FTR_HEADS],
		.sectors_per_track = raw[FTR_SECTORS],
		.type = (enum vhd_type)get_be32(raw + FTR_TYPE),
		.checksum = get_be32(raw + FTR_CHECKSUM),
		.saved_state = raw[FTR_SAVED_STATE] == 1,
		.hidden = raw[FTR_HIDDEN],
	};
	memcpy(ret_footer->creator, raw + FTR_CREATOR, sizeof ret_footer->creator);
	memcpy(ret_footer->creator_os, raw + FTR_CREATOR_OS, sizeof ret_footer->creator_os);
	memcpy(ret_footer->id, raw + FTR_ID, VHD_ID_SIZE);
	return 0;
}

void footer_encode(const struct footer *footer, uint8_t ret_raw[FOOTER_SIZE])
{
	memset(ret_raw, 0, FOOTER_SIZE);
	memcpy(ret_raw + FTR_COOKIE, cookie, sizeof cookie);
	put_be32(ret_raw + FTR_FEATURES, footer->features);
	put_be32(ret_raw + FTR_VERSION, VERSION);
	put_be64(ret_raw + FTR_DATA_OFFSET, footer->data_offset);
	put_be32(ret_raw + FTR_TIMESTAMP, footer->timestamp);
	memcpy(ret_raw + FTR_CREATOR, footer->creator, sizeof footer->creator);
	put_be32(ret_raw + FTR_CREATOR_VERSION, footer->creator_version);
	memcpy(ret_raw + FTR_CREATOR_OS, footer->creator_os, sizeof footer->creator_os);
	put_be64(ret_raw + FTR_ORIGINAL_SIZE, footer->original_size);
	put_be64(ret_raw + FTR_CURRENT_SIZE, footer->current_size);
	put_be16(ret_raw + FTR_CYLINDERS, footer->cylinders);
	ret_raw[FTR_HEADS] = footer->heads;
	ret_raw[FTR_SECTORS] = footer->sectors_per_track;
	put_be32(ret_raw + FTR_TYPE, footer->type);
	memcpy(ret_raw + FTR_ID, footer->id, VHD_ID_SIZE);
	ret_raw[FTR_SAVED_STATE] = footer->saved_state;
	ret_raw[FTR_HIDDEN] = footer->hidden;
	put_be32(ret_raw + FTR_CHECKSUM, checksum(ret_raw));
}

void footer_set(uint8_t raw[FOOTER_SIZE], bool saved_state, bool temporary)
{
	uint32_t features = get_be32(raw + FTR_FEATURES) & ~(uint32_t)FOOTER_TEMPORARY;

	put_be32(raw + FTR_FEATURES, features | (temporary ? FOOTER_TEMPORARY : 0U));
	raw[FTR_SAVED_STATE] = saved_state;
	put_be32(raw + FTR_CHECKSUM, checksum(raw));
}

/* Names as in the specification's appendix: cylinders times heads, sectors per track. */
void footer_geometry(uint64_t size, uint16_t *ret_cylinders, uint8_t *ret_heads,
		     uint8_t *ret_sectors)
{
	const uint64_t most = UINT64_C(65535) * 16 * 255;
	uint64_t total = size / VHD_SECTOR < most ? size / VHD_SECTOR : most;
	uint64_t track = 17, heads, cth = total / track;

	heads = cth <= 4096 ? 4 : (cth + 1023) / 1024;
	if (cth >= heads * 1024 || heads > 16) {
		track = 31;
		heads = 16;
		cth = total / track;
	}
	if (cth >= heads * 1024) {
		track = 63;
		heads = 16;
		cth = total / track;
	}
	if (total >= UINT64_C(65535) * 16 * 63) {
		track = 255;
		heads = 16;
		cth = total / track;
	}
	*ret_cylinders = (uint16_t)(cth / heads);
	*ret_heads = (uint8_t)heads;
	*ret_sectors = (uint8_t)track;
}
