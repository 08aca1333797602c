/* openapi.h - openapi.yaml as JSON, made by embed.py when the project is built. */
#ifndef OPENAPI_H
#define OPENAPI_H

#include <stddef.h>

extern const char openapi_json[]; /* ends with a newline, and a NUL that does not count */
extern const size_t openapi_json_length;

#endif
