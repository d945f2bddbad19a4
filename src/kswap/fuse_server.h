/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kswap/fuse_server - a block device as the one file of a FUSE file system.
 *
 * Concept.  Takes the kernel's requests off /dev/fuse, does them on a block
 * device and answers.  It is made for a loop device with direct I/O above it
 * and a swap area on that: nothing is allocated and nothing waits on the way
 * of a request, and what is written is sealed (far/seal), so that the kernel
 * never gets other bytes than it gave.
 *
 *   U1  every READ and WRITE is answered within FUSE_SERVER_DEADLINE_MS, with
 *       EIO if the device has not ended by then.  A failed write costs
 *       nothing: the kernel keeps the page.  A failed read costs the program
 *       whose page it was (SIGBUS);
 *   U2  a request on a range of which an unanswered one is still at the
 *       device is refused with EIO: the two would have no order;
 *   U3  pages of zeroes, and pages that were discarded, are not at the device
 *       and are read without it.
 *
 * Requests are whole pages (the loop device's block size is FAR_PAGE).
 *
 * Units      Bytes.
 * Threads    One reactor's.
 */
#ifndef KSWAP_FUSE_SERVER_H
#define KSWAP_FUSE_SERVER_H

#include "base/err.h"

#include <stdint.h>

#define FUSE_SERVER_DEADLINE_MS 10000u

struct block_device;
struct fuse_server;
struct reactor;
struct shared;

struct fuse_server_opts {
	struct reactor *reactor;
	struct shared *shared;       /* borrowed; does again what is in it */
	struct block_device *device; /* borrowed; shared->size bytes or more */
	int fd;               /* /dev/fuse, or a packet socket; borrowed */
	unsigned deadline_ms; /* 0: FUSE_SERVER_DEADLINE_MS */
	/* The file system is gone: nobody can ask any more. */
	void (*ended)(void *ctx);
	void *ctx;
};

/* @return 0; -ENOMEM, -EIO (no AES-GCM here), -EMFILE; with words. */
int fuse_server_create(const struct fuse_server_opts *opts,
                       struct fuse_server **out, struct err *e);

/* Nothing may be at the device any more.  NULL is allowed. */
void fuse_server_destroy(struct fuse_server *s);

#endif /* KSWAP_FUSE_SERVER_H */
