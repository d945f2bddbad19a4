/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/admin.h"

#include "base/base.h"
#include "subnet/admin_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MAX 512u /* bytes of any decoded record */

typedef void (*handler_fn)(struct admin_query *q);

/* What the SA answers: a row for each attribute. */
static const struct row {
	uint16_t attr;
	handler_fn get; /* Get and GetTable */
	handler_fn set;
	handler_fn del;
	handler_fn multi;
} rows[] = {
	{ MAD_ATTR_NODE_RECORD, admin_node_records, NULL, NULL, NULL },
	{ MAD_ATTR_PORT_INFO_RECORD, admin_port_records, NULL, NULL, NULL },
	{ MAD_ATTR_SWITCH_INFO_RECORD, admin_switch_records, NULL, NULL, NULL },
	{ MAD_ATTR_LFT_RECORD, admin_lft_records, NULL, NULL, NULL },
	{ MAD_ATTR_MFT_RECORD, admin_mft_records, NULL, NULL, NULL },
	{ MAD_ATTR_SM_INFO_RECORD, admin_sm_records, NULL, NULL, NULL },
	{ MAD_ATTR_LINK_RECORD, admin_link_records, NULL, NULL, NULL },
	{ MAD_ATTR_PKEY_TABLE_RECORD, admin_pkey_records, NULL, NULL, NULL },
	{ MAD_ATTR_GUID_INFO_RECORD, admin_guid_records, admin_guid_set,
	  admin_guid_delete, NULL },
	{ MAD_ATTR_PATH_RECORD, admin_path_records, NULL, NULL, NULL },
	{ MAD_ATTR_MULTI_PATH_RECORD, NULL, NULL, NULL, admin_multi_path },
	{ MAD_ATTR_MC_MEMBER_RECORD, admin_mc_records, admin_mc_join,
	  admin_mc_leave, NULL },
	{ MAD_ATTR_SERVICE_RECORD, admin_service_records, admin_service_set,
	  admin_service_delete, NULL },
	{ MAD_ATTR_INFORM_INFO, NULL, admin_inform_set, NULL, NULL },
	{ MAD_ATTR_INFORM_INFO_RECORD, admin_inform_records, NULL, NULL, NULL },
};

/* -- ports ----------------------------------------------------------------- */

uint32_t admin_port_of_lid(const struct subnet *s, uint16_t lid)
{
	const struct lidmap_entry *en = lidmap_owner(&s->lids, lid);
	const struct aggregate_host *h;

	if (!en)
		return GRAPH_NONE;
	if (en->kind == LIDMAP_PORT)
		return graph_find_port(&s->graph, en->guid);
	h = aggregate_find(&s->lag, en->guid);
	for (unsigned i = 0; h && i < h->n_members; i++)
		if (h->up[i])
			return h->port[i];
	return GRAPH_NONE;
}

uint32_t admin_port_of_gid(const struct admin *a, const uint8_t gid[16])
{
	be64 prefix, guid;

	memcpy(&prefix, gid, 8);
	memcpy(&guid, gid + 8, 8);
	if (be64_get(prefix) != a->s->opts.subnet_prefix &&
	    be64_get(prefix) != UINT64_C(0xfe80000000000000))
		return GRAPH_NONE;
	for (uint32_t i = 0; i < a->n_aliases; i++)
		if (a->alias[i].guid == be64_get(guid))
			return a->alias[i].port;
	return graph_find_port(&a->s->graph, be64_get(guid));
}

void admin_gid(const struct subnet *s, uint64_t guid, uint8_t gid[16])
{
	be64 prefix = be64_put(s->opts.subnet_prefix), low = be64_put(guid);

	memcpy(gid, &prefix, 8);
	memcpy(gid + 8, &low, 8);
}

bool admin_is_multicast(const uint8_t gid[16])
{
	return gid[0] == 0xff;
}

bool admin_may_see(const struct admin_query *q, uint32_t port)
{
	const struct subnet *s = q->s;
	uint32_t self = s->graph.self;

	if (s->policy.n_partitions == 0 || q->asker == port ||
	    q->asker == self || s->graph.port[port].number == 0)
		return true;
	if (q->asker == GRAPH_NONE)
		return false;
	return policy_common(&s->policy, s->graph.port[q->asker].guid, false,
	                     s->graph.port[port].guid, port == self, 0) != 0;
}

/* -- records --------------------------------------------------------------- */

bool admin_put(struct admin_query *q, const void *record)
{
	unsigned pitch = sa_record_pitch(q->t);

	if (!q->table && q->n == 1) {
		q->status = MAD_STATUS_SA_TOO_MANY;
		return false;
	}
	if (q->length + pitch > ADMIN_ANSWER_MAX) {
		q->status = MAD_STATUS_SA_NO_RESOURCES;
		return false;
	}
	if (q->length + pitch > q->room) {
		size_t room = q->room * 2 + 4096;
		uint8_t *out = realloc(q->out, room);

		if (!out) {
			q->status = MAD_STATUS_SA_NO_RESOURCES;
			return false;
		}
		q->out = out;
		q->room = room;
	}
	memset(q->out + q->length, 0, pitch);
	field_encode(q->t, record, q->out + q->length);
	q->length += pitch;
	q->n++;
	return true;
}

bool admin_add(struct admin_query *q, const void *record)
{
	if (!sa_match(q->t, q->mask, q->want, record))
		return q->status == 0;
	return admin_put(q, record);
}

/* -- one request ----------------------------------------------------------- */

static handler_fn find_handler(uint16_t attr, uint8_t method, uint16_t *status)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		handler_fn h = NULL;

		if (rows[i].attr != attr)
			continue;
		if (method == MAD_GET || method == MAD_SA_GET_TABLE)
			h = rows[i].get;
		else if (method == MAD_SET)
			h = rows[i].set;
		else if (method == MAD_SA_DELETE)
			h = rows[i].del;
		else if (method == MAD_SA_GET_MULTI)
			h = rows[i].multi;
		*status = h ? 0 : MAD_STATUS_BAD_ATTRIBUTE;
		return h;
	}
	*status = MAD_STATUS_BAD_ATTRIBUTE;
	return NULL;
}

static void class_port_info(struct admin *a, struct mad *out)
{
	uint8_t *data = mad_sa(out)->data;

	(void)a;
	memset(data, 0, SA_DATA_LENGTH);
	data[0] = MAD_BASE_VERSION;
	data[1] = MAD_CLASS_VERSION_SA;
	data[2] = (SA_CAP_SUBN_OPTIONAL | SA_CAP_UD_MULTICAST |
	           SA_CAP_MULTI_PATH) >>
	          8;
	data[7] = 18; /* RespTimeValue: 1 s */
	memset(data + 68, 0, 4);
}

static void run(struct admin_query *q, handler_fn handler)
{
	union {
		uint8_t bytes[RECORD_MAX];
		uint64_t aligned;
	} want;

	field_decode(q->t, mad_sa((struct mad *)&q->d->mad)->data, &want);
	q->want = &want;
	/* What a query selects by is a record of its own kind, the answer to
	 * a MultiPathRecord is a path record. */
	handler(q);
	q->want = NULL;
}

static void finish(struct admin_query *q, struct mad *out, uint8_t **data,
                   size_t *length)
{
	if (!q->status && !q->table && q->n == 0)
		q->status = MAD_STATUS_SA_NO_RECORDS;
	if (q->status) {
		q->a->n_refused++;
		free(q->out);
		mad_make_response(out, q->status);
		mad_sa(out)->attr_offset = be16_put(0);
		return;
	}
	mad_make_response(out, 0);
	mad_sa(out)->attr_offset =
		be16_put((uint16_t)(sa_record_pitch(q->t) / 8));
	if (q->table) {
		*data = q->out;
		*length = q->length;
		return;
	}
	memset(mad_sa(out)->data, 0, SA_DATA_LENGTH);
	memcpy(mad_sa(out)->data, q->out,
	       q->length < SA_DATA_LENGTH ? q->length : SA_DATA_LENGTH);
	free(q->out);
}

int admin_answer(struct admin *a, const struct mad_datagram *d,
                 const uint8_t *asked, size_t n_asked, struct mad *out,
                 uint8_t **data, size_t *length)
{
	const struct mad *m = &d->mad;
	uint16_t attr = mad_attr_id(m), status = mad_check(m);
	struct admin_query q = {
		.a = a,
		.s = a->s,
		.d = d,
		.asked = asked,
		.n_asked = n_asked,
		.t = sa_record(attr),
		.mask = sa_mask(m),
		.table = m->header.method == MAD_SA_GET_TABLE ||
		         m->header.method == MAD_SA_GET_MULTI,
	};
	handler_fn handler = NULL;

	*out = *m;
	*data = NULL;
	*length = 0;
	a->n_queries++;
	if (attr == MAD_ATTR_INFORM_INFO)
		q.t = &sa_inform_info_table;
	if (!status && attr == MAD_ATTR_CLASS_PORT_INFO &&
	    m->header.method == MAD_GET) {
		mad_make_response(out, 0);
		class_port_info(a, out);
		return 1;
	}
	if (!status)
		handler = find_handler(attr, m->header.method, &status);
	if (!status && (!q.t || q.t->size > RECORD_MAX))
		status = MAD_STATUS_BAD_ATTRIBUTE;
	if (!status && (!subnet_is_master(a->s) || !a->s->planned))
		status = MAD_STATUS_BUSY;
	if (status) {
		a->n_refused++;
		mad_make_response(out, status);
		return 1;
	}
	q.asker = admin_port_of_lid(a->s, d->peer.lid);
	run(&q, handler);
	finish(&q, out, data, length);
	return 1;
}

/* -- the wire -------------------------------------------------------------- */

struct table_answer {
	struct transfer t;
	uint8_t *data;
};

static void table_sent(struct transfer *t, int err)
{
	struct table_answer *x = container_of(t, struct table_answer, t);

	(void)err;
	free(x->data);
	free(x);
}

static void send_table(struct admin *a, const struct mad_datagram *d,
                       const struct mad *head, uint8_t *data, size_t length)
{
	struct table_answer *x = calloc(1, sizeof(*x));
	struct mad m = *head;
	int err = -ENOMEM;

	if (x) {
		x->t.done = table_sent;
		x->data = data;
		err = transfer_send(&a->transfers, &x->t, &d->peer, head, data,
		                    length);
		if (!err)
			return;
	}
	free(x);
	free(data);
	if (err == -EALREADY)
		return;
	a->n_refused++;
	mad_port_reply(&a->agent, d, &m, MAD_STATUS_BUSY);
}

static void answer(struct admin *a, const struct mad_datagram *d,
                   const uint8_t *asked, size_t n_asked)
{
	struct mad out;
	uint8_t *data;
	size_t length;

	if (a->s->stopping ||
	    !admin_answer(a, d, asked, n_asked, &out, &data, &length))
		return;
	if (mad_status(&out) == 0 &&
	    (d->mad.header.method == MAD_SA_GET_TABLE ||
	     d->mad.header.method == MAD_SA_GET_MULTI))
		send_table(a, d, &out, data, length);
	else
		mad_port_send(&a->agent, &d->peer, &out, 0);
}

static void receive(struct mad_agent *agent, const struct mad_datagram *d)
{
	struct admin *a = container_of(agent, struct admin, agent);
	const struct sa_mad *m = (const struct sa_mad *)&d->mad;

	if (transfer_receive(&a->transfers, d) || d->error ||
	    mad_is_response(&d->mad))
		return;
	answer(a, d, m->data, sizeof(m->data));
}

/* One segment brings a MAD's worth, however much of it its sender counts. */
static void receive_long(struct transfers *ts, const struct mad_datagram *d,
                         const uint8_t *data, size_t length)
{
	struct admin *a = container_of(ts, struct admin, transfers);
	const struct sa_mad *m = (const struct sa_mad *)&d->mad;

	if (length > sizeof(m->data))
		answer(a, d, data, length);
	else
		answer(a, d, m->data, sizeof(m->data));
}

int admin_create(struct subnet *s, struct mad_port *p, struct admin **out)
{
	static const struct transfer_opts limits = {
		.timeout_ms = 500,
		.tries = 4,
		.receive_max = 1 << 16,
		.request = receive_long,
	};
	static const struct transact_opts reports = {
		.window = ADMIN_REPORTS,
		.tries = 3,
		.timeout_ms = 500,
		.mgmt_class = MAD_CLASS_SA,
	};
	static const enum mad_method methods[] = { MAD_GET, MAD_SET,
		                                   MAD_SA_GET_TABLE,
		                                   MAD_SA_GET_MULTI,
		                                   MAD_SA_DELETE };
	struct admin *a = calloc(1, sizeof(*a));
	int err = -ENOMEM;

	if (!a)
		return -ENOMEM;
	a->s = s;
	a->service = calloc(ADMIN_SERVICES_MAX, sizeof(*a->service));
	a->inform = calloc(ADMIN_INFORMS_MAX, sizeof(*a->inform));
	a->alias = calloc(ADMIN_ALIASES_MAX, sizeof(*a->alias));
	for (unsigned i = 0; i < ADMIN_REPORTS; i++) {
		a->report[i].a = a;
		a->report[i].next_free = a->free_report;
		a->free_report = &a->report[i];
	}
	a->agent.mgmt_class = MAD_CLASS_SA;
	a->agent.class_version = MAD_CLASS_VERSION_SA;
	a->agent.receive = receive;
	for (unsigned i = 0; i < ARRAY_LEN(methods); i++)
		mad_agent_take(&a->agent, methods[i]);
	transfer_init(&a->transfers, &a->agent, &limits);
	if (a->service && a->inform && a->alias)
		err = transact_create(p, &reports, &a->reporter);
	if (!err)
		err = mad_port_attach(p, &a->agent);
	if (err) {
		admin_destroy(a);
		return err;
	}
	*out = a;
	admin_policy(a);
	return 0;
}

void admin_destroy(struct admin *a)
{
	if (!a)
		return;
	transfer_fini(&a->transfers);
	mad_port_detach(&a->agent);
	transact_destroy(a->reporter);
	free(a->service);
	free(a->inform);
	free(a->alias);
	free(a);
}

void admin_stop(struct admin *a)
{
	transact_cancel_all(a->reporter);
}

bool admin_is_idle(const struct admin *a)
{
	return a->n_reporting == 0;
}

void admin_count(const struct admin *a, uint64_t *queries, uint64_t *refused)
{
	*queries = a->n_queries;
	*refused = a->n_refused;
}
