/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/watch.h"

#include "core/reactor_priv.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>

int reactor_watch_internal(struct reactor *r, struct watch *w)
{
	struct epoll_event ev = { .events = w->events, .data.ptr = w };

	list_init(&w->ready_link);
	w->ready_events = 0;
	if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev))
		return -errno;
	return 0;
}

int watch_start(struct reactor *r, struct watch *w)
{
	int err = reactor_watch_internal(r, w);

	if (!err)
		r->n_watches++;
	return err;
}

void watch_modify(struct reactor *r, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };
	int err;

	if (events == w->events)
		return;
	w->events = events;
	err = epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
	assert(!err);
	(void)err;
	w->ready_events &= events | EPOLLERR | EPOLLHUP;
	if (!w->ready_events)
		list_remove(&w->ready_link);
}

void watch_stop(struct reactor *r, struct watch *w)
{
	int err = epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);

	assert(!err); /* else it was closed before, or never started */
	(void)err;
	list_remove(&w->ready_link);
	r->n_watches--;
}
