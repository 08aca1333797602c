/* options.c - reads the command line and the configuration file that it names. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

const char options_help[] =
	"Usage: vhdd [OPTION]...\n"
	"Keeps VHD disk images and serves them over HTTP.\n"
	"\n"
	"  --state-dir DIR      everything the daemon writes: the catalog, and images in\n"
	"                       DIR/images (default: /var/lib/vhdd)\n"
	"  --listen ADDRESS     127.0.0.1:PORT, [::1]:PORT or unix:PATH; may be repeated;\n"
	"                       port 0 picks one (default: 127.0.0.1:8080 and\n"
	"                       unix:DIR/vhdd.sock)\n"
	"  --config FILE        read limits and pools from FILE\n"
	"  --allow-host NAME    serve requests whose Host header names NAME, besides\n"
	"                       addresses and localhost; may be repeated\n"
	"  --cors-origin URL    let pages of that origin use the API; may be repeated\n"
	"  --log-level LEVEL    write lines that matter at least this much: error, warning,\n"
	"                       info or debug (default: info)\n"
	"  --print-config       print the configuration in force, as such a file\n"
	"  --rebuild-catalog    make a lost or damaged catalog anew from the image files;\n"
	"                       names come from the old one and its backups\n"
	"  --version            print the version\n"
	"  --help               print this\n"
	"\n"
	"Exit status: 0 after SIGTERM, SIGINT or SIGHUP, 1 when it cannot run, 64 when the\n"
	"command line makes no sense, 65 when the catalog is damaged (see\n"
	"--rebuild-catalog), 70 when its disk failed in a commit, 78 when a newer vhdd has\n"
	"written it.\n";

enum {
	OPT_STATE_DIR = 1,
	OPT_LISTEN,
	OPT_CONFIG,
	OPT_HOST,
	OPT_ORIGIN,
	OPT_LOG_LEVEL,
	OPT_PRINT_CONFIG,
	OPT_REBUILD,
	OPT_VERSION,
	OPT_HELP
};

static const struct option long_options[] = {
	{"state-dir", required_argument, NULL, OPT_STATE_DIR},
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"allow-host", required_argument, NULL, OPT_HOST},
	{"cors-origin", required_argument, NULL, OPT_ORIGIN},
	{"log-level", required_argument, NULL, OPT_LOG_LEVEL},
	{"print-config", no_argument, NULL, OPT_PRINT_CONFIG},
	{"rebuild-catalog", no_argument, NULL, OPT_REBUILD},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static int add_listen(struct options *options, const char *text, char *why)
{
	const char *reason;

	if (options->n_listen == OPTIONS_LISTEN_MAX) {
		(void)snprintf(why, OPTIONS_WHY, "--listen: more than 16 addresses");
		return -1;
	}
	reason = address_parse(text, &options->listen[options->n_listen]);
	if (reason) {
		(void)snprintf(why, OPTIONS_WHY, "--listen %.150s %s", text, reason);
		return -1;
	}
	options->n_listen++;
	return 0;
}

static int set_state_dir(struct options *options, const char *text, char *why)
{
	if (!*text || strlen(text) >= sizeof options->state_dir) {
		(void)snprintf(why, OPTIONS_WHY, "--state-dir: not a folder");
		return -1;
	}
	memcpy(options->state_dir, text, strlen(text) + 1);
	return 0;
}

static int set_log_level(struct options *options, const char *text, char *why)
{
	options->has_log_level = config_word(log_level_names, text, &options->log_level) == 0;
	if (options->has_log_level)
		return 0;
	(void)snprintf(why, OPTIONS_WHY, "--log-level %.100s is not error, warning, info or debug",
		       text);
	return -1;
}

static int add_name(const char *option, const char *text,
		    const char *(*add)(struct config *config, const char *text),
		    struct options *options, char *why)
{
	const char *reason = add(&options->config, text);

	if (reason)
		(void)snprintf(why, OPTIONS_WHY, "%s %.100s %s", option, text, reason);
	return reason ? -1 : 0;
}

static int one_option(struct options *options, int option, const char *value, char *why)
{
	char reason[CONFIG_WHY];

	switch (option) {
	case OPT_STATE_DIR: return set_state_dir(options, value, why);
	case OPT_LISTEN: return add_listen(options, value, why);
	case OPT_CONFIG:
		if (config_read(&options->config, value, reason) == 0)
			return 0;
		(void)snprintf(why, OPTIONS_WHY, "--config %s", reason);
		return -1;
	case OPT_HOST: return add_name("--allow-host", value, config_add_host, options, why);
	case OPT_ORIGIN: return add_name("--cors-origin", value, config_add_origin, options, why);
	case OPT_LOG_LEVEL: return set_log_level(options, value, why);
	case OPT_PRINT_CONFIG: options->action = OPTIONS_PRINT_CONFIG; return 0;
	case OPT_REBUILD: options->action = OPTIONS_REBUILD_CATALOG; return 0;
	case OPT_VERSION: options->action = OPTIONS_VERSION; return 0;
	case OPT_HELP: options->action = OPTIONS_HELP; return 0;
	default: return -1;
	}
}

/* The word that getopt did not understand, in our own sentence rather than on standard error. */
static int unknown(char *const argv[], int option, char *why)
{
	(void)snprintf(why, OPTIONS_WHY, "%.200s: %s; see vhdd --help", argv[optind - 1],
		       option == ':' ? "a value is missing" : "no such option");
	return -1;
}

int options_parse(int argc, char *const argv[], struct options *ret_options,
		  char ret_why[OPTIONS_WHY])
{
	int option;

	memset(ret_options, 0, sizeof *ret_options);
	config_init(&ret_options->config);
	(void)snprintf(ret_options->state_dir, sizeof ret_options->state_dir, "/var/lib/vhdd");
	optind = 0; /* so that it may be called again */
	opterr = 0;
	/* The daemon has no second thread yet. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while ((option = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return unknown(argv, option, ret_why);
		if (one_option(ret_options, option, optarg, ret_why) < 0)
			return -1;
	}
	if (optind < argc) {
		(void)snprintf(ret_why, OPTIONS_WHY,
			       "%.200s: vhdd takes options only; see vhdd --help", argv[optind]);
		return -1;
	}
	if (ret_options->has_log_level)
		ret_options->config.log_level = ret_options->log_level;
	return 0;
}

int options_inherit(struct options *options, int first, unsigned n, char ret_why[OPTIONS_WHY])
{
	for (int fd = first; fd < first + (int)n; fd++) {
		const char *reason = "is one of more than 16";

		if (options->n_listen < OPTIONS_LISTEN_MAX)
			reason = address_inherit(fd, &options->listen[options->n_listen]);
		if (reason) {
			(void)snprintf(ret_why, OPTIONS_WHY, "inherited socket %d %s", fd, reason);
			return -1;
		}
		options->n_listen++;
	}
	return 0;
}

int options_default_listen(struct options *options, char ret_why[OPTIONS_WHY])
{
	char path[CONFIG_PATH + 32];

	if (options->n_listen > 0)
		return 0;
	if (add_listen(options, "127.0.0.1:8080", ret_why) < 0)
		return -1;
	(void)snprintf(path, sizeof path, "unix:%s/vhdd.sock", options->state_dir);
	return add_listen(options, path, ret_why);
}
