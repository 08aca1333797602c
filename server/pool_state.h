/* pool_state.h - the state folder, which one daemon holds at a time. */
#ifndef POOL_STATE_H
#define POOL_STATE_H

#include "pool.h"

/* Makes the folder when it is not there and locks it; the descriptor keeps the lock. VHD_E_BUSY:
 * another daemon has it. `ret_path` is absolute, without symbolic links. */
int pool_state_open(const char *path, int *ret_fd, char ret_path[POOL_PATH], struct vhd_error *err);

#endif
