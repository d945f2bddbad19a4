/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/run_report.h"

#include "base/base.h"
#include "far/pager.h"

#include <json-c/json.h>
#include <unistd.h>

static void number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static struct json_object *words_of(const struct run_report *r)
{
	struct json_object *o = json_object_new_object();
	struct pager_stats s;

	pager_stats(r->pager, &s);
	json_object_object_add(o, "program",
	                       json_object_new_string(r->program));
	json_object_object_add(o, "donors", json_object_new_string(r->donors));
	number(o, "pid", (uint64_t)getpid());
	number(o, "processes", s.programs);
	number(o, "local", s.local);
	number(o, "resident", s.resident);
	number(o, "away", s.away);
	number(o, "room", s.room);
	number(o, "faults", s.faults);
	number(o, "zero", s.zero);
	number(o, "read", s.read);
	number(o, "prefetched", s.prefetched);
	number(o, "used", s.used);
	number(o, "moved_out", s.moved_out);
	number(o, "written", s.written);
	number(o, "compressed", s.packed);
	number(o, "compressed_bytes", s.tier);
	number(o, "from_compressed", s.from_tier);
	number(o, "strays", s.strays);
	number(o, "p50_ns", histogram_percentile(&s.fault, 50));
	number(o, "p99_ns", histogram_percentile(&s.fault, 99));
	return o;
}

static void answered(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	(void)outcome;
	container_of(q, struct run_report, request)->waits = false;
}

static void closed(void *ctx)
{
	struct run_report *r = ctx;

	rpc_client_destroy(r->client);
	r->client = NULL;
}

static bool join(struct run_report *r)
{
	struct rpc_sync s;

	if (!r->client && rpc_sync_open(r->socket, &s, NULL) == 0 &&
	    rpc_client_create(r->reactor, s.fd, closed, r, &r->client, NULL))
		r->client = NULL;
	return r->client != NULL;
}

static void tell(struct timer *t)
{
	struct run_report *r = container_of(t, struct run_report, timer);

	if (!r->waits && join(r)) {
		r->request.done = answered;
		r->waits = !rpc_client_call(r->client, &r->request,
		                            "far.report", words_of(r));
	}
	timer_start(r->reactor, t, NS_PER_S);
}

void run_report_start(struct run_report *r)
{
	r->timer.fire = tell;
	timer_start(r->reactor, &r->timer, NS_PER_S / 4);
}

void run_report_stop(struct run_report *r)
{
	if (!r->reactor)
		return;
	timer_stop(r->reactor, &r->timer);
	rpc_client_destroy(r->client);
	r->client = NULL;
}
