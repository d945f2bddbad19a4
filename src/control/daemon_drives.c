/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "control/describe.h"
#include "core/log.h"
#include "drive/drive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint16_t slot_of(const struct daemon *n, const struct daemon_drive *d)
{
	return (uint16_t)(d - n->drive);
}

static struct daemon_drive *find(struct daemon *n, const char *name)
{
	for (unsigned i = 0; i < HANDOFF_DRIVES; i++)
		if (n->drive[i].used && !strcmp(n->drive[i].name, name))
			return &n->drive[i];
	return NULL;
}

static struct daemon_drive *find_free(struct daemon *n)
{
	for (unsigned i = 0; i < HANDOFF_DRIVES; i++)
		if (!n->drive[i].used)
			return &n->drive[i];
	return NULL;
}

static uint32_t role(const struct daemon *n, const struct daemon_drive *d)
{
	return __atomic_load_n(&n->handoff.drives[slot_of(n, d)].role,
	                       __ATOMIC_ACQUIRE);
}

/* -- opening ------------------------------------------------------------- */

/*
 * A drive is opened here, or, where it is another node's window, on the
 * fabric's reactor, which needs an exchange with that node.  ended() runs
 * here, with the device or words, and never inside open_drive().
 */
struct opening {
	struct task task;
	struct remote_open remote;
	struct daemon *node;
	struct daemon_drive *drive;
	struct rpc_call *call; /* drive.add; NULL at start */
	struct timer retry;    /* at start: the other node may start too */
	uint64_t since_ns;
	struct block_device *dev;
	struct err err;
	void (*ended)(struct opening *o);
};

static struct opening *opening_new(struct daemon *n, struct daemon_drive *d,
                                   void (*ended)(struct opening *o))
{
	struct opening *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->node = n;
	o->drive = d;
	o->ended = ended;
	o->since_ns = clock_now_ns();
	n->n_openings++;
	return o;
}

static void opening_free(struct opening *o)
{
	struct daemon *n = o->node;

	free(o);
	daemon_opening_ended(n);
}

static void opening_ended(struct task *t)
{
	struct opening *o = container_of(t, struct opening, task);

	o->ended(o);
}

static void remote_opened(struct remote_open *r, struct block_device *dev,
                          const struct err *e)
{
	struct opening *o = container_of(r, struct opening, remote);

	o->dev = dev;
	if (!dev)
		o->err = *e;
	task_post(o->node->reactor, &o->task);
}

static void open_remote(struct task *t)
{
	struct opening *o = container_of(t, struct opening, task);
	struct daemon *n = o->node;

	o->task.run = opening_ended;
	remote_open(n->fabric.host, n->data[0], o->drive->spec, &o->remote);
}

static void open_drive(struct opening *o)
{
	o->err = (struct err){ 0 };
	if (remote_named(o->drive->spec)) {
		o->remote.opened = remote_opened;
		o->task.run = open_remote;
		task_post(o->node->data[0], &o->task);
		return;
	}
	drive_open(o->drive->spec, &o->dev, &o->err);
	o->task.run = opening_ended;
	task_defer(o->node->reactor, &o->task);
}

/* -- at start ------------------------------------------------------------- */

/* How long another node may take to start beside this one. */
#define REMOTE_WAIT_NS (10 * NS_PER_S)
#define REMOTE_RETRY_NS (200 * NS_PER_MS)

static void one_less(struct daemon *n)
{
	if (--n->opening == 0)
		daemon_drives_opened(n);
}

static void opened_at_start(struct task *t)
{
	struct opening *o = container_of(t, struct opening, task);
	struct daemon *n = o->node;

	o->drive->open = true;
	opening_free(o);
	one_less(n);
}

/* A drive that is not there is no reason not to start: its pool says what
 * that means. */
static void missing_at_start(struct daemon *n, struct daemon_drive *d,
                             const char *why)
{
	char words[512];

	snprintf(d->why, sizeof(d->why), "%s", why);
	log_event(LOG_LEVEL_WARN, "a drive cannot be opened", "drive=%s why=%s",
	          d->name, log_quote(words, sizeof(words), d->why));
	one_less(n);
}

static void retry_at_start(struct timer *t)
{
	open_drive(container_of(t, struct opening, retry));
}

static bool may_come_yet(const struct opening *o)
{
	return remote_named(o->drive->spec) && !o->node->stopping &&
	       rpc_class_of(o->err.code) != RPC_DENIED &&
	       clock_now_ns() - o->since_ns < REMOTE_WAIT_NS;
}

static void ended_at_start(struct opening *o)
{
	struct daemon *n = o->node;

	if (o->dev) {
		o->task.run = opened_at_start;
		fast_drive_open(n->fast, slot_of(n, o->drive), o->dev,
		                o->drive->name, &o->task);
		return;
	}
	o->retry.fire = retry_at_start;
	if (may_come_yet(o) &&
	    timer_start(n->reactor, &o->retry, REMOTE_RETRY_NS) == 0)
		return;
	missing_at_start(n, o->drive, o->err.text);
	opening_free(o);
}

static void open_at_start(struct daemon *n, struct daemon_drive *d)
{
	struct opening *o = opening_new(n, d, ended_at_start);

	n->opening++;
	if (o)
		open_drive(o);
	else
		missing_at_start(n, d, "no memory");
}

void daemon_drives_open(struct daemon *n)
{
	n->opening = 1;
	for (unsigned i = 0; i < HANDOFF_DRIVES; i++)
		if (n->drive[i].used)
			open_at_start(n, &n->drive[i]);
	one_less(n);
}

/* -- as JSON -------------------------------------------------------------- */

/* The verdict that the slow stack's words begin with ("stale: ..."), as a
 * state; `*words` then goes on behind it. */
static const char *take_state(const char **words)
{
	static const char *const states[] = { "stale", "foreign", "damaged",
		                              "ahead", "newer" };

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		size_t n = strlen(states[i]);

		if (strncmp(*words, states[i], n) || (*words)[n] != ':')
			continue;
		*words += n + strlen(": ");
		return states[i];
	}
	return NULL;
}

static void add_pool(struct json_object *o, const struct daemon *n,
                     const struct handoff_drive *shared)
{
	if (shared->role != HANDOFF_UNUSED && shared->pool < HANDOFF_POOLS)
		describe_string(o, "pool", n->handoff.pools[shared->pool].name);
}

static struct json_object *drive_json(struct daemon *n, struct daemon_drive *d,
                                      struct json_object *words)
{
	const struct handoff_drive *shared = &n->handoff.drives[slot_of(n, d)];
	struct json_object *o = json_object_new_object(), *text = NULL;
	const char *state = "missing", *why = d->why, *verdict;

	describe_string(o, "name", d->name);
	describe_string(o, "spec", d->spec);
	if (d->open) {
		state = role(n, d) == HANDOFF_FAILED ? "failed" : "online";
		if (words)
			json_object_object_get_ex(words, d->name, &text);
		why = text ? json_object_get_string(text) : "";
		verdict = take_state(&why);
		if (verdict)
			state = verdict;
		describe_int(o, "size", shared->size);
		describe_int(o, "read_errors", shared->read_errors);
		describe_int(o, "write_errors", shared->write_errors);
		add_pool(o, n, shared);
	}
	describe_string(o, "state", state);
	if (why[0] && strcmp(state, "online") != 0)
		describe_string(o, "why", why);
	return o;
}

struct json_object *daemon_drives_json(struct daemon *n,
                                       struct json_object *words)
{
	struct json_object *out = json_object_new_array(), *of = NULL;

	if (words)
		json_object_object_get_ex(words, "drives", &of);
	for (unsigned i = 0; i < HANDOFF_DRIVES; i++)
		if (n->drive[i].used && !n->drive[i].adding)
			json_object_array_add(out,
			                      drive_json(n, &n->drive[i], of));
	return out;
}

/* -- errands: calls that wait for the slow stack or a drive ---------------- */

struct errand {
	struct task task;
	struct rpc_request request;
	struct rpc_call *call;
	struct daemon *node;
	struct daemon_drive *drive;
	struct json_object *(*result)(struct errand *x, struct json_object *of);
};

static struct errand *errand_new(struct rpc_call *call, struct daemon_drive *d)
{
	struct errand *x = calloc(1, sizeof(*x));

	if (!x) {
		daemon_fail(call, -ENOMEM, "no memory for the call");
		return NULL;
	}
	x->call = call;
	x->node = rpc_call_ctx(call);
	x->drive = d;
	return x;
}

static void asked(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	struct errand *x = container_of(q, struct errand, request);

	if (outcome->error_json)
		rpc_fail_json(x->call, json_object_get(outcome->error_json));
	else if (outcome->error)
		daemon_fail(x->call, -EAGAIN, "%s", outcome->error->text);
	else
		rpc_reply(x->call, x->result(x, outcome->result));
	free(x);
}

/* Ask the slow stack; the errand ends with its answer. */
static void ask(struct errand *x, const char *method, bool with_slot)
{
	struct daemon *n = x->node;
	struct json_object *params = NULL;

	if (with_slot) {
		params = json_object_new_object();
		describe_int(params, "drive", slot_of(n, x->drive));
	}
	x->request.done = asked;
	x->request.timeout_ns = DAEMON_SLOW_TIMEOUT_NS;
	if (n->slow.client &&
	    !rpc_client_call(n->slow.client, &x->request, method, params))
		return;
	daemon_fail(x->call, -EAGAIN,
	            "the slow stack is being restarted; try "
	            "again in a moment");
	free(x);
}

static struct json_object *drive_result(struct errand *x,
                                        struct json_object *of)
{
	(void)of;
	return drive_json(x->node, x->drive, NULL);
}

/* -- calls ---------------------------------------------------------------- */

static struct json_object *list_result(struct errand *x,
                                       struct json_object *words)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "drives", daemon_drives_json(x->node, words));
	return o;
}

void daemon_drive_list(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct errand *x;

	(void)params;
	if (!daemon_slow_serves(n)) {
		struct errand alone = { .node = n };

		rpc_reply(call, list_result(&alone, NULL));
		return;
	}
	x = errand_new(call, NULL);
	if (!x)
		return;
	x->result = list_result;
	ask(x, "slow.describe", false);
}

static void added(struct task *t)
{
	struct errand *x = container_of(t, struct errand, task);

	x->drive->open = true;
	x->result = drive_result;
	if (daemon_slow_serves(x->node)) {
		ask(x, "slow.drive_appeared", true);
		return;
	}
	rpc_reply(x->call, drive_json(x->node, x->drive, NULL));
	free(x);
}

static void give_up(struct opening *o, struct errand *x)
{
	if (o->dev)
		block_close(o->dev);
	*o->drive = (struct daemon_drive){ 0 };
	rpc_fail(o->call, &o->err, RPC_OK);
	opening_free(o);
	free(x);
}

static void ended_of_call(struct opening *o)
{
	struct daemon *n = o->node;
	struct errand *x = o->dev ? calloc(1, sizeof(*x)) : NULL;

	o->drive->adding = false;
	if (o->dev && !x)
		err_set(&o->err, -ENOMEM, "no memory for the call");
	if (o->err.code || daemon_save(n, &o->err)) {
		give_up(o, x);
		return;
	}
	*x = (struct errand){
		.task.run = added, .call = o->call, .node = n, .drive = o->drive
	};
	fast_drive_open(n->fast, slot_of(n, o->drive), o->dev, o->drive->name,
	                &x->task);
	opening_free(o);
}

void daemon_drive_add(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	const char *name = rpc_string(params, "name");
	struct daemon_drive *d = find_free(n);
	struct opening *o;

	if (find(n, name)) {
		daemon_fail(call, -EEXIST,
		            "there is a drive %s already; choose another name",
		            name);
		return;
	}
	if (!d) {
		daemon_fail(call, -ENOSPC, "%u drives are the most a node has",
		            HANDOFF_DRIVES);
		return;
	}
	o = opening_new(n, d, ended_of_call);
	if (!o) {
		daemon_fail(call, -ENOMEM, "no memory for the call");
		return;
	}
	*d = (struct daemon_drive){ .used = true, .adding = true };
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->spec, sizeof(d->spec), "%s", rpc_string(params, "spec"));
	o->call = call;
	open_drive(o);
}

static struct daemon_drive *named(struct rpc_call *call,
                                  struct json_object *params)
{
	const char *name = rpc_string(params, "name");
	struct daemon_drive *d = find(rpc_call_ctx(call), name);

	if (d && !d->closing && !d->adding)
		return d;
	daemon_fail(call, -ENOENT,
	            "there is no drive %s; 'causeway drive list' "
	            "shows those there are",
	            name);
	return NULL;
}

void daemon_drive_fail(struct rpc_call *call, struct json_object *params)
{
	struct daemon_drive *d = named(call, params);
	struct errand *x;

	if (!d)
		return;
	if (!d->open) {
		daemon_fail(call, -ENXIO, "drive %s is not open: %s", d->name,
		            d->why);
		return;
	}
	x = errand_new(call, d);
	if (!x)
		return;
	x->result = drive_result;
	ask(x, "slow.drive_fail", true);
}

static void removed(struct task *t)
{
	struct errand *x = container_of(t, struct errand, task);

	*x->drive = (struct daemon_drive){ 0 };
	rpc_reply(x->call, NULL);
	free(x);
}

void daemon_drive_remove(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct daemon_drive *d = named(call, params);
	struct err e = { 0 };
	struct errand *x;

	if (!d)
		return;
	if (d->open && role(n, d) == HANDOFF_ONLINE) {
		daemon_fail(call, -EBUSY,
		            "a pool uses drive %s; 'causeway drive fail %s' "
		            "takes it out for good, and the pool then has "
		            "less redundancy",
		            d->name, d->name);
		return;
	}
	x = errand_new(call, d);
	if (!x)
		return;
	d->closing = true;
	if (daemon_save(n, &e)) {
		d->closing = false;
		rpc_fail(call, &e, RPC_OK);
		free(x);
		return;
	}
	x->task.run = removed;
	if (d->open)
		fast_drive_close(n->fast, slot_of(n, d), &x->task);
	else
		removed(&x->task);
}
