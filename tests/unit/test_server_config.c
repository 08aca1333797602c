/* test_server_config.c - the configuration file: what it says, and what it must not say. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static int read_text(const char *text, struct config *config, char why[CONFIG_WHY])
{
	char path[] = "/tmp/vhdd-config-XXXXXX";
	int fd = mkstemp(path);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	config_init(config);
	r = config_read(config, path, why);
	(void)unlink(path);
	return r;
}

static void reads_values(void **state)
{
	struct config config;
	char why[CONFIG_WHY] = "";

	(void)state;
	assert_int_equal(read_text("; a comment\n[cache]\nsize = 256M\n[limits]\nworkers=2\n"
				   "[pool]\nroots = /srv/a:/srv/b\n[pool fast]\npath = /fast\n"
				   "[http]\nhosts = vhd.example  images_2.example\n"
				   "origins = https://ui.example http://[::1]:3000\n",
				   &config, why),
			 0);
	assert_int_equal(config.cache_size, 256 << 20);
	assert_int_equal(config.workers, 2);
	assert_int_equal(config.header_seconds, 15);
	assert_int_equal(config.n_roots, 2);
	assert_string_equal(config.roots[1], "/srv/b");
	assert_int_equal(config.n_pools, 1);
	assert_string_equal(config.pools[0].name, "fast");
	assert_string_equal(config.pools[0].path, "/fast");
	assert_int_equal(config.hosts.n, 2);
	assert_string_equal(config.hosts.items[0], "vhd.example");
	assert_string_equal(config.hosts.items[1], "images_2.example");
	assert_int_equal(config.origins.n, 2);
	assert_string_equal(config.origins.items[0], "https://ui.example");
	assert_string_equal(config.origins.items[1], "http://[::1]:3000");
}

#define LONG                                                                                       \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567" \
	"89012345678901234567890123456789"

static void lists_may_have_several_lines(void **state)
{
	struct config config;
	char why[CONFIG_WHY] = "";

	(void)state;
	assert_int_equal(read_text("[pool]\nroots = /a:/b:\n\n[http]\nhosts = a\n  b\n"
				   "[pool]\nroots = /c/" LONG "\n",
				   &config, why),
			 0);
	assert_int_equal(config.n_roots, 3);
	assert_string_equal(config.roots[1], "/b");
	assert_string_equal(config.roots[2], "/c/" LONG);
	assert_int_equal(config.hosts.n, 2);
}

static void refuses_what_it_does_not_know(void **state)
{
	static const struct {
		const char *text, *why; /* after the name of the file */
	} rows[] = {
		{"[cache]\ncolour = red\n", "line 2: [cache] colour: no such key"},
		{"[nonsense]\nsize = 1\n", "line 1: [nonsense]: no such section"},
		{"size = 1\n", "line 1: [] size: comes before the first [section]"},
		{"[cache]\nsize = many\n",
		 "line 2: [cache] size: 'many' is not a number from 1048576 to 1099511627776"},
		{"[cache]\nsize = -1\n", "line 2: [cache] size: '-1' is not a number from"},
		{"[cache]\nsize = 1\n", "line 2: [cache] size: '1' is not a number from"},
		{"[cache]\nsize = 99999999999999999999\n", "is not a number"},
		{"[cache]\nsize = 99999999999T\n", "is not a number"},
		{"[cache]\nsize = 1MB\n", "is not a number"},
		{"[log]\nlevel = loud\n",
		 "line 2: [log] level: 'loud' is none of error warning info debug"},
		{"[log]\nlevel = 1\n",
		 "line 2: [log] level: '1' is none of error warning info debug"},
		{"[http]\nrequire_if_match = maybe\n",
		 "line 2: [http] require_if_match: 'maybe' is none of no yes"},
		{"[pool a b]\npath = /x\n",
		 "line 1: [pool a b]: a pool has a name of A-Z a-z 0-9 . _ -"},
		{"[pool]\nroots = srv\n", "line 2: [pool] roots: 'srv' is not an absolute path"},
		{"[pool default]\npath = /x\n",
		 "line 1: [pool default]: the default pool lies in the state folder"},
		{"[pool fast]\nsize = 1\n", "line 2: [pool fast] size: no such key"},
		{"[http]\nhosts = a.example:80\n",
		 "line 2: [http] hosts: 'a.example:80' is not the name of a host, without a port"},
		{"[http]\nhosts = *\n", "line 2: [http] hosts: '*' is not the name of a host"},
		{"[http]\norigins = ui.example\n",
		 "line 2: [http] origins: 'ui.example' is not an origin like https://ui.example:8443"},
		{"[http]\norigins = https://ui.example/\n",
		 "'https://ui.example/' is not an origin"},
		{"[http]\norigins = *\n", "line 2: [http] origins: '*' is not an origin"},
		{"[http]\norigins = null\n", "line 2: [http] origins: 'null' is not an origin"},
		{"[http]\norigins = https://\n", "'https://' is not an origin"},
		{"[http]\norigins = http://[::1\n", "'http://[::1' is not an origin"},
		{"[http]\norigins = http://a:123456\n", "'http://a:123456' is not an origin"},
		{"[http]\nhosts = a b c d e f g h i j k l m n o p q\n",
		 "'q' is one of more than 16"},
		{"[http]\nhost = a\n", "line 2: [http] host: no such key"},
		{"[cache]\nnonsense\n", "line 2: neither [section] nor key = value"},
		{"[cache]\nnonsense\ncolour = red\n", "line 2: neither [section] nor key = value"},
		{"[cache]\ncolour = red\nnonsense\n", "line 2: [cache] colour: no such key"},
		{"[cache]\ncolour = red\n[limits]\nworkers = 0\n",
		 "line 2: [cache] colour: no such key"},
		{"[nonsense]\n", "line 1: [nonsense]: no such section"},
		{"\n  [pol\n", "line 2: [pol]: no such section"},
		{"[cache]\nsize = 2M\n\n[cache]\nsize = 2M\n",
		 "line 5: [cache] size: is given twice"},
		{"[pool a]\npath = /a\npath = /b\n", "line 3: [pool a] path: is given twice"},
		{"[pool a]\npath = /a\n[pool a]\n", "line 3: [pool a]: is there twice"},
		{"[pool a]\npath = /a\n[pool b]\n[cache]\n", ": [pool b] has no path"},
		{"[pool ]\npath = /a\n", "line 1: [pool ]: a pool has a name"},
		{"[pool]\nroots = /" LONG "/" LONG "\n",
		 "line 2: longer than 198 characters; lists may have several lines"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config config;
		char why[CONFIG_WHY] = "";

		assert_int_equal(read_text(rows[i].text, &config, why), -1);
		print_message("%s\n", why);
		assert_non_null(strstr(why, rows[i].why));
	}
}

#define COMMENT "';' or '#' after a blank: a comment needs a line of its own"

/* What would be dropped, or be taken for something else. */
static void refuses_what_it_would_not_use(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"[pool]\nroots = /srv/a ; /srv/b\n", "line 2: " COMMENT},
		{"[http]\nhosts = a.example ; b.example\n", "line 2: " COMMENT},
		{"[http]\nhosts = a.example # b.example\n", "line 2: " COMMENT},
		{"[http]\nhosts = a.example\n  b.example\t;c\n", "line 3: " COMMENT},
		{"[pool x]\npath = /tmp/p2 ;old disk\n", "line 2: " COMMENT},
		{"[cache]\nsize = ;64M\n", "line 2: " COMMENT},
		{"[limits] list = 5\n",
		 "line 1: text after ']': a key, or a comment, needs a line of its own"},
		{"\n[cache]junk\n", "line 2: text after ']': a key"},
		{"[cache] ; of metadata\n", "line 1: text after ']'"},
		{"[cache]\nsize : 64M\n", "line 2: ':' instead of '=': write key = value"},
		{"[http]\nhosts: a = b\n", "line 2: ':' instead of '='"},
		{"\xef\xbb\xbf[cache]\nsize = 64M\n",
		 "line 1: a byte order mark: save the file as UTF-8 without one"},
		{"\xef\xbb\xbf[pool x]\npath = /x\n", "line 1: a byte order mark"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config config;
		char why[CONFIG_WHY] = "";

		print_message("%s", rows[i].text);
		assert_int_equal(read_text(rows[i].text, &config, why), -1);
		print_message("%s\n", why);
		assert_non_null(strstr(why, rows[i].why));
	}
}

static void takes_comments_on_lines_of_their_own(void **state)
{
	struct config config;
	char why[CONFIG_WHY] = "";

	(void)state;
	assert_int_equal(read_text("; one : two\n[cache] \t\r\n  # three ; four\nsize = 64M \n"
				   "[pool]\nroots = /a;b\n  ;x\n\n  /c:/d#e\n",
				   &config, why),
			 0);
	assert_int_equal(config.cache_size, 64 << 20);
	assert_int_equal(config.n_roots, 3);
	assert_string_equal(config.roots[0], "/a;b");
	assert_string_equal(config.roots[1], "/c");
	assert_string_equal(config.roots[2], "/d#e");
}

static void refuses_nul_characters(void **state)
{
	char path[] = "/tmp/vhdd-config-XXXXXX", why[CONFIG_WHY] = "";
	const char text[] = "[cache]\nsize = 64M\0 and more\n";
	struct config config;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	(void)close(fd);
	config_init(&config);
	assert_int_equal(config_read(&config, path, why), -1);
	(void)unlink(path);
	assert_non_null(strstr(why, "line 2: a NUL character: save the file as UTF-8"));
}

static void refuses_a_folder(void **state)
{
	struct config config;
	char why[CONFIG_WHY] = "";

	(void)state;
	config_init(&config);
	assert_int_equal(config_read(&config, "/", why), -1);
	assert_string_equal(why, "/: Is a directory");
}

static void prints_what_it_reads(void **state)
{
	struct config first, second;
	char why[CONFIG_WHY] = "", *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	assert_non_null(out);
	assert_int_equal(
		read_text(
			"[limits]\ndepth = 99\n[log]\nlevel = debug\n[pool]\nroots = /a:/b\n[pool x]\npath = /x\n"
			"[http]\nhosts = a b\norigins = http://c\n",
			&first, why),
		0);
	config_print(&first, out);
	(void)fclose(out);
	assert_int_equal(read_text(text, &second, why), 0);
	assert_memory_equal(&first, &second, sizeof first);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_values),
		cmocka_unit_test(lists_may_have_several_lines),
		cmocka_unit_test(refuses_what_it_does_not_know),
		cmocka_unit_test(refuses_what_it_would_not_use),
		cmocka_unit_test(takes_comments_on_lines_of_their_own),
		cmocka_unit_test(refuses_nul_characters),
		cmocka_unit_test(refuses_a_folder),
		cmocka_unit_test(prints_what_it_reads),
	};

	return cmocka_run_group_tests_name("server/config", tests, NULL, NULL);
}
