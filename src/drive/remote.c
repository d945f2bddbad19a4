/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request is one operation on the window, or several one after the other
 * where its vector has more entries than an operation may have.
 *
 *     READ, WRITE, WRITE_ZEROES   MOVE ... MOVE ---------------> end
 *     the same with FUA           MOVE ... MOVE --> SYNC ------> end
 *     FLUSH                                         SYNC ------> end
 *
 * An operation that meets the grant's quota, or a bound of the owner's, rests
 * with others in `waiting` and is submitted again.
 */
#include "drive/remote.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/iov.h"
#include "block/finish.h"
#include "core/reactor.h"
#include "drive/drive_priv.h"
#include "fabric/service.h"
#include "window/window.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REST_NS (5 * NS_PER_MS)
/* From here on a request would delay the short ones of its lane. */
#define BULK_FROM 32768u

struct remote {
	struct block_device dev;
	struct reactor *home;
	struct window_remote *window;
	struct list waiting; /* struct remote_op, on home */
	struct timer timer;  /* until they are tried again */
	struct task closing;
	char name[2 * BASE_NAME_MAX + 2];
};

struct remote_op {
	struct fabric_op op;
	struct block_request *q;
	struct remote *remote;
	struct reactor *origin; /* where it was submitted */
	struct task task;       /* to home and back */
	struct list link;
	uint64_t at;       /* bytes that have moved */
	uint64_t since_ns; /* first submitted */
	int err;
	struct iovec iov[FABRIC_IOV_MAX];
};

static struct remote *remote_of(struct block_device *dev)
{
	return container_of(dev, struct remote, dev);
}

/* -- the end of a request -------------------------------------------------- */

static void end_at_origin(struct task *t)
{
	struct remote_op *o = container_of(t, struct remote_op, task);
	struct block_request *q = o->q;
	int err = o->err;

	free(o);
	q->done(q, err);
}

/* Not inside submit: callers come from a callback of the window's. */
static void end(struct remote_op *o, int err)
{
	o->err = err;
	if (o->origin == o->remote->home) {
		end_at_origin(&o->task);
		return;
	}
	o->task.run = end_at_origin;
	task_post(o->origin, &o->task);
}

/* What a volume may conclude: try another drive. */
static int errno_of(enum fabric_status status)
{
	switch (status) {
	case FABRIC_OK:
		return 0;
	case FABRIC_TIMED_OUT:
		return -ETIMEDOUT;
	case FABRIC_DENIED:
		return -EROFS;
	case FABRIC_BAD_KEY:
	case FABRIC_REVOKED:
	case FABRIC_EXPIRED:
	case FABRIC_PEER_LOST:
	case FABRIC_CANCELLED:
		return -ENXIO;
	case FABRIC_RANGE:
	case FABRIC_QUOTA:
	case FABRIC_TOO_LARGE:
	case FABRIC_BUSY:
	case FABRIC_PROTOCOL:
		break;
	}
	return -EIO;
}

static void synced(void *ctx, int err)
{
	end(ctx, err);
}

/* -- moving bytes ---------------------------------------------------------- */

static void move(struct remote_op *o);

static void rest(struct remote_op *o)
{
	struct remote *d = o->remote;

	if (reactor_now_ns(d->home) - o->since_ns >
	    REMOTE_PATIENCE_MS * NS_PER_MS) {
		end(o, -ETIMEDOUT);
		return;
	}
	if (list_empty(&d->waiting) &&
	    timer_start(d->home, &d->timer, REST_NS) != 0) {
		end(o, -ENOMEM);
		return;
	}
	list_append(&d->waiting, &o->link);
}

static void try_again(struct timer *t)
{
	struct remote *d = container_of(t, struct remote, timer);
	struct list some = LIST_INIT(some);
	struct list *node;

	list_splice(&some, &d->waiting);
	while ((node = list_pop(&some)) != NULL)
		move(list_entry(node, struct remote_op, link));
}

static void moved(struct fabric_op *op, enum fabric_status status)
{
	struct remote_op *o = container_of(op, struct remote_op, op);

	if (status == FABRIC_QUOTA || status == FABRIC_BUSY) {
		rest(o);
		return;
	}
	if (status != FABRIC_OK) {
		end(o, errno_of(status));
		return;
	}
	o->at += op->length;
	if (o->at < o->q->length)
		move(o);
	else if (o->q->flags & BLOCK_FUA)
		window_sync(o->remote->window, synced, o);
	else
		end(o, 0);
}

/* Bytes from `at` on that FABRIC_IOV_MAX entries hold. */
static uint64_t step_of(const struct block_request *q, uint64_t at)
{
	uint64_t bytes = 0;
	unsigned used = 0;

	for (unsigned i = 0; i < q->iov_count && used < FABRIC_IOV_MAX; i++) {
		uint64_t here = q->iov[i].iov_len;

		if (at >= here) {
			at -= here;
			continue;
		}
		bytes += here - at;
		at = 0;
		used++;
	}
	return bytes;
}

/* Fill in o->op's vector.  @return its bytes. */
static uint64_t data_of(struct remote_op *o)
{
	const struct block_request *q = o->q;
	uint64_t length = step_of(q, o->at);
	int n = iov_slice(q->iov, q->iov_count, o->at, length, o->iov,
	                  FABRIC_IOV_MAX);

	o->op.n_iov = (unsigned)n;
	return length;
}

static uint64_t zeroes_of(struct remote_op *o)
{
	uint64_t left = o->q->length - o->at, length = 0;
	unsigned n = 0;

	while (left > 0 && n < FABRIC_IOV_MAX) {
		uint64_t some =
			left < BLOCK_ZEROES_LENGTH ? left : BLOCK_ZEROES_LENGTH;

		o->iov[n].iov_base = (void *)(uintptr_t)block_zeroes;
		o->iov[n++].iov_len = some;
		length += some;
		left -= some;
	}
	o->op.n_iov = n;
	return length;
}

static void move(struct remote_op *o)
{
	const struct block_request *q = o->q;

	o->op = (struct fabric_op){
		.opcode = q->op == BLOCK_READ ? FABRIC_READ : FABRIC_WRITE,
		.offset = q->offset + o->at,
		.iov = o->iov,
		.done = moved,
	};
	o->op.length = q->op == BLOCK_WRITE_ZEROES ? zeroes_of(o) : data_of(o);
	o->op.class = o->op.length < BULK_FROM ? FABRIC_LATENCY : FABRIC_BULK;
	window_submit(o->remote->window, &o->op);
}

static void start(struct remote_op *o)
{
	o->since_ns = reactor_now_ns(o->remote->home);
	if (o->q->op == BLOCK_FLUSH)
		window_sync(o->remote->window, synced, o);
	else
		move(o);
}

static void start_at_home(struct task *t)
{
	start(container_of(t, struct remote_op, task));
}

static void remote_submit(struct block_device *dev, struct block_request *q)
{
	struct remote_op *o;
	int err = block_check(dev, q);

	/* A hint: the bytes stay as they are. */
	if (err || q->op == BLOCK_DISCARD) {
		block_finish(q, err);
		return;
	}
	o = malloc(sizeof(*o));
	if (!o) {
		block_finish(q, -ENOMEM);
		return;
	}
	o->q = q;
	o->remote = remote_of(dev);
	o->origin = reactor_current();
	o->at = 0;
	list_init(&o->link);
	if (o->origin == o->remote->home) {
		start(o);
		return;
	}
	o->task.run = start_at_home;
	task_post(o->remote->home, &o->task);
}

/* -- open and close ------------------------------------------------------- */

static void close_at_home(struct task *t)
{
	struct remote *d = container_of(t, struct remote, closing);

	window_close(d->window);
	free(d);
}

static void remote_close(struct block_device *dev)
{
	struct remote *d = remote_of(dev);

	d->closing.run = close_at_home;
	if (reactor_current() == d->home)
		close_at_home(&d->closing);
	else
		task_post(d->home, &d->closing);
}

const struct block_ops drive_remote_ops = {
	.type = "remote",
	.submit = remote_submit,
	.close = remote_close,
};

const char *drive_remote_name(const struct block_device *dev)
{
	return container_of(dev, struct remote, dev)->name;
}

bool remote_named(const char *spec)
{
	return strncmp(spec, "remote:", 7) == 0;
}

static void explain(struct err *e, const char *name, int err)
{
	static const struct {
		int err;
		const char *why, *next;
	} rows[] = {
		{ -ENOENT, "the node has no such window",
		  "make it there with 'causeway window create'" },
		{ -EACCES, "this node may not read and write it",
		  "allow that there with 'causeway window grant'" },
		{ -EHOSTUNREACH, "the node is not known, or away",
		  "see 'causeway node list'" },
		{ -ETIMEDOUT, "the node does not answer",
		  "see 'causeway node list'" },
		{ -EBUSY, "the node refuses to be asked just now",
		  "try again in a moment" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].err == err) {
			err_set(e, err, "remote:%s cannot be opened: %s; %s",
			        name, rows[i].why, rows[i].next);
			return;
		}
	err_set(e, err, "remote:%s cannot be opened: %s", name, strerror(-err));
}

static void fail(struct remote_open *o)
{
	free(o->remote);
	o->remote = NULL;
	o->opened(o, NULL, &o->err);
}

static void fail_later(struct task *t)
{
	fail(container_of(t, struct remote_open, task));
}

static void window_came(void *ctx, struct window_remote *window, int err)
{
	struct remote_open *o = ctx;
	struct remote *d = o->remote;

	if (!window) {
		explain(&o->err, d->name, err);
		fail(o);
		return;
	}
	d->window = window;
	d->dev.size = window_length(window) / DRIVE_PAGE * DRIVE_PAGE;
	if (d->dev.size < DRIVE_SPEC_SIZE_MIN) {
		window_close(window);
		err_set(&o->err, -EINVAL,
		        "remote:%s is too small for a drive: make a window of "
		        "at least 1M",
		        d->name);
		fail(o);
		return;
	}
	o->remote = NULL;
	o->opened(o, &d->dev, NULL);
}

static struct remote *make(struct reactor *r, const struct drive_spec *s)
{
	struct remote *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->dev.ops = &drive_remote_ops;
	d->dev.grain = BLOCK_SECTOR;
	d->home = r;
	d->timer.fire = try_again;
	list_init(&d->waiting);
	snprintf(d->name, sizeof(d->name), "%s/%s", s->node, s->window);
	return d;
}

void remote_open(struct window_host *host, struct reactor *r, const char *spec,
                 struct remote_open *o)
{
	struct drive_spec s;

	o->err = (struct err){ 0 };
	o->remote = NULL;
	o->task.run = fail_later;
	if (drive_spec_parse(spec, &s, &o->err) == 0) {
		o->remote = make(r, &s);
		if (!o->remote)
			err_set(&o->err, -ENOMEM, "no memory for a drive");
	}
	if (o->err.code)
		task_defer(r, &o->task);
	else
		window_open(host, s.node, s.window,
		            FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE, window_came,
		            o);
}
