/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/uffd - userfaultfd(2), as much of it as the pager and its agent use.
 *
 * The kernel's headers of Debian 12 are older than UFFDIO_MOVE (Linux 6.8),
 * so its numbers stand here; source: Linux, include/uapi/linux/userfaultfd.h.
 *
 * Every call may be made by another process than the one whose memory it is,
 * except UFFDIO_MOVE.
 *
 * Errors     Negative errno.  -EAGAIN: the address space is changing (fork,
 *            unmap, remap under way): read the events first, then again.
 */
#ifndef FAR_UFFD_H
#define FAR_UFFD_H

#include <linux/userfaultfd.h>
#include <stdint.h>

#define UFFD_MOVE_FEATURE (UINT64_C(1) << 16)

struct uffd_move {
	uint64_t dst;
	uint64_t src;
	uint64_t len;
	uint64_t mode;
	int64_t move; /* bytes moved, or a negative errno */
};
#define UFFD_MOVE_IOCTL _IOWR(UFFDIO, 0x05, struct uffd_move)

/* What the pager must be told, and what the agent needs. */
#define UFFD_PAGER_FEATURES                                                    \
	(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |                  \
	 UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP |                \
	 UFFD_FEATURE_THREAD_ID | UFFD_MOVE_FEATURE)

/* Agree with the kernel on `features`; the first call on a descriptor.
 * @return 0; -EINVAL: it has not all of them; -EPERM: EVENT_FORK without
 * CAP_SYS_PTRACE. */
int uffd_api(int fd, uint64_t features);

/* Missing faults in [start, start + length) go to `fd` from now on.
 * @return 0; -EBUSY: they go to another one; -EINVAL: not all is mapped and
 * private. */
int uffd_register(int fd, uint64_t start, uint64_t length);
int uffd_unregister(int fd, uint64_t start, uint64_t length);

/*
 * Place pages, or zeroes, where none are, and wake who waits for them.
 *
 * @return bytes done, from the start; a negative errno if that is none:
 *         -EEXIST: there is a page; -ENOENT: nothing is mapped there any
 *         more; -EAGAIN; -ESRCH: the process is gone.
 */
int64_t uffd_copy(int fd, uint64_t to, const void *from, uint64_t length);
int64_t uffd_zero(int fd, uint64_t to, uint64_t length);

/* Whoever waits for a page in the range looks again. */
void uffd_wake(int fd, uint64_t start, uint64_t length);

/* A new descriptor for the calling process; faults of the kernel on its
 * behalf included.  `device` is an open /dev/userfaultfd or -1.
 * @return it; -EPERM: neither the device nor a right to the system call. */
int uffd_open(int device);

#endif /* FAR_UFFD_H */
