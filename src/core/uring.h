/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/uring - file I/O on the reactor's own io_uring.
 *
 * A request is embedded in its issuer's struct; `done` runs on the reactor's
 * thread, exactly once, never inside the call (R1), with the kernel's result:
 * bytes moved or a negative errno.  Requests beyond the ring's depth wait in
 * a list, so no call fails for want of room.  Submission is batched: one
 * io_uring_enter per reactor iteration.
 */
#ifndef CORE_URING_H
#define CORE_URING_H

#include "base/list.h"

#include <stdint.h>
#include <sys/uio.h>

struct reactor;

struct uring_request {
	void (*done)(struct uring_request *q, int result);
	struct list link; /* uring's */
	uint8_t opcode;   /* uring's, and all below */
	int fd;
	uint32_t flags;
	uint32_t count;
	uint64_t address;
	uint64_t offset;
};

/* `rw_flags` are RWF_*: RWF_DSYNC makes a write durable when done runs. The
 * vector stays valid until done. */
void uring_readv(struct reactor *r, struct uring_request *q, int fd,
                 const struct iovec *iov, unsigned n, uint64_t offset);
void uring_writev(struct reactor *r, struct uring_request *q, int fd,
                  const struct iovec *iov, unsigned n, uint64_t offset,
                  int rw_flags);
/* fdatasync(2). */
void uring_fdatasync(struct reactor *r, struct uring_request *q, int fd);
/* fallocate(2); `mode` is FALLOC_FL_*. */
void uring_fallocate(struct reactor *r, struct uring_request *q, int fd,
                     int mode, uint64_t offset, uint64_t length);

#endif /* CORE_URING_H */
