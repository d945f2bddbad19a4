/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"
#include "export/nbd_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- creating ------------------------------------------------------------- */

static void free_server(struct nbd_server *s)
{
	for (unsigned i = 0; i < s->n_data; i++)
		nbd_worker_destroy(s->worker[i]);
	free(s);
}

int nbd_server_create(const struct nbd_server_opts *opts,
                      struct nbd_server **out, struct err *e)
{
	unsigned n = opts->n_data;
	struct nbd_server *s = calloc(1, sizeof(*s) + n * sizeof(void *));

	assert(n > 0);
	if (!s)
		goto no_memory;
	s->home = opts->home;
	s->connections_max = opts->connections_max ? opts->connections_max
	                                           : NBD_CONNECTIONS_MAX;
	s->handshake_ms =
		opts->handshake_ms ? opts->handshake_ms : NBD_HANDSHAKE_MS;
	s->n_data = n;
	list_init(&s->listeners);
	list_init(&s->exports);
	list_init(&s->handshakes);
	for (unsigned i = 0; i < n; i++) {
		s->worker[i] = nbd_worker_create(s, opts->data[i], i);
		if (!s->worker[i])
			goto free_server;
	}
	*out = s;
	return 0;

free_server:
	free_server(s);
no_memory:
	return err_set(e, -ENOMEM, "no memory for an NBD server");
}

/* -- exports -------------------------------------------------------------- */

static void free_export(struct nbd_export *x)
{
	if (!x)
		return;
	if (x->slots)
		for (unsigned i = 0; i < x->server->n_data; i++)
			free(x->slots[i]);
	free(x->slots);
	free(x->sweeps);
	free((char *)(uintptr_t)x->info.name);
	free((char *)(uintptr_t)x->info.description);
	free(x);
}

static struct nbd_export *make_export(struct nbd_server *s,
                                      const struct nbd_export_info *info)
{
	struct nbd_export *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->server = s;
	x->info = *info;
	x->info.name = strdup(info->name);
	x->info.description =
		strdup(info->description ? info->description : "");
	x->sweeps = calloc(s->n_data, sizeof(*x->sweeps));
	x->slots = calloc(s->n_data, sizeof(*x->slots));
	if (!x->info.name || !x->info.description || !x->sweeps || !x->slots) {
		free_export(x);
		return NULL;
	}
	for (unsigned i = 0; i < s->n_data; i++) {
		x->sweeps[i].export = x;
		x->sweeps[i].worker = s->worker[i];
	}
	return x;
}

static int check_info(const struct nbd_server *s,
                      const struct nbd_export_info *info, struct err *e)
{
	size_t length = strlen(info->name);

	if (s->stopping)
		return err_set(e, -ESHUTDOWN, "the NBD server is stopping");
	if (s->n_exports >= NBD_EXPORTS_MAX)
		return err_set(e, -ENOSPC,
		               "%u exports are the most; remove one first",
		               NBD_EXPORTS_MAX);
	if (length == 0 || length > NBD_NAME_MAX)
		return err_set(e, -EINVAL,
		               "an export's name has 1 to %u bytes, not %zu",
		               NBD_NAME_MAX, length);
	if (info->description && strlen(info->description) > NBD_NAME_MAX)
		return err_set(e, -EINVAL,
		               "the description of export %s is longer than "
		               "%u bytes",
		               info->name, NBD_NAME_MAX);
	return 0;
}

int nbd_export_add(struct nbd_server *s, const struct nbd_address *at,
                   const struct nbd_export_info *info, struct nbd_export **out,
                   struct err *e)
{
	struct nbd_listener *l = nbd_listener_find(s, at);
	struct nbd_view name = { info->name, (uint32_t)strlen(info->name) };
	struct nbd_export *x;
	int err = check_info(s, info, e);

	if (err)
		return err;
	if (l && nbd_listener_lookup(l, name))
		return err_set(e, -EEXIST,
		               "%s is exported at %s already; remove that "
		               "export or choose another address",
		               info->name, at->text);
	x = make_export(s, info);
	if (!x)
		return err_set(e, -ENOMEM, "no memory for export %s",
		               info->name);
	if (!l) {
		err = nbd_listener_open(s, at, &l, e);
		if (err) {
			free_export(x);
			return err;
		}
	}
	x->id = ++s->next_id;
	x->listener = l;
	list_append(&l->exports, &x->link);
	list_append(&s->exports, &x->server_link);
	s->n_exports++;
	*out = x;
	return 0;
}

unsigned nbd_export_port(const struct nbd_export *x)
{
	return x->listener ? listener_port(&x->listener->socket) : 0;
}

void nbd_terms_of(const struct nbd_export *x, struct nbd_terms *out)
{
	*out = (struct nbd_terms){
		.size = x->info.device->size,
		.grain = x->info.device->grain,
		.length_max = NBD_LENGTH_MAX,
		.read_only = x->info.read_only,
	};
}

void nbd_export_stats(const struct nbd_export *x, struct nbd_export_stats *out)
{
	memset(out, 0, sizeof(*out));
	out->connections = x->n_connections;
	out->connected = x->connected;
	for (unsigned i = 0; i < x->server->n_data; i++) {
		const struct nbd_slot *slot = x->slots[i];

		for (unsigned op = 0; slot && op < NBD_OPS; op++) {
			out->op[op].errors += __atomic_load_n(
				&slot->op[op].errors, __ATOMIC_RELAXED);
			out->op[op].bytes += __atomic_load_n(
				&slot->op[op].bytes, __ATOMIC_RELAXED);
			histogram_merge(&out->op[op].latency,
			                &slot->op[op].latency);
		}
	}
}

/* -- stopping ------------------------------------------------------------- */

static void finish_if_empty(struct nbd_server *s)
{
	if (!s->stopping || s->n_exports || s->workers_out)
		return;
	s->workers_out = s->n_data;
	for (unsigned i = 0; i < s->n_data; i++) {
		s->worker[i]->finish.run = nbd_worker_finish;
		task_post(s->worker[i]->reactor, &s->worker[i]->finish);
	}
}

void nbd_server_finished(struct task *t)
{
	struct nbd_worker *w = container_of(t, struct nbd_worker, finish);
	struct nbd_server *s = w->server;
	nbd_done_fn done = s->done;
	void *arg = s->arg;

	if (--s->workers_out)
		return;
	free_server(s);
	done(arg);
}

static void finish_export_if_idle(struct nbd_export *x)
{
	struct nbd_server *s = x->server;
	nbd_done_fn done = x->done;
	void *arg = x->arg;

	if (!x->removing || x->n_connections || x->sweeps_out)
		return;
	timer_stop(s->home, &x->deadline);
	list_remove(&x->server_link);
	free_export(x);
	s->n_exports--;
	if (done)
		done(arg);
	finish_if_empty(s);
}

static void send_sweeps(struct nbd_export *x, bool cut)
{
	struct nbd_server *s = x->server;

	x->sweeps_out = s->n_data;
	for (unsigned i = 0; i < s->n_data; i++) {
		x->sweeps[i].cut = cut;
		x->sweeps[i].task.run = nbd_worker_sweep;
		task_post(s->worker[i]->reactor, &x->sweeps[i].task);
	}
}

void nbd_server_swept(struct task *t)
{
	struct nbd_sweep *sweep = container_of(t, struct nbd_sweep, task);
	struct nbd_export *x = sweep->export;

	if (--x->sweeps_out)
		return;
	if (x->cut_due) {
		x->cut_due = false;
		send_sweeps(x, true);
		return;
	}
	finish_export_if_idle(x);
}

static void deadline_passed(struct timer *t)
{
	struct nbd_export *x = container_of(t, struct nbd_export, deadline);

	if (x->sweeps_out)
		x->cut_due = true;
	else
		send_sweeps(x, true);
}

void nbd_export_remove(struct nbd_export *x, unsigned deadline_ms,
                       nbd_done_fn done, void *arg)
{
	struct nbd_listener *l = x->listener;

	assert(!x->removing);
	x->removing = true;
	x->done = done;
	x->arg = arg;
	x->listener = NULL;
	list_remove(&x->link);
	x->deadline.fire = deadline_passed;
	/* Without a timer there is no time to wait either. */
	if (timer_start(x->server->home, &x->deadline, deadline_ms * NS_PER_MS))
		x->cut_due = true;
	send_sweeps(x, false);
	nbd_handshake_cut(x->server, NULL, x);
	if (list_empty(&l->exports))
		nbd_listener_close(l);
}

void nbd_server_stop(struct nbd_server *s, unsigned deadline_ms,
                     nbd_done_fn done, void *arg)
{
	assert(!s->stopping);
	s->stopping = true;
	s->done = done;
	s->arg = arg;
	nbd_handshake_cut(s, NULL, NULL);
	LIST_FOREACH (node, &s->exports) {
		struct nbd_export *x =
			list_entry(node, struct nbd_export, server_link);

		if (!x->removing)
			nbd_export_remove(x, deadline_ms, NULL, NULL);
	}
	finish_if_empty(s);
}

/* -- connections ---------------------------------------------------------- */

struct nbd_export *nbd_export_get(struct nbd_export *x)
{
	x->n_connections++;
	return x;
}

void nbd_export_put(struct nbd_export *x)
{
	assert(x->n_connections > 0);
	x->n_connections--;
	finish_export_if_idle(x);
}

void nbd_server_closed(struct task *t)
{
	struct nbd_conn *c = container_of(t, struct nbd_conn, task);
	struct nbd_export *x = c->export;

	x->server->stats.held -= sizeof(*c);
	x->server->stats.connections--;
	free(c);
	nbd_export_put(x);
}

void nbd_server_hand_over(struct nbd_export *x, int fd, bool structured,
                          bool context)
{
	struct nbd_server *s = x->server;
	unsigned i = s->next_worker++ % s->n_data;
	struct nbd_conn *c = calloc(1, sizeof(*c));

	if (!x->slots[i])
		x->slots[i] = calloc(1, sizeof(*x->slots[i]));
	if (!c || !x->slots[i]) {
		s->stats.exhausted++;
		s->stats.connections--;
		free(c);
		close(fd);
		nbd_export_put(x);
		return;
	}
	s->stats.held += sizeof(*c);
	x->connected++;
	c->worker = s->worker[i];
	c->export = x;
	c->slot = x->slots[i];
	c->watch.fd = fd;
	nbd_terms_of(x, &c->terms);
	c->terms.structured = structured;
	c->terms.context = context;
	c->task.run = nbd_worker_adopt;
	task_post(c->worker->reactor, &c->task);
}

int nbd_server_adopt(struct nbd_server *s, const struct nbd_address *at, int fd)
{
	struct nbd_listener *l = nbd_listener_find(s, at);

	if (s->stopping || !l) {
		close(fd);
		return s->stopping ? -ESHUTDOWN : -ENOENT;
	}
	return nbd_handshake_start(l, fd);
}

void nbd_server_stats(const struct nbd_server *s, struct nbd_server_stats *out)
{
	*out = s->stats;
	out->buffers = 0;
	for (unsigned i = 0; i < s->n_data; i++)
		out->buffers += __atomic_load_n(&s->worker[i]->buffers,
		                                __ATOMIC_RELAXED);
}
