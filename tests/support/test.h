/* test.h - cmocka with what its header forgets to include. */
#ifndef TEST_H
#define TEST_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
