/* locator.c - parent locators: platform codes and texts, both ways. Texts of images are hostile:
 * they are decoded here, and only path.c may follow them. */
#include "locator.h"

#include "error.h"
#include "utf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { UNITS_MAX = LOCATOR_DATA_MAX / 2 };

static const char scheme[] = "file://", local[] = "localhost/";

uint64_t locator_space(const struct locator_entry *entry)
{
	/* The specification says sectors, Windows and blktap write bytes. */
	return entry->data_space < VHD_SECTOR ? (uint64_t)entry->data_space * VHD_SECTOR
					      : entry->data_space;
}

static void decode_utf16(const uint8_t *data, size_t len, char ret_text[VHD_LOCATOR_TEXT])
{
	char wide[UNITS_MAX * 3 + 1]; /* so long that nothing is cut */
	size_t mark = len >= 2 && data[0] == 0xFF && data[1] == 0xFE ? 2 : 0, used;

	if (len % 2 != 0)
		return;
	used = utf16_to_utf8(data + mark, (len - mark) / 2, false, wide, sizeof wide);
	if (used < VHD_LOCATOR_TEXT)
		memcpy(ret_text, wide, used + 1);
}

static bool is_text(const char *text, size_t len, uint32_t max)
{
	for (size_t i = 0; i < len;) {
		uint32_t c;

		i += utf8_next(text + i, len - i, &c);
		if (c == UTF_MALFORMED || c > max)
			return false;
	}
	return true;
}

/* Up to a NUL, as some writers pad with them. */
static void decode_bytes(const uint8_t *data, size_t len, uint32_t max,
			 char ret_text[VHD_LOCATOR_TEXT])
{
	const char *text = (const char *)data;

	len = strnlen(text, len);
	if (len >= VHD_LOCATOR_TEXT || !is_text(text, len, max))
		return;
	memcpy(ret_text, text, len);
	ret_text[len] = '\0';
}

void locator_decode(uint32_t code, const uint8_t *data, size_t len, char ret_text[VHD_LOCATOR_TEXT])
{
	ret_text[0] = '\0';
	if (len == 0 || len > LOCATOR_DATA_MAX)
		return;
	switch (code) {
	case LOCATOR_W2RU:
	case LOCATOR_W2KU: decode_utf16(data, len, ret_text); break;
	case LOCATOR_MACX: decode_bytes(data, len, 0x10FFFF, ret_text); break;
	case LOCATOR_WI2R:
	case LOCATOR_WI2K:
		decode_bytes(data, len, 0x7F, ret_text);
		break; /* in which code page, nobody says */
	default: break;
	}
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Names of another machine (\\host\share) mean nothing here. */
static int paths_windows(const char *text, char ret_path[VHD_LOCATOR_TEXT])
{
	size_t i = 0;

	if (strncmp(text, "\\\\?\\", 4) == 0 && is_letter(text[4]) && text[5] == ':')
		text += 4;
	if (is_letter(text[0]) && text[1] == ':')
		text += 2;
	if (text[0] == '\0' || strncmp(text, "\\\\", 2) == 0)
		return 0;
	for (; text[i] != '\0'; i++)
		ret_path[i] = text[i];
	ret_path[i] = '\0';
	for (char *p = ret_path; *p != '\0'; p++) {
		if (*p == '\\')
			*p = '/';
	}
	return 1;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether there was something to decode; %00 and broken escapes make the whole text none. */
static bool percent_decode(const char *text, char ret_text[VHD_LOCATOR_TEXT])
{
	bool differs = false;
	size_t used = 0;

	while (*text != '\0') {
		int high, low;

		if (*text != '%') {
			ret_text[used++] = *text++;
			continue;
		}
		high = hex_digit(text[1]);
		low = high < 0 ? -1 : hex_digit(text[2]);
		if (low < 0 || high + low == 0)
			return false;
		ret_text[used++] = (char)(high << 4 | low);
		text += 3;
		differs = true;
	}
	ret_text[used] = '\0';
	return differs;
}

static int paths_url(const char *text, char ret_paths[2][VHD_LOCATOR_TEXT])
{
	if (strncmp(text, scheme, sizeof scheme - 1) != 0)
		return 0;
	text += sizeof scheme - 1;
	if (strncmp(text, local, sizeof local - 1) == 0)
		text += sizeof local - 2; /* the slash stays */
	if (text[0] == '\0')
		return 0;
	memcpy(ret_paths[0], text, strlen(text) + 1);
	return percent_decode(text, ret_paths[1]) ? 2 : 1;
}

int locator_paths(const struct vhd_locator *locator, char ret_paths[2][VHD_LOCATOR_TEXT])
{
	switch (locator->code) {
	case LOCATOR_W2RU:
	case LOCATOR_W2KU:
	case LOCATOR_WI2R:
	case LOCATOR_WI2K: return paths_windows(locator->text, ret_paths[0]);
	case LOCATOR_MACX: return paths_url(locator->text, ret_paths);
	default: return 0;
	}
}

bool locator_normalise(const char *path, char ret_path[VHD_LOCATOR_TEXT])
{
	size_t used = 0;

	if (path[0] != '/')
		return false;
	while (*path != '\0') {
		size_t len = strcspn(path += strspn(path, "/"), "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			while (used > 0 && ret_path[--used] != '/')
				;
		} else if (len > 0 && !(len == 1 && *path == '.')) {
			if (len + 2 > VHD_LOCATOR_TEXT - used)
				return false;
			ret_path[used++] = '/';
			memcpy(ret_path + used, path, len);
			used += len;
		}
		path += len;
	}
	ret_path[used] = '\0';
	return true;
}

/* Both normalised. How many bytes of `folder` and `path` name the same folder, without the slash
 * after it. */
static size_t common_folder(const char *folder, const char *path)
{
	size_t common = 0;

	for (size_t i = 0; path[i] != '\0'; i++) {
		bool folder_ends = folder[i] == '/' || folder[i] == '\0';

		if (path[i] == '/' && folder_ends)
			common = i;
		if (folder[i] != path[i])
			break;
	}
	return common;
}

/* From the folder of `child` to `parent`, both normalised. False: too long. */
static bool relative(const char *child, const char *parent, char ret_path[VHD_LOCATOR_TEXT])
{
	char folder[VHD_LOCATOR_TEXT];
	size_t common, used = 0;

	memcpy(folder, child, strlen(child) + 1);
	*strrchr(folder, '/') = '\0';
	common = common_folder(folder, parent);
	for (const char *p = folder + common; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		if (used + 4 >= VHD_LOCATOR_TEXT)
			return false;
		memcpy(ret_path + used, "../", sizeof "../");
		used += 3;
	}
	if (used == 0) {
		memcpy(ret_path, "./", sizeof "./");
		used = 2;
	}
	parent += common + 1;
	if (strlen(parent) >= VHD_LOCATOR_TEXT - used)
		return false;
	memcpy(ret_path + used, parent, strlen(parent) + 1);
	return true;
}

static bool make_windows(uint32_t code, const char *drive, const char *path,
			 struct locator_data *ret_data)
{
	char text[VHD_LOCATOR_TEXT + 2];
	long units;

	(void)snprintf(text, sizeof text, "%s%s", drive, path);
	for (char *p = text; *p != '\0'; p++) {
		if (*p == '/')
			*p = '\\';
	}
	units = strlen(text) < VHD_LOCATOR_TEXT
			? utf8_to_utf16(text, false, ret_data->data, UNITS_MAX)
			: -1;
	if (units < 0)
		return false;
	ret_data->code = code;
	ret_data->len = (size_t)units * 2;
	return true;
}

/* `bare`: only what a reader would take for an escape. */
static bool unreserved(char c, bool bare)
{
	if (bare)
		return c != '%';
	return is_letter(c) || (c >= '0' && c <= '9') || strchr("-._~/", c);
}

static bool url_of(const char *path, bool bare, struct locator_data *ret_data)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t used = sizeof scheme - 1;

	memcpy(ret_data->data, scheme, used);
	for (; *path != '\0'; path++) {
		uint8_t c = (uint8_t)*path;

		if (used + 3 >= VHD_LOCATOR_TEXT)
			return false;
		if (unreserved(*path, bare)) {
			ret_data->data[used++] = c;
			continue;
		}
		ret_data->data[used++] = '%';
		ret_data->data[used++] = (uint8_t)digits[c >> 4];
		ret_data->data[used++] = (uint8_t)digits[c & 15];
	}
	ret_data->len = used;
	return true;
}

/* Escapes make a long name too long for a locator; readers understand it without them, too. */
static bool make_url(const char *path, struct locator_data *ret_data)
{
	ret_data->code = LOCATOR_MACX;
	return url_of(path, false, ret_data) || url_of(path, true, ret_data);
}

static int prepare(const char *what, const char *path, char ret_path[VHD_LOCATOR_TEXT],
		   struct vhd_error *err)
{
	if (!path || path[0] != '/')
		return vhd_fail(err, VHD_E_INVALID, "locator: %s \"%s\" is not absolute", what,
				path ? path : "");
	if (!is_text(path, strlen(path), 0x10FFFF))
		return vhd_fail(err, VHD_E_INVALID, "locator: %s \"%s\" is not UTF-8", what, path);
	if (!locator_normalise(path, ret_path))
		return vhd_fail(err, VHD_E_INVALID, "locator: %s of %zu bytes is too long", what,
				strlen(path));
	if (ret_path[0] == '\0')
		return vhd_fail(err, VHD_E_INVALID, "locator: %s \"%s\" names no file", what, path);
	return 0;
}

int locator_make(const char *child_path, const char *parent_path, bool absolute,
		 struct locator_data ret_data[2], struct vhd_error *err)
{
	char child[VHD_LOCATOR_TEXT] = "", parent[VHD_LOCATOR_TEXT] = "", path[VHD_LOCATOR_TEXT];
	struct locator_data data[2];
	const char *drive = absolute ? "C:" : "";
	bool fits = true;
	int r = prepare("path of the parent", parent_path, parent, err);

	if (r == 0)
		r = prepare("path of the child", child_path, child, err);
	if (r != 0)
		return r;
	if (absolute)
		memcpy(path, parent, sizeof path);
	else
		fits = relative(child, parent, path);
	if (!fits || !make_windows(absolute ? LOCATOR_W2KU : LOCATOR_W2RU, drive, path, &data[0]) ||
	    !make_url(path, &data[1]))
		return vhd_fail(err, VHD_E_INVALID,
				"locator: the way to the parent is too long for %d bytes",
				VHD_LOCATOR_TEXT);
	memcpy(ret_data, data, sizeof data);
	return 0;
}
