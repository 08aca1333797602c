/* failure.c - the engine has the same for itself. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

static int say(struct vhd_error *err, enum vhd_code code, int sys, const char *format, va_list args)
	VHD_PRINTF(4, 0);

static int say(struct vhd_error *err, enum vhd_code code, int sys, const char *format, va_list args)
{
	if (!err)
		return code;
	err->code = code;
	err->sys = sys;
	(void)vsnprintf(err->text, sizeof err->text, format, args);
	return code;
}

int failure(struct vhd_error *err, enum vhd_code code, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = say(err, code, 0, format, args);
	va_end(args);
	return r;
}

int failure_sys(struct vhd_error *err, enum vhd_code code, int sys, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = say(err, code, sys, format, args);
	va_end(args);
	return r;
}
