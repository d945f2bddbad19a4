/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/fuse_file.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static int failed(struct err *e, const char *what)
{
	int err = -errno;

	return err_set(e, err, "%s: %s%s", what, strerror(-err),
	               err == -EPERM || err == -EACCES
	                       ? "; this needs CAP_SYS_ADMIN: run as root"
	                       : "");
}

static int set(int fs, const char *key, const char *value)
{
	return fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
}

int fuse_file_create(int *device, int *mount, struct err *e)
{
	AUTO_CLOSE int fd = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	AUTO_CLOSE int fs = -1;
	char number[16];
	int file;

	if (fd < 0)
		return failed(e, "cannot open /dev/fuse (modprobe fuse)");
	fs = fsopen("fuse", FSOPEN_CLOEXEC);
	if (fs < 0)
		return failed(e, "no FUSE in this kernel");
	snprintf(number, sizeof(number), "%d", fd);
	if (set(fs, "fd", number) || set(fs, "rootmode", "100600") ||
	    set(fs, "user_id", "0") || set(fs, "group_id", "0") ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return failed(e, "the kernel refuses a FUSE file system");
	file = fsmount(fs, FSMOUNT_CLOEXEC,
	               MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
	                       MOUNT_ATTR_NOEXEC);
	if (file < 0)
		return failed(e, "the kernel does not mount it");
	*mount = file;
	*device = fd;
	fd = -1;
	return 0;
}

int fuse_file_open(int mount)
{
	char path[32];
	struct stat st;
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", mount);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	/* Older loop drivers take the size that the kernel knows by now. */
	if (fd < 0 || fstat(fd, &st))
		err = -errno;
	close(mount);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}
