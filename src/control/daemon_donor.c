/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this node lends: the offer, which the state file has as the parameters
 * of donor.offer, and its loans, which end with the daemon.
 */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "control/describe.h"
#include "core/log.h"
#include "window/region.h"
#include "window/window.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysinfo.h>

#define LEASE_S 60  /* if it is not given */
#define WITHIN_S 60 /* the same */

static uint64_t seconds(struct json_object *params, const char *key,
                        unsigned otherwise)
{
	return rpc_has(params, key) ? (uint64_t)rpc_int(params, key)
	                            : otherwise;
}

/* -- on the fabric's reactor ----------------------------------------------- */

struct offering {
	struct json_object *params; /* NULL: nothing is offered */
	uint64_t within_ms;
	struct err e;
};

static void offer(struct daemon *n, void *arg)
{
	struct offering *o = arg;
	const char *allow[METHODS_GRANTS_MAX];
	struct window_offer w = { .allow = allow };

	if (o->params) {
		w.size = rpc_size(o->params, "size");
		w.n_allow = (unsigned)rpc_strings(o->params, "allow");
		w.lease_ms =
			(unsigned)seconds(o->params, "lease_s", LEASE_S) * 1000;
	}
	for (unsigned i = 0; i < w.n_allow; i++)
		allow[i] = rpc_strings_at(o->params, "allow", i);
	window_offer_set(n->fabric.host, &w, o->within_ms, &o->e);
}

void daemon_offer_restore(struct daemon *n)
{
	struct offering o = { .params = n->fabric.offer };
	char words[512];

	if (!o.params)
		return;
	offer(n, &o);
	if (o.e.code)
		log_event(LOG_LEVEL_WARN, "memory cannot be offered", "why=%s",
		          log_quote(words, sizeof(words), o.e.text));
}

/* -- as JSON --------------------------------------------------------------- */

static const char *const huge_names[] = {
	[REGION_SMALL] = "none",
	[REGION_ADVISED] = "advised",
	[REGION_RESERVED] = "reserved",
};

static void add_loan(void *ctx, const struct window_loan_info *loan)
{
	struct json_object *o = json_object_new_object();

	describe_string(o, "node", loan->node);
	describe_int(o, "size", loan->size);
	describe_string(o, "state", loan->is_recalled ? "recalled" : "lent");
	describe_int(o, "age_ms", loan->age_ms);
	describe_int(o, "left_ms", loan->left_ms);
	describe_string(o, "huge_pages", huge_names[loan->huge]);
	json_object_object_add(o, "locked",
	                       json_object_new_boolean(loan->is_locked));
	describe_int(o, "bytes_read", loan->bytes_read);
	describe_int(o, "bytes_written", loan->bytes_written);
	json_object_array_add(ctx, o);
}

struct gathering {
	struct window_offer_info info;
	struct json_object *loans;
};

static void gather(struct daemon *n, void *arg)
{
	struct gathering *g = arg;

	window_offer_get(n->fabric.host, &g->info);
	window_each_loan(n->fabric.host, add_loan, g->loans);
}

static struct json_object *donor_json(struct daemon *n)
{
	struct gathering g = { .loans = json_object_new_array() };
	struct json_object *o = json_object_new_object();
	struct json_object *allow = NULL;

	daemon_on_fabric(n, gather, &g);
	describe_int(o, "offered", g.info.offered);
	describe_int(o, "lent", g.info.lent);
	describe_int(o, "free", g.info.free);
	describe_int(o, "lease_s",
	             n->fabric.offer
	                     ? seconds(n->fabric.offer, "lease_s", LEASE_S)
	                     : 0);
	if (n->fabric.offer)
		json_object_object_get_ex(n->fabric.offer, "allow", &allow);
	json_object_object_add(o, "allow",
	                       allow ? json_object_get(allow)
	                             : json_object_new_array());
	json_object_object_add(o, "loans", g.loans);
	return o;
}

/* -- calls ----------------------------------------------------------------- */

/* Takes `params`: on disk first, and back to what was if that fails. */
static void change(struct rpc_call *call, struct json_object *params,
                   uint64_t within_s)
{
	struct daemon *n = rpc_call_ctx(call);
	struct json_object *old = n->fabric.offer;
	struct offering o = { .params = params, .within_ms = within_s * 1000 };

	n->fabric.offer = params;
	if (!daemon_save(n, &o.e))
		daemon_on_fabric(n, offer, &o);
	if (o.e.code) {
		n->fabric.offer = old;
		json_object_put(params);
		rpc_fail(call, &o.e, RPC_OK);
		return;
	}
	json_object_put(old);
	rpc_reply(call, donor_json(n));
}

void daemon_donor_offer(struct rpc_call *call, struct json_object *params)
{
	uint64_t within_s = seconds(params, "within_s", WITHIN_S);
	struct json_object *kept = NULL;
	struct sysinfo host;

	sysinfo(&host);
	if (rpc_size(params, "size") >
	    (uint64_t)host.totalram * host.mem_unit) {
		daemon_fail(call, -EINVAL,
		            "this host has %" PRIu64
		            " MiB of memory; offer less than that",
		            (uint64_t)host.totalram * host.mem_unit >> 20);
		return;
	}
	if (json_object_deep_copy(params, &kept, NULL)) {
		daemon_fail(call, -ENOMEM, "no memory for an offer");
		return;
	}
	json_object_object_del(kept, "within_s");
	change(call, kept, within_s);
}

void daemon_donor_withdraw(struct rpc_call *call, struct json_object *params)
{
	change(call, NULL, seconds(params, "within_s", WITHIN_S));
}

void daemon_donor_list(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_reply(call, donor_json(rpc_call_ctx(call)));
}
