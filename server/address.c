/* address.c - reads and writes addresses. Only loopback and Unix sockets pass: there is no
 * authentication. */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const char *parse_unix(const char *path, struct address *address)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	if (!*path)
		return "has no path after unix:";
	if (strlen(path) >= sizeof name.sun_path)
		return "has a path that is too long for a Unix socket (107 bytes)";
	memcpy(name.sun_path, path, strlen(path) + 1);
	memcpy(&address->name, &name, sizeof name);
	address->length = sizeof name;
	return NULL;
}

static bool parse_port(const char *text, in_port_t *ret_port)
{
	char *end;
	unsigned long port;

	if (*text < '0' || *text > '9')
		return false;
	port = strtoul(text, &end, 10);
	if (*end || port > UINT16_MAX)
		return false;
	*ret_port = htons((uint16_t)port);
	return true;
}

static const char *check(const struct address *address)
{
	const void *name = &address->name;
	bool loopback = true;

	if (address->name.ss_family == AF_INET)
		loopback = ntohl(((const struct sockaddr_in *)name)->sin_addr.s_addr) >> 24 == 127;
	else if (address->name.ss_family == AF_INET6)
		loopback = IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)name)->sin6_addr);
	else if (address->name.ss_family != AF_UNIX)
		return "is neither IPv4 nor IPv6 nor a Unix socket";
	return loopback ? NULL
			: "is not a loopback address; without authentication only 127.0.0.1, "
			  "[::1] and unix:PATH are allowed";
}

static const char shape[] = "is not IPV4:PORT, [IPV6]:PORT or unix:PATH";

static const char *parse_v4(const char *host, in_port_t port, struct address *address)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = port};

	if (inet_pton(AF_INET, host, &name.sin_addr) != 1)
		return shape;
	memcpy(&address->name, &name, sizeof name);
	address->length = sizeof name;
	return NULL;
}

static const char *parse_v6(const char *host, in_port_t port, struct address *address)
{
	struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = port};

	if (inet_pton(AF_INET6, host, &name.sin6_addr) != 1)
		return shape;
	memcpy(&address->name, &name, sizeof name);
	address->length = sizeof name;
	return NULL;
}

static const char *parse_inet(const char *text, struct address *address)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN];
	size_t length;
	bool v6 = *text == '[';
	in_port_t port;

	if (!colon)
		return shape;
	if (!parse_port(colon + 1, &port))
		return "has no port between 0 and 65535";
	length = (size_t)(colon - text);
	if (v6) {
		if (length < 2 || text[length - 1] != ']')
			return shape;
		text++;
		length -= 2;
	}
	if (length >= sizeof host)
		return shape;
	memcpy(host, text, length);
	host[length] = '\0';
	return v6 ? parse_v6(host, port, address) : parse_v4(host, port, address);
}

const char *address_parse(const char *text, struct address *ret_address)
{
	struct address address = {.length = 0};
	const char *why;

	if (strncmp(text, "unix:", 5) == 0)
		why = parse_unix(text + 5, &address);
	else
		why = parse_inet(text, &address);
	if (!why)
		why = check(&address);
	if (why)
		return why;
	address_refresh(&address);
	*ret_address = address;
	return NULL;
}

const char *address_inherit(int fd, struct address *ret_address)
{
	struct address address = {.length = sizeof address.name, .inherited = fd};
	int type = 0, listens = 0;
	socklen_t length = sizeof(int);
	const char *why;

	if (getsockname(fd, (struct sockaddr *)(void *)&address.name, &address.length) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_STREAM ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 || !listens)
		return "is not a listening stream socket";
	why = check(&address);
	if (why)
		return why;
	address_refresh(&address);
	*ret_address = address;
	return NULL;
}

bool address_is_unix(const struct address *address)
{
	return address->name.ss_family == AF_UNIX;
}

const char *address_path(const struct address *address)
{
	return ((const struct sockaddr_un *)(const void *)&address->name)->sun_path;
}

void address_refresh(struct address *address)
{
	const void *name = &address->name;
	char host[INET6_ADDRSTRLEN] = "";

	if (address->name.ss_family == AF_UNIX) {
		(void)snprintf(address->text, sizeof address->text, "unix:%s",
			       address_path(address));
	} else if (address->name.ss_family == AF_INET) {
		const struct sockaddr_in *v4 = name;

		(void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
		(void)snprintf(address->text, sizeof address->text, "%s:%u", host,
			       ntohs(v4->sin_port));
	} else {
		const struct sockaddr_in6 *v6 = name;

		(void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		(void)snprintf(address->text, sizeof address->text, "[%s]:%u", host,
			       ntohs(v6->sin6_port));
	}
}
