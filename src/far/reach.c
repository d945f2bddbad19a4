/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/reach.h"

#include "base/base.h"
#include "core/reactor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define RIGHTS (CAUSEWAY_READ | CAUSEWAY_WRITE)

static int open_window(const struct reach_spec *s, struct reach *r,
                       uint64_t *free)
{
	int err;

	if (strchr(s->name, '/'))
		return causeway_window_open(r->context, s->name, RIGHTS,
		                            &r->window);
	err = *s->descriptor
	              ? causeway_import(r->context, s->descriptor, &r->window)
	              : causeway_borrow(r->context, s->name, s->length, free,
	                                &r->window);
	if (!err)
		causeway_window_descriptor(r->window, r->descriptor);
	return err;
}

int reach_open(const struct reach_spec *s, struct reach *out, uint64_t *free,
               struct err *e)
{
	struct reach r = { 0 };
	int err = causeway_open(s->socket, &r.context);

	if (err)
		return err_set(e, err,
		               "cannot reach the daemon at %s: %s; start it "
		               "with 'causewayd --state DIR'",
		               s->socket, strerror(-err));
	err = causeway_region_create(r.context, s->region_bytes, RIGHTS,
	                             &r.region);
	if (!err)
		err = causeway_queue_create(r.context, s->commands, &r.queue);
	if (!err)
		err = open_window(s, &r, free);
	if (err) {
		err_set(e, err,
		        "donor %s: %s; see 'causeway node list' here "
		        "and 'causeway %s list' there",
		        s->name, causeway_error(r.context),
		        strchr(s->name, '/') ? "window" : "donor");
		causeway_close(r.context);
		return err;
	}
	*out = r;
	return 0;
}

void reach_close(struct reach *r)
{
	if (!r->context)
		return;
	causeway_window_close(r->window);
	causeway_queue_destroy(r->queue);
	causeway_region_destroy(r->region);
	causeway_close(r->context);
	*r = (struct reach){ 0 };
}

/* -- by a thread ----------------------------------------------------------- */

static void ended(struct task *t)
{
	struct reach_attempt *a = container_of(t, struct reach_attempt, task);

	pthread_join(a->thread, NULL);
	a->is_running = false;
	a->ended(a);
}

static void *attempt(void *arg)
{
	struct reach_attempt *a = arg;

	a->err = reach_open(&a->spec, &a->reach, &a->free, &a->words);
	task_post(a->reactor, &a->task);
	return NULL;
}

int reach_start(struct reach_attempt *a, struct reactor *r,
                const struct reach_spec *spec)
{
	sigset_t all, before;
	int err;

	a->spec = *spec;
	a->reactor = r;
	a->reach = (struct reach){ 0 };
	a->free = 0;
	a->words = (struct err){ 0 };
	a->task.run = ended;
	/* Signals are for the reactor's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	err = pthread_create(&a->thread, NULL, attempt, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	a->is_running = err == 0;
	return -err;
}

void reach_finish(struct reach_attempt *a)
{
	while (a->is_running)
		reactor_poll(a->reactor);
}
