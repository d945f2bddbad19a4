/* SPDX-License-Identifier: BSD-2-Clause */
/* What this node counts, as a page of metrics (docs/metrics.md). */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "control/metrics.h"
#include "control/metrics_http.h"
#include "fabric/node.h"
#include "kswap/area.h"
#include "window/window.h"

#include <stdio.h>
#include <string.h>

#define LABELS(...)                                                            \
	(const char *const[])                                                  \
	{                                                                      \
		__VA_ARGS__, NULL                                              \
	}

/* -- exports -------------------------------------------------------------- */

static const char *const op_names[NBD_OPS] = {
	[NBD_OP_READ] = "read",         [NBD_OP_WRITE] = "write",
	[NBD_OP_FLUSH] = "flush",       [NBD_OP_TRIM] = "trim",
	[NBD_OP_WRITE_ZEROES] = "zero", [NBD_OP_BLOCK_STATUS] = "block_status",
};

struct page {
	FILE *f;
	struct daemon *node;
};

typedef void (*put_op_fn)(FILE *f, const char *name, const char *const *labels,
                          const struct nbd_op_stats *s);

static void put_errors(FILE *f, const char *name, const char *const *labels,
                       const struct nbd_op_stats *s)
{
	metrics_value(f, name, labels, s->errors);
}

static void put_bytes(FILE *f, const char *name, const char *const *labels,
                      const struct nbd_op_stats *s)
{
	metrics_value(f, name, labels, s->bytes);
}

static void put_latency(FILE *f, const char *name, const char *const *labels,
                        const struct nbd_op_stats *s)
{
	metrics_histogram(f, name, labels, &s->latency);
}

/* `put` for each operation of each export. */
static void each_export(const struct page *p, const char *name, put_op_fn put)
{
	static struct nbd_export_stats stats; /* large; control thread only */

	LIST_FOREACH (link, &p->node->exports) {
		struct daemon_export *x =
			list_entry(link, struct daemon_export, link);

		if (!x->nbd || x->gone)
			continue;
		nbd_export_stats(x->nbd, &stats);
		for (unsigned i = 0; i < NBD_OPS; i++)
			put(p->f, name,
			    LABELS("export", x->name, "volume", x->volume, "op",
			           op_names[i]),
			    &stats.op[i]);
	}
}

static void put_exports(const struct page *p)
{
	metrics_family(p->f, "causeway_export_request_seconds",
	               METRICS_HISTOGRAM, "seconds",
	               "Requests of clients, from header to reply");
	each_export(p, "causeway_export_request_seconds", put_latency);
	metrics_family(p->f, "causeway_export_errors", METRICS_COUNTER, NULL,
	               "Requests of clients that were answered with an error");
	each_export(p, "causeway_export_errors_total", put_errors);
	metrics_family(p->f, "causeway_export_bytes", METRICS_COUNTER, "bytes",
	               "Bytes that clients have read or written");
	each_export(p, "causeway_export_bytes_total", put_bytes);
}

/* -- pools and volumes ---------------------------------------------------- */

static void put_pools(const struct page *p)
{
	const struct handoff *h = &p->node->handoff;

	metrics_family(p->f, "causeway_pool_capacity_bytes", METRICS_GAUGE,
	               "bytes", "Raw bytes of a pool's drives");
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (h->pools[i].state != HANDOFF_POOL_FREE)
			metrics_value(p->f, "causeway_pool_capacity_bytes",
			              LABELS("pool", h->pools[i].name),
			              h->pools[i].capacity_bytes);
	metrics_family(p->f, "causeway_pool_used_bytes", METRICS_GAUGE, "bytes",
	               "Raw bytes of a pool's drives that hold data");
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (h->pools[i].state != HANDOFF_POOL_FREE)
			metrics_value(p->f, "causeway_pool_used_bytes",
			              LABELS("pool", h->pools[i].name),
			              h->pools[i].used_bytes);
	metrics_family(p->f, "causeway_pool_online", METRICS_GAUGE, NULL,
	               "Whether every drive of a pool works");
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (h->pools[i].state != HANDOFF_POOL_FREE)
			metrics_value(p->f, "causeway_pool_online",
			              LABELS("pool", h->pools[i].name),
			              h->pools[i].state == HANDOFF_POOL_ONLINE);
}

static void put_volumes(const struct page *p)
{
	const struct handoff *h = &p->node->handoff;
	static const struct {
		const char *name, *help;
	} rows[] = {
		{ "causeway_volume_size_bytes", "Size that clients see" },
		{ "causeway_volume_allocated_bytes",
		  "Bytes that have storage behind them" },
	};

	for (unsigned k = 0; k < ARRAY_LEN(rows); k++) {
		metrics_family(p->f, rows[k].name, METRICS_GAUGE, "bytes",
		               rows[k].help);
		for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
			const struct handoff_volume *v = &h->volumes[i];

			if (v->state != HANDOFF_VOLUME_ACTIVE ||
			    v->pool >= HANDOFF_POOLS)
				continue;
			metrics_value(p->f, rows[k].name,
			              LABELS("pool", h->pools[v->pool].name,
			                     "volume", v->name),
			              k ? v->allocated << CHUNK_SHIFT
			                : v->size);
		}
	}
}

static void put_stacks(const struct page *p)
{
	struct fast_stats s;

	fast_stats(p->node->fast, &s);
	metrics_family(p->f, "causeway_fast_hits", METRICS_COUNTER, NULL,
	               "Parts of requests that the fast stack served alone");
	metrics_value(p->f, "causeway_fast_hits_total", NULL, s.hits);
	metrics_family(p->f, "causeway_fast_handoffs", METRICS_COUNTER, NULL,
	               "Records handed to the slow stack, by reason");
	metrics_value(p->f, "causeway_fast_handoffs_total",
	              LABELS("reason", "miss"), s.misses);
	metrics_value(p->f, "causeway_fast_handoffs_total",
	              LABELS("reason", "discard"), s.discards);
	metrics_value(p->f, "causeway_fast_handoffs_total",
	              LABELS("reason", "barrier"), s.barriers);
	metrics_value(p->f, "causeway_fast_handoffs_total",
	              LABELS("reason", "drive_error"), s.errors);
}

/* -- peers and windows, on the fabric's reactor ---------------------------- */

struct counter {
	const char *name, *unit, *help;
	size_t offset; /* of a uint64_t in the stats */
};

#define SESSION(n, u, m, h)                                                    \
	{                                                                      \
		n, u, h, offsetof(struct session_stats, m)                     \
	}
static const struct counter session_counters[] = {
	SESSION("causeway_peer_operations", NULL, ops,
	        "Operations on a peer's memory that ended"),
	SESSION("causeway_peer_failures", NULL, failed,
	        "Of these, without success"),
	SESSION("causeway_peer_resent", NULL, resent,
	        "Operations that were sent again on another link"),
	SESSION("causeway_peer_lanes_lost", NULL, lanes_lost,
	        "Connections to a peer that died while in use"),
	SESSION("causeway_peer_restarts", NULL, restarts,
	        "Restarts of the peer that were noticed"),
	SESSION("causeway_peer_read_bytes", "bytes", bytes_read,
	        "Bytes read from a peer's memory"),
	SESSION("causeway_peer_written_bytes", "bytes", bytes_written,
	        "Bytes written to a peer's memory"),
};

#define KEY(n, u, m, h)                                                        \
	{                                                                      \
		n, u, h, offsetof(struct window_key_info, m)                   \
	}
static const struct counter key_counters[] = {
	KEY("causeway_window_reads", NULL, n_reads, "Reads by a node's key"),
	KEY("causeway_window_writes", NULL, n_writes, "Writes by a node's key"),
	KEY("causeway_window_atomics", NULL, n_atomics,
	    "Atomic operations by a node's key"),
	KEY("causeway_window_read_bytes", "bytes", bytes_read,
	    "Bytes read by a node's key"),
	KEY("causeway_window_written_bytes", "bytes", bytes_written,
	    "Bytes written by a node's key"),
	KEY("causeway_window_refused", NULL, n_refused,
	    "Operations by a node's key that were refused"),
};

static uint64_t at(const void *stats, const struct counter *c)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + c->offset, sizeof(value));
	return value;
}

static void begin(FILE *f, const struct counter *c, char total[80])
{
	metrics_family(f, c->name, METRICS_COUNTER, c->unit, c->help);
	snprintf(total, 80, "%s_total", c->name);
}

static void put_peers(struct daemon *n, FILE *f)
{
	struct fabric_peer *p = NULL;
	struct session_stats s;
	char total[80];

	for (size_t i = 0; i < ARRAY_LEN(session_counters); i++) {
		begin(f, &session_counters[i], total);
		while ((p = node_peer_next(n->fabric.node, p))) {
			session_stats(node_peer_session(p), &s);
			metrics_value(f, total,
			              LABELS("peer", node_peer_name(p)),
			              at(&s, &session_counters[i]));
		}
	}
	metrics_family(f, "causeway_peer_up", METRICS_GAUGE, NULL,
	               "Whether a peer can be reached");
	while ((p = node_peer_next(n->fabric.node, p)))
		metrics_value(f, "causeway_peer_up",
		              LABELS("peer", node_peer_name(p)),
		              session_state(node_peer_session(p)) ==
		                      SESSION_UP);
}

static void put_latencies(struct daemon *n, FILE *f)
{
	static const char name[] = "causeway_peer_operation_seconds";
	struct fabric_peer *p = NULL;

	metrics_family(f, name, METRICS_HISTOGRAM, "seconds",
	               "Operations on a peer's memory, from submit to answer");
	while ((p = node_peer_next(n->fabric.node, p)))
		for (unsigned c = 0; c < FABRIC_CLASSES; c++)
			metrics_histogram(
				f, name,
				LABELS("peer", node_peer_name(p), "class",
			               fabric_class_name(c)),
				session_latency(node_peer_session(p), c));
}

static void put_links(struct daemon *n, FILE *f)
{
	struct session_link_info links[SESSION_LINKS];
	char address[FABRIC_ADDRESS_TEXT];
	struct fabric_peer *p = NULL;

	metrics_family(f, "causeway_link_up", METRICS_GAUGE, NULL,
	               "Whether a link to a peer works");
	while ((p = node_peer_next(n->fabric.node, p))) {
		unsigned n_links = session_links(node_peer_session(p), links);

		for (unsigned i = 0; i < n_links; i++)
			metrics_value(f, "causeway_link_up",
			              LABELS("peer", node_peer_name(p), "link",
			                     address_format(&links[i].address,
			                                    address)),
			              links[i].state == SESSION_LINK_UP);
	}
}

/* Who was turned away, by connection and by request. */
static void put_refused(struct daemon *n, FILE *f)
{
	struct window_stats w;
	struct node_stats s = { 0 };

	if (n->fabric.node)
		node_stats(n->fabric.node, &s);
	window_host_stats(n->fabric.host, &w);
	metrics_family(f, "causeway_connections", METRICS_COUNTER, NULL,
	               "Connections of other nodes that were accepted");
	metrics_value(f, "causeway_connections_total", NULL, s.accepted);
	metrics_family(f, "causeway_connections_refused", METRICS_COUNTER, NULL,
	               "Connections of other nodes that were turned away");
	metrics_value(f, "causeway_connections_refused_total",
	              LABELS("why", "authentication"), s.refused_auth);
	metrics_value(f, "causeway_connections_refused_total",
	              LABELS("why", "full"), s.refused_full);
	metrics_value(f, "causeway_connections_refused_total",
	              LABELS("why", "stale"), s.refused_stale);
	metrics_value(f, "causeway_connections_refused_total",
	              LABELS("why", "timeout"), s.timed_out);
	metrics_family(f, "causeway_requests_refused", METRICS_COUNTER, NULL,
	               "Requests of other nodes that were refused");
	metrics_value(f, "causeway_requests_refused_total", NULL, w.n_refused);
	metrics_family(f, "causeway_keys_guessed", METRICS_COUNTER, NULL,
	               "Of these, with keys that nobody has");
	metrics_value(f, "causeway_keys_guessed_total", NULL, w.n_guesses);
}

struct key_page {
	FILE *f;
	const struct counter *counter;
	const char *total;
};

static void put_key(void *ctx, const struct window_key_info *k)
{
	const struct key_page *p = ctx;

	if (k->window && !k->is_loan) /* a node may have several loans */
		metrics_value(p->f, p->total,
		              LABELS("window", k->window, "peer", k->holder),
		              at(k, p->counter));
}

static void put_offer(struct daemon *n, FILE *f)
{
	struct window_offer_info i;

	window_offer_get(n->fabric.host, &i);
	metrics_family(f, "causeway_donor_offered_bytes", METRICS_GAUGE,
	               "bytes", "Memory that other nodes may borrow");
	metrics_value(f, "causeway_donor_offered_bytes", NULL, i.offered);
	metrics_family(f, "causeway_donor_lent_bytes", METRICS_GAUGE, "bytes",
	               "Memory that other nodes have borrowed");
	metrics_value(f, "causeway_donor_lent_bytes", NULL, i.lent);
	metrics_family(f, "causeway_donor_loans", METRICS_GAUGE, NULL,
	               "Loans that it is in");
	metrics_value(f, "causeway_donor_loans", NULL, i.n_loans);
}

static void put_fabric(struct daemon *n, void *arg)
{
	struct key_page p = { .f = arg };
	char total[80];

	if (n->fabric.node) {
		put_peers(n, arg);
		put_links(n, arg);
		put_latencies(n, arg);
	}
	put_refused(n, arg);
	put_offer(n, arg);
	for (size_t i = 0; i < ARRAY_LEN(key_counters); i++) {
		p.counter = &key_counters[i];
		p.total = total;
		begin(arg, p.counter, total);
		window_each_key(n->fabric.host, put_key, &p);
	}
}

/* -- the subnet manager, as it was up to a second ago ---------------------- */

static void put_subnet(const struct page *p)
{
	static const struct {
		const char *name, *key, *help;
		bool counter;
	} rows[] = {
		{ "causeway_subnet_nodes", "nodes", "Nodes of the fabric", 0 },
		{ "causeway_subnet_links", "links", "Links that work", 0 },
		{ "causeway_subnet_lags", "lags", "Hosts with a virtual LID",
		  0 },
		{ "causeway_subnet_not_sent", "not_sent",
		  "Blocks of tables that switches lack", 0 },
		{ "causeway_subnet_passes", "passes", "Passes that ended", 1 },
		{ "causeway_subnet_smps", "smps_sent",
		  "Management datagrams sent", 1 },
		{ "causeway_subnet_smps_retried", "smps_retried",
		  "Of these, again", 1 },
		{ "causeway_subnet_smps_lost", "smps_lost",
		  "Questions without an answer", 1 },
		{ "causeway_subnet_traps", "traps", "Traps taken", 1 },
		{ "causeway_subnet_sa_queries", "sa_queries",
		  "Queries for records", 1 },
		{ "causeway_subnet_sa_refused", "sa_refused",
		  "Of these, refused", 1 },
	};
	struct json_object *s = p->node->subnet.status;
	char name[80];

	if (!s)
		return;
	metrics_family(p->f, "causeway_subnet_master", METRICS_GAUGE, NULL,
	               "Whether our subnet manager is master");
	metrics_value(p->f, "causeway_subnet_master", NULL,
	              !strcmp(rpc_string(s, "state"), "master"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		metrics_family(p->f, rows[i].name,
		               rows[i].counter ? METRICS_COUNTER
		                               : METRICS_GAUGE,
		               NULL, rows[i].help);
		snprintf(name, sizeof(name), "%s%s", rows[i].name,
		         rows[i].counter ? "_total" : "");
		metrics_value(p->f, name, NULL, rpc_size(s, rows[i].key));
	}
}

/* -- programs -------------------------------------------------------------- */

static const struct far_row {
	const char *name, *key, *help;
	enum metrics_type type;
	const char *unit;
} far_rows[] = {
	{ "causeway_far_local_bytes", "local", "Memory that it may keep here",
	  METRICS_GAUGE, "bytes" },
	{ "causeway_far_resident_bytes", "resident", "Memory that it has here",
	  METRICS_GAUGE, "bytes" },
	{ "causeway_far_away_bytes", "away", "Memory elsewhere", METRICS_GAUGE,
	  "bytes" },
	{ "causeway_far_faults", "faults", "Pages asked for", METRICS_COUNTER,
	  NULL },
	{ "causeway_far_pages_read", "read", "Pages that came back",
	  METRICS_COUNTER, NULL },
	{ "causeway_far_pages_prefetched", "prefetched",
	  "Pages that came before they were asked for", METRICS_COUNTER, NULL },
	{ "causeway_far_pages_left", "moved_out", "Pages that left",
	  METRICS_COUNTER, NULL },
	{ "causeway_far_pages_written", "written",
	  "Pages that left and had changed", METRICS_COUNTER, NULL },
	{ "causeway_far_compressed_pages", "compressed",
	  "Pages that are here, compressed", METRICS_GAUGE, NULL },
	{ "causeway_far_compressed_bytes", "compressed_bytes",
	  "Memory that these take", METRICS_GAUGE, "bytes" },
	{ "causeway_far_pages_decompressed", "from_compressed",
	  "Pages that came back out of these", METRICS_COUNTER, NULL },
	{ "causeway_far_strays", "strays", "Children that keep what they fetch",
	  METRICS_COUNTER, NULL },
};

static void put_program(FILE *f, const struct far_row *row,
                        struct json_object *o)
{
	char name[64], pid[24];

	snprintf(name, sizeof(name), "%s%s", row->name,
	         row->type == METRICS_COUNTER ? "_total" : "");
	snprintf(pid, sizeof(pid), "%jd", (intmax_t)rpc_int(o, "pid"));
	metrics_value(f, name,
	              LABELS("program", rpc_string(o, "program"), "pid", pid),
	              rpc_size(o, row->key));
}

static void put_programs(const struct page *p)
{
	struct json_object *list = daemon_far_json(p->node);
	size_t n = json_object_array_length(list);

	for (size_t i = 0; n && i < ARRAY_LEN(far_rows); i++) {
		const struct far_row *row = &far_rows[i];

		metrics_family(p->f, row->name, row->type, row->unit,
		               row->help);
		for (size_t k = 0; k < n; k++)
			put_program(p->f, row,
			            json_object_array_get_idx(list, k));
	}
	json_object_put(list);
}

/* -- swap ------------------------------------------------------------------ */

static void put_swap(const struct page *p)
{
	struct area all[AREAS_MAX];
	unsigned n = area_list(all, AREAS_MAX);

	if (n == 0)
		return;
	metrics_family(p->f, "causeway_swap_size_bytes", METRICS_GAUGE, "bytes",
	               "What the kernel may swap out by us");
	for (unsigned i = 0; i < n; i++)
		metrics_value(p->f, "causeway_swap_size_bytes",
		              LABELS("device", all[i].path), all[i].size);
	metrics_family(p->f, "causeway_swap_used_bytes", METRICS_GAUGE, "bytes",
	               "What it has swapped out");
	for (unsigned i = 0; i < n; i++)
		metrics_value(p->f, "causeway_swap_used_bytes",
		              LABELS("device", all[i].path), all[i].used);
	metrics_family(p->f, "causeway_swap_served", METRICS_GAUGE, NULL,
	               "1: somebody serves it; 0: what was in it is lost");
	for (unsigned i = 0; i < n; i++)
		metrics_value(p->f, "causeway_swap_served",
		              LABELS("device", all[i].path),
		              area_is_served(&all[i]));
}

/* -- the page ------------------------------------------------------------- */

static void render(void *ctx, FILE *f)
{
	struct daemon *n = ctx;
	const struct page p = { .f = f, .node = n };

	metrics_family(f, "causeway_build_info", METRICS_GAUGE, NULL,
	               "Version and name of the node");
	metrics_value(f, "causeway_build_info",
	              LABELS("version", n->opts->version, "node", n->name), 1);
	put_exports(&p);
	put_pools(&p);
	put_volumes(&p);
	put_stacks(&p);
	put_programs(&p);
	put_swap(&p);
	put_subnet(&p);
	daemon_on_fabric(n, put_fabric, f);
	metrics_end(f);
}

int daemon_metrics_open(void *ctx)
{
	struct daemon *n = ctx;
	const char *address =
		n->opts->metrics ? n->opts->metrics : n->config.metrics;

	if (!*address)
		return 0;
	return metrics_http_open(n->reactor, address, render, n, &n->metrics,
	                         &n->exit_err);
}

void daemon_metrics_close(void *ctx)
{
	metrics_http_close(((struct daemon *)ctx)->metrics);
}
