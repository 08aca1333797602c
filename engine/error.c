/* error.c - one line of printable text for every failure. What an image says never reaches a
 * terminal raw. */
#include "error.h"

#include "utf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { RAW_SIZE = 1024 }; /* longer than any text, so that what vsnprintf cuts was cut anyway */

static bool in(uint32_t c, uint32_t first, uint32_t last)
{
	return c >= first && c <= last;
}

/* Controls, line breaks, and what reorders or hides text around it. */
static bool printable(uint32_t c)
{
	if (c < 0x20 || in(c, 0x7F, 0x9F) || c == 0xAD || c == 0x61C || c == 0xFEFF)
		return false;
	if (in(c, 0x200B, 0x200F) || in(c, 0x2028, 0x202E) || in(c, 0x2060, 0x206F))
		return false;
	return c <= 0x10FFFF && (c & 0xFFFE) != 0xFFFE && !in(c, 0xFFF9, 0xFFFB);
}

/* The bytes of one character as they may be shown; at most 4 * 4. */
static size_t escape(const char *raw, size_t len, uint32_t c, char ret_text[17])
{
	if (printable(c)) {
		memcpy(ret_text, raw, len);
		return len;
	}
	for (size_t i = 0; i < len; i++)
		(void)snprintf(ret_text + i * 4, 5, "\\x%02X", (uint8_t)raw[i]);
	return len * 4;
}

static void set_text(struct vhd_error *err, const char *raw)
{
	size_t used = 0, len = strlen(raw);

	for (size_t i = 0; i < len;) {
		char text[17];
		uint32_t c;
		size_t shown, n = utf8_next(raw + i, len - i, &c);

		shown = escape(raw + i, n, c, text);
		if (shown >= sizeof err->text - used)
			break;
		memcpy(err->text + used, text, shown);
		used += shown;
		i += n;
	}
	err->text[used] = '\0';
}

int vhd_fail(struct vhd_error *err, enum vhd_code code, const char *format, ...)
{
	char raw[RAW_SIZE];
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	(void)vsnprintf(raw, sizeof raw, format, args);
	va_end(args);
	err->code = code;
	err->sys = 0;
	err->placed = false;
	set_text(err, raw);
	return code;
}

static enum vhd_code code_of(int sys)
{
	switch (sys) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG: return VHD_E_NOSPC;
	case -ENOMEM: return VHD_E_NOMEM;
	case -EAGAIN: return VHD_E_AGAIN;
	case -ENODATA: return VHD_E_CORRUPT;
	default: return VHD_E_IO;
	}
}

int vhd_fail_sys(struct vhd_error *err, int sys, const char *format, ...)
{
	char what[RAW_SIZE / 2 - 64], buf[64]; /* room for why */
	const char *why;
	va_list args;

	if (!err)
		return code_of(sys);
	va_start(args, format);
	(void)vsnprintf(what, sizeof what, format, args);
	va_end(args);
	why = sys == -ENODATA  ? "the file ends before that"
	      : sys == -ESTALE ? "the file has been removed"
			       : strerror_r(-sys, buf, sizeof buf);
	(void)vhd_fail(err, code_of(sys), "%s: %s", what, why);
	err->sys = -sys;
	return err->code;
}

int vhd_wrap(struct vhd_error *err, int code, const char *format, ...)
{
	char prefix[RAW_SIZE / 2], raw[RAW_SIZE + 2];
	va_list args;

	if (!err || code >= 0)
		return code;
	va_start(args, format);
	(void)vsnprintf(prefix, sizeof prefix, format, args);
	va_end(args);
	(void)snprintf(raw, sizeof raw, "%s: %s", prefix, err->text);
	set_text(err, raw);
	return code;
}

int vhd_place(struct vhd_error *err, int code, unsigned level, uint64_t sector)
{
	if (err && code == VHD_E_CORRUPT) {
		err->placed = true;
		err->level = level;
		err->sector = sector;
	}
	return level > 0 ? vhd_wrap(err, code, "level %u", level) : code;
}

int vhd_pass(struct vhd_error *err, const struct vhd_error *why, int code)
{
	if (err && code < 0)
		*err = *why;
	return code;
}
