/* resident.h - whether memory shows of a file what the device does not hold. */
#ifndef RESIDENT_H
#define RESIDENT_H

/* 0 = what the page cache still has of this file is what the device holds; 1 = it differs; or
 * -errno. Nobody else may write the file meanwhile. A file system without O_DIRECT, or where
 * nobody can map a file, cannot be asked, and is believed; and so is a file of another user that we
 * may not write. */
int resident_differs(int fd);

#endif
