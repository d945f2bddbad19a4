/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Windows and sessions live on the first data reactor.  The control thread
 * reaches them by a task that it waits for (daemon_on_fabric): all that it asks
 * there is short and waits for nothing, and nobody there waits for it.
 */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "core/log.h"
#include "fabric/node.h"
#include "fabric/tcp.h"
#include "fabric/tls.h"
#include "fabric/verbs.h"
#include "window/window.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SOCKET "window.sock"

static struct reactor *home(struct daemon *n)
{
	return n->data[0];
}

/* -- from the control thread ----------------------------------------------- */

struct errand {
	struct task task;
	sem_t ended;
	struct daemon *node;
	void (*run)(struct daemon *n, void *arg);
	void *arg;
};

static void run_errand(struct task *t)
{
	struct errand *x = container_of(t, struct errand, task);

	x->run(x->node, x->arg);
	sem_post(&x->ended);
}

void daemon_on_fabric(struct daemon *n,
                      void (*run)(struct daemon *n, void *arg), void *arg)
{
	struct errand x = {
		.task.run = run_errand, .node = n, .run = run, .arg = arg
	};

	if (n->n_threads == 0) { /* nobody else runs that reactor */
		reactor_bind(home(n));
		run(n, arg);
		reactor_bind(n->reactor);
		return;
	}
	sem_init(&x.ended, 0, 0);
	task_post(home(n), &x.task);
	while (sem_wait(&x.ended) != 0)
		continue; /* EINTR */
	sem_destroy(&x.ended);
}

/* -- what the options and the configuration say ---------------------------- */

static unsigned n_listen(const struct daemon *n)
{
	return n->opts->n_listen ? n->opts->n_listen : n->config.n_listen;
}

static const char *listen_at(const struct daemon *n, unsigned i)
{
	return n->opts->n_listen ? n->opts->listen[i] : n->config.listen[i];
}

static int make_id(struct daemon *n, struct err *e)
{
	static const uint8_t none[STATE_ID];

	n->fabric.boot++;
	if (memcmp(n->fabric.id, none, STATE_ID) != 0)
		return 0;
	if (getrandom(n->fabric.id, STATE_ID, 0) != STATE_ID)
		return err_set(e, -EIO, "no random bytes for the node's id");
	return 0;
}

int daemon_fabric_load(struct daemon *n, struct err *e)
{
	const char *key = n->opts->cluster_key ? n->opts->cluster_key
	                                       : n->config.cluster_key;
	struct fabric_address a;
	int err = make_id(n, e);

	if (!err && *key && n->opts->insecure)
		err = err_set(e, -EINVAL,
		              "--insecure means that there is no cluster key; "
		              "leave one of them out");
	if (!err && *key) {
		err = auth_key_load(key, &n->fabric.key, e);
		n->fabric.has_key = !err;
	}
	if (!err && n_listen(n) && !*key && !n->opts->insecure)
		err = err_set(e, -EINVAL,
		              "a node that listens for others needs the "
		              "cluster's key: make one with 'openssl rand -hex "
		              "32 >FILE', chmod it to 0600 and name it with "
		              "--cluster-key or 'cluster_key:'");
	for (unsigned i = 0; i < n_listen(n) && !err; i++)
		err = address_parse(listen_at(n, i), &a, e);
	return err;
}

/* -- start and end --------------------------------------------------------- */

static void warn(const char *what, const char *key, const char *name,
                 const struct err *why)
{
	char words[512];

	log_event(LOG_LEVEL_WARN, what, "%s=%s why=%s", key, name,
	          log_quote(words, sizeof(words), why->text));
}

/* TLS needs the cluster's key, and RDMA a device; whoever has neither has
 * TCP. */
static int make_transports(struct daemon *n, struct err *e)
{
	struct daemon_fabric *f = &n->fabric;
	struct err why = { 0 };
	int err = 0;

	f->transports[f->n_transports++] = &tcp_transport;
	if (f->has_key)
		err = tls_transport_create(&f->key, &f->tls, e);
	if (f->tls)
		f->transports[f->n_transports++] = f->tls;
	if (!err && verbs_available(NULL) == 0 &&
	    verbs_transport_create(home(n), &f->verbs, &why))
		warn("RDMA cannot be used", "device", "any", &why);
	if (f->verbs)
		f->transports[f->n_transports++] = f->verbs;
	return err;
}

static void free_transports(struct daemon *n)
{
	tls_transport_destroy(n->fabric.tls);
	verbs_transport_destroy(n->fabric.verbs);
}

static int make_node(struct daemon *n, struct err *e)
{
	struct node_opts opts = {
		.reactor = home(n),
		.name = n->name,
		.boot = n->fabric.boot,
		.key = n->fabric.has_key ? &n->fabric.key : NULL,
		.insecure = n->opts->insecure,
		.service = window_host_service(n->fabric.host),
		.transports = n->fabric.transports,
		.n_transports = n->fabric.n_transports,
	};

	memcpy(opts.id, n->fabric.id, sizeof(opts.id));
	return node_create(&opts, &n->fabric.node, e);
}

static int make_all(struct daemon *n, struct err *e)
{
	const struct window_host_opts opts = { .reactor = home(n),
		                               .node = n->name };
	int err = window_host_create(&opts, &n->fabric.host, e);

	if (err)
		return err;
	if (n->fabric.has_key || n->opts->insecure)
		err = make_transports(n, e);
	if (!err && n->fabric.n_transports)
		err = make_node(n, e);
	if (err) {
		free_transports(n);
		window_host_destroy(n->fabric.host);
		return err;
	}
	daemon_offer_restore(n);
	LIST_FOREACH (link, &n->fabric.windows)
		daemon_window_restore(
			n, list_entry(link, struct state_window, link));
	LIST_FOREACH (link, &n->fabric.peers) {
		struct state_peer *p =
			list_entry(link, struct state_peer, link);
		struct err why = { 0 };

		if (daemon_peer_join(n, p, &why))
			warn("a peer cannot be dialled", "node", p->name, &why);
	}
	return 0;
}

struct making {
	int err;
	struct err *e;
};

static void make(struct daemon *n, void *arg)
{
	struct making *m = arg;

	m->err = make_all(n, m->e);
}

int daemon_fabric_make(void *ctx)
{
	struct daemon *n = ctx;
	struct making m = { .e = &n->exit_err };

	daemon_on_fabric(n, make, &m);
	return m.err;
}

static void destroy(struct daemon *n, void *arg)
{
	(void)arg;
	node_destroy(n->fabric.node);
	free_transports(n);
	window_host_destroy(n->fabric.host);
	auth_key_wipe(&n->fabric.key);
}

void daemon_fabric_free(void *ctx)
{
	daemon_on_fabric(ctx, destroy, NULL);
}

static void attach(struct daemon *n, void *arg)
{
	(void)arg;
	window_host_attach(n->fabric.host, n->fabric.node);
}

int daemon_fabric_join(void *ctx)
{
	daemon_on_fabric(ctx, attach, NULL);
	return 0;
}

static void stopped(void *ctx)
{
	sem_post(ctx);
}

static void leave(struct daemon *n, void *ended)
{
	window_host_stop(n->fabric.host, stopped, ended);
	window_host_attach(n->fabric.host, NULL);
	node_destroy(n->fabric.node);
	n->fabric.node = NULL;
}

/* What the control thread has posted there before has run then, too. */
void daemon_fabric_leave(void *ctx)
{
	sem_t ended;

	sem_init(&ended, 0, 0);
	daemon_on_fabric(ctx, leave, &ended);
	while (sem_wait(&ended) != 0)
		continue; /* EINTR */
	sem_destroy(&ended);
}

static int listen_all(struct daemon *n, struct err *e)
{
	struct fabric_address a;
	char path[4096];
	int err;

	snprintf(path, sizeof(path), "%s/" SOCKET, n->opts->state_dir);
	err = window_host_listen(n->fabric.host, path, e);
	for (unsigned i = 0; i < n_listen(n) && !err; i++) {
		err = address_parse(listen_at(n, i), &a, e);
		if (!err)
			err = node_listen(n->fabric.node, &a, e);
	}
	return err;
}

static void start_listening(struct daemon *n, void *arg)
{
	struct making *m = arg;

	m->err = listen_all(n, m->e);
}

int daemon_fabric_listen(void *ctx)
{
	struct daemon *n = ctx;
	struct making m = { .e = &n->exit_err };

	daemon_on_fabric(n, start_listening, &m);
	return m.err;
}
