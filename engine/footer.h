/* footer.h - 512 bytes on disk <-> struct footer. Fields and rules: FORMAT.md 1. */
#ifndef FOOTER_H
#define FOOTER_H

#include "vhd.h"

enum {
	FOOTER_TEMPORARY = 1, /* bit of the features */
	FOOTER_SIZE = 512,
	FOOTER_SIZE_OLD = 511, /* before Virtual PC 2004 */
	VHD_CREATOR_VERSION = 0x000A0000,
};
#define FOOTER_NO_DATA_OFFSET UINT64_MAX

struct footer {
	uint32_t features; /* as stored; bit 0 temporary, bit 1 always set */
	uint64_t data_offset;
	uint32_t timestamp;
	uint8_t creator[4];
	uint32_t creator_version;
	uint8_t creator_os[4];
	uint64_t original_size, current_size;
	uint16_t cylinders;
	uint8_t heads, sectors_per_track;
	enum vhd_type type;
	uint32_t checksum; /* as stored; footer_encode computes it */
	uint8_t id[VHD_ID_SIZE];
	bool saved_state;
	uint8_t hidden; /* blktap's byte 85, kept */
};

/* Whether the first 8 bytes are the cookie: tells "no footer" from "damaged footer". */
bool footer_has_cookie(const uint8_t raw[FOOTER_SIZE]);

/* Proves, in this order: cookie, checksum, version, type (2, 3, 4), creator (blktap 0.1 had
 * little-endian bitmaps), current_size (a multiple of 512 from 512 on, at most VHD_SIZE_MAX unless
 * fixed, and below 2^62 then), data_offset (a multiple of 512 from 512 on; ignored when fixed).
 * Then fills *ret_footer. VHD_E_NOT_VHD without cookie, VHD_E_UNSUPPORTED for other versions, types
 * and blktap's leftovers, else VHD_E_CORRUPT. Texts: "footer: <field> <value> at <offset>: <why>".
 */
int footer_decode(const uint8_t raw[FOOTER_SIZE], struct footer *ret_footer, struct vhd_error *err);

/* Reserved bytes zero, checksum computed. */
void footer_encode(const struct footer *footer, uint8_t ret_raw[FOOTER_SIZE]);

/* Sets the two fields in a footer that footer_decode accepted, and its checksum right; what else
 * its writer put there is kept. */
void footer_set(uint8_t raw[FOOTER_SIZE], bool saved_state, bool temporary);

/* ATA geometry for a size in bytes, by the specification's appendix. */
void footer_geometry(uint64_t size, uint16_t *ret_cylinders, uint8_t *ret_heads,
		     uint8_t *ret_sectors);

#endif
