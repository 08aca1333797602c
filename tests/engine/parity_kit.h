/* parity_kit.h - a folder of image files for each test, and short words for what tests do with
 * them. */
#ifndef PARITY_KIT_H
#define PARITY_KIT_H

#include "test.h"

#include "header.h"
#include "vhd.h"

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

enum { KIT_PATH = 512, SECTORS_PER_BLOCK = 4096 };

struct kit {
	char dir[KIT_PATH]; /* the only root, and the search path */
	const char *root;
	struct vhd_engine *engine;
	struct vhd_paths paths;
	struct vhd_error err; /* of the last call that was expected to fail */
};

int kit_set_up(void **state);
int kit_tear_down(void **state);
#define KIT_TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)

/* Calls that may be repeated before a result is used: four results live at a time. */
const char *kit_path(const struct kit *kit, const char *name);

/* These fail the test when they do not work. `id` fills the first byte of the unique id. */
struct vhd *kit_dynamic(struct kit *kit, const char *name, uint64_t size, uint8_t id);
struct vhd *kit_fixed(struct kit *kit, const char *name, uint64_t size, uint8_t id);
struct vhd *kit_child(struct kit *kit, const char *name, const char *parent, uint8_t id);
struct vhd *kit_open(struct kit *kit, const char *name, unsigned flags);
void kit_done(struct vhd *disk); /* flush and close */
/* The code of an opening that must not work; its text is in kit->err. */
int kit_refused(struct kit *kit, const char *name, unsigned flags);

/* Files with one sector filled with `byte`, closed. */
void kit_make_root(struct kit *kit, const char *name, uint8_t id, uint64_t sector, char byte);
void kit_make_child(struct kit *kit, const char *name, const char *parent, uint8_t id,
		    uint64_t sector, char byte);

void kit_fill(struct vhd *disk, uint64_t sector, uint64_t count, char byte);
void kit_check(struct vhd *disk, uint64_t sector, char byte); /* every byte of the sector */

/* Past the engine. */
void kit_folder(struct kit *kit, const char *name);
void kit_move(struct kit *kit, const char *from, const char *to);
void kit_copy(struct kit *kit, const char *from, const char *to);
uint64_t kit_size(struct kit *kit, const char *name);
void kit_peek(struct kit *kit, const char *name, void *buf, size_t len, uint64_t off);
void kit_poke(struct kit *kit, const char *name, const void *buf, size_t len, uint64_t off);
uint64_t kit_sum(struct kit *kit, const char *name); /* of all its bytes, by place */
unsigned kit_count(struct kit *kit);                 /* names in the folder */
struct header kit_header(struct kit *kit, const char *name);
void kit_set_header(struct kit *kit, const char *name, const struct header *header);
/* One slot with that text, no others, and no name in the header. */
void kit_only_locator(struct kit *kit, const char *name, uint32_t code, const void *text,
		      size_t len);
/* Sets bytes of both footers, and their checksums right. */
void kit_set_footers(struct kit *kit, const char *name, size_t field, const void *bytes,
		     size_t len);

#endif
