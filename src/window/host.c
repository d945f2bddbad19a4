/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/host.h"

#include "base/base.h"
#include "window/key.h"
#include "window/process.h"
#include "window/region.h"
#include "window/sync.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* -- who asks -------------------------------------------------------------- */

static struct host_peer *known_peer(struct window_host *host, const char *node)
{
	LIST_FOREACH (link, &host->peers) {
		struct host_peer *p = list_entry(link, struct host_peer, link);

		if (!strcmp(p->guard.who.node, node))
			return p;
	}
	return NULL;
}

/* NULL: more names than we remember, or no memory. */
static struct host_peer *peer_of(struct window_host *host,
                                 struct fabric_peer *from)
{
	struct host_peer *p = node_peer_data(from);
	const char *node = node_peer_name(from);
	uint64_t now = reactor_now_ns(host->reactor);

	if (p)
		return p;
	p = known_peer(host, node);
	if (!p && host->n_peers < HOST_PEERS_MAX) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return NULL;
		guard_init(&p->guard, GUARD_NODE, node, NULL, now);
		guard_init(&p->questions, GUARD_QUESTIONS, node, NULL, now);
		list_append(&host->peers, &p->link);
		host->n_peers++;
	}
	node_peer_set_data(from, p);
	return p;
}

struct session *host_session(struct window_host *host, const char *node)
{
	struct fabric_peer *peer =
		host->fabric ? node_peer_find(host->fabric, node) : NULL;

	return peer ? node_peer_session(peer) : NULL;
}

static struct session *session_to(void *ctx, const char *node)
{
	return host_session(ctx, node);
}

/* -- the service: other nodes ask for memory ------------------------------- */

static enum fabric_status host_access(void *ctx, struct fabric_peer *from,
                                      const struct fabric_key *key,
                                      unsigned rights, uint64_t offset,
                                      uint64_t length, struct iovec *out,
                                      unsigned *n)
{
	struct window_host *host = ctx;
	struct host_peer *p = peer_of(host, from);

	if (!p)
		return FABRIC_BUSY;
	return guard_access(&p->guard, &host->grants, key, rights, offset,
	                    length, reactor_now_ns(host->reactor), out, n);
}

static void host_finished(void *ctx, struct fabric_peer *from,
                          const struct fabric_key *key,
                          enum fabric_opcode opcode, uint64_t length,
                          enum fabric_status status)
{
	struct window_host *host = ctx;
	struct grant *g =
		opcode == FABRIC_SEND ? NULL : grant_find(&host->grants, key);

	if (g && !strcmp(g->holder.node, node_peer_name(from)))
		grant_charge(g, opcode, length, status);
}

/* Hardware counts no quota, so keys with one go by lanes that do. */
static enum fabric_status host_map(void *ctx, struct fabric_peer *from,
                                   const struct fabric_key *key,
                                   unsigned *rights, struct iovec *out,
                                   unsigned *n)
{
	struct window_host *host = ctx;
	struct host_peer *p = peer_of(host, from);
	uint64_t now = reactor_now_ns(host->reactor);
	struct grant *g = NULL;
	enum fabric_status status;

	if (!p)
		return FABRIC_BUSY;
	status = guard_find(&p->guard, &host->grants, key, now, &g);
	if (status == FABRIC_OK)
		status = grant_check(g, 0, 0, 0, now);
	if (status == FABRIC_OK &&
	    (g->limits.bytes_per_s || g->limits.ops_per_s))
		status = FABRIC_QUOTA;
	if (status == FABRIC_OK)
		status = grant_resolve(g, 0, g->length, out, n);
	if (status == FABRIC_OK)
		*rights = g->rights;
	return status;
}

/* Nobody on this node waits for immediates yet; the data are there. */
static void host_immediate(void *ctx, struct fabric_peer *from,
                           const struct fabric_key *key, uint32_t immediate,
                           uint64_t offset, uint64_t length)
{
	(void)ctx;
	(void)from;
	(void)key;
	(void)immediate;
	(void)offset;
	(void)length;
}

/* It will not answer what it was asked before. */
static void host_peer_state(void *ctx, struct fabric_peer *peer, bool up)
{
	struct window_host *host = ctx;

	if (!up)
		lookup_end_all(&host->lookup, node_peer_name(peer),
		               -EHOSTUNREACH);
}

static void key_died(void *ctx, struct grant *g)
{
	struct window_host *host = ctx;

	if (host->fabric)
		node_revoked(host->fabric, &g->key);
	lend_died(&host->lend, g);
}

/* -- the service: other nodes ask for windows ------------------------------ */

static enum lookup_status lookup_status_of(enum fabric_status status)
{
	static const enum lookup_status answers[FABRIC_STATUSES] = {
		[FABRIC_OK] = LOOKUP_OK,
		[FABRIC_BAD_KEY] = LOOKUP_BAD_KEY,
		[FABRIC_DENIED] = LOOKUP_DENIED,
		[FABRIC_REVOKED] = LOOKUP_REVOKED,
		[FABRIC_EXPIRED] = LOOKUP_EXPIRED,
		[FABRIC_QUOTA] = LOOKUP_OK, /* later, not never */
		[FABRIC_BUSY] = LOOKUP_BUSY,
	};

	return answers[status];
}

static struct grant *allowed(const struct named *named, const char *node)
{
	LIST_FOREACH (link, &named->owner.grants) {
		struct grant *g = list_entry(link, struct grant, owner_link);

		if (!strcmp(g->holder.node, node))
			return g;
	}
	return NULL;
}

static enum lookup_status by_name(struct window_host *host, struct guard *guard,
                                  const struct lookup_message *ask,
                                  struct grant **out)
{
	struct named *named;

	if (!guard_may_try(guard, reactor_now_ns(host->reactor)))
		return LOOKUP_BUSY;
	named = host_named(host, ask->name);
	*out = named ? allowed(named, guard->who.node) : NULL;
	if (*out)
		return LOOKUP_OK;
	guard_was_wrong(guard);
	return named ? LOOKUP_DENIED : LOOKUP_NOT_FOUND;
}

static enum lookup_status by_key(struct window_host *host, struct guard *guard,
                                 const struct lookup_message *ask,
                                 struct grant **out)
{
	enum fabric_status status =
		guard_find(guard, &host->grants, &ask->key,
	                   reactor_now_ns(host->reactor), out);

	if (status != FABRIC_OK)
		return lookup_status_of(status);
	if (grant_is_for(*out, &ask->process))
		return LOOKUP_OK;
	guard_was_wrong(guard);
	return LOOKUP_BAD_KEY;
}

/* Another node asks for memory. */
static enum lookup_status by_offer(struct window_host *host,
                                   struct guard *guard,
                                   const struct lookup_message *ask,
                                   struct grant **out)
{
	struct loan *loan;
	int err;

	if (!guard_may_try(guard, reactor_now_ns(host->reactor)))
		return LOOKUP_BUSY;
	err = lend_give(&host->lend, guard->who.node, ask->length, &loan);
	if (err) {
		guard_was_wrong(guard);
		return err == -ENOENT || err == -EACCES || err == -ENOSPC
		               ? lookup_status_from_errno(err)
		               : LOOKUP_BUSY;
	}
	*out = loan->grant;
	return LOOKUP_OK;
}

static enum lookup_status find(struct window_host *host, struct guard *guard,
                               const struct lookup_message *ask,
                               struct grant **out)
{
	switch (ask->what) {
	case LOOKUP_NAME:
		return by_name(host, guard, ask, out);
	case LOOKUP_LEND:
		return by_offer(host, guard, ask, out);
	case LOOKUP_KEY:
	case LOOKUP_SYNC:
	case LOOKUP_RENEW:
	case LOOKUP_RETURN:
		break;
	}
	return by_key(host, guard, ask, out);
}

/* A lease begins anew, or its memory is given back. */
static enum lookup_status serve_loan(struct window_host *host,
                                     const struct lookup_message *ask,
                                     struct grant **g)
{
	struct loan *loan = lend_loan(&host->lend, *g);

	if (ask->what != LOOKUP_RENEW && ask->what != LOOKUP_RETURN)
		return LOOKUP_OK;
	if (!loan)
		return LOOKUP_BAD_KEY;
	if (ask->what == LOOKUP_RENEW) {
		lend_renew(loan);
	} else {
		lend_return(loan);
		*g = NULL;
	}
	return LOOKUP_OK;
}

static void describe(const struct window_host *host, const struct grant *g,
                     uint64_t now, struct lookup_message *answer)
{
	const struct loan *loan = lend_loan(&host->lend, g);

	answer->key = g->key;
	answer->length = g->length;
	if (g->range[0].region->fd >= 0)
		answer->flags |= LOOKUP_IS_FILE;
	if (loan)
		answer->flags |= LOOKUP_IS_LOAN;
	if (loan && loan->due_ns)
		answer->flags |= LOOKUP_RECALLED;
	if (g->limits.expires_ns)
		answer->lease_ms = (g->limits.expires_ns - now) / NS_PER_MS + 1;
}

void host_answer(struct window_host *host, struct guard *guard,
                 const struct lookup_message *ask,
                 struct lookup_message *answer, struct grant **found)
{
	uint64_t now = reactor_now_ns(host->reactor);
	struct grant *g = NULL;
	enum lookup_status status = find(host, guard, ask, &g);

	*answer =
		(struct lookup_message){ .type = LOOKUP_ANSWER, .id = ask->id };
	if (status == LOOKUP_OK)
		status = lookup_status_of(
			grant_check(g, ask->rights, 0, 0, now));
	if (status == LOOKUP_OK)
		status = serve_loan(host, ask, &g);
	answer->status = status;
	*found = status == LOOKUP_OK ? g : NULL;
	if (status == LOOKUP_FULL)
		answer->length = lend_free(&host->lend);
	if (!*found || ask->what == LOOKUP_SYNC)
		return;
	answer->rights = ask->rights ? ask->rights : g->rights;
	describe(host, g, now, answer);
}

void host_notice(struct window_host *host, const struct loan *loan,
                 uint64_t left_ms)
{
	lookup_answer(&host->lookup, loan->grant->holder.node,
	              &(struct lookup_message){ .type = LOOKUP_NOTICE,
	                                        .key = loan->grant->key,
	                                        .lease_ms = left_ms });
}

static void noticed(struct window_host *host, const char *node,
                    const struct lookup_message *m)
{
	LIST_FOREACH (link, &host->processes)
		process_notice(list_entry(link, struct process, link), node,
		               &m->key, m->lease_ms);
}

/* A SYNC whose answer waits for the disk. */
struct syncing {
	struct window_host *host;
	char node[WINDOW_NAME_MAX + 1];
	struct lookup_message answer;
};

static void synced(void *ctx, int err)
{
	struct syncing *s = ctx;

	s->answer.status = lookup_status_from_errno(err);
	lookup_answer(&s->host->lookup, s->node, &s->answer);
	s->host->n_syncing--;
	s->host->n_busy--;
	host_settled(s->host);
	free(s);
}

static bool start_sync(struct window_host *host, const char *node,
                       struct grant *g, const struct lookup_message *answer)
{
	struct syncing *s =
		host->n_syncing < LOOKUP_ANSWERS ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return false;
	*s = (struct syncing){ .host = host, .answer = *answer };
	snprintf(s->node, sizeof(s->node), "%s", node);
	if (sync_start(host->reactor, g, synced, s)) {
		free(s);
		return false;
	}
	host->n_syncing++;
	host->n_busy++;
	return true;
}

static enum fabric_status host_received(void *ctx, struct fabric_peer *from,
                                        enum fabric_class class,
                                        const void *data, size_t length)
{
	struct window_host *host = ctx;
	struct host_peer *p = peer_of(host, from);
	struct lookup_message m, answer;
	struct grant *g;
	bool sent;

	(void)class;
	if (lookup_decode(data, length, &m))
		return FABRIC_PROTOCOL;
	if (m.type == LOOKUP_ANSWER) {
		lookup_answered(&host->lookup, node_peer_name(from), &m);
		return FABRIC_OK;
	}
	if (m.type == LOOKUP_NOTICE) {
		noticed(host, node_peer_name(from), &m);
		return FABRIC_OK;
	}
	if (!p)
		return FABRIC_BUSY;
	host_answer(host, &p->questions, &m, &answer, &g);
	if (g && m.what == LOOKUP_SYNC)
		sent = start_sync(host, p->guard.who.node, g, &answer);
	else
		sent = lookup_answer(&host->lookup, p->guard.who.node, &answer);
	return sent ? FABRIC_OK : FABRIC_BUSY;
}

/* -- life ------------------------------------------------------------------ */

int window_host_create(const struct window_host_opts *opts,
                       struct window_host **out, struct err *e)
{
	struct window_host *host = calloc(1, sizeof(*host));

	if (!host ||
	    grant_table_init(&host->grants, opts->reactor, WINDOW_KEYS_MAX)) {
		free(host);
		return err_set(e, -ENOMEM, "no memory for windows");
	}
	if (lookup_init(&host->lookup, opts->reactor, WINDOW_ASK_TIMEOUT_MS,
	                session_to, host)) {
		grant_table_fini(&host->grants);
		free(host);
		return err_set(e, -EIO, "the system gives no random numbers");
	}
	host->reactor = opts->reactor;
	snprintf(host->node, sizeof(host->node), "%s", opts->node);
	host->service = (struct fabric_service){ .ctx = host,
		                                 .access = host_access,
		                                 .finished = host_finished,
		                                 .received = host_received,
		                                 .immediate = host_immediate,
		                                 .peer_state = host_peer_state,
		                                 .map = host_map };
	host->grants.died = key_died;
	host->grants.ctx = host;
	lend_init(&host->lend, &host->grants);
	list_init(&host->peers);
	list_init(&host->named);
	list_init(&host->processes);
	list_init(&host->ending);
	list_init(&host->openings);
	guard_init(&host->guard, GUARD_NODE, host->node, NULL,
	           reactor_now_ns(host->reactor));
	grant_owner_init(&host->self, "", 0);
	loopback_init(&host->loop, host->reactor, &host->grants, &host->guard);
	*out = host;
	return 0;
}

const struct fabric_service *window_host_service(struct window_host *host)
{
	return &host->service;
}

void window_host_attach(struct window_host *host, struct node *node)
{
	host->fabric = node;
}

static void accepted(struct listener *l, int fd)
{
	process_accept(container_of(l, struct window_host, listener), fd);
}

int window_host_listen(struct window_host *host, const char *path,
                       struct err *e)
{
	const int on = 1;
	int err;

	host->listener = (struct listener){ .accepted = accepted };
	err = listener_open(host->reactor, &host->listener,
	                    LISTENER_UNIX_PACKET, path, e);
	/* Before anybody's first packet, so that each says who sent it. */
	if (!err && setsockopt(host->listener.watch.fd, SOL_SOCKET, SO_PASSCRED,
	                       &on, sizeof(on))) {
		err = err_set(e, -errno, "%s: no credentials: %s", path,
		              strerror(errno));
		listener_close(&host->listener);
	}
	return err;
}

static void tell_stopped(struct task *task)
{
	struct window_host *host =
		container_of(task, struct window_host, stopped_task);

	host->stopped(host->stopped_ctx);
}

void host_settled(struct window_host *host)
{
	if (!host->stopping || host->stopped_task.run || host->n_busy > 0 ||
	    !list_empty(&host->processes) || !list_empty(&host->ending))
		return;
	host->stopped_task.run = tell_stopped;
	task_defer(host->reactor, &host->stopped_task);
}

static void loop_emptied(struct loopback *l)
{
	struct window_host *host = container_of(l, struct window_host, loop);

	host->n_busy--;
	host_settled(host);
}

void window_host_stop(struct window_host *host, void (*stopped)(void *ctx),
                      void *ctx)
{
	host->stopping = true;
	host->stopped = stopped;
	host->stopped_ctx = ctx;
	listener_close(&host->listener);
	process_end_all(host);
	host_end_openings(host);
	lookup_end_all(&host->lookup, NULL, -ECANCELED);
	host->n_busy++;
	loopback_close(&host->loop, loop_emptied);
}

void window_host_destroy(struct window_host *host)
{
	if (!host)
		return;
	assert(list_empty(&host->processes) && list_empty(&host->ending));
	host_remove_all(host);
	grant_end_owner(&host->grants, &host->self);
	lend_fini(&host->lend);
	lookup_fini(&host->lookup);
	grant_table_fini(&host->grants);
	while (!list_empty(&host->peers))
		free(list_entry(list_pop(&host->peers), struct host_peer,
		                link));
	free(host);
}

void window_host_stats(const struct window_host *host, struct window_stats *out)
{
	*out = (struct window_stats){ .n_processes = host->n_processes,
		                      .n_regions = host->n_regions,
		                      .n_keys = host->grants.n_living,
		                      .n_named = host->n_named,
		                      .n_commands = host->n_commands,
		                      .n_failed = host->n_failed };
	LIST_FOREACH (link, &host->peers) {
		const struct host_peer *p =
			list_entry(link, struct host_peer, link);

		out->n_refused += p->guard.n_refused + p->questions.n_refused;
		out->n_guesses += p->guard.n_guesses + p->questions.n_guesses;
		out->n_unheard += p->guard.n_unheard + p->questions.n_unheard;
	}
}
