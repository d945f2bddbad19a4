/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A data reactor's part of the server.  Everything that changes a connection
 * marks it dirty; the flush task, deferred to the end of the iteration, then
 * sends all that an iteration has completed with one system call for each
 * connection, closes what is done and gives freed memory to those who wait.
 */
#include "base/clock.h"
#include "export/nbd_priv.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_NS (1 * NS_PER_S)

static bool somebody_starves(const struct nbd_worker *w)
{
	LIST_FOREACH (node, &w->blocked)
		if (list_entry(node, struct nbd_conn, block_link)->starving)
			return true;
	return false;
}

/* Cut the clients that hold memory, move nothing and let others wait. */
static void cut_hoarders(struct nbd_worker *w)
{
	bool starved = somebody_starves(w);

	LIST_FOREACH (node, &w->connections) {
		struct nbd_conn *c = list_entry(node, struct nbd_conn, link);
		bool client_owes = c->state == NBD_PAYLOAD || c->out;

		if (!starved || !client_owes || c->moved != c->moved_seen)
			c->stalled = 0;
		else if (++c->stalled >= NBD_STALL_S)
			nbd_conn_kill(c);
		c->moved_seen = c->moved;
	}
}

static void look(struct timer *t)
{
	struct nbd_worker *w = container_of(t, struct nbd_worker, trim);

	w->trim_armed = false;
	cut_hoarders(w);
	if (w->trim_seen == w->n_requests && w->pool.used == 0)
		nbd_pool_trim(&w->pool);
	nbd_worker_arm(w);
}

/* While buffers are cached, look every second whether they are still used. */
static void plan_trim(struct nbd_worker *w)
{
	uint64_t bytes = w->pool.used + w->pool.cached;

	__atomic_store_n(&w->buffers, bytes, __ATOMIC_RELAXED);
	if (w->trim_armed || bytes == 0)
		return;
	w->trim_seen = w->n_requests;
	w->trim_armed = timer_start(w->reactor, &w->trim, LOOK_NS) == 0;
}

static void resume_blocked(struct nbd_worker *w)
{
	struct list waiting;

	list_init(&waiting);
	list_splice(&waiting, &w->blocked);
	for (struct list *n = list_pop(&waiting); n; n = list_pop(&waiting))
		nbd_conn_resume(list_entry(n, struct nbd_conn, block_link));
}

static void flush(struct task *t)
{
	struct nbd_worker *w = container_of(t, struct nbd_worker, flush);
	struct list dirty;

	w->flush_armed = false;
	list_init(&dirty);
	list_splice(&dirty, &w->dirty);
	for (struct list *n = list_pop(&dirty); n; n = list_pop(&dirty))
		nbd_conn_flush(list_entry(n, struct nbd_conn, dirty_link));
	if (w->released) {
		w->released = false;
		resume_blocked(w);
	}
	plan_trim(w);
}

struct nbd_worker *nbd_worker_create(struct nbd_server *s, struct reactor *r,
                                     unsigned index)
{
	struct nbd_worker *w = malloc(sizeof(*w));

	if (!w)
		return NULL;
	memset(w, 0, offsetof(struct nbd_worker, iov));
	w->server = s;
	w->reactor = r;
	w->index = index;
	w->flush.run = flush;
	w->trim.fire = look;
	list_init(&w->connections);
	list_init(&w->dirty);
	list_init(&w->blocked);
	slab_init(&w->requests, sizeof(struct nbd_request), 64,
	          NBD_WORKER_REQUESTS);
	nbd_pool_init(&w->pool, NBD_BUFFERS_MAX);
	return w;
}

void nbd_worker_destroy(struct nbd_worker *w)
{
	if (!w)
		return;
	nbd_pool_fini(&w->pool);
	slab_fini(&w->requests);
	free(w);
}

void nbd_worker_arm(struct nbd_worker *w)
{
	if (w->flush_armed)
		return;
	w->flush_armed = true;
	task_defer(w->reactor, &w->flush);
}

void nbd_worker_adopt(struct task *t)
{
	nbd_conn_start(container_of(t, struct nbd_conn, task));
}

void nbd_worker_sweep(struct task *t)
{
	struct nbd_sweep *sweep = container_of(t, struct nbd_sweep, task);

	LIST_FOREACH (node, &sweep->worker->connections) {
		struct nbd_conn *c = list_entry(node, struct nbd_conn, link);

		if (c->export != sweep->export)
			continue;
		if (sweep->cut)
			nbd_conn_kill(c);
		else
			nbd_conn_drain(c, true);
	}
	t->run = nbd_server_swept;
	task_post(sweep->worker->server->home, t);
}

/* No connection is left and none can come.  A flush may still be due. */
void nbd_worker_finish(struct task *t)
{
	struct nbd_worker *w = container_of(t, struct nbd_worker, finish);

	if (w->flush_armed) {
		task_post(w->reactor, t);
		return;
	}
	assert(list_empty(&w->connections));
	timer_stop(w->reactor, &w->trim);
	t->run = nbd_server_finished;
	task_post(w->server->home, t);
}
