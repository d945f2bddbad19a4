/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs join: far/channel_format.h says how.
 *
 * The socket is in a folder of mode 0700 and the peer's process is what the
 * kernel says it is, so a program can bring nothing but its own memory.
 */
#include "far/pager_priv.h"
#include "far/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A program between its connection and its space. */
struct guest {
	struct pager *pager;
	struct watch watch;
	struct list link; /* pager.joining */
};

static void guest_end(struct guest *g)
{
	watch_stop(g->pager->reactor, &g->watch);
	close(g->watch.fd);
	list_remove(&g->link);
	free(g);
}

static void welcome(int socket, int refused, int device)
{
	struct far_welcome w = { FAR_CHANNEL_VERSION, (uint32_t)refused };
	struct iovec iov = { &w, sizeof(w) };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (device >= 0) {
		struct cmsghdr *c;

		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &device, sizeof(int));
	}
	sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* @return whether a whole hello and all its descriptors came. */
static bool receive(int socket, struct far_hello *hello, int fds[FAR_FDS])
{
	struct iovec iov = { hello, sizeof(*hello) };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FAR_FDS * sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov,
		            .msg_iovlen = 1,
		            .msg_control = &control,
		            .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	size_t n_fds = 0;

	for (unsigned i = 0; i < FAR_FDS; i++)
		fds[i] = -1;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), n_fds * sizeof(int));
	}
	return n == sizeof(*hello) && n_fds == FAR_FDS &&
	       !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
	       hello->version == FAR_CHANNEL_VERSION;
}

/* The channel must not become shorter under the pager's feet. */
static struct far_channel *map_channel(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *at;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) ||
	    st.st_size < (off_t)sizeof(struct far_channel))
		return NULL;
	at = mmap(NULL, sizeof(struct far_channel), PROT_READ | PROT_WRITE,
	          MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

static void answered(struct watch *w, uint32_t events)
{
	struct space *s = container_of(w, struct space, event);
	uint64_t n;

	(void)events;
	if (read(w->fd, &n, sizeof(n)) == sizeof(n))
		far_evict_answered(s);
}

static pid_t peer_of(int socket)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &cred, &n))
		return -1;
	return cred.pid;
}

static int open_pagemap(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* -- children -------------------------------------------------------------- */

static bool has_page(int pagemap_fd, uint64_t address)
{
	uint64_t entry;

	return pread(pagemap_fd, &entry, sizeof(entry),
	             (off_t)(address >> FAR_PAGE_SHIFT) * 8) == 8 &&
	       entry >> 63;
}

/* Whether `s` is of the process whose page map that is: a page of zeroes that
 * `s` places shows up there.  Anywhere else that does no harm. */
static bool is_of(const struct space *s, int pagemap_fd, uint64_t probe)
{
	int fd = s->faults.fd;

	return !has_page(pagemap_fd, probe) &&
	       uffd_register(fd, probe, FAR_PAGE) == 0 &&
	       uffd_zero(fd, probe, FAR_PAGE) > 0 &&
	       has_page(pagemap_fd, probe);
}

/* The space that a fork made for the process; NULL: it inherited nothing that
 * was captured. */
static struct space *find_child(struct pager *p, int pagemap_fd, uint64_t probe)
{
	LIST_FOREACH (l, &p->spaces) {
		struct space *s = list_entry(l, struct space, link);

		if (!s->pid && is_of(s, pagemap_fd, probe))
			return s;
	}
	return NULL;
}

/* -- joining --------------------------------------------------------------- */

static int prepare_staging(int fd, uint64_t staging)
{
	int err = uffd_api(fd, UFFD_MOVE_FEATURE);

	return err ? err : uffd_register(fd, staging, FAR_BATCH * FAR_PAGE);
}

/* Takes FAR_FD_FAULTS.  NULL: that is no good, or there is no memory. */
static struct space *new_program(struct pager *p, int fds[FAR_FDS])
{
	int fd = fds[FAR_FD_FAULTS];

	if (uffd_api(fd, UFFD_PAGER_FEATURES))
		return NULL;
	fds[FAR_FD_FAULTS] = -1;
	return far_space_create(p, fd);
}

/* Takes FAR_FD_EVENT on success. */
static int give_agent(struct space *s, pid_t pid, const struct far_hello *hello,
                      int fds[FAR_FDS])
{
	int err;

	s->staging = hello->staging;
	s->channel = map_channel(fds[FAR_FD_CHANNEL]);
	if (!s->channel)
		return -EACCES;
	s->event = (struct watch){ .fd = fds[FAR_FD_EVENT],
		                   .events = EPOLLIN,
		                   .ready = answered };
	err = watch_start(s->pager->reactor, &s->event);
	if (err) {
		s->event.fd = -1;
		return err;
	}
	fds[FAR_FD_EVENT] = -1;
	return far_space_watch(s, pid);
}

/* *inherited: the descriptor of a child's captured memory, or -1. */
static int admit(struct pager *p, pid_t pid, const struct far_hello *hello,
                 int fds[FAR_FDS], int *inherited)
{
	int pagemap_fd = open_pagemap(pid);
	struct space *s;
	int err = pagemap_fd < 0 ? -EACCES
	                         : prepare_staging(fds[FAR_FD_STAGING],
	                                           hello->staging);

	if (err) {
		if (pagemap_fd >= 0)
			close(pagemap_fd);
		return err;
	}
	s = find_child(p, pagemap_fd, hello->probe);
	if (s)
		*inherited = s->faults.fd;
	else
		s = new_program(p, fds);
	if (!s) {
		close(pagemap_fd);
		return -ENOMEM;
	}
	s->pagemap_fd = pagemap_fd;
	err = give_agent(s, pid, hello, fds);
	far_seat_joined(p, pid);
	if (err)
		pager_lost(s, "its agent cannot join");
	else if (s->is_child)
		s->rss = s->shared = far_scan_rss(pid);
	return err;
}

static void hello_ready(struct watch *w, uint32_t events)
{
	struct guest *g = container_of(w, struct guest, watch);
	struct pager *p = g->pager;
	struct far_hello hello;
	int fds[FAR_FDS], inherited = -1, err = -EPROTO;

	(void)events;
	if (receive(w->fd, &hello, fds))
		err = admit(p, peer_of(w->fd), &hello, fds, &inherited);
	welcome(w->fd, -err, err ? -1 : inherited);
	for (unsigned i = 0; i < FAR_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	guest_end(g);
}

static void guest_ready(struct watch *w, uint32_t events)
{
	struct pager *p = container_of(w, struct pager, listener);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct guest *g;

	(void)events;
	if (fd < 0)
		return;
	g = calloc(1, sizeof(*g));
	if (!g || p->n_spaces >= PAGER_PROGRAMS_MAX) {
		welcome(fd, EUSERS, -1);
		close(fd);
		free(g);
		return;
	}
	g->pager = p;
	g->watch = (struct watch){ .fd = fd,
		                   .events = EPOLLIN,
		                   .ready = hello_ready };
	list_append(&p->joining, &g->link);
	if (watch_start(p->reactor, &g->watch)) {
		close(fd);
		list_remove(&g->link);
		free(g);
		return;
	}
	welcome(fd, 0, p->device_fd);
}

int far_join_listen(struct pager *p, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *tmp = getenv("TMPDIR");
	int fd;

	snprintf(p->folder, sizeof(p->folder), "%s/causeway-far-XXXXXX",
	         tmp && strlen(tmp) < 32 ? tmp : "/tmp");
	if (!mkdtemp(p->folder)) {
		p->folder[0] = '\0';
		return err_set(e, -errno, "cannot make a folder in %s: %s",
		               tmp ? tmp : "/tmp", strerror(errno));
	}
	snprintf(p->socket_path, sizeof(p->socket_path), "%s/socket",
	         p->folder);
	strcpy(a.sun_path, p->socket_path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(fd, SOMAXCONN)) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err_set(e, err, "cannot listen at %s: %s",
		               p->socket_path, strerror(-err));
	}
	p->listener = (struct watch){ .fd = fd,
		                      .events = EPOLLIN,
		                      .ready = guest_ready };
	return watch_start(p->reactor, &p->listener);
}

void far_join_stop(struct pager *p)
{
	LIST_FOREACH (l, &p->joining) {
		guest_end(list_entry(l, struct guest, link));
	}
	if (p->listener.fd >= 0) {
		watch_stop(p->reactor, &p->listener);
		close(p->listener.fd);
	}
	if (p->folder[0]) {
		unlink(p->socket_path);
		rmdir(p->folder);
	}
}
