/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "control/state.h"
#include "core/log.h"
#include "core/realtime.h"
#include "core/steps.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#define SPIN_MAX_US 100
#define URING_DEPTH 256
#define STOP_DEADLINE_MS 5000

void daemon_fail(struct rpc_call *call, int code, const char *fmt, ...)
{
	struct err e = { 0 };
	char text[sizeof(e.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(&e, code, "%s", text);
	rpc_fail(call, &e, RPC_OK);
}

/* -- start: a table of steps ----------------------------------------------- */

static struct err *words_of(struct daemon *n)
{
	return &n->exit_err;
}

static int open_folder(void *ctx)
{
	struct daemon *n = ctx;

	return state_lock(n->opts->state_dir, &n->dir_fd, words_of(n));
}

static void close_folder(void *ctx)
{
	close(((struct daemon *)ctx)->dir_fd);
}

static int make_reactors(void *ctx)
{
	struct daemon *n = ctx;
	const struct reactor_opts control = { .name = "control" };
	const struct reactor_opts data = { .name = "data",
		                           .spin_max_us = n->opts->realtime
		                                                  ? 0
		                                                  : SPIN_MAX_US,
		                           .uring_depth = URING_DEPTH };
	int err = reactor_create(&control, &n->reactor, words_of(n));

	if (err)
		return err;
	reactor_bind(n->reactor);
	for (unsigned i = 0; i < n->cores && !err; i++)
		err = reactor_create(&data, &n->data[i], words_of(n));
	return err;
}

static void free_reactors(void *ctx)
{
	struct daemon *n = ctx;

	for (unsigned i = 0; i < n->cores; i++)
		reactor_destroy(n->data[i]);
	reactor_bind(NULL);
	reactor_destroy(n->reactor);
}

static int make_handoff(void *ctx)
{
	struct daemon *n = ctx;

	return handoff_create(n->cores, HANDOFF_TABLE_ENTRIES, &n->handoff,
	                      words_of(n));
}

static void free_handoff(void *ctx)
{
	handoff_detach(&((struct daemon *)ctx)->handoff);
}

static int make_fast(void *ctx)
{
	struct daemon *n = ctx;

	return fast_create(&(struct fast_opts){ .handoff = &n->handoff,
	                                        .reactors = n->data,
	                                        .n_reactors = n->cores },
	                   &n->fast, words_of(n));
}

static void destroy_fast(struct daemon *n, void *arg)
{
	(void)arg;
	fast_destroy(n->fast);
}

/* Remote drives are closed where their windows live. */
static void free_fast(void *ctx)
{
	daemon_on_fabric(ctx, destroy_fast, NULL);
}

static void *data_thread(void *arg)
{
	reactor_run(arg);
	return NULL;
}

/* For a node whose kernel swaps to others: nothing on the way may wait for
 * memory. */
static void *realtime_thread(void *arg)
{
	struct realtime_got got;

	realtime_enter(&got);
	if (got.locked || got.fifo)
		log_event(LOG_LEVEL_WARN, "no real-time thread",
		          "locked=%s fifo=%s", strerror(-got.locked),
		          strerror(-got.fifo));
	return data_thread(arg);
}

static void stop_threads(void *ctx)
{
	struct daemon *n = ctx;

	while (n->n_threads > 0) {
		n->n_threads--;
		reactor_stop(n->data[n->n_threads]);
		pthread_join(n->thread[n->n_threads], NULL);
	}
}

static int start_threads(void *ctx)
{
	struct daemon *n = ctx;

	for (; n->n_threads < n->cores; n->n_threads++) {
		int err = pthread_create(&n->thread[n->n_threads], NULL,
		                         n->opts->realtime ? realtime_thread
		                                           : data_thread,
		                         n->data[n->n_threads]);

		if (err) {
			stop_threads(n);
			return err_set(words_of(n), -err,
			               "cannot start a data thread: %s",
			               strerror(err));
		}
	}
	return 0;
}

static int make_nbd(void *ctx)
{
	struct daemon *n = ctx;

	return nbd_server_create(
		&(struct nbd_server_opts){ .home = n->reactor,
	                                   .data = n->data,
	                                   .n_data = n->cores },
		&n->nbd, words_of(n));
}

static void forward(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	const char *exported = NULL;

	if (!strcmp(rpc_call_method(call), "volume.delete"))
		exported = daemon_export_of(n, rpc_string(params, "volume"));
	if (exported)
		daemon_fail(call, -EBUSY,
		            "volume %s is served by export %s; "
		            "remove that first with 'causeway "
		            "export remove %s'",
		            rpc_string(params, "volume"), exported, exported);
	else
		rpc_forward(call, n->slow.client, "the slow stack",
		            DAEMON_SLOW_TIMEOUT_NS);
}

static void stop_called(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_reply(call, NULL);
	daemon_stop(rpc_call_ctx(call));
}

static const struct rpc_binding bindings[] = {
	{ "status", daemon_status },
	{ "drive.add", daemon_drive_add },
	{ "drive.list", daemon_drive_list },
	{ "drive.remove", daemon_drive_remove },
	{ "drive.fail", daemon_drive_fail },
	{ "export.create", daemon_export_create },
	{ "export.list", daemon_export_list },
	{ "export.remove", daemon_export_remove },
	{ "node.add", daemon_node_add },
	{ "node.list", daemon_node_list },
	{ "node.show", daemon_node_show },
	{ "node.remove", daemon_node_remove },
	{ "donor.offer", daemon_donor_offer },
	{ "donor.list", daemon_donor_list },
	{ "donor.withdraw", daemon_donor_withdraw },
	{ "window.create", daemon_window_create },
	{ "window.grant", daemon_window_grant },
	{ "window.revoke", daemon_window_revoke },
	{ "window.list", daemon_window_list },
	{ "window.remove", daemon_window_remove },
	{ "far.report", daemon_far_report },
	{ "doctor", daemon_doctor },
	{ "daemon.stop", stop_called },
};

static int make_rpc(void *ctx)
{
	struct daemon *n = ctx;
	const struct rpc_service services[] = {
		daemon_subnet_service(n),
		{ .methods = methods_fast,
		  .n_methods = methods_fast_count,
		  .bindings = bindings,
		  .n_bindings = ARRAY_LEN(bindings),
		  .ctx = n },
		{ .methods = methods_slow,
		  .n_methods = methods_slow_count,
		  .fallback = forward,
		  .ctx = n },
	};

	return rpc_server_create(n->reactor, services, ARRAY_LEN(services),
	                         &n->rpc, words_of(n));
}

static void free_rpc(void *ctx)
{
	daemon_far_free(ctx);
	rpc_server_destroy(((struct daemon *)ctx)->rpc);
}

static void signalled(struct watch *w, uint32_t events)
{
	struct daemon *n = container_of(w, struct daemon, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof(info)) == sizeof(info))
		daemon_stop(n);
}

static int watch_signals(void *ctx)
{
	struct daemon *n = ctx;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	n->signals = (struct watch){ .fd = signalfd(-1, &set,
		                                    SFD_CLOEXEC | SFD_NONBLOCK),
		                     .events = EPOLLIN,
		                     .ready = signalled };
	if (n->signals.fd < 0)
		return err_set(words_of(n), -errno, "no signalfd: %s",
		               strerror(errno));
	return watch_start(n->reactor, &n->signals);
}

static void unwatch_signals(void *ctx)
{
	struct daemon *n = ctx;

	watch_stop(n->reactor, &n->signals);
	close(n->signals.fd);
}

static int load_state(void *ctx)
{
	return daemon_load(ctx, words_of(ctx));
}

/* Signals are blocked before the threads start, which inherit the mask. */
static const struct step steps[] = {
	{ "open the state folder", open_folder, close_folder },
	{ "load the state and the configuration", load_state, daemon_unload },
	{ "make the reactors", make_reactors, free_reactors },
	{ "watch signals", watch_signals, unwatch_signals },
	{ "make the hand-off memory", make_handoff, free_handoff },
	{ "make the windows and the peers", daemon_fabric_make,
	  daemon_fabric_free },
	{ "make the fast stack", make_fast, free_fast },
	{ "start the data threads", start_threads, stop_threads },
	{ "join windows and peers", daemon_fabric_join, daemon_fabric_leave },
	{ "listen for other nodes", daemon_fabric_listen, NULL },
	{ "make the NBD server", make_nbd, NULL },
	{ "make the control server", make_rpc, free_rpc },
	{ "serve metrics", daemon_metrics_open, daemon_metrics_close },
};

int daemon_create(const struct daemon_opts *opts, struct daemon **out,
                  struct err *e)
{
	struct daemon *n = calloc(1, sizeof(*n));
	const char *failed = NULL;
	int err;

	if (!n)
		return err_set(e, -ENOMEM, "no memory for the node");
	log_set_role("fast");
	n->opts = opts;
	n->cores = 1;
	list_init(&n->exports);
	list_init(&n->fabric.peers);
	list_init(&n->fabric.windows);
	daemon_slow_init(n);
	daemon_subnet_init(n);
	err = steps_run(steps, ARRAY_LEN(steps), n, &failed);
	if (err) {
		err_set(e, err, "%s",
		        n->exit_err.code ? n->exit_err.text : failed);
		free(n);
		return err;
	}
	*out = n;
	return 0;
}

/* -- running -------------------------------------------------------------- */

void daemon_drives_opened(struct daemon *n)
{
	if (n->stopping)
		return;
	daemon_slow_start(n);
	daemon_subnet_start(n);
}

void daemon_ready(struct daemon *n)
{
	static const char line[] = "ready\n";

	if (n->ready)
		return;
	n->ready = true;
	log_event(LOG_LEVEL_INFO, "ready", "exports=%u", n->n_exports);
	if (n->opts->ready_fd < 0)
		return;
	if (write(n->opts->ready_fd, line, sizeof(line) - 1) < 0)
		log_event(LOG_LEVEL_WARN, "nobody reads --ready-fd", NULL);
	close(n->opts->ready_fd);
}

int daemon_run(struct daemon *n, struct err *e)
{
	char path[4096];
	int err;

	snprintf(path, sizeof(path), "%s/control.sock", n->opts->state_dir);
	err = rpc_server_listen(n->rpc, path, e);
	if (!err)
		daemon_drives_open(n);
	else
		daemon_stop(n);
	reactor_run(n->reactor);
	if (!err && n->exit_code)
		err = err_set(e, n->exit_code, "%s", n->exit_err.text);
	return err;
}

/* -- the end: exports, then the slow stack, then all else ------------------ */

static void end_if_idle(struct daemon *n)
{
	if (n->ended && n->n_openings == 0 && daemon_subnet_is_off(n))
		reactor_stop(n->reactor);
}

void daemon_slow_stopped(struct daemon *n)
{
	n->ended = true;
	end_if_idle(n);
}

void daemon_subnet_ended(struct daemon *n)
{
	end_if_idle(n);
}

void daemon_opening_ended(struct daemon *n)
{
	n->n_openings--;
	end_if_idle(n);
}

static void exports_stopped(void *arg)
{
	struct daemon *n = arg;

	LIST_FOREACH (node, &n->exports) {
		struct daemon_export *x =
			list_entry(node, struct daemon_export, link);

		block_close(x->device);
		list_remove(&x->link);
		free(x);
	}
	daemon_slow_stop(n);
}

void daemon_stop(struct daemon *n)
{
	if (n->stopping)
		return;
	n->stopping = true;
	log_event(LOG_LEVEL_INFO, "stopping", NULL);
	apply_cancel(n->apply);
	n->apply = NULL;
	daemon_subnet_stop(n);
	daemon_exports_leave(n);
	nbd_server_stop(n->nbd, STOP_DEADLINE_MS, exports_stopped, n);
}

void daemon_destroy(struct daemon *n)
{
	if (!n)
		return;
	steps_undo(steps, ARRAY_LEN(steps), n);
	free(n);
}
