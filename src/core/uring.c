/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/uring_priv.h"

#include "base/base.h"
#include "core/reactor_priv.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

/* Completions taken at a time: a small array on the stack. */
#define REAP_BATCH 32u

/*
 * Best first.  With DEFER_TASKRUN completions are made when this thread asks
 * for them, not by interrupting it, and TASKRUN_FLAG shows in shared memory
 * when to ask, so that polling an idle ring makes no system call.  The ring
 * starts disabled because SINGLE_ISSUER binds it to the thread that enables
 * it, which need not be the one that created the reactor.
 */
static const unsigned setup_flags[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
		IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
		IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP,
	IORING_SETUP_CLAMP,
};

int uring_init(struct uring *u, unsigned depth, int wake_fd, struct err *e)
{
	int err = -EINVAL;

	memset(u, 0, sizeof(*u));
	list_init(&u->waiting);
	if (depth == 0)
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(setup_flags) && err == -EINVAL; i++)
		err = io_uring_queue_init(depth, &u->ring, setup_flags[i]);
	if (err == -ENOSYS || err == -EPERM)
		return err_set(e, -ENOSYS,
		               "io_uring cannot be used here (%s): needs Linux "
		               "5.11, sysctl kernel.io_uring_disabled=0 and no "
		               "seccomp filter against it",
		               strerror(-err));
	if (err == -ENOMEM)
		return err_set(e, err,
		               "no memory for an io_uring of depth %u: raise "
		               "the locked memory limit (ulimit -l)",
		               depth);
	if (err)
		return err_set(e, err, "cannot set up io_uring: %s",
		               strerror(-err));
	err = io_uring_register_eventfd(&u->ring, wake_fd);
	if (!err)
		err = io_uring_cq_eventfd_toggle(&u->ring, false);
	if (err) {
		io_uring_queue_exit(&u->ring);
		return err_set(e, err, "cannot give io_uring an eventfd: %s",
		               strerror(-err));
	}
	u->depth = depth < u->ring.sq.ring_entries ? depth
	                                           : u->ring.sq.ring_entries;
	u->enabled = !(u->ring.flags & IORING_SETUP_R_DISABLED);
	u->defers = u->ring.flags & IORING_SETUP_DEFER_TASKRUN;
	return 0;
}

void uring_fini(struct uring *u)
{
	if (u->depth == 0)
		return;
	assert(u->in_flight == 0 && list_empty(&u->waiting));
	io_uring_queue_exit(&u->ring);
	u->depth = 0;
}

static void queue(struct uring *u, struct uring_request *q)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	assert(sqe);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = q->opcode;
	sqe->fd = q->fd;
	sqe->rw_flags = (int)q->flags; /* a union with fsync_flags */
	sqe->len = q->count;
	sqe->addr = q->address;
	sqe->off = q->offset;
	io_uring_sqe_set_data(sqe, q);
	u->in_flight++;
	u->queued++;
}

static void enable(struct uring *u)
{
	/* liburing 2.3 does not export its own io_uring_enable_rings(). */
	int err = io_uring_register((unsigned)u->ring.ring_fd,
	                            IORING_REGISTER_ENABLE_RINGS, NULL, 0);

	assert(!err);
	(void)err;
	/* Saves a reference count on the file in every call; may fail. */
	io_uring_register_ring_fd(&u->ring);
	u->enabled = true;
}

static void submit(struct uring *u)
{
	int n;

	if (!u->enabled)
		enable(u);
	if (u->defers)
		n = io_uring_submit_and_get_events(&u->ring);
	else
		n = io_uring_submit(&u->ring);
	/* Short of memory or interrupted: they stay queued and are tried
	 * again in the next iteration.  Anything else is our mistake, such
	 * as a second thread. */
	assert(n >= 0 || n == -EAGAIN || n == -EBUSY || n == -ENOMEM ||
	       n == -EINTR);
	if (n > 0)
		u->queued -= (unsigned)n;
}

static bool reap(struct uring *u)
{
	struct {
		struct uring_request *request;
		int result;
	} done[REAP_BATCH];
	struct io_uring_cqe *cqes[REAP_BATCH];
	unsigned n = io_uring_peek_batch_cqe(&u->ring, cqes, REAP_BATCH);

	for (unsigned i = 0; i < n; i++) {
		done[i].request = io_uring_cqe_get_data(cqes[i]);
		done[i].result = cqes[i]->res;
	}
	if (n == 0)
		return false;
	/* Before the calls: they may queue more, and need the room. */
	io_uring_cq_advance(&u->ring, n);
	u->in_flight -= n;
	for (unsigned i = 0; i < n; i++)
		done[i].request->done(done[i].request, done[i].result);
	return true;
}

bool uring_poll(struct uring *u)
{
	bool any = false;
	struct list *l;

	if (u->in_flight == 0)
		return false;
	if (u->queued > 0) {
		submit(u);
		any = true;
	}
	any |= reap(u);
	while (u->in_flight < u->depth && (l = list_pop(&u->waiting)))
		queue(u, list_entry(l, struct uring_request, link));
	return any || u->queued > 0;
}

/*
 * The ring's own descriptor would not do: with DEFER_TASKRUN epoll on it does
 * not wake for completions that wait to be made (seen on Linux 6.18).  The
 * eventfd does, and costs nothing while it is switched off.
 */
bool uring_prepare_sleep(struct uring *u)
{
	if (u->in_flight == 0)
		return true;
	io_uring_cq_eventfd_toggle(&u->ring, true);
	/* Pairs with the kernel's: flag or completion first, then a look at
	 * the switch. */
	atomic_thread_fence(memory_order_seq_cst);
	return u->queued == 0 && io_uring_cq_ready(&u->ring) == 0 &&
	       !(IO_URING_READ_ONCE(*u->ring.sq.kflags) &
	         (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

void uring_woken(struct uring *u)
{
	if (u->in_flight > 0)
		io_uring_cq_eventfd_toggle(&u->ring, false);
}

static void issue(struct reactor *r, struct uring_request *q)
{
	struct uring *u = &r->uring;

	assert(u->depth > 0);
	list_init(&q->link);
	if (u->in_flight < u->depth && list_empty(&u->waiting))
		queue(u, q);
	else
		list_append(&u->waiting, &q->link);
}

/*
 * One vector goes as a plain read or write, which the kernel need not import;
 * not if its length would not fit the entry's 32 bits.
 */
static void set_vector(struct uring_request *q, const struct iovec *iov,
                       unsigned n, uint8_t plain, uint8_t vectored)
{
	if (n == 1 && iov->iov_len <= INT_MAX) {
		q->opcode = plain;
		q->address = (uint64_t)(uintptr_t)iov->iov_base;
		q->count = (uint32_t)iov->iov_len;
	} else {
		q->opcode = vectored;
		q->address = (uint64_t)(uintptr_t)iov;
		q->count = n;
	}
}

void uring_readv(struct reactor *r, struct uring_request *q, int fd,
                 const struct iovec *iov, unsigned n, uint64_t offset)
{
	q->fd = fd;
	q->flags = 0;
	q->offset = offset;
	set_vector(q, iov, n, IORING_OP_READ, IORING_OP_READV);
	issue(r, q);
}

void uring_writev(struct reactor *r, struct uring_request *q, int fd,
                  const struct iovec *iov, unsigned n, uint64_t offset,
                  int rw_flags)
{
	q->fd = fd;
	q->flags = (uint32_t)rw_flags;
	q->offset = offset;
	set_vector(q, iov, n, IORING_OP_WRITE, IORING_OP_WRITEV);
	issue(r, q);
}

void uring_fdatasync(struct reactor *r, struct uring_request *q, int fd)
{
	q->opcode = IORING_OP_FSYNC;
	q->fd = fd;
	q->flags = IORING_FSYNC_DATASYNC;
	q->offset = 0;
	q->address = 0;
	q->count = 0;
	issue(r, q);
}

void uring_fallocate(struct reactor *r, struct uring_request *q, int fd,
                     int mode, uint64_t offset, uint64_t length)
{
	q->opcode = IORING_OP_FALLOCATE;
	q->fd = fd;
	q->flags = 0;
	q->offset = offset;
	q->address = length;
	q->count = (uint32_t)mode;
	issue(r, q);
}
