/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/donor.h"

#include "base/base.h"
#include "base/iov.h"
#include "base/list.h"
#include "block/finish.h"
#include "core/reactor.h"

#include <assert.h>
#include <causeway/causeway.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define CHECK_NS (50 * NS_PER_MS)
#define POLL 32 /* completions at a time */

struct command {
	struct list link; /* free, or under way in order of their start */
	struct block_request *request; /* NULL: free, or given up */
	uint64_t due_ns;
};

struct donor {
	struct block_device dev;
	struct reactor *reactor;
	char *socket;
	char *name;
	struct causeway *context;       /* NULL: DOWN or GONE */
	struct causeway_region *region; /* DONOR_REQUEST for each command */
	struct causeway_queue *queue;
	struct causeway_window *window;
	uint64_t down_ns; /* since when it is DOWN */
	bool gone;
	struct poller poller;
	struct watch bell;
	struct timer timer;
	struct command command[DONOR_COMMANDS];
	struct list free;
	struct list busy;
	struct block_request *first, **last; /* that wait */
};

static struct donor *donor_of(struct block_device *dev)
{
	return container_of(dev, struct donor, dev);
}

static uint64_t place_of(const struct donor *d, const struct command *c)
{
	return (uint64_t)(c - d->command) * DONOR_REQUEST;
}

static uint8_t *bytes_of(const struct donor *d, const struct command *c)
{
	return (uint8_t *)causeway_region_data(d->region) + place_of(d, c);
}

static int errno_of(uint32_t status)
{
	switch (status) {
	case CAUSEWAY_OK:
		return 0;
	case CAUSEWAY_BAD_KEY:
	case CAUSEWAY_DENIED:
	case CAUSEWAY_REVOKED:
	case CAUSEWAY_EXPIRED:
		return -EACCES;
	case CAUSEWAY_TIMED_OUT:
		return -ETIMEDOUT;
	case CAUSEWAY_PEER_LOST:
	case CAUSEWAY_CANCELLED:
		return -ENXIO;
	default:
		return -EIO;
	}
}

/* -- requests that wait ---------------------------------------------------- */

static void wait_last(struct donor *d, struct block_request *q)
{
	q->next = NULL;
	*d->last = q;
	d->last = &q->next;
}

static void wait_first(struct donor *d, struct block_request *q)
{
	q->next = d->first;
	d->first = q;
	if (!q->next)
		d->last = &q->next;
}

static struct block_request *next_waiting(struct donor *d)
{
	struct block_request *q = d->first;

	if (!q)
		return NULL;
	d->first = q->next;
	if (!d->first)
		d->last = &d->first;
	return q;
}

static void fail_waiting(struct donor *d, int err)
{
	struct block_request *q;

	while ((q = next_waiting(d)))
		block_finish(q, err);
}

/* -- commands -------------------------------------------------------------- */

static void start(struct donor *d, struct command *c, struct block_request *q)
{
	uint64_t id = (uint64_t)(c - d->command);
	int slot;

	if (q->op == BLOCK_WRITE)
		iov_to_buffer(q->iov, q->iov_count, bytes_of(d, c));
	slot = q->op == BLOCK_READ
	               ? causeway_read(d->queue, id, d->region, place_of(d, c),
	                               d->window, q->offset, q->length)
	               : causeway_write(d->queue, id, d->region, place_of(d, c),
	                                d->window, q->offset, q->length);
	if (slot < 0) { /* the daemon has ended: the bell will ring */
		list_prepend(&d->free, &c->link);
		wait_first(d, q);
		return;
	}
	c->request = q;
	c->due_ns = reactor_now_ns(d->reactor) + DONOR_DEADLINE_MS * NS_PER_MS;
	list_append(&d->busy, &c->link);
}

static void start_waiting(struct donor *d)
{
	while (d->context && d->first && !list_empty(&d->free)) {
		struct list *l = list_pop(&d->free);
		struct block_request *q = next_waiting(d);

		start(d, list_entry(l, struct command, link), q);
		if (d->first == q)
			return;
	}
}

static void completed(struct donor *d, const struct causeway_completion *done)
{
	struct command *c = &d->command[done->id % DONOR_COMMANDS];
	struct block_request *q = c->request;

	list_remove(&c->link);
	list_prepend(&d->free, &c->link);
	c->request = NULL;
	if (!q)
		return; /* given up before */
	if (done->status == CAUSEWAY_OK && q->op == BLOCK_READ)
		iov_from_buffer(q->iov, q->iov_count, bytes_of(d, c));
	q->done(q, errno_of(done->status));
}

/* -- the bridge ------------------------------------------------------------ */

static void unjoin(struct donor *d)
{
	if (!d->context)
		return;
	causeway_window_close(d->window);
	causeway_queue_destroy(d->queue);
	causeway_region_destroy(d->region);
	causeway_close(d->context);
	d->context = NULL;
	d->window = NULL;
	d->queue = NULL;
	d->region = NULL;
}

static void leave(struct donor *d)
{
	struct list *l;

	watch_stop(d->reactor, &d->bell);
	unjoin(d);
	d->down_ns = reactor_now_ns(d->reactor);
	while ((l = list_pop(&d->busy))) {
		struct command *c = list_entry(l, struct command, link);

		if (c->request)
			wait_first(d, c->request);
		c->request = NULL;
		list_append(&d->free, &c->link);
	}
}

static bool look(struct donor *d)
{
	struct causeway_completion done[POLL];
	int n = causeway_poll(d->queue, done, POLL);

	for (int i = 0; i < n; i++)
		completed(d, &done[i]);
	if (n == -EPIPE)
		leave(d);
	start_waiting(d);
	return n > 0;
}

static bool poll(struct poller *p)
{
	struct donor *d = container_of(p, struct donor, poller);

	return d->context && !list_empty(&d->busy) && look(d);
}

static bool prepare_sleep(struct poller *p)
{
	struct donor *d = container_of(p, struct donor, poller);

	return !d->context || causeway_arm(d->queue) == 0;
}

static void rung(struct watch *w, uint32_t events)
{
	struct donor *d = container_of(w, struct donor, bell);

	(void)causeway_arm(d->queue); /* takes what is in the bell */
	look(d);
	if (d->context && events & (EPOLLHUP | EPOLLERR))
		leave(d);
}

static int join(struct donor *d, struct err *e)
{
	int err = causeway_open(d->socket, &d->context);

	if (err)
		return err_set(e, err,
		               "cannot reach the daemon at %s: %s; start it "
		               "with 'causewayd --state DIR'",
		               d->socket, strerror(-err));
	err = causeway_region_create(
		d->context, (size_t)DONOR_COMMANDS * DONOR_REQUEST,
		CAUSEWAY_READ | CAUSEWAY_WRITE, &d->region);
	if (!err)
		err = causeway_queue_create(d->context, DONOR_COMMANDS,
		                            &d->queue);
	if (!err)
		err = causeway_window_open(d->context, d->name,
		                           CAUSEWAY_READ | CAUSEWAY_WRITE,
		                           &d->window);
	if (err)
		return err_set(e, err,
		               "donor %s: %s; see 'causeway node list' here "
		               "and 'causeway window list' there",
		               d->name, causeway_error(d->context));
	d->bell = (struct watch){ .fd = causeway_queue_fd(d->queue),
		                  .events = EPOLLIN,
		                  .ready = rung };
	err = watch_start(d->reactor, &d->bell);
	return err ? err_set(e, err, "no descriptor for donor %s", d->name) : 0;
}

/* -- time ------------------------------------------------------------------ */

static void give_up_late(struct donor *d, uint64_t now)
{
	bool late = false;

	LIST_FOREACH (l, &d->busy) {
		struct command *c = list_entry(l, struct command, link);
		struct block_request *q = c->request;

		if (c->due_ns > now)
			break;
		late = true;
		c->request = NULL;
		if (q)
			q->done(q, -ETIMEDOUT);
	}
	if (late)
		fail_waiting(d, -ETIMEDOUT);
}

static void join_again(struct donor *d, uint64_t now)
{
	if (join(d, NULL) == 0 &&
	    causeway_window_length(d->window) == d->dev.size) {
		start_waiting(d);
		return;
	}
	unjoin(d);
	if (now - d->down_ns < DONOR_BRIDGE_MS * NS_PER_MS)
		return;
	d->gone = true;
	fail_waiting(d, -ENXIO);
}

static void tick(struct timer *t)
{
	struct donor *d = container_of(t, struct donor, timer);
	uint64_t now = reactor_now_ns(d->reactor);

	if (d->context)
		give_up_late(d, now);
	else if (!d->gone)
		join_again(d, now);
	timer_start(d->reactor, t, CHECK_NS);
}

/* -- the device ------------------------------------------------------------ */

static void donor_submit(struct block_device *dev, struct block_request *q)
{
	struct donor *d = donor_of(dev);
	int err = block_check(dev, q);

	if (!err && q->length > DONOR_REQUEST)
		err = -EINVAL;
	if (!err && q->op == BLOCK_WRITE_ZEROES)
		err = -EOPNOTSUPP;
	if (!err && d->gone)
		err = -ENXIO;
	if (err || (q->op != BLOCK_READ && q->op != BLOCK_WRITE)) {
		block_finish(q, err);
		return;
	}
	wait_last(d, q);
	start_waiting(d);
}

static void donor_close(struct block_device *dev)
{
	struct donor *d = donor_of(dev);

	timer_stop(d->reactor, &d->timer);
	poller_stop(d->reactor, &d->poller);
	if (d->context)
		watch_stop(d->reactor, &d->bell);
	unjoin(d);
	free(d->socket);
	free(d->name);
	free(d);
}

static const struct block_ops donor_ops = {
	.type = "donor",
	.submit = donor_submit,
	.close = donor_close,
};

int donor_open(struct reactor *r, const char *socket, const char *window,
               struct block_device **out, struct err *e)
{
	struct donor *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return err_set(e, -ENOMEM, "no memory for donor %s", window);
	d->reactor = r;
	d->last = &d->first;
	d->dev.ops = &donor_ops;
	d->dev.grain = BLOCK_SECTOR;
	d->poller =
		(struct poller){ .poll = poll, .prepare_sleep = prepare_sleep };
	d->timer.fire = tick;
	list_init(&d->free);
	list_init(&d->busy);
	for (unsigned i = 0; i < DONOR_COMMANDS; i++)
		list_append(&d->free, &d->command[i].link);
	poller_start(r, &d->poller);
	d->socket = strdup(socket);
	d->name = strdup(window);
	err = !d->socket || !d->name
	              ? err_set(e, -ENOMEM, "no memory for donor %s", window)
	              : join(d, e);
	if (!err && timer_start(r, &d->timer, CHECK_NS))
		err = err_set(e, -ENOMEM, "no memory for donor %s", window);
	if (err) {
		poller_stop(r, &d->poller);
		unjoin(d);
		free(d->socket);
		free(d->name);
		free(d);
		return err;
	}
	d->dev.size = causeway_window_length(d->window);
	*out = &d->dev;
	return 0;
}
