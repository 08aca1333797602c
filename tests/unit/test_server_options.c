/* test_server_options.c - the command line, and the addresses it may name. */
#include "options.h"

#include <string.h>

#include "test.h"

enum { ARGS = 6 };

static int parse(const char *const args[ARGS], struct options *options, char why[OPTIONS_WHY])
{
	static char texts[ARGS + 1][600] = {"vhdd"};
	char *argv[ARGS + 2] = {texts[0]};
	int argc = 1;

	for (int i = 0; i < ARGS && args[i]; i++) {
		(void)strncpy(texts[argc], args[i], sizeof texts[argc] - 1);
		argv[argc] = texts[argc];
		argc++;
	}
	return options_parse(argc, argv, options, why);
}

static void has_defaults(void **state)
{
	const char *const args[ARGS] = {"--state-dir", "/tmp/x"};
	struct options options;
	char why[OPTIONS_WHY] = "";

	(void)state;
	assert_int_equal(parse(args, &options, why), 0);
	assert_int_equal(options.action, OPTIONS_RUN);
	assert_int_equal(options_default_listen(&options, why), 0);
	assert_int_equal(options.n_listen, 2);
	assert_string_equal(options.listen[0].text, "127.0.0.1:8080");
	assert_string_equal(options.listen[1].text, "unix:/tmp/x/vhdd.sock");
	assert_string_equal(address_path(&options.listen[1]), "/tmp/x/vhdd.sock");
	assert_int_equal(options.config.workers, 8);
}

static void reads_addresses(void **state)
{
	static const struct {
		const char *text, *why; /* NULL: it is one */
	} rows[] = {
		{"127.0.0.1:0", NULL},
		{"127.0.0.2:65535", NULL},
		{"[::1]:8080", NULL},
		{"unix:/run/vhdd/vhdd.sock", NULL},
		{"0.0.0.0:8080", "not a loopback address"},
		{"192.168.1.1:80", "not a loopback address"},
		{"[::]:80", "not a loopback address"},
		{"[2001:db8::1]:80", "not a loopback address"},
		{"127.0.0.1", "is not IPV4:PORT"},
		{"8080", "is not IPV4:PORT, [IPV6]:PORT or unix:PATH"},
		{"127.0.0.1:", "has no port"},
		{"127.0.0.1:65536", "has no port"},
		{"127.0.0.1:-1", "has no port"},
		{"127.0.0.1:80x", "has no port"},
		{"localhost:80", "is not IPV4:PORT"},
		{"::1:80", "is not IPV4:PORT"},
		{"[::1:80", "is not IPV4:PORT"},
		{"unix:", "has no path"},
		{"", "is not IPV4:PORT"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address address;
		const char *why = address_parse(rows[i].text, &address);

		print_message("%s\n", rows[i].text);
		if (rows[i].why) {
			assert_non_null(why);
			assert_non_null(strstr(why, rows[i].why));
		} else {
			assert_null(why);
			assert_string_equal(address.text, rows[i].text);
		}
	}
}

static void refuses_long_paths(void **state)
{
	struct address address;
	char text[200] = "unix:/";

	(void)state;
	memset(text + 6, 'a', sizeof text - 7);
	text[sizeof text - 1] = '\0';
	assert_string_equal(address_parse(text, &address),
			    "has a path that is too long for a Unix socket (107 bytes)");
}

/* The path of the default socket is too long then: who asks for others, or for none, has no harm.
 */
static void takes_a_long_state_folder(void **state)
{
	static const struct {
		const char *option, *value;
		size_t n; /* addresses; 0: the default is needed */
	} rows[] = {
		{"--help", NULL, 0},
		{"--print-config", NULL, 0},
		{"--rebuild-catalog", NULL, 0},
		{"--listen", "127.0.0.1:0", 1},
	};
	char folder[201];

	(void)state;
	memset(folder, 'x', sizeof folder - 1);
	folder[0] = '/';
	folder[sizeof folder - 1] = '\0';
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *const args[ARGS] = {"--state-dir", folder, rows[i].option,
						rows[i].value};
		struct options options;
		char why[OPTIONS_WHY] = "";

		print_message("%s\n", rows[i].option);
		assert_int_equal(parse(args, &options, why), 0);
		assert_int_equal(options.n_listen, rows[i].n);
		assert_int_equal(options_default_listen(&options, why), rows[i].n ? 0 : -1);
		if (rows[i].n)
			assert_int_equal(options.n_listen, rows[i].n);
		else
			assert_non_null(
				strstr(why, "has a path that is too long for a Unix socket"));
	}
}

static void refuses_nonsense(void **state)
{
	static const struct {
		const char *args[ARGS];
		const char *why;
	} rows[] = {
		{{"--nonsense"}, "--nonsense: no such option; see vhdd --help"},
		{{"--state-dir"}, "--state-dir: a value is missing; see vhdd --help"},
		{{"--state-dir", ""}, "--state-dir: not a folder"},
		{{"file"}, "file: vhdd takes options only; see vhdd --help"},
		{{"--listen", "localhost:1"},
		 "--listen localhost:1 is not IPV4:PORT, [IPV6]:PORT or unix:PATH"},
		{{"--allow-host", "a:80"},
		 "--allow-host a:80 is not the name of a host, without a port"},
		{{"--cors-origin", "ui.example"},
		 "--cors-origin ui.example is not an origin like https://ui.example:8443, without "
		 "a path"},
		{{"--config", "/nowhere/vhdd.conf"},
		 "--config /nowhere/vhdd.conf: No such file or directory"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct options options;
		char why[OPTIONS_WHY] = "";

		assert_int_equal(parse(rows[i].args, &options, why), -1);
		assert_string_equal(why, rows[i].why);
	}
}

static void names_hosts_and_origins(void **state)
{
	const char *const args[ARGS] = {"--allow-host", "a.example",     "--allow-host",
					"A.EXAMPLE",    "--cors-origin", "http://localhost:3000"};
	struct options options;
	char why[OPTIONS_WHY] = "";

	(void)state;
	assert_int_equal(parse(args, &options, why), 0);
	assert_int_equal(options.config.hosts.n, 1);
	assert_string_equal(options.config.hosts.items[0], "a.example");
	assert_int_equal(options.config.origins.n, 1);
	assert_string_equal(options.config.origins.items[0], "http://localhost:3000");
}

static void knows_the_actions(void **state)
{
	static const struct {
		const char *args[ARGS];
		enum options_action action;
	} rows[] = {
		{{"--help"}, OPTIONS_HELP},
		{{"--version"}, OPTIONS_VERSION},
		{{"--print-config"}, OPTIONS_PRINT_CONFIG},
		{{"--rebuild-catalog"}, OPTIONS_REBUILD_CATALOG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct options options;
		char why[OPTIONS_WHY] = "";

		assert_int_equal(parse(rows[i].args, &options, why), 0);
		assert_int_equal(options.action, rows[i].action);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_defaults),       cmocka_unit_test(reads_addresses),
		cmocka_unit_test(refuses_long_paths), cmocka_unit_test(takes_a_long_state_folder),
		cmocka_unit_test(refuses_nonsense),   cmocka_unit_test(names_hosts_and_origins),
		cmocka_unit_test(knows_the_actions),
	};

	return cmocka_run_group_tests_name("server/options", tests, NULL, NULL);
}
