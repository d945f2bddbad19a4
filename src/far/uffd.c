/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

static int result_of(int r)
{
	return r < 0 ? -errno : 0;
}

int uffd_open(int device)
{
	int flags = O_CLOEXEC | O_NONBLOCK;
	int fd = device >= 0 ? ioctl(device, USERFAULTFD_IOC_NEW, flags)
	                     : (int)syscall(SYS_userfaultfd, flags);

	return fd < 0 ? -errno : fd;
}

int uffd_api(int fd, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	return result_of(ioctl(fd, UFFDIO_API, &api));
}

int uffd_register(int fd, uint64_t start, uint64_t length)
{
	struct uffdio_register r = {
		.range = { start, length },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return result_of(ioctl(fd, UFFDIO_REGISTER, &r));
}

int uffd_unregister(int fd, uint64_t start, uint64_t length)
{
	struct uffdio_range range = { start, length };

	return result_of(ioctl(fd, UFFDIO_UNREGISTER, &range));
}

/* `done` is what the kernel wrote: bytes, or a negative errno. */
static int64_t bytes_done(int r, int64_t done)
{
	if (r == 0 || done > 0)
		return done;
	return -errno;
}

int64_t uffd_copy(int fd, uint64_t to, const void *from, uint64_t length)
{
	struct uffdio_copy c = { .dst = to,
		                 .src = (uint64_t)(uintptr_t)from,
		                 .len = length };
	int r = ioctl(fd, UFFDIO_COPY, &c);

	return bytes_done(r, c.copy);
}

int64_t uffd_zero(int fd, uint64_t to, uint64_t length)
{
	struct uffdio_zeropage z = { .range = { to, length } };
	int r = ioctl(fd, UFFDIO_ZEROPAGE, &z);

	return bytes_done(r, z.zeropage);
}

void uffd_wake(int fd, uint64_t start, uint64_t length)
{
	struct uffdio_range range = { start, length };

	ioctl(fd, UFFDIO_WAKE, &range);
}
