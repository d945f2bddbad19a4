/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/node_priv.h"

#include "base/base.h"
#include "control/describe.h"
#include "core/log.h"
#include "drive/drive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint16_t slot_of(const struct node *n, const struct node_drive *d)
{
	return (uint16_t)(d - n->drive);
}

static struct node_drive *find(struct node *n, const char *name)
{
	for (unsigned i = 0; i < HANDOFF_DRIVES; i++)
		if (n->drive[i].used && !strcmp(n->drive[i].name, name))
			return &n->drive[i];
	return NULL;
}

static struct node_drive *find_free(struct node *n)
{
	for (unsigned i = 0; i < HANDOFF_DRIVES; i++)
		if (!n->drive[i].used)
			return &n->drive[i];
	return NULL;
}

static uint32_t role(const struct node *n, const struct node_drive *d)
{
	return __atomic_load_n(&n->handoff.drives[slot_of(n, d)].role,
	                       __ATOMIC_ACQUIRE);
}

/* -- at start ------------------------------------------------------------- */

struct opening {
	struct task task;
	struct node *node;
	struct node_drive *drive;
};

static void opened_at_start(struct task *t)
{
	struct opening *o = container_of(t, struct opening, task);
	struct node *n = o->node;

	o->drive->open = true;
	free(o);
	if (--n->opening == 0)
		node_drives_opened(n);
}

/* A drive that is not there is no reason not to start: its pool says what
 * that means. */
static void open_at_start(struct node *n, struct node_drive *d)
{
	struct opening *o = calloc(1, sizeof(*o));
	struct block_device *dev;
	struct err e = { 0 };
	char words[512];

	if (!o || drive_open(d->spec, &dev, &e)) {
		snprintf(d->why, sizeof(d->why), "%s",
		         o ? e.text : "no memory");
		log_event(LOG_LEVEL_WARN, "a drive cannot be opened",
		          "drive=%s why=%s", d->name,
		          log_quote(words, sizeof(words), d->why));
		free(o);
		return;
	}
	*o = (struct opening){ .task.run = opened_at_start,
		               .node = n,
		               .drive = d };
	n->opening++;
	fast_drive_open(n->fast, slot_of(n, d), dev, d->name, &o->task);
}

void node_drives_open(struct node *n)
{
	n->opening = 1;
	for (unsigned i = 0; i < HANDOFF_DRIVES; i++)
		if (n->drive[i].used)
			open_at_start(n, &n->drive[i]);
	if (--n->opening == 0)
		node_drives_opened(n);
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

static void add_pool(struct json_object *o, const struct node *n,
                     const struct handoff_drive *shared)
{
	if (shared->role != HANDOFF_UNUSED && shared->pool < HANDOFF_POOLS)
		describe_string(o, "pool", n->handoff.pools[shared->pool].name);
}

static struct json_object *drive_json(struct node *n, struct node_drive *d,
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

struct json_object *node_drives_json(struct node *n, struct json_object *words)
{
	struct json_object *out = json_object_new_array(), *of = NULL;

	if (words)
		json_object_object_get_ex(words, "drives", &of);
	for (unsigned i = 0; i < HANDOFF_DRIVES; i++)
		if (n->drive[i].used)
			json_object_array_add(out,
			                      drive_json(n, &n->drive[i], of));
	return out;
}

/* -- errands: calls that wait for the slow stack or a drive ---------------- */

struct errand {
	struct task task;
	struct rpc_request request;
	struct rpc_call *call;
	struct node *node;
	struct node_drive *drive;
	struct json_object *(*result)(struct errand *x, struct json_object *of);
};

static struct errand *errand_new(struct rpc_call *call, struct node_drive *d)
{
	struct errand *x = calloc(1, sizeof(*x));

	if (!x) {
		node_fail(call, -ENOMEM, "no memory for the call");
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
		node_fail(x->call, -EAGAIN, "%s", outcome->error->text);
	else
		rpc_reply(x->call, x->result(x, outcome->result));
	free(x);
}

/* Ask the slow stack; the errand ends with its answer. */
static void ask(struct errand *x, const char *method, bool with_slot)
{
	struct node *n = x->node;
	struct json_object *params = NULL;

	if (with_slot) {
		params = json_object_new_object();
		describe_int(params, "drive", slot_of(n, x->drive));
	}
	x->request.done = asked;
	x->request.timeout_ns = NODE_SLOW_TIMEOUT_NS;
	if (n->slow.client &&
	    !rpc_client_call(n->slow.client, &x->request, method, params))
		return;
	node_fail(x->call, -EAGAIN,
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

	json_object_object_add(o, "drives", node_drives_json(x->node, words));
	return o;
}

void node_drive_list(struct rpc_call *call, struct json_object *params)
{
	struct node *n = rpc_call_ctx(call);
	struct errand *x;

	(void)params;
	if (!node_slow_serves(n)) {
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
	if (node_slow_serves(x->node)) {
		ask(x, "slow.drive_appeared", true);
		return;
	}
	rpc_reply(x->call, drive_json(x->node, x->drive, NULL));
	free(x);
}

void node_drive_add(struct rpc_call *call, struct json_object *params)
{
	struct node *n = rpc_call_ctx(call);
	const char *name = rpc_string(params, "name");
	struct node_drive *d = find_free(n);
	struct block_device *dev;
	struct err e = { 0 };
	struct errand *x;

	if (find(n, name)) {
		node_fail(call, -EEXIST,
		          "there is a drive %s already; choose another name",
		          name);
		return;
	}
	if (!d) {
		node_fail(call, -ENOSPC, "%u drives are the most a node has",
		          HANDOFF_DRIVES);
		return;
	}
	x = errand_new(call, d);
	if (!x)
		return;
	*d = (struct node_drive){ .used = true };
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->spec, sizeof(d->spec), "%s", rpc_string(params, "spec"));
	if (drive_open(d->spec, &dev, &e)) {
		d->used = false;
	} else if (node_save(n, &e)) {
		d->used = false;
		block_close(dev);
	}
	if (e.code) {
		rpc_fail(call, &e, RPC_OK);
		free(x);
		return;
	}
	x->task.run = added;
	fast_drive_open(n->fast, slot_of(n, d), dev, d->name, &x->task);
}

static struct node_drive *named(struct rpc_call *call,
                                struct json_object *params)
{
	const char *name = rpc_string(params, "name");
	struct node_drive *d = find(rpc_call_ctx(call), name);

	if (d && !d->closing)
		return d;
	node_fail(call, -ENOENT,
	          "there is no drive %s; 'causeway drive list' "
	          "shows those there are",
	          name);
	return NULL;
}

void node_drive_fail(struct rpc_call *call, struct json_object *params)
{
	struct node_drive *d = named(call, params);
	struct errand *x;

	if (!d)
		return;
	if (!d->open) {
		node_fail(call, -ENXIO, "drive %s is not open: %s", d->name,
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

	*x->drive = (struct node_drive){ 0 };
	rpc_reply(x->call, NULL);
	free(x);
}

void node_drive_remove(struct rpc_call *call, struct json_object *params)
{
	struct node *n = rpc_call_ctx(call);
	struct node_drive *d = named(call, params);
	struct err e = { 0 };
	struct errand *x;

	if (!d)
		return;
	if (d->open && role(n, d) == HANDOFF_ONLINE) {
		node_fail(call, -EBUSY,
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
	if (node_save(n, &e)) {
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
