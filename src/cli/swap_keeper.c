/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/swap.h"

#include "base/base.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/realtime.h"
#include "kswap/keeper.h"
#include "rpc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FIXED_ARGS 4

struct keep {
	const struct swap_keeper *opts;
	struct keeper keeper;
	struct rpc_server *rpc;
	char copies[16];
	char *argv[FIXED_ARGS + STORE_DONORS_MAX + 1];
};

/* -- status ---------------------------------------------------------------- */

static void add_number(struct json_object *o, const char *key, uint64_t n)
{
	json_object_object_add(o, key, json_object_new_uint64(n));
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static struct json_object *counts(const struct shared_count *c)
{
	struct json_object *o = json_object_new_object();

	add_number(o, "requests", c->requests);
	add_number(o, "pages", c->pages);
	add_number(o, "errors", c->errors);
	add_number(o, "late", c->late);
	add_number(o, "p50_ns", histogram_percentile(&c->latency, 50));
	add_number(o, "p99_ns", histogram_percentile(&c->latency, 99));
	add_number(o, "max_ns", c->latency.max_ns);
	return o;
}

static struct json_object *guard(const struct realtime_got *got)
{
	struct json_object *o = json_object_new_object();
	const struct {
		const char *name;
		int32_t err;
	} rows[] = {
		{ "locked", got->locked },
		{ "fifo", got->fifo },
		{ "pinned", got->pinned },
		{ "io_flusher", got->io_flusher },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		add_text(o, rows[i].name,
		         rows[i].err ? strerror(-rows[i].err) : "yes");
	return o;
}

static struct json_object *donors(const struct keep *k)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < k->opts->donors->n; i++) {
		const struct shared_donor *d = &k->opts->shared->donor[i];
		struct json_object *o = json_object_new_object();

		add_text(o, "name", k->opts->donors->names[i]);
		add_text(o, "state", d->lost ? "lost" : "up");
		if (d->lost)
			add_text(o, "why", strerror(-d->why));
		json_object_array_add(list, o);
	}
	return list;
}

static void status(struct rpc_call *call, struct json_object *params)
{
	const struct keep *k = rpc_call_ctx(call);
	const struct shared *s = k->opts->shared;
	struct json_object *o = json_object_new_object();

	(void)params;
	add_number(o, "keeper", (uint64_t)getpid());
	add_number(o, "worker", (uint64_t)keeper_worker(&k->keeper));
	add_number(o, "spare", (uint64_t)keeper_spare(&k->keeper));
	add_number(o, "workers", s->takeovers + 1);
	add_number(o, "copies", k->opts->donors->copies);
	add_number(o, "away", s->away * FAR_PAGE);
	add_number(o, "zero_reads", s->zero_reads);
	add_number(o, "zero_writes", s->zero_writes);
	add_number(o, "discarded", s->discarded);
	add_number(o, "bad_seals", s->bad_seals);
	add_number(o, "repeated", s->again);
	json_object_object_add(o, "read", counts(&s->read));
	json_object_object_add(o, "write", counts(&s->write));
	json_object_object_add(o, "guard", guard(&s->guard));
	json_object_object_add(o, "donors", donors(k));
	rpc_reply(call, o);
}

static int listen_on(struct keep *k, struct err *e)
{
	static const struct rpc_method methods[] = {
		{ .name = SWAP_STATUS, .doc = "what the swap device does" },
	};
	static const struct rpc_binding bindings[] = { { SWAP_STATUS,
		                                         status } };
	const struct rpc_service service = { methods, 1, bindings, 1, NULL, k };
	int err = rpc_server_create(k->keeper.reactor, &service, 1, &k->rpc, e);

	return err ? err : rpc_server_listen(k->rpc, k->opts->socket, e);
}

/* -- life ------------------------------------------------------------------ */

static void ended(struct keeper *keeper, int err)
{
	(void)err;
	reactor_stop(keeper->reactor);
}

static void make_argv(struct keep *k)
{
	const struct donors *d = k->opts->donors;

	snprintf(k->copies, sizeof(k->copies), "%u", d->copies);
	k->argv[0] = (char *)(uintptr_t)SWAP_WORKER;
	k->argv[1] = (char *)(uintptr_t)k->opts->window_socket;
	k->argv[2] = k->copies;
	k->argv[3] = (char *)(uintptr_t)(d->store ? d->store : "");
	for (unsigned i = 0; i < d->n; i++)
		k->argv[FIXED_ARGS + i] = d->names[i];
}

/* A session of its own, that no terminal and no kind signal ends: what is
 * swapped out would be lost. */
static void detach(const struct swap_keeper *o)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	setsid();
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "swap-keeper");
	log_set_role("swap-keeper");
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(log < 0 ? null : log, STDERR_FILENO);
	close_range((unsigned)null, ~0u, CLOSE_RANGE_CLOEXEC);
}

static int begin(struct keep *k, struct err *e)
{
	const struct reactor_opts ro = { .name = "swap-keeper" };
	int err = reactor_create(&ro, &k->keeper.reactor, e);

	if (!err)
		err = listen_on(k, e);
	if (!err)
		err = keeper_start(&k->keeper, e);
	return err;
}

void swap_keep(const struct swap_keeper *o)
{
	struct keep k = {
		.opts = o,
		.keeper = { .device = o->device,
		            .shared_fd = o->shared_fd,
		            .shared = o->shared,
		            .ended = ended },
	};
	struct err e = { 0 };

	detach(o);
	make_argv(&k);
	k.keeper.argv = k.argv;
	/* It must not wait for what it serves, and what its workers share stays
	 * in memory from one to the next. */
	(void)realtime_lock();
	shared_populate(o->shared);
	if (begin(&k, &e)) {
		o->shared->code = e.code;
		memcpy(o->shared->error, e.text, sizeof(o->shared->error));
		shared_set_state(o->shared, SHARED_FAILED);
		_exit(RPC_FAILED);
	}
	reactor_run(k.keeper.reactor);
	keeper_stop(&k.keeper);
	rpc_server_destroy(k.rpc);
	_exit(RPC_OK);
}
