/* pool_socket.h - the name of a Unix socket in the file system. */
#ifndef POOL_SOCKET_H
#define POOL_SOCKET_H

/* Removes the socket that a killed daemon has left. -1 and errno: EADDRINUSE when somebody listens
 * there, EEXIST when it is something else than a socket. */
int pool_socket_clear(const char *path);
/* Opens one that was bound to its owner's group. -1 and errno. */
int pool_socket_share(const char *path);
void pool_socket_remove(const char *path);

#endif
