/* address.h - where the daemon listens: a loopback port or a Unix socket. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

enum { ADDRESS_TEXT = 128 };

struct address {
	struct sockaddr_storage name;
	socklen_t length;
	char text[ADDRESS_TEXT]; /* as --listen takes it */
	int inherited;           /* the listening socket, opened by somebody else; 0: by us */
};

/* NULL, or why `text` is not an address that may be listened on. */
const char *address_parse(const char *text, struct address *ret_address);

/* The same for a listening socket that was opened by somebody else. */
const char *address_inherit(int fd, struct address *ret_address);

bool address_is_unix(const struct address *address);
/* The path of a Unix socket. */
const char *address_path(const struct address *address);
/* Writes `text` again from `name`, after the kernel has chosen a port. */
void address_refresh(struct address *address);

#endif
