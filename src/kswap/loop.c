/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/loop.h"

#include "base/base.h"
#include "far/page_map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define TRIES 16 /* somebody else may take the free one first */

static int try_attach(int control, const struct loop_config *config,
                      char path[LOOP_PATH])
{
	int number = ioctl(control, LOOP_CTL_GET_FREE);
	int fd;

	if (number < 0)
		return -errno;
	snprintf(path, LOOP_PATH, "/dev/loop%d", number);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, LOOP_CONFIGURE, config) == 0)
		return fd;
	close(fd);
	return -errno;
}

int loop_attach(int file, int owner, char path[LOOP_PATH], int *fd,
                struct err *e)
{
	AUTO_CLOSE int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config config = {
		.fd = (uint32_t)file,
		.block_size = FAR_PAGE,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
	};
	int err = -EBUSY;

	if (control < 0)
		return err_set(e, errno == ENOENT ? -ENODEV : -errno,
		               "no loop devices (%s): modprobe loop, and be "
		               "root",
		               strerror(errno));
	snprintf((char *)config.info.lo_file_name,
	         sizeof(config.info.lo_file_name), LOOP_NAME "%d", owner);
	for (int i = 0; i < TRIES && err == -EBUSY; i++) {
		err = try_attach(control, &config, path);
		if (err >= 0) {
			*fd = err;
			return 0;
		}
	}
	return err_set(e, err, "no loop device could be set up: %s",
	               strerror(-err));
}

int loop_owner(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const size_t n = strlen(LOOP_NAME);
	struct loop_info64 info;
	const char *name = (const char *)info.lo_file_name;

	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info))
		return 0;
	info.lo_file_name[sizeof(info.lo_file_name) - 1] = '\0';
	return strncmp(name, LOOP_NAME, n) == 0 ? atoi(name + n) : 0;
}
