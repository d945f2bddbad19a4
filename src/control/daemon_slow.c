/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slow stack's process: started, watched, started again.
 *
 *    STOPPED --> READY --start--> RUNNING --died--> DETACHING --> READY ...
 *
 * Between two lives the fast stack lets the old one's metadata I/O end and
 * clears the rings (DETACHING); a start that comes too early is refused and
 * tried again by core/child.
 */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "core/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define LOOK_NS (5 * NS_PER_MS)
#define STOP_GRACE_MS 1000
#define QUIESCE_NS (10 * NS_PER_S)

static char *const slow_argv[] = { "causewayd", "--slow", NULL };

bool daemon_slow_serves(const struct daemon *n)
{
	return n->slow.step == DAEMON_SLOW_RUNNING &&
	       __atomic_load_n(&n->handoff.header->slow_state,
	                       __ATOMIC_ACQUIRE) == HANDOFF_SERVING;
}

const char *daemon_slow_state(const struct daemon *n)
{
	if (n->slow.step == DAEMON_SLOW_STOPPED)
		return "stopped";
	if (n->slow.step != DAEMON_SLOW_RUNNING)
		return "restarting";
	return daemon_slow_serves(n) ? "running" : "starting";
}

/* -- one life ------------------------------------------------------------- */

static void closed(void *ctx)
{
	(void)ctx; /* its process is ending: died() sees to all */
}

static int prepare(struct child *c, int fds[CHILD_FDS_MAX])
{
	struct daemon_slow *slow = container_of(c, struct daemon_slow, child);
	struct daemon *n = container_of(slow, struct daemon, slow);
	int pair[2], err;

	if (slow->step != DAEMON_SLOW_READY)
		return -EAGAIN;
	if (slow->call_fd >= 0)
		close(slow->call_fd);
	slow->call_fd = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return -errno;
	rpc_client_destroy(slow->client);
	slow->client = NULL;
	err = rpc_client_create(n->reactor, pair[0], closed, n, &slow->client,
	                        NULL);
	if (err) {
		close(pair[1]);
		return err;
	}
	slow->call_fd = pair[1];
	slow->step = DAEMON_SLOW_RUNNING;
	slow->served = false;
	fds[0] = pair[1];
	fds[1] = n->handoff.fd;
	fds[2] = n->handoff.slow_wake_fd;
	memcpy(fds + 3, n->handoff.lane_wake_fd,
	       n->handoff.n_lanes * sizeof(*fds));
	timer_start(n->reactor, &slow->look, LOOK_NS);
	return (int)(3 + n->handoff.n_lanes);
}

/* Drives and exports that came while it was away become its business. */
static void look(struct timer *t)
{
	struct daemon_slow *slow = container_of(t, struct daemon_slow, look);
	struct daemon *n = container_of(slow, struct daemon, slow);

	if (slow->call_fd >= 0) { /* the child has its copy by now */
		close(slow->call_fd);
		slow->call_fd = -1;
	}
	if (slow->served || slow->step != DAEMON_SLOW_RUNNING || n->stopping)
		return;
	if (!daemon_slow_serves(n)) {
		timer_start(n->reactor, t, LOOK_NS);
		return;
	}
	slow->served = true;
	log_event(LOG_LEVEL_INFO, "the slow stack serves", "pid=%d starts=%u",
	          (int)slow->child.pid, slow->child.starts);
	daemon_exports_start(n);
	daemon_configure(n);
}

static void attached(struct task *t)
{
	struct daemon_slow *slow =
		container_of(t, struct daemon_slow, attached);
	struct daemon *n = container_of(slow, struct daemon, slow);
	struct err e = { 0 };

	if (n->stopping)
		return;
	slow->step = DAEMON_SLOW_READY;
	if (slow->child.state != CHILD_STOPPED)
		return; /* core/child tries again by itself */
	if (child_start(n->reactor, &slow->child, &e)) {
		n->exit_code = e.code;
		n->exit_err = e;
		daemon_stop(n);
	}
}

static void detached(struct task *t)
{
	struct daemon_slow *slow =
		container_of(t, struct daemon_slow, detached);
	struct daemon *n = container_of(slow, struct daemon, slow);

	if (n->stopping) {
		slow->step = DAEMON_SLOW_STOPPED;
		daemon_slow_stopped(n);
		return;
	}
	fast_slow_attach(n->fast, &slow->attached);
}

static void died(struct child *c, int status)
{
	struct daemon_slow *slow = container_of(c, struct daemon_slow, child);
	struct daemon *n = container_of(slow, struct daemon, slow);

	log_event(LOG_LEVEL_WARN, "the slow stack has died", "status=%d",
	          status);
	slow->step = DAEMON_SLOW_DETACHING;
	fast_slow_detach(n->fast, &slow->detached);
}

void daemon_slow_init(struct daemon *n)
{
	n->slow = (struct daemon_slow){
		.child = { .argv = slow_argv,
		           .name = "the slow stack",
		           .prepare = prepare,
		           .died = died },
		.call_fd = -1,
		.detached.run = detached,
		.attached.run = attached,
		.look.fire = look,
	};
}

void daemon_slow_start(struct daemon *n)
{
	fast_slow_attach(n->fast, &n->slow.attached);
}

/* -- the end -------------------------------------------------------------- */

struct farewell {
	struct rpc_request request;
	struct daemon *node;
};

static void end_process(struct daemon *n)
{
	struct daemon_slow *slow = &n->slow;

	timer_stop(n->reactor, &slow->look);
	child_stop(&slow->child, STOP_GRACE_MS);
	rpc_client_destroy(slow->client);
	slow->client = NULL;
	if (slow->call_fd >= 0)
		close(slow->call_fd);
	slow->call_fd = -1;
	if (slow->step == DAEMON_SLOW_DETACHING)
		return; /* detached() goes on */
	slow->step = DAEMON_SLOW_DETACHING;
	fast_slow_detach(n->fast, &slow->detached);
}

static void quiesced(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	struct farewell *f = container_of(q, struct farewell, request);
	struct daemon *n = f->node;

	if (outcome->error)
		log_event(LOG_LEVEL_WARN, "the slow stack could not end well",
		          NULL);
	free(f);
	if (n->slow.client)
		end_process(n);
}

void daemon_slow_stop(struct daemon *n)
{
	struct farewell *f = NULL;

	if (daemon_slow_serves(n) && n->slow.client)
		f = calloc(1, sizeof(*f));
	if (!f) {
		end_process(n);
		return;
	}
	f->node = n;
	f->request.done = quiesced;
	f->request.timeout_ns = QUIESCE_NS;
	if (rpc_client_call(n->slow.client, &f->request, "slow.quiesce",
	                    NULL)) {
		free(f);
		end_process(n);
	}
}
