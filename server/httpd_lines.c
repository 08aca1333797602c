/* httpd_lines.c - finds heads that two readers would understand differently. libmicrohttpd up to
 * 0.9.75 ends a line at a lone CR or LF too, cuts values at a NUL, and glues folded lines together;
 * a proxy in front may see other headers then. It parses in place and turns the CR and LF of each
 * line into NUL, so what it hands out must lie there line after line with two NUL between. */
#include <microhttpd.h>
#include <string.h>

#include "httpd_private.h"

/* Later versions refuse such heads themselves, and may lay them out in another way. */
static bool parses_in_place(void)
{
	return strcmp(MHD_get_version(), "0.9.75") == 0;
}

/* The byte after the CR LF that ends `last`, the last word of its line; NULL if there is none. The
 * empty line at the end of the head makes sure that both bytes are the buffer's. */
static const char *next_line(const char *last)
{
	const char *end = last + strlen(last);

	return end[1] == '\0' ? end + 2 : NULL;
}

bool httpd_lines_ok(const struct http_request *head, const char *version)
{
	const char *line = next_line(version);

	if (!parses_in_place())
		return true;
	for (size_t i = 0; i < head->n_headers; i++) {
		const struct http_field *header = &head->headers[i];

		if (line != header->name)
			return false;
		line = next_line(header->value);
	}
	return line && line[0] == '\0' && line[1] == '\0';
}
