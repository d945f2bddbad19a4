/* SPDX-License-Identifier: BSD-2-Clause */
/* The state on disk: read, replaced as a whole, claimed by one process. */
#include "control/state.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define NAME "state.json"
#define NEW_NAME "state.json.new"

static int open_dir(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, -errno, "cannot open the state folder %s: %s",
		               dir, strerror(errno));
	return fd;
}

static int read_all(int fd, char *text, size_t size, size_t *n)
{
	ssize_t got;

	*n = 0;
	while (*n < size && (got = read(fd, text + *n, size - *n)) != 0) {
		if (got > 0)
			*n += (size_t)got;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int write_all(int fd, const char *text, size_t n)
{
	ssize_t got;

	while (n > 0) {
		got = write(fd, text, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		text += got;
		n -= (size_t)got;
	}
	return 0;
}

int state_load(const char *dir, struct state *s, struct err *e)
{
	AUTO_CLOSE int dir_fd = open_dir(dir, e);
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *text = NULL;
	size_t n;
	int err;

	if (dir_fd < 0)
		return dir_fd;
	fd = openat(dir_fd, NAME, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(e, -errno, "cannot open %s/" NAME ": %s", dir,
		               strerror(errno));
	text = malloc(STATE_SIZE_MAX + 1);
	if (!text)
		return err_set(e, -ENOMEM, "out of memory for the state");
	err = read_all(fd, text, STATE_SIZE_MAX + 1, &n);
	if (err)
		return err_set(e, err, "cannot read %s/" NAME ": %s", dir,
		               strerror(-err));
	return state_parse(text, n, s, e);
}

static int write_new(int dir_fd, const char *text, size_t n)
{
	AUTO_CLOSE int fd =
		openat(dir_fd, NEW_NAME,
	               O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	int err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, text, n);
	if (!err && fsync(fd) != 0)
		err = -errno;
	return err;
}

int state_save(const char *dir, const struct state *s, struct err *e)
{
	AUTO_CLOSE int dir_fd = open_dir(dir, e);
	AUTO_FREE char *text = NULL;
	int err;

	if (dir_fd < 0)
		return dir_fd;
	text = state_format(s);
	if (!text)
		return err_set(e, -ENOMEM, "out of memory for the state");
	if (strlen(text) > STATE_SIZE_MAX)
		return err_set(e, -ENOSPC,
		               "the node's drives and exports take more than "
		               "%u bytes to remember; remove some first",
		               STATE_SIZE_MAX);
	err = write_new(dir_fd, text, strlen(text));
	if (!err && renameat(dir_fd, NEW_NAME, dir_fd, NAME) != 0)
		err = -errno;
	if (!err && fsync(dir_fd) != 0)
		err = -errno;
	if (err)
		return err_set(e, err, "cannot write %s/" NAME ": %s", dir,
		               strerror(-err));
	return 0;
}

int state_lock(const char *dir, int *fd, struct err *e)
{
	AUTO_CLOSE int dir_fd = -1;
	int lock;

	if (mkdir(dir, 0750) != 0 && errno != EEXIST)
		return err_set(e, -errno, "cannot make the state folder %s: %s",
		               dir, strerror(errno));
	dir_fd = open_dir(dir, e);
	if (dir_fd < 0)
		return dir_fd;
	lock = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (lock < 0)
		return err_set(e, -errno, "cannot open %s/lock: %s", dir,
		               strerror(errno));
	if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
		close(lock);
		return err_set(e, -EBUSY,
		               "another causewayd uses the state folder %s; "
		               "stop it or choose another with --state",
		               dir);
	}
	*fd = lock;
	return 0;
}
