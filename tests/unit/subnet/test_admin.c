/* SPDX-License-Identifier: BSD-2-Clause */
/* Subnet administration, asked over the fabric.  shows L7, L19 */
#include "../test.h"

#include "sm_rig.h"

#include "base/base.h"
#include "mad/sa.h"
#include "mad/transfer.h"
#include "subnet/mcast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sm_rig r;

/* Somebody who asks, at a port. */
struct client {
	struct mad_port *port;
	struct mad_agent agent;
	struct transfers transfers;
	struct transfer_query q;
	struct rmpp_receiver *table; /* instead of by a query */
	bool done;
	int err;
	uint16_t status;
	uint8_t data[65536];
	size_t length;
	unsigned reports;
	uint16_t last_trap;
};

static struct client c;

static void take_segment(struct client *x, const struct mad_datagram *d)
{
	struct mad reply;
	bool replies;
	enum rmpp_event event =
		rmpp_receiver_receive(x->table, &d->mad, &reply, &replies);

	assert_int_not_equal(event, RMPP_FAILED);
	x->done = event == RMPP_COMPLETE;
	if (replies)
		mad_port_send(&x->agent, &d->peer, &reply, 0);
}

static void got(struct mad_agent *a, const struct mad_datagram *d)
{
	struct client *x = container_of(a, struct client, agent);
	struct notice n;

	if (x->table && mad_is_response(&d->mad)) {
		take_segment(x, d);
		return;
	}
	if (transfer_receive(&x->transfers, d))
		return;
	if (d->mad.header.method == MAD_REPORT) {
		struct mad m = d->mad;

		field_decode(&notice_sa_table, mad_sa(&m)->data, &n);
		x->reports++;
		x->last_trap = n.trap;
		mad_port_reply(a, d, &m, 0);
	}
}

static void answered(struct transfer_query *q, int err, const struct mad *head,
                     const void *data, size_t length)
{
	struct client *x = container_of(q, struct client, q);

	x->done = true;
	x->err = err;
	if (err)
		return;
	x->status = mad_status(head);
	x->length = length < sizeof(x->data) ? length : sizeof(x->data);
	if (x->length > 0)
		memcpy(x->data, data, x->length);
}

static void open_client(const char *where)
{
	static const struct transfer_opts o = { .timeout_ms = 500,
		                                .tries = 3,
		                                .receive_max = 1 << 20 };
	struct err e = { 0 };

	memset(&c, 0, sizeof(c));
	assert_int_equal(ibnet_mad_open(r.reactor, r.net,
	                                ibnet_find(r.net, where), &c.port, &e),
	                 0);
	c.agent.mgmt_class = MAD_CLASS_SA;
	c.agent.class_version = MAD_CLASS_VERSION_SA;
	c.agent.receive = got;
	mad_agent_take(&c.agent, MAD_REPORT);
	transfer_init(&c.transfers, &c.agent, &o);
	assert_int_equal(mad_port_attach(c.port, &c.agent), 0);
}

static void close_client(void)
{
	transfer_fini(&c.transfers);
	mad_port_detach(&c.agent);
	mad_port_close(c.port);
}

/* @return the status; records in c.data. */
static uint16_t ask(enum mad_method method, uint16_t attr,
                    const struct field_table *t, uint64_t mask,
                    const void *record)
{
	struct mad_port_info me;

	assert_int_equal(mad_port_query(c.port, &me), 0);
	mad_init(&c.q.request, MAD_CLASS_SA, method, attr, 0);
	if (record)
		field_encode(t, record, mad_sa(&c.q.request)->data);
	mad_sa(&c.q.request)->comp_mask = be64_put(mask);
	c.q.to = mad_address_gsi(me.sm_lid, 0);
	c.q.done = answered;
	c.done = false;
	assert_int_equal(transfer_query(&c.transfers, &c.q), 0);
	for (unsigned i = 0; i < 5000 && !c.done; i++)
		sm_rig_run(&r, 1);
	assert_true(c.done);
	assert_int_equal(c.err, 0);
	return c.status;
}

static unsigned records(const struct field_table *t)
{
	return (unsigned)(c.length / sa_record_pitch(t));
}

static void gid_of(const char *where, uint8_t gid[16])
{
	struct ibnet_port_view v;
	be64 prefix = be64_put(UINT64_C(0xfe80000000000000)), guid;

	ibnet_view_port(ibnet_find(r.net, where), &v);
	guid = be64_put(v.guid);
	memcpy(gid, &prefix, 8);
	memcpy(gid + 8, &guid, 8);
}

static uint16_t vlid_of(const char *name)
{
	struct query_lag lag;
	uint32_t at = 0;

	while (query_lag(r.sm[0].s, &at, &lag))
		if (strcmp(lag.desc, name) == 0)
			return lag.virtual_lid;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	sm_rig_init(&r, "clos:hosts=36,ports=2,radix=12");
	ibnet_set_faults(ibnet_node(r.net, "H00009"), IBNET_FAULT_NO_LAG);
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	open_client("H00001:1");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close_client();
	sm_rig_fini(&r);
	return 0;
}

/* L7: paths between hosts that aggregate name virtual LIDs only, whichever
 * port's GID is asked for. */
static void paths_have_virtual_lids(void **state)
{
	struct sa_path_record want = { 0 }, path;
	const uint64_t mask = SA_PATH_DGID | SA_PATH_SGID;

	(void)state;
	gid_of("H00001:1", want.sgid);
	gid_of("H00022:2", want.dgid);
	assert_int_equal(ask(MAD_GET, MAD_ATTR_PATH_RECORD,
	                     &sa_path_record_table, mask, &want),
	                 0);
	field_decode(&sa_path_record_table, c.data, &path);
	assert_int_equal(path.slid, vlid_of("H00001"));
	assert_int_equal(path.dlid, vlid_of("H00022"));
	assert_true(path.dlid != 0);
	assert_int_equal(path.mtu, 4);
	assert_int_equal(path.pkey, 0xffff);
	assert_memory_equal(path.dgid, want.dgid, 16);

	/* L16: to a host that does not aggregate, its own LID. */
	gid_of("H00009:2", want.dgid);
	assert_int_equal(ask(MAD_GET, MAD_ATTR_PATH_RECORD,
	                     &sa_path_record_table, mask, &want),
	                 0);
	field_decode(&sa_path_record_table, c.data, &path);
	assert_int_equal(path.slid, vlid_of("H00001"));
	assert_true(path.dlid != 0 && path.dlid < 256);

	/* Nobody. */
	memset(want.dgid + 8, 0x77, 8);
	assert_int_equal(ask(MAD_GET, MAD_ATTR_PATH_RECORD,
	                     &sa_path_record_table, mask, &want),
	                 MAD_STATUS_SA_BAD_GID);
	/* An MTU that no link has. */
	gid_of("H00022:1", want.dgid);
	want.mtu_selector = SA_GREATER;
	want.mtu = 4;
	assert_int_equal(ask(MAD_GET, MAD_ATTR_PATH_RECORD,
	                     &sa_path_record_table,
	                     mask | SA_PATH_MTU | SA_PATH_MTU_SELECTOR, &want),
	                 MAD_STATUS_SA_NO_RECORDS);
	assert_int_equal(ask(MAD_GET, MAD_ATTR_PATH_RECORD,
	                     &sa_path_record_table, 0, &want),
	                 MAD_STATUS_SA_TOO_FEW);
}

/* Tables of several segments, by RMPP. */
static void tables_are_complete(void **state)
{
	struct sa_node_record node = { .info.node_type = SMP_NODE_SWITCH };
	struct subnet_status st;
	struct sa_multi_path_record multi = {
		.n_sgids = 1,
		.n_dgids = 2,
	};
	struct sa_path_record path;

	(void)state;
	subnet_status(r.sm[0].s, &st);
	assert_int_equal(ask(MAD_SA_GET_TABLE, MAD_ATTR_NODE_RECORD,
	                     &sa_node_record_table, 0, &node),
	                 0);
	assert_int_equal(records(&sa_node_record_table), 36 * 2 + st.switches);
	assert_int_equal(ask(MAD_SA_GET_TABLE, MAD_ATTR_LINK_RECORD,
	                     &sa_link_record_table, 0, NULL),
	                 0);
	assert_int_equal(records(&sa_link_record_table), st.links * 2);
	assert_int_equal(ask(MAD_SA_GET_TABLE, MAD_ATTR_PORT_INFO_RECORD,
	                     &sa_port_info_record_table, 0, NULL),
	                 0);
	assert_true(records(&sa_port_info_record_table) > 200);
	assert_int_equal(ask(MAD_SA_GET_TABLE, MAD_ATTR_GUID_INFO_RECORD,
	                     &sa_guid_info_record_table, 0, NULL),
	                 0);
	assert_true(records(&sa_guid_info_record_table) >= 72);
	/* Get of more than one. */
	assert_int_equal(ask(MAD_GET, MAD_ATTR_NODE_RECORD,
	                     &sa_node_record_table, 0, &node),
	                 MAD_STATUS_SA_TOO_MANY);
	gid_of("H00001:1", multi.gid[0]);
	gid_of("H00012:1", multi.gid[1]);
	gid_of("H00013:1", multi.gid[2]);
	assert_int_equal(ask(MAD_SA_GET_MULTI, MAD_ATTR_MULTI_PATH_RECORD,
	                     &sa_multi_path_record_table,
	                     SA_MULTI_N_SGIDS | SA_MULTI_N_DGIDS, &multi),
	                 0);
	assert_int_equal(records(&sa_path_record_table), 2);
	field_decode(&sa_path_record_table, c.data, &path);
	assert_int_equal(path.dlid, vlid_of("H00012"));
	/* What is not there. */
	assert_int_equal(ask(MAD_GET, 0x00ee, &sa_node_record_table, 0, NULL),
	                 MAD_STATUS_BAD_ATTRIBUTE);
	assert_int_equal(ask(MAD_SET, MAD_ATTR_NODE_RECORD,
	                     &sa_node_record_table, 0, NULL),
	                 MAD_STATUS_BAD_ATTRIBUTE);
}

/* Send `n` MADs to the SA.  @return how many records came for them. */
static unsigned ask_raw(struct mad *m, unsigned n, const struct field_table *t)
{
	struct rmpp_receiver table;
	struct mad_port_info me;
	struct mad_address sm;

	assert_int_equal(mad_port_query(c.port, &me), 0);
	sm = mad_address_gsi(me.sm_lid, 0);
	rmpp_receiver_init(&table, 1 << 20);
	c.table = &table;
	c.done = false;
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(mad_port_send(&c.agent, &sm, &m[i], 0), 0);
	for (unsigned i = 0; i < 5000 && !c.done; i++)
		sm_rig_run(&r, 1);
	assert_true(c.done);
	n = (unsigned)(table.length / sa_record_pitch(t));
	rmpp_receiver_fini(&table);
	c.table = NULL;
	return n;
}

static void init_raw(struct mad *m, enum mad_method method, uint16_t attr,
                     uint64_t mask)
{
	mad_init(m, MAD_CLASS_SA, method, attr, 0);
	m->header.tid = be64_put((uint64_t)c.agent.id << 32 | 77);
	mad_sa(m)->comp_mask = be64_put(mask);
}

/* Paths from `from` hosts to `to` more.  @return how many came. */
static unsigned ask_paths(uint8_t from, uint8_t to)
{
	const struct sa_multi_path_record multi = { .n_sgids = from,
		                                    .n_dgids = to };
	const size_t length = SA_MULTI_PATH_FIXED + (from + to) * 16u;
	uint8_t asked[SA_MULTI_PATH_FIXED + 2 * UINT8_MAX * 16] = { 0 };
	uint8_t first[SA_DATA_LENGTH];
	struct rmpp_sender sender;
	struct mad m[1 + sizeof(asked) / SA_DATA_LENGTH], head;
	unsigned n = 0;

	field_encode(&sa_multi_path_record_table, &multi, first);
	memcpy(asked, first, SA_MULTI_PATH_FIXED);
	for (unsigned i = 0; i < from + to; i++) {
		char host[16];

		snprintf(host, sizeof(host), "H%05u:1", i);
		gid_of(host, asked + SA_MULTI_PATH_FIXED + i * 16);
	}
	init_raw(&head, MAD_SA_GET_MULTI, MAD_ATTR_MULTI_PATH_RECORD,
	         SA_MULTI_N_SGIDS | SA_MULTI_N_DGIDS);
	assert_int_equal(rmpp_sender_init(&sender, &head, asked, length), 0);
	sender.window_last = UINT32_MAX; /* the fabric loses nothing */
	while (rmpp_sender_next(&sender, &m[n]))
		n++;
	return ask_raw(m, n, &sa_path_record_table);
}

/* Requests that do not fit in a MAD. */
static void requests_are_of_any_length(void **state)
{
	(void)state;
	assert_int_equal(ask_paths(1, 2), 2);
	assert_int_equal(ask_paths(10, 2), 20);
	assert_int_equal(ask_paths(30, 5), 150);
}

/* Who asks again while the answer is under way gets that one, and no other. */
static void asked_again_it_answers_once(void **state)
{
	struct mad m[2];

	(void)state;
	init_raw(&m[0], MAD_SA_GET_TABLE, MAD_ATTR_NODE_RECORD, 0);
	m[1] = m[0];
	assert_true(ask_raw(m, 2, &sa_node_record_table) > 72);
}

static const uint8_t mgid[16] = { 0xff, 0x12, 0x40, 0x1b, 0xff, 0xff, 0, 0,
	                          0,    0,    0,    0,    0,    0,    0, 9 };

static const uint64_t create_mask =
	SA_MC_MGID | SA_MC_PORT_GID | SA_MC_JOIN_STATE | SA_MC_QKEY |
	SA_MC_TCLASS | SA_MC_PKEY | SA_MC_SL | SA_MC_FLOW_LABEL;

static uint16_t join(const char *where, enum mad_method method, uint64_t mask,
                     uint8_t state)
{
	struct sa_mc_member_record m = { .qkey = 7,
		                         .pkey = 0xffff,
		                         .join_state = state };

	close_client();
	open_client(where);
	memcpy(m.mgid, mgid, 16);
	gid_of(where, m.port_gid);
	return ask(method, MAD_ATTR_MC_MEMBER_RECORD,
	           &sa_mc_member_record_table, mask, &m);
}

/* As the client that is there, for a port of another host. */
static uint16_t for_another(enum mad_method method, const char *port,
                            struct sa_mc_member_record *m)
{
	uint16_t status;

	*m = (struct sa_mc_member_record){ .qkey = 7,
		                           .pkey = 0xffff,
		                           .join_state = SA_JOIN_FULL };
	memcpy(m->mgid, mgid, 16);
	gid_of(port, m->port_gid);
	status = ask(method, MAD_ATTR_MC_MEMBER_RECORD,
	             &sa_mc_member_record_table, create_mask, m);
	field_decode(&sa_mc_member_record_table, c.data, m);
	return status;
}

/* Groups are made by joining; what one sends, each member gets once. */
static void groups_carry_packets_to_all_members(void **state)
{
	static const char *const member[] = { "H00002:1", "H00011:1",
		                              "H00023:2", "H00035:1" };
	struct sa_mc_member_record m;
	struct ibnet_data_stats d;
	struct err e = { 0 };
	uint32_t id;

	(void)state;
	/* Nothing to join, and no words of what it should be. */
	assert_int_equal(join(member[0], MAD_SET,
	                      SA_MC_MGID | SA_MC_PORT_GID | SA_MC_JOIN_STATE,
	                      SA_JOIN_FULL),
	                 MAD_STATUS_SA_INVALID);
	for (unsigned i = 0; i < ARRAY_LEN(member); i++)
		assert_int_equal(
			join(member[i], MAD_SET, create_mask, SA_JOIN_FULL), 0);
	field_decode(&sa_mc_member_record_table, c.data, &m);
	assert_true(m.mlid >= MCAST_LID_FIRST);
	/* For another host: by proxy, and not against its will. */
	assert_int_equal(for_another(MAD_SET, "H00020:1", &m), 0);
	assert_int_equal(m.proxy_join, 1);
	assert_int_equal(for_another(MAD_SA_DELETE, member[0], &m),
	                 MAD_STATUS_SA_DENIED);
	assert_int_equal(for_another(MAD_SA_DELETE, "H00020:1", &m), 0);
	sm_rig_run(&r, 50);
	assert_int_equal(
		ibnet_flow_add(ibnet_node(r.net, "H00002"), m.mlid, &id, &e),
		0);
	ibnet_flow_to_gid(r.net, id, m.mgid);
	ibnet_tick(r.net, 50);
	ibnet_flow_run(r.net, false);
	ibnet_tick(r.net, 200);
	ibnet_data_get(r.net, &d);
	print_message("%lu sent, %lu + %lu received; lost: link %lu route "
	              "%lu refused %lu\n",
	              d.flows.sent, d.flows.received, d.flows.duplicated,
	              d.lost_link, d.lost_no_route, d.lost_refused);
	assert_int_equal(d.flows.received, d.flows.sent);
	/* The other three; and the sender's own port that joined, when its
	 * flow takes the other one. */
	assert_true(d.flows.duplicated == d.flows.sent * 2 ||
	            d.flows.duplicated == d.flows.sent * 3);
	ibnet_flow_clear(r.net);
	ibnet_flow_run(r.net, true);

	for (unsigned i = 0; i < ARRAY_LEN(member); i++)
		assert_int_equal(join(member[i], MAD_SA_DELETE, create_mask,
		                      SA_JOIN_FULL),
		                 0);
	assert_int_equal(ask(MAD_SA_GET_TABLE, MAD_ATTR_MC_MEMBER_RECORD,
	                     &sa_mc_member_record_table, 0, NULL),
	                 0);
	assert_int_equal(records(&sa_mc_member_record_table), 0);
}

static void services_are_found_and_leases_run_out(void **state)
{
	struct sa_service_record v = {
		.id = 42, .lease = 10, .pkey = 0xffff, .name = "store"
	};
	struct sa_service_record found;
	const uint64_t mask =
		SA_COMPONENT(0) | SA_COMPONENT(1) | SA_COMPONENT(2);

	(void)state;
	close_client();
	open_client("H00001:1");
	gid_of("H00001:1", v.gid);
	v.key[3] = 9;
	assert_int_equal(ask(MAD_SET, MAD_ATTR_SERVICE_RECORD,
	                     &sa_service_record_table, mask, &v),
	                 0);
	assert_int_equal(ask(MAD_SA_GET_TABLE, MAD_ATTR_SERVICE_RECORD,
	                     &sa_service_record_table, SA_COMPONENT(0), &v),
	                 0);
	assert_int_equal(records(&sa_service_record_table), 1);
	/* Its key is nobody's business; another host may not delete it. */
	field_decode(&sa_service_record_table, c.data, &found);
	assert_int_equal(found.key[3], 0);
	close_client();
	open_client("H00002:1");
	assert_int_equal(ask(MAD_SA_DELETE, MAD_ATTR_SERVICE_RECORD,
	                     &sa_service_record_table, mask, &v),
	                 MAD_STATUS_SA_DENIED);
	close_client();
	open_client("H00001:1");
	sm_rig_run(&r, 11000);
	assert_int_equal(ask(MAD_SA_GET_TABLE, MAD_ATTR_SERVICE_RECORD,
	                     &sa_service_record_table, SA_COMPONENT(0), &v),
	                 0);
	assert_int_equal(records(&sa_service_record_table), 0);
	/* For a GID of another host. */
	gid_of("H00005:1", v.gid);
	assert_int_equal(ask(MAD_SET, MAD_ATTR_SERVICE_RECORD,
	                     &sa_service_record_table, mask, &v),
	                 MAD_STATUS_SA_DENIED);
}

static void subscribers_get_reports(void **state)
{
	struct sa_inform_info i = {
		.generic = 1,
		.subscribe = 1,
		.type = 0xffff,
		.trap = 0xffff,
		.lid_begin = 0xffff,
		.producer = 0xffffff,
		.qpn = 1,
	};

	(void)state;
	assert_int_equal(ask(MAD_SET, MAD_ATTR_INFORM_INFO,
	                     &sa_inform_info_table, 0, &i),
	                 0);
	ibnet_cut(ibnet_find(r.net, "H00030:1"));
	sm_rig_run(&r, 50);
	/* The trap, and what follows from it for the port's GID. */
	assert_int_equal(c.reports, 2);
	assert_int_equal(c.last_trap, NOTICE_OUT_OF_SERVICE);
	ibnet_restore(ibnet_find(r.net, "H00030:1"));
	sm_rig_run(&r, 50);
	assert_int_equal(c.last_trap, NOTICE_IN_SERVICE);
	i.subscribe = 0;
	assert_int_equal(ask(MAD_SET, MAD_ATTR_INFORM_INFO,
	                     &sa_inform_info_table, 0, &i),
	                 0);
	c.reports = 0;
	ibnet_cut(ibnet_find(r.net, "H00030:1"));
	sm_rig_run(&r, 50);
	assert_int_equal(c.reports, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_have_virtual_lids),
		cmocka_unit_test(tables_are_complete),
		cmocka_unit_test(requests_are_of_any_length),
		cmocka_unit_test(asked_again_it_answers_once),
		cmocka_unit_test(groups_carry_packets_to_all_members),
		cmocka_unit_test(services_are_found_and_leases_run_out),
		cmocka_unit_test(subscribers_get_reports),
	};

	return cmocka_run_group_tests_name("admin", tests, set_up, tear_down);
}
