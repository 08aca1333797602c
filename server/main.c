/* main.c - reads the command line, puts the parts together, and takes them apart again. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "announce.h"
#include "attend.h"
#include "cleanup.h"
#include "httpd.h"
#include "log.h"
#include "notify.h"
#include "options.h"
#include "pool_state.h"
#include "rebuild.h"
#include "service_main.h"

enum { EXIT_CANNOT = 1, EXIT_WRONG_USE = 64 };
/* The catalog, pools, listeners and who polls them, and connections that are told 503. */
enum { OTHER_FILES = 224 };

/* Every image costs a descriptor, and every connection. Without one for each, connections wait to
 * be accepted and images cannot be opened, where 503 and closing others would have been possible.
 */
static void raise_limits(const struct config *config)
{
	uint64_t wanted = config->connections + config->images_open + OTHER_FILES;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < wanted)
		log_warning("only %llu files may be open at once, and [limits] connections and "
			    "images_open may need %llu: raise the hard limit (ulimit -Hn, "
			    "LimitNOFILE=), or lower those two",
			    (unsigned long long)limit.rlim_max, (unsigned long long)wanted);
}

/* As nohup(1) starts it; a signal that is blocked is waited for even when it is ignored. */
static bool outlives_terminal(void)
{
	struct sigaction hangup;

	return sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
}

/* Before the first thread, so that all of them leave the signals to the main one. */
static void block_signals(sigset_t *ret_ends)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* it is an error of who writes, EFBIG */
	(void)sigemptyset(ret_ends);
	(void)sigaddset(ret_ends, SIGTERM);
	(void)sigaddset(ret_ends, SIGINT);
	if (!outlives_terminal())
		(void)sigaddset(ret_ends, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, ret_ends, NULL);
}

static const char *unix_socket(const struct options *options)
{
	for (size_t i = 0; i < options->n_listen; i++) {
		if (address_is_unix(&options->listen[i]))
			return address_path(&options->listen[i]);
	}
	return NULL;
}

/* A list of the configuration as api/ takes it. */
static void point(const struct config_names *names, const char *ret_list[CONFIG_NAMES_MAX + 1])
{
	for (size_t i = 0; i < names->n; i++)
		ret_list[i] = names->items[i];
	ret_list[names->n] = NULL;
}

static int serve(struct options *options, struct service *service, const sigset_t *ends)
{
	const char *hosts[CONFIG_NAMES_MAX + 1], *origins[CONFIG_NAMES_MAX + 1];
	const struct api api = {.service = service,
				.hosts = hosts,
				.origins = origins,
				.limits = options->config.api,
				.require_if_match = options->config.require_if_match != 0};
	char why[HTTPD_WHY];
	struct httpd *httpd;
	int sign;

	point(&options->config.hosts, hosts);
	point(&options->config.origins, origins);
	if (httpd_start(&api, &options->config, options->listen, options->n_listen, &httpd, why) <
	    0) {
		log_error("%s", why);
		return EXIT_CANNOT;
	}
	announce(options);
	sign = attend(ends, httpd);
	log_info("stopping on signal %d (SIG%s)", sign, sigabbrev_np(sign));
	notify_stopping();
	httpd_stop(httpd);
	return 0;
}

static int inherit(struct options *options, char ret_why[OPTIONS_WHY])
{
	int n = notify_sockets();
	char text[128];

	if (n >= 0)
		return options_inherit(options, NOTIFY_FIRST_SOCKET, (unsigned)n, ret_why);
	(void)snprintf(ret_why, OPTIONS_WHY, "the sockets of the service manager: %.100s",
		       strerror_r(-n, text, sizeof text));
	return -1;
}

static int run(struct options *options)
{
	CLEANUP(closep) int state = -1;
	char path[POOL_PATH], why[SERVICE_WHY];
	struct vhd_error err = {0};
	struct service *service;
	sigset_t ends;
	int status;

	log_start((enum log_level)options->config.log_level);
	raise_limits(&options->config);
	block_signals(&ends);
	(void)umask(0077);
	if (inherit(options, why) < 0) {
		log_error("%s", why);
		return EXIT_CANNOT;
	}
	if (options_default_listen(options, why) < 0) {
		log_error("%s", why);
		return EXIT_WRONG_USE;
	}
	if (pool_state_open(options->state_dir, &state, path, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_CANNOT;
	}
	status = service_main_open(path, &options->config, unix_socket(options), &service, why);
	if (status != 0) {
		log_error("%s", why);
		return status;
	}
	status = serve(options, service, &ends);
	service_main_close(service);
	return status;
}

static int rebuild(const struct options *options)
{
	CLEANUP(closep) int state = -1;
	char path[POOL_PATH];
	struct vhd_error err = {0};

	(void)umask(0077);
	if (pool_state_open(options->state_dir, &state, path, &err) == 0)
		return rebuild_catalog(path, &options->config, stdout);
	(void)fprintf(stderr, "vhdd: %s\n", err.text);
	return EXIT_CANNOT;
}

int main(int argc, char *argv[])
{
	struct options options;
	char why[OPTIONS_WHY];

	if (options_parse(argc, argv, &options, why) < 0) {
		(void)fprintf(stderr, "vhdd: %s\n", why);
		return EXIT_WRONG_USE;
	}
	switch (options.action) {
	case OPTIONS_RUN: return run(&options);
	case OPTIONS_PRINT_CONFIG: config_print(&options.config, stdout); return 0;
	case OPTIONS_VERSION: (void)printf("vhdd %s\n", VHDD_VERSION); return 0;
	case OPTIONS_HELP: (void)fputs(options_help, stdout); return 0;
	case OPTIONS_REBUILD_CATALOG: return rebuild(&options);
	}
	return EXIT_WRONG_USE;
}
