/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk whose bytes come when the test says so: a network block device that the test serves.  What
 * reads it by direct I/O holds pages until then, and writes to them late.
 */
#ifndef DISK_H
#define DISK_H

#include <stddef.h>

/* Its fd, for direct I/O.  Skips the test where the kernel has no such device. */
int disk_open(void);
/* Until so many bytes have been asked for, in all. */
void disk_wait(size_t len);
/* All that was asked for is this byte. */
void disk_answer(int byte);
void disk_close(int disk);

#endif /* DISK_H */
