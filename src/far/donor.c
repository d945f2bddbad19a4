/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/donor.h"

#include "base/base.h"
#include "base/iov.h"
#include "base/list.h"
#include "block/finish.h"
#include "core/reactor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define CHECK_NS (50 * NS_PER_MS)
#define POLL 32 /* completions at a time */

struct command {
	struct list link; /* free, or under way in order of their start */
	struct block_request *request; /* NULL: free, or given up */
	uint64_t start_ns;
};

struct donor {
	struct block_device dev;
	struct reactor *reactor;
	struct donor_opts opts; /* with copies of the strings */
	/* no context: DOWN or GONE; the region has DONOR_REQUEST for each
	 * command */
	struct reach reach;
	char descriptor[CAUSEWAY_DESCRIPTOR_MAX];
	struct reach_attempt again;
	uint64_t down_ns; /* since when it is DOWN */
	int gone;         /* 0, or why: an errno */
	bool is_recalled;
	bool is_told; /* that it is gone */
	bool is_cut;  /* a command was cancelled */
	uint64_t looked_ns;
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
	return (uint8_t *)causeway_region_data(d->reach.region) +
	       place_of(d, c);
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
	const struct reach *r = &d->reach;
	uint64_t id = (uint64_t)(c - d->command);
	int slot;

	if (q->op == BLOCK_WRITE)
		iov_to_buffer(q->iov, q->iov_count, bytes_of(d, c));
	else if (q->op == BLOCK_WRITE_ZEROES)
		memset(bytes_of(d, c), 0, q->length);
	slot = q->op == BLOCK_READ
	               ? causeway_read(r->queue, id, r->region, place_of(d, c),
	                               r->window, q->offset, q->length)
	               : causeway_write(r->queue, id, r->region, place_of(d, c),
	                                r->window, q->offset, q->length);
	if (slot < 0) { /* the daemon has ended: the bell will ring */
		list_prepend(&d->free, &c->link);
		wait_first(d, q);
		return;
	}
	c->request = q;
	c->start_ns = reactor_now_ns(d->reactor);
	list_append(&d->busy, &c->link);
}

static void start_waiting(struct donor *d)
{
	while (d->reach.context && d->first && !list_empty(&d->free)) {
		struct list *l = list_pop(&d->free);
		struct block_request *q = next_waiting(d);

		start(d, list_entry(l, struct command, link), q);
		if (d->first == q)
			return;
	}
}

/* Nothing is asked of it any more.  The owner is told on the next tick. */
static void give_up(struct donor *d, int err)
{
	if (!d->gone)
		d->gone = err;
	fail_waiting(d, err);
}

static void completed(struct donor *d, const struct causeway_completion *done)
{
	struct command *c = &d->command[done->id % DONOR_COMMANDS];
	struct block_request *q = c->request;
	int err = errno_of(done->status);

	list_remove(&c->link);
	list_prepend(&d->free, &c->link);
	c->request = NULL;
	if (!q)
		return; /* given up before */
	if (done->status == CAUSEWAY_CANCELLED && !d->gone) {
		wait_first(d, q); /* the daemon is ending */
		d->is_cut = true;
		return;
	}
	if (!err && q->op == BLOCK_READ)
		iov_from_buffer(q->iov, q->iov_count, bytes_of(d, c));
	q->done(q, err);
	if (err)
		give_up(d, err);
}

/* -- the bridge ------------------------------------------------------------ */

/* DOWN, from UP. */
static void leave(struct donor *d)
{
	struct list *l;

	watch_stop(d->reactor, &d->bell);
	reach_close(&d->reach);
	d->is_cut = false;
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
	int n = causeway_poll(d->reach.queue, done, POLL);

	for (int i = 0; i < n; i++)
		completed(d, &done[i]);
	if (n == -EPIPE || d->is_cut)
		leave(d);
	start_waiting(d);
	return n > 0;
}

static bool poll(struct poller *p)
{
	struct donor *d = container_of(p, struct donor, poller);

	return d->reach.context && !list_empty(&d->busy) && look(d);
}

static bool prepare_sleep(struct poller *p)
{
	struct donor *d = container_of(p, struct donor, poller);

	return !d->reach.context || causeway_arm(d->reach.queue) == 0;
}

static void rung(struct watch *w, uint32_t events)
{
	struct donor *d = container_of(w, struct donor, bell);

	(void)causeway_arm(d->reach.queue); /* takes what is in the bell */
	look(d);
	if (d->reach.context && events & (EPOLLHUP | EPOLLERR))
		leave(d);
}

/* UP. */
static int take(struct donor *d, struct reach *reach, struct err *e)
{
	int err;

	d->reach = *reach;
	memcpy(d->descriptor, reach->descriptor, sizeof(d->descriptor));
	d->bell = (struct watch){ .fd = causeway_queue_fd(reach->queue),
		                  .events = EPOLLIN,
		                  .ready = rung };
	err = watch_start(d->reactor, &d->bell);
	if (!err)
		return 0;
	reach_close(&d->reach);
	return err_set(e, err, "no descriptor for donor %s", d->opts.name);
}

static void joined_again(struct reach_attempt *a)
{
	struct donor *d = container_of(a, struct donor, again);

	if (d->gone || (!a->err && causeway_window_length(a->reach.window) !=
	                                   d->dev.size)) {
		reach_close(&a->reach);
		a->err = -ENXIO;
	}
	if (!a->err && take(d, &a->reach, NULL) == 0)
		start_waiting(d);
}

static void join_again(struct donor *d, uint64_t now)
{
	struct reach_spec spec = donor_reach(&d->opts);

	if (now - d->down_ns >= DONOR_BRIDGE_MS * NS_PER_MS) {
		give_up(d, -ENXIO);
		return;
	}
	spec.descriptor = d->descriptor;
	if (!d->again.is_running)
		(void)reach_start(&d->again, d->reactor, &spec);
}

/* -- time ------------------------------------------------------------------ */

/* Nobody is late for the time in which we did not look. */
static void forgive(struct donor *d, uint64_t now)
{
	uint64_t since = now - d->looked_ns;

	d->looked_ns = now;
	if (since < 3 * CHECK_NS)
		return;
	LIST_FOREACH (l, &d->busy)
		list_entry(l, struct command, link)->start_ns +=
			since - CHECK_NS;
}

static void give_up_late(struct donor *d, uint64_t now)
{
	bool late = false;

	LIST_FOREACH (l, &d->busy) {
		struct command *c = list_entry(l, struct command, link);
		struct block_request *q = c->request;

		if (now < c->start_ns + d->opts.deadline_ms * NS_PER_MS)
			break;
		late = true;
		c->request = NULL;
		if (q)
			q->done(q, -ETIMEDOUT);
	}
	if (late)
		give_up(d, -ETIMEDOUT);
}

static void hear_owner(struct donor *d)
{
	unsigned left_ms;

	if (d->is_recalled ||
	    causeway_window_recalled(d->reach.window, &left_ms) != 1)
		return;
	d->is_recalled = true;
	if (d->opts.recalled)
		d->opts.recalled(d->opts.ctx, left_ms);
}

static void tick(struct timer *t)
{
	struct donor *d = container_of(t, struct donor, timer);
	uint64_t now = reactor_now_ns(d->reactor);

	forgive(d, now);
	if (d->reach.context)
		look(d);
	if (d->reach.context) {
		give_up_late(d, now);
		hear_owner(d);
	} else if (!d->gone) {
		join_again(d, now);
	}
	timer_start(d->reactor, t, CHECK_NS);
	if (d->gone && !d->is_told) {
		d->is_told = true;
		if (d->opts.gone)
			d->opts.gone(d->opts.ctx, d->gone);
	}
}

/* -- the device ------------------------------------------------------------ */

static void donor_submit(struct block_device *dev, struct block_request *q)
{
	struct donor *d = donor_of(dev);
	int err = block_check(dev, q);

	if (!err && q->length > DONOR_REQUEST)
		err = -EINVAL;
	if (!err && d->gone)
		err = d->gone;
	if (err || q->op == BLOCK_FLUSH || q->op == BLOCK_DISCARD) {
		block_finish(q, err);
		return;
	}
	wait_last(d, q);
	start_waiting(d);
}

static void donor_free(struct donor *d)
{
	free((void *)(uintptr_t)d->opts.socket);
	free((void *)(uintptr_t)d->opts.name);
	free(d);
}

static void donor_close(struct block_device *dev)
{
	struct donor *d = donor_of(dev);

	timer_stop(d->reactor, &d->timer);
	if (!d->gone)
		d->gone = -ENXIO; /* so that what is being joined is let go */
	reach_finish(&d->again);
	poller_stop(d->reactor, &d->poller);
	if (d->reach.context)
		watch_stop(d->reactor, &d->bell);
	reach_close(&d->reach);
	donor_free(d);
}

static const struct block_ops donor_ops = {
	.type = "donor",
	.submit = donor_submit,
	.close = donor_close,
};

void donor_set_deadline(struct block_device *dev, unsigned ms)
{
	donor_of(dev)->opts.deadline_ms = ms;
}

struct reach_spec donor_reach(const struct donor_opts *o)
{
	return (struct reach_spec){
		.socket = o->socket,
		.name = o->name,
		.length = o->length,
		.descriptor = "",
		.region_bytes = (size_t)DONOR_COMMANDS * DONOR_REQUEST,
		.commands = DONOR_COMMANDS,
	};
}

static void init(struct donor *d, const struct donor_opts *o)
{
	d->reactor = o->reactor;
	d->opts = *o;
	d->opts.socket = strdup(o->socket);
	d->opts.name = strdup(o->name);
	d->last = &d->first;
	d->dev.ops = &donor_ops;
	d->dev.grain = BLOCK_SECTOR;
	d->poller =
		(struct poller){ .poll = poll, .prepare_sleep = prepare_sleep };
	d->timer.fire = tick;
	d->again.ended = joined_again;
	d->looked_ns = reactor_now_ns(o->reactor);
	list_init(&d->free);
	list_init(&d->busy);
	for (unsigned i = 0; i < DONOR_COMMANDS; i++)
		list_append(&d->free, &d->command[i].link);
}

int donor_open(const struct donor_opts *o, struct reach *reach,
               struct block_device **out, struct err *e)
{
	struct donor *d = calloc(1, sizeof(*d));
	int err;

	if (!d) {
		reach_close(reach);
		return err_set(e, -ENOMEM, "no memory for donor %s", o->name);
	}
	init(d, o);
	d->dev.size = causeway_window_length(reach->window);
	err = take(d, reach, e);
	if (!err && (!d->opts.socket || !d->opts.name ||
	             timer_start(d->reactor, &d->timer, CHECK_NS))) {
		watch_stop(d->reactor, &d->bell);
		reach_close(&d->reach);
		err = err_set(e, -ENOMEM, "no memory for donor %s", o->name);
	}
	if (err) {
		donor_free(d);
		return err;
	}
	poller_start(d->reactor, &d->poller);
	*out = &d->dev;
	return 0;
}
