/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/subnet_service.h"

#include "base/base.h"
#include "control/describe.h"
#include "control/methods.h"
#include "control/subnet_describe.h"
#include "core/log.h"
#include "core/reactor.h"
#include "mad/port_umad.h"
#include "rpc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct service {
	struct reactor *reactor;
	struct rpc_server *rpc;
	const char *dir;
	struct mad_port *port;
	struct subnet *subnet; /* NULL: not up yet */
	struct rpc_call *down; /* to be answered when it has stopped */
	struct task end;
};

static void fail(struct rpc_call *call, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void fail(struct rpc_call *call, int code, const char *fmt, ...)
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

/* NULL: the call has been answered. */
static struct subnet *manager(struct rpc_call *call)
{
	struct service *s = rpc_call_ctx(call);

	if (!s->subnet)
		fail(call, -EAGAIN, "the subnet manager is starting");
	return s->subnet;
}

static uint64_t after(struct json_object *params)
{
	return rpc_has(params, "after") ? (uint64_t)rpc_int(params, "after")
	                                : 0;
}

/* -- up and down ----------------------------------------------------------- */

static void event(void *arg, const struct subnet_event *e)
{
	bool bad = e->kind == SUBNET_EVENT_FAULT ||
	           e->kind == SUBNET_EVENT_SECURITY;
	char words[2 * SUBNET_TEXT];

	(void)arg;
	log_event(bad ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
	          subnet_event_name(e->kind), "text=%s",
	          log_quote(words, sizeof(words), e->text));
}

static void end(struct task *t)
{
	struct service *s = container_of(t, struct service, end);

	subnet_destroy(s->subnet);
	s->subnet = NULL;
	mad_port_close(s->port);
	s->port = NULL;
	reactor_stop(s->reactor);
}

static void stopped(void *arg)
{
	struct service *s = arg;

	if (s->down)
		rpc_reply(s->down, NULL);
	s->down = NULL;
	task_post(s->reactor, &s->end);
}

/* A number in hexadecimal, in a file that nobody else reads. */
static int read_key(const char *path, uint64_t *key, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[64] = "", *rest;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || read(fd, text, sizeof(text) - 1) < 0)
		return err_set(e, -errno, "cannot read the M_Key %s: %s", path,
		               strerror(errno));
	if (st.st_mode & 077)
		return err_set(e, -EACCES,
		               "others than its owner can reach %s: 'chmod 600 "
		               "%s' and change the key",
		               path, path);
	*key = strtoull(text, &rest, 16);
	if (rest == text || rest[strspn(rest, " \r\n\t")] || !*key)
		return err_set(e, -EINVAL,
		               "%s: one number in hexadecimal is meant, not 0, "
		               "as in 0x1f2e3d4c5b6a7988",
		               path);
	return 0;
}

static unsigned number(struct json_object *params, const char *name)
{
	return rpc_has(params, name) ? (unsigned)rpc_int(params, name) : 0;
}

static int take_options(struct json_object *params, struct subnet_opts *o,
                        struct err *e)
{
	const char *key = rpc_string(params, "m_key");

	o->policy_file = rpc_string(params, "policy");
	o->priority = (uint8_t)number(params, "priority");
	o->lmc = (uint8_t)number(params, "lmc");
	o->no_lag = rpc_has(params, "no_lag") && rpc_bool(params, "no_lag");
	if (rpc_has(params, "engine"))
		o->engine = route_parse(rpc_string(params, "engine"));
	for (; o->n_allow < rpc_strings(params, "allow"); o->n_allow++)
		o->allow[o->n_allow] = strtoull(
			rpc_strings_at(params, "allow", o->n_allow), NULL, 16);
	return key ? read_key(key, &o->m_key, e) : 0;
}

static int begin(struct service *s, struct json_object *params, struct err *e)
{
	char lids[METHODS_FILE_MAX + 32];
	struct subnet_opts o = {
		.lid_file = lids,
		.event = event,
		.stopped = stopped,
		.arg = s,
	};
	int err = take_options(params, &o, e);

	snprintf(lids, sizeof(lids), "%s/subnet-lids", s->dir);
	if (!err)
		err = port_umad_open(s->reactor, rpc_string(params, "device"),
		                     number(params, "port"), &s->port, e);
	if (!err)
		err = subnet_create(s->reactor, s->port, &o, &s->subnet, e);
	for (size_t i = 0; i < rpc_strings(params, "lag_off") && !err; i++)
		err = subnet_lag_want(
			s->subnet,
			strtoull(rpc_strings_at(params, "lag_off", i), NULL,
		                 16),
			false, e);
	return err;
}

static void up(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);
	struct err e = { 0 };

	if (s->port)
		fail(call, -EEXIST, "the subnet manager is up already");
	else if (begin(s, params, &e))
		rpc_fail(call, &e, RPC_OK);
	else
		rpc_reply(call, NULL);
}

static void down(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);

	(void)params;
	if (!s->subnet) {
		rpc_reply(call, NULL);
		reactor_stop(s->reactor);
	} else if (s->down) {
		fail(call, -EAGAIN, "the subnet manager is ending");
	} else {
		s->down = call;
		subnet_stop(s->subnet);
	}
}

/* -- looking --------------------------------------------------------------- */

static void status(struct rpc_call *call, struct json_object *params)
{
	struct subnet *s = manager(call);

	(void)params;
	if (s)
		rpc_reply(call, subnet_describe_status(s));
}

/* Calls that take `after` and list something. */
static void list(struct rpc_call *call, struct json_object *params)
{
	static const struct {
		const char *method;
		struct json_object *(*list)(const struct subnet *s,
		                            uint64_t after);
	} rows[] = {
		{ "subnet.nodes", subnet_describe_nodes },
		{ "subnet.links", subnet_describe_links },
		{ "subnet.diff", subnet_describe_diff },
		{ "subnet.events", subnet_describe_events },
		{ "lag.list", subnet_describe_lags },
	};
	struct subnet *s = manager(call);
	size_t i = 0;

	if (!s)
		return;
	while (strcmp(rows[i].method, rpc_call_method(call)) != 0)
		i++;
	rpc_reply(call, rows[i].list(s, after(params)));
}

/* A node that the parameter names; false: the call has been answered. */
static bool find(struct rpc_call *call, struct json_object *params,
                 const char *name, struct query_node *out)
{
	const char *text = rpc_string(params, name);

	if (subnet_describe_find(manager(call), text, out))
		return true;
	fail(call, -ENOENT,
	     "there is no node %s; 'causeway subnet nodes' lists them", text);
	return false;
}

static void routes(struct rpc_call *call, struct json_object *params)
{
	struct subnet *s = manager(call);
	struct query_node n;

	if (!s || !find(call, params, "switch", &n))
		return;
	if (n.kind != GRAPH_SWITCH)
		fail(call, -EINVAL,
		     "%s is no switch; 'causeway subnet nodes' lists them",
		     rpc_string(params, "switch"));
	else
		rpc_reply(call,
		          subnet_describe_routes(s, n.guid, after(params)));
}

static void explain(struct rpc_call *call, struct json_object *params)
{
	struct subnet *s = manager(call);
	struct query_hop hop[QUERY_HOPS];
	struct json_object *o;
	struct err e = { 0 };
	unsigned n = 0;
	int err;

	if (!s)
		return;
	err = query_explain(s, rpc_string(params, "from"),
	                    rpc_string(params, "to"), hop, &n, &e);
	if (err < 0 && err != -EHOSTUNREACH && err != -ELOOP) {
		rpc_fail(call, &e, RPC_OK);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "reached", json_object_new_boolean(err >= 0));
	json_object_object_add(o, "hops", subnet_describe_hops(hop, n));
	rpc_reply(call, o);
}

static void plan(struct rpc_call *call, struct json_object *params)
{
	struct subnet *s = manager(call);
	struct query_node n = { .guid = 0 };
	struct query_plan p;
	struct err e = { 0 };

	if (!s)
		return;
	if (rpc_has(params, "without") != rpc_has(params, "port")) {
		fail(call, -EINVAL, "`without` and `port` belong together");
		return;
	}
	if (rpc_has(params, "without") && !find(call, params, "without", &n))
		return;
	if (query_plan(s, n.guid, number(params, "port"),
	               rpc_has(params, "anew") && rpc_bool(params, "anew"), &p,
	               &e))
		rpc_fail(call, &e, RPC_OK);
	else
		rpc_reply(call, subnet_describe_plan(&p));
}

static void sweep(struct rpc_call *call, struct json_object *params)
{
	struct subnet *s = manager(call);

	(void)params;
	if (!s)
		return;
	subnet_sweep(s);
	rpc_reply(call, NULL);
}

static void reload(struct rpc_call *call, struct json_object *params)
{
	struct subnet *s = manager(call);
	struct err e = { 0 };

	(void)params;
	if (s && subnet_reload(s, &e))
		rpc_fail(call, &e, RPC_OK);
	else if (s)
		rpc_reply(call, NULL);
}

/* -- aggregation ----------------------------------------------------------- */

static bool find_lag(const struct subnet *s, uint64_t sys_guid,
                     struct query_lag *out)
{
	uint32_t at = 0;

	while (query_lag(s, &at, out))
		if (out->sys_guid == sys_guid)
			return true;
	return false;
}

/* show, create, delete */
static void lag(struct rpc_call *call, struct json_object *params)
{
	const char *method = rpc_call_method(call);
	struct subnet *s = manager(call);
	bool wanted = strcmp(method, "lag.delete") != 0;
	struct query_node n;
	struct query_lag found;
	struct err e = { 0 };

	if (!s || !find(call, params, "host", &n))
		return;
	if (!find_lag(s, n.sys_guid, &found))
		fail(call, -ENOENT,
		     "%s has fewer than two ports with a link; 'causeway "
		     "subnet lag list' shows what may be aggregated",
		     rpc_string(params, "host"));
	else if (strcmp(method, "lag.show") != 0 &&
	         subnet_lag_want(s, n.sys_guid, wanted, &e))
		rpc_fail(call, &e, RPC_OK);
	else
		rpc_reply(call,
		          subnet_describe_lag(
				  &found, subnet_lag_wanted(s, n.sys_guid)));
}

/* -- life ------------------------------------------------------------------ */

static const struct rpc_binding bindings[] = {
	{ "subnet.up", up },         { "subnet.down", down },
	{ "subnet.status", status }, { "subnet.nodes", list },
	{ "subnet.links", list },    { "subnet.routes", routes },
	{ "subnet.diff", list },     { "subnet.events", list },
	{ "subnet.plan", plan },     { "subnet.explain", explain },
	{ "subnet.sweep", sweep },   { "subnet.reload", reload },
	{ "lag.list", list },        { "lag.show", lag },
	{ "lag.create", lag },       { "lag.delete", lag },
};

static void daemon_left(void *ctx)
{
	struct service *s = ctx;

	if (s->subnet)
		subnet_stop(s->subnet);
	else
		reactor_stop(s->reactor);
}

static int serve(struct service *s, int fd, struct err *e)
{
	const struct rpc_service service = {
		.methods = methods_subnet,
		.n_methods = methods_subnet_count,
		.bindings = bindings,
		.n_bindings = ARRAY_LEN(bindings),
		.ctx = s,
	};
	int err = rpc_server_create(s->reactor, &service, 1, &s->rpc, e);

	return err ? err : rpc_server_serve(s->rpc, fd, daemon_left, s, e);
}

int subnet_service_run(int fd, const char *dir)
{
	const struct reactor_opts opts = { .name = "sm" };
	struct service s = { .dir = dir, .end.run = end };
	struct err e = { 0 };
	char words[512];
	int err;

	log_set_role("sm");
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	err = reactor_create(&opts, &s.reactor, &e);
	if (!err)
		reactor_bind(s.reactor);
	if (!err)
		err = serve(&s, fd, &e);
	if (err) {
		log_event(LOG_LEVEL_ERROR, "the subnet manager cannot start",
		          "why=%s", log_quote(words, sizeof(words), e.text));
		return 1;
	}
	reactor_run(s.reactor);
	rpc_server_destroy(s.rpc);
	reactor_destroy(s.reactor);
	return 0;
}
