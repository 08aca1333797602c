/* failure.c - the engine has the same for itself. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

void failure_say(struct vhd_error *err, enum vhd_code code, int sys, const char *format, ...)
{
	va_list args;

	if (!err)
		return;
	err->code = code;
	err->sys = sys;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
}
