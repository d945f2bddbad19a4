/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of far memory that lives in the program: it joins the pager when
 * the program starts (LD_PRELOAD) and then moves pages out of the way when
 * asked, which no other process can do.
 *
 * join() and what it calls run before main() or in the child of a fork, with
 * those calls of libc at hand that only ask the kernel.  serve() is a thread
 * that libc knows nothing of, for any page of libc's may be away: it lives on
 * its own stack in the channel's mapping, makes its system calls itself, and
 * touches the channel and nothing else.
 */
#include "far/agent/raw.h"
#include "far/channel_format.h"
#include "far/page_map.h"
#include "far/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STACK (16u << 10)
#define STAGING (FAR_BATCH * FAR_PAGE)
#define HIGH_FD 700       /* out of the way of programs that close low ones */
#define POPULATE_WRITE 23 /* MADV_POPULATE_WRITE, Linux 5.14 */
#define PLACES 16         /* addresses to try for the staging area */

/* Shared with the pager, then the thread's own stack. */
struct shared {
	struct far_channel channel;
	int staging_fd;
	int event_fd;
	int pager_pid; /* 0: not known here */
	uint8_t stack[STACK] __attribute__((aligned(4096)));
};

static struct shared *shared;
static int shared_fds[2] = { -1, -1 }; /* staging_fd and event_fd */
static char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static uint64_t probe;
static int pager = -1;  /* the connection; its end is ours */
static int faults = -1; /* held: were it closed, pages would read as zero */

/* -- the thread ------------------------------------------------------------ */

/* Move one page; its place in staging is `index`. */
static bool move_page(const struct shared *s, uint64_t from, unsigned index)
{
	struct uffd_move m = {
		.dst = s->channel.staging + index * FAR_PAGE,
		.src = from,
		.len = FAR_PAGE,
	};
	long r;

	do {
		m.move = 0;
		r = raw_syscall(SYS_ioctl, s->staging_fd, (long)UFFD_MOVE_IOCTL,
		                (long)&m, 0, 0, 0);
	} while (r == -EAGAIN && m.move <= 0);
	return r == 0;
}

/* @return which of the run's pages moved, from bit 0. */
static uint64_t move_run(const struct shared *s, uint64_t from, unsigned pages,
                         unsigned index)
{
	struct uffd_move m = {
		.dst = s->channel.staging + index * FAR_PAGE,
		.src = from,
		.len = pages * FAR_PAGE,
	};
	unsigned done;
	uint64_t moved = 0;

	raw_syscall(SYS_ioctl, s->staging_fd, (long)UFFD_MOVE_IOCTL, (long)&m,
	            0, 0, 0);
	done = m.move > 0 ? (unsigned)(m.move / (int64_t)FAR_PAGE) : 0;
	for (unsigned i = 0; i < pages; i++)
		if (i < done || move_page(s, from + i * FAR_PAGE, index + i))
			moved |= UINT64_C(1) << i;
	return moved;
}

static bool is_cancelled(const struct shared *s, uint32_t command)
{
	return atomic_load_explicit(&s->channel.cancelled,
	                            memory_order_seq_cst) == command;
}

/* What is away is lost with the pager, and who wants it would wait for ever:
 * better an end that is seen. */
static void end_with_pager(const struct shared *s)
{
	if (s->pager_pid > 0 &&
	    raw_syscall(SYS_kill, s->pager_pid, 0, 0, 0, 0, 0) == -ESRCH)
		raw_syscall(SYS_kill, raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0),
		            SIGKILL, 0, 0, 0, 0);
}

/* @return the even number that `reading` has; any, if the command is broken off
 * before. */
static uint32_t wait_for_pager(const struct shared *s, uint32_t command)
{
	for (;;) {
		uint32_t now = atomic_load_explicit(&s->channel.reading,
		                                    memory_order_seq_cst);

		if (now % 2 == 0 || is_cancelled(s, command))
			return now;
		end_with_pager(s);
		raw_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	}
}

/*
 * A command is broken off when part of the program's memory was unmapped or
 * moved: something else may lie there soon.  What moves while that happens is
 * doubtful; the check before and after each run makes that a run at most.
 */
static void obey(struct shared *s, uint32_t command)
{
	struct far_channel *c = &s->channel;
	unsigned index = 0;
	uint64_t moved = 0, doubtful = 0;

	raw_syscall(SYS_madvise, (long)c->staging, STAGING, MADV_DONTNEED, 0, 0,
	            0);
	for (unsigned i = 0; i < c->n_runs && i < FAR_BATCH; i++) {
		uint64_t pages = c->run[i].pages, now;
		uint32_t reading = wait_for_pager(s, command);

		if (pages == 0 || pages > FAR_BATCH - index ||
		    is_cancelled(s, command))
			break;
		now = move_run(s, c->run[i].address, (unsigned)pages, index)
		      << index;
		moved |= now;
		index += (unsigned)pages;
		if (is_cancelled(s, command) ||
		    atomic_load_explicit(&c->reading, memory_order_seq_cst) !=
		            reading)
			doubtful |= now;
	}
	c->moved = moved;
	c->doubtful = doubtful;
}

/* A write fault without a write: what is not there or not writable is left. */
static void own(const struct shared *s)
{
	const struct far_channel *c = &s->channel;

	for (unsigned i = 0; i < c->n_runs && i < FAR_BATCH; i++)
		raw_syscall(SYS_madvise, (long)c->run[i].address,
		            (long)(c->run[i].pages * FAR_PAGE), POPULATE_WRITE,
		            0, 0, 0);
}

static void serve(void *arg)
{
	static const struct timespec look = { .tv_sec = 1 };
	static const uint64_t one = 1;
	struct shared *s = arg;
	uint32_t seen = 0;

	for (;;) {
		uint32_t asked = atomic_load_explicit(&s->channel.asked,
		                                      memory_order_acquire);

		if (asked == seen) {
			if (raw_syscall(SYS_futex, (long)&s->channel.asked,
			                FUTEX_WAIT, seen, (long)&look, 0,
			                0) == -ETIMEDOUT)
				end_with_pager(s);
			continue;
		}
		if (s->channel.what == FAR_OWN)
			own(s);
		else
			obey(s, asked);
		seen = asked;
		atomic_store_explicit(&s->channel.answered, seen,
		                      memory_order_release);
		raw_syscall(SYS_write, s->event_fd, (long)&one, sizeof(one), 0,
		            0, 0);
	}
}

static int start_thread(void)
{
	unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES |
	                      CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	sigset_t all, old;
	long r;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	r = raw_thread(flags, shared->stack + STACK, serve, shared);
	atomic_store_explicit(&shared->channel.agent, r > 0 ? (uint32_t)r : 0,
	                      memory_order_relaxed);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r < 0 ? (int)r : 0;
}

/* -- joining --------------------------------------------------------------- */

/* @return 0: it is in another namespace. */
static int pid_of_pager(void)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return getsockopt(pager, SOL_SOCKET, SO_PEERCRED, &peer, &n) ? 0
	                                                             : peer.pid;
}

static int high(int fd)
{
	int moved = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (moved < 0)
		return fd; /* few descriptors are allowed: stay low */
	close(fd);
	return moved;
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path))
		return -1;
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return high(fd);
}

/* @return whether we are welcome; *sent: the descriptor that came, or -1. */
static bool welcomed(int *sent)
{
	struct far_welcome w;
	struct iovec iov = { &w, sizeof(w) };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov,
		            .msg_iovlen = 1,
		            .msg_control = &control,
		            .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	*sent = -1;
	if (recvmsg(pager, &m, MSG_CMSG_CLOEXEC) != sizeof(w))
		return false;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(sent, CMSG_DATA(c), sizeof(int));
	return w.version == FAR_CHANNEL_VERSION && w.refused == 0;
}

static bool say_hello(const int fds[FAR_FDS])
{
	const struct far_hello hello = {
		.version = FAR_CHANNEL_VERSION,
		.staging = shared->channel.staging,
		.probe = probe,
	};
	struct iovec iov = { (void *)&hello, sizeof(hello) };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FAR_FDS * sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = &iov,
		            .msg_iovlen = 1,
		            .msg_control = &control,
		            .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(FAR_FDS * sizeof(int));
	memcpy(CMSG_DATA(c), fds, FAR_FDS * sizeof(int));
	return sendmsg(pager, &m, MSG_NOSIGNAL) == sizeof(hello);
}

/* The staging area and a page behind it, where no other process is likely to
 * have anything: docs of far_hello.probe. */
static void *map_staging(void)
{
	for (unsigned i = 0; i < PLACES; i++) {
		uint64_t random;
		void *at;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			break;
		random = (random & 0x3fffffffffff) & ~(FAR_PAGE - 1);
		at = mmap((void *)(uintptr_t)random, STAGING + FAR_PAGE,
		          PROT_READ | PROT_WRITE,
		          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
		                  MAP_FIXED_NOREPLACE,
		          -1, 0);
		if (at != MAP_FAILED)
			return at;
	}
	return MAP_FAILED;
}

/* The memory that the pager leaves alone.  @return the channel's memfd. */
static int make_shared(void)
{
	int fd = memfd_create("causeway-far", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *staging;

	if (fd < 0 || ftruncate(fd, sizeof(struct shared)) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		return -1;
	shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
	              MAP_SHARED, fd, 0);
	staging = map_staging();
	if (shared == MAP_FAILED || staging == MAP_FAILED)
		return -1;
	madvise(shared, sizeof(struct shared), MADV_DONTFORK);
	madvise(staging, STAGING + FAR_PAGE, MADV_DONTFORK);
	madvise(staging, STAGING + FAR_PAGE, MADV_NOHUGEPAGE);
	/* It wants an anonymous mapping that has had a page. */
	*(volatile char *)staging = 0;
	madvise(staging, STAGING, MADV_DONTNEED);
	shared->channel.staging = (uint64_t)(uintptr_t)staging;
	probe = shared->channel.staging + STAGING;
	return fd;
}

static bool join(const char *path)
{
	int fds[FAR_FDS], device, inherited;
	bool ok;

	pager = connect_to(path);
	if (pager < 0 || !welcomed(&device))
		return false;
	fds[FAR_FD_FAULTS] = uffd_open(device);
	fds[FAR_FD_STAGING] = high(uffd_open(device));
	fds[FAR_FD_CHANNEL] = make_shared();
	fds[FAR_FD_EVENT] = high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (device >= 0)
		close(device);
	ok = true;
	for (unsigned i = 0; i < FAR_FDS; i++)
		ok = ok && fds[i] >= 0;
	if (!ok || !say_hello(fds) || !welcomed(&inherited))
		return false;
	if (inherited >= 0) {
		close(fds[FAR_FD_FAULTS]);
		fds[FAR_FD_FAULTS] = inherited;
	}
	faults = high(fds[FAR_FD_FAULTS]);
	close(fds[FAR_FD_CHANNEL]);
	shared->staging_fd = shared_fds[0] = fds[FAR_FD_STAGING];
	shared->event_fd = shared_fds[1] = fds[FAR_FD_EVENT];
	shared->pager_pid = pid_of_pager();
	return start_thread() == 0;
}

static void leave(void)
{
	const int fds[] = { pager, faults };

	for (unsigned i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	pager = faults = -1;
}

/* What it holds is its parent's, and the thread did not come along.  One that
 * cannot join is served, but keeps what it fetches; the pager counts it. */
static void forked(void)
{
	leave();
	close(shared_fds[0]);
	close(shared_fds[1]);
	if (!join(socket_path))
		leave();
}

__attribute__((constructor)) static void started(void)
{
	const char *path = getenv(FAR_SOCKET_ENV);

	if (!path || strlen(path) >= sizeof(socket_path))
		return;
	strcpy(socket_path, path);
	if (join(socket_path)) {
		pthread_atfork(NULL, NULL, forked);
		return;
	}
	fprintf(stderr, "causeway: this program keeps all its memory "
	                "here: it cannot join the pager\n");
	leave();
}
