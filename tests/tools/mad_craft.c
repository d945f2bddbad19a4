/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets with MADs in them, for a foreign decoder to take apart.
 *
 *   mad_craft FILE SEED
 *
 * FILE gets one packet for each attribute, as ERF records of type 21
 * (InfiniBand); standard output says what each holds, a line for each number:
 *
 *   PACKET TABLE.FIELD VALUE      in hexadecimal; of arrays all elements
 */
#include "base/base.h"
#include "base/wire.h"
#include "mad/notice.h"
#include "mad/packet.h"
#include "mad/perf.h"
#include "mad/sa.h"
#include "mad/smp.h"

#include <stdio.h>

struct erf_header {
	le64 time;
	uint8_t type;
	uint8_t flags;
	be16 record_length;
	be16 lost;
	be16 wire_length;
};
static_assert(sizeof(struct erf_header) == 16, "an ERF header is 16 bytes");

#define ERF_INFINIBAND 21
#define ERF_VARYING_LENGTH 4
#define HOST_MAX 512u

struct row {
	uint8_t mgmt_class;
	uint8_t method;
	uint16_t attr;
	const struct field_table *table;
	uint16_t trap; /* 0: none */
};

static const struct row rows[] = {
	{ 0x01, 0x81, MAD_ATTR_NODE_INFO, &smp_node_info_table, 0 },
	{ 0x81, 0x81, MAD_ATTR_NODE_INFO, &smp_node_info_table, 0 },
	{ 0x81, 0x81, MAD_ATTR_NODE_DESCRIPTION, &smp_node_description_table,
	  0 },
	{ 0x81, 0x81, MAD_ATTR_SWITCH_INFO, &smp_switch_info_table, 0 },
	{ 0x81, 0x02, MAD_ATTR_PORT_INFO, &smp_port_info_table, 0 },
	{ 0x01, 0x81, MAD_ATTR_PORT_INFO, &smp_port_info_table, 0 },
	{ 0x01, 0x81, MAD_ATTR_GUID_INFO, &smp_guid_info_table, 0 },
	{ 0x01, 0x81, MAD_ATTR_PKEY_TABLE, &smp_pkey_table_table, 0 },
	{ 0x01, 0x81, MAD_ATTR_SL2VL, &smp_sl2vl_table, 0 },
	{ 0x01, 0x81, MAD_ATTR_VLARB, &smp_vlarb_table, 0 },
	{ 0x01, 0x02, MAD_ATTR_LFT, &smp_lft_table, 0 },
	{ 0x01, 0x02, MAD_ATTR_MFT, &smp_mft_table, 0 },
	{ 0x01, 0x81, MAD_ATTR_SM_INFO, &smp_sm_info_table, 0 },
	{ 0x01, 0x05, MAD_ATTR_NOTICE, &notice_table, 64 },
	{ 0x01, 0x05, MAD_ATTR_NOTICE, &notice_table, 128 },
	{ 0x01, 0x05, MAD_ATTR_NOTICE, &notice_table, 129 },
	{ 0x01, 0x05, MAD_ATTR_NOTICE, &notice_table, 144 },
	{ 0x01, 0x05, MAD_ATTR_NOTICE, &notice_table, 145 },
	{ 0x01, 0x05, MAD_ATTR_NOTICE, &notice_table, 256 },
	{ 0x01, 0x05, MAD_ATTR_NOTICE, &notice_table, 257 },
	{ 0x01, 0x05, MAD_ATTR_NOTICE, &notice_table, 259 },
	{ 0x04, 0x81, MAD_ATTR_CLASS_PORT_INFO, &perf_class_port_info_table,
	  0 },
	{ 0x04, 0x81, MAD_ATTR_PORT_COUNTERS, &perf_port_counters_table, 0 },
	{ 0x04, 0x81, MAD_ATTR_PORT_COUNTERS_EXT, &perf_port_counters_ext_table,
	  0 },
	{ 0x03, 0x81, MAD_ATTR_CLASS_PORT_INFO, &perf_class_port_info_table,
	  0 },
	{ 0x03, 0x06, MAD_ATTR_NOTICE, &notice_sa_table, 65 },
	{ 0x03, 0x02, MAD_ATTR_INFORM_INFO, &sa_inform_info_table, 0 },
	{ 0x03, 0x81, MAD_ATTR_NODE_RECORD, &sa_node_record_table, 0 },
	{ 0x03, 0x81, MAD_ATTR_PORT_INFO_RECORD, &sa_port_info_record_table,
	  0 },
	{ 0x03, 0x81, MAD_ATTR_SL2VL_RECORD, &sa_sl2vl_record_table, 0 },
	{ 0x03, 0x81, MAD_ATTR_SWITCH_INFO_RECORD, &sa_switch_info_record_table,
	  0 },
	{ 0x03, 0x81, MAD_ATTR_LFT_RECORD, &sa_lft_record_table, 0 },
	{ 0x03, 0x81, MAD_ATTR_MFT_RECORD, &sa_mft_record_table, 0 },
	{ 0x03, 0x81, MAD_ATTR_SM_INFO_RECORD, &sa_sm_info_record_table, 0 },
	{ 0x03, 0x81, MAD_ATTR_LINK_RECORD, &sa_link_record_table, 0 },
	{ 0x03, 0x81, MAD_ATTR_GUID_INFO_RECORD, &sa_guid_info_record_table,
	  0 },
	{ 0x03, 0x02, MAD_ATTR_SERVICE_RECORD, &sa_service_record_table, 0 },
	{ 0x03, 0x81, MAD_ATTR_PKEY_TABLE_RECORD, &sa_pkey_table_record_table,
	  0 },
	{ 0x03, 0x81, MAD_ATTR_PATH_RECORD, &sa_path_record_table, 0 },
	{ 0x03, 0x81, MAD_ATTR_VLARB_RECORD, &sa_vlarb_record_table, 0 },
	{ 0x03, 0x81, MAD_ATTR_MC_MEMBER_RECORD, &sa_mc_member_record_table,
	  0 },
	{ 0x03, 0x14, MAD_ATTR_MULTI_PATH_RECORD, &sa_multi_path_record_table,
	  0 },
	{ 0x03, 0x81, MAD_ATTR_INFORM_INFO_RECORD, &sa_inform_info_record_table,
	  0 },
};

static uint64_t seed;

static uint64_t random64(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return seed ^ seed >> 32;
}

static void random_bytes(void *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = (uint8_t)random64();
}

/* -- what a C struct holds ------------------------------------------------- */

static void say_element(const struct field *f, const uint8_t *at)
{
	uint64_t value = 0;

	if (f->kind != FIELD_DEC && f->kind != FIELD_HEX) {
		putchar(' ');
		for (unsigned i = 0; i < f->width / 8u; i++)
			printf("%02x", at[i]);
		return;
	}
	memcpy(&value, at, f->size); /* little-endian hosts only */
	printf(" %jx", (uintmax_t)value);
}

static void say(unsigned packet, const struct field_table *t, const uint8_t *in)
{
	for (unsigned i = 0; i < t->n_fields; i++) {
		const struct field *f = &t->fields[i];
		unsigned size = f->size ? f->size : f->width / 8u;

		if (f->kind == FIELD_NESTED) {
			say(packet, f->nested, in + f->at);
			continue;
		}
		printf("%u %s.%s", packet, t->name, f->name);
		for (unsigned n = 0; n < f->count; n++)
			say_element(f, in + f->at + n * size);
		putchar('\n');
	}
}

#define SAY(packet, name, value)                                               \
	printf("%u %s %jx\n", packet, name, (uintmax_t)(value))

/* -- one packet ------------------------------------------------------------ */

static void make_notice(unsigned number, const struct row *row,
                        struct notice *n)
{
	const struct field_table *t = notice_details(row->trap);
	uint8_t details[HOST_MAX], wire[NOTICE_DETAILS];

	n->generic = 1;
	n->trap = row->trap;
	random_bytes(wire, sizeof(wire));
	field_decode(t, wire, details);
	field_encode(t, details, n->details);
	say(number, t, details);
}

static void make_attribute(unsigned number, const struct row *row,
                           struct mad *m)
{
	union {
		uint8_t bytes[HOST_MAX];
		struct smp_node_description description;
		struct sa_node_record node_record;
		struct sa_multi_path_record multi_path;
		struct notice notice;
		uint64_t align;
	} host;
	uint8_t wire[MAD_LENGTH];
	size_t length;

	random_bytes(wire, sizeof(wire));
	memset(&host, 0, sizeof(host));
	field_decode(row->table, wire, &host);
	if (row->table == &smp_node_description_table)
		strcpy(host.description.text, "spine 1 of rack A");
	if (row->table == &sa_node_record_table)
		strcpy(host.node_record.description.text, "leaf 7");
	if (row->table == &sa_multi_path_record_table) {
		host.multi_path.n_sgids = 5;
		host.multi_path.n_dgids = 6;
	}
	if (row->trap)
		make_notice(number, row, &host.notice);
	field_encode(row->table, &host,
	             (uint8_t *)(uintptr_t)mad_data(m, &length));
	assert(row->table->length <= length);
	say(number, row->table, host.bytes);
}

static void make_headers(unsigned number, const struct row *row, struct mad *m)
{
	static const struct smp_route route = { 3, { 0, 1, 9, 200 } };
	struct sa_mad *s = mad_sa(m);

	mad_init(m, row->mgmt_class, row->method, row->attr,
	         (uint32_t)random64());
	m->header.tid = be64_put(random64());
	SAY(number, "mad.mgmt_class", row->mgmt_class);
	SAY(number, "mad.method", row->method);
	SAY(number, "mad.attr_id", row->attr);
	SAY(number, "mad.attr_mod", mad_attr_mod(m));
	SAY(number, "mad.tid", be64_get(m->header.tid));
	if (row->mgmt_class == MAD_CLASS_SUBN_DIRECTED) {
		smp_set_route(m, &route);
		m->header.hop_pointer = 2;
		if (row->method & MAD_METHOD_RESPONSE)
			m->header.status = be16_put(MAD_STATUS_D);
		SAY(number, "smp.d", row->method >> 7);
		SAY(number, "mad.status", be16_get(m->header.status));
		SAY(number, "smp.hop_pointer", 2);
		SAY(number, "smp.hop_count", 3);
		SAY(number, "smp.dr_slid", MAD_LID_PERMISSIVE);
	}
	if (row->mgmt_class == MAD_CLASS_SUBN_DIRECTED ||
	    row->mgmt_class == MAD_CLASS_SUBN_LID) {
		mad_smp(m)->m_key = be64_put(random64());
		SAY(number, "smp.m_key", be64_get(mad_smp(m)->m_key));
	}
	if (row->mgmt_class != MAD_CLASS_SA)
		return;
	s->sm_key = be64_put(random64());
	s->comp_mask = be64_put(random64());
	s->attr_offset = be16_put((uint16_t)(sa_record_pitch(row->table) / 8));
	s->rmpp.version = RMPP_VERSION;
	s->rmpp.type = RMPP_DATA;
	s->rmpp.flags = 31 << 3;
	s->rmpp.data1 = be32_put(1);
	SAY(number, "sa.sm_key", be64_get(s->sm_key));
	SAY(number, "sa.comp_mask", be64_get(s->comp_mask));
	SAY(number, "sa.attr_offset", be16_get(s->attr_offset));
	SAY(number, "rmpp.type", RMPP_DATA);
	SAY(number, "rmpp.resp_time", 31);
}

static struct packet make_packet(unsigned number, const struct row *row,
                                 const struct mad *m)
{
	bool smi = row->mgmt_class == MAD_CLASS_SUBN_LID ||
	           row->mgmt_class == MAD_CLASS_SUBN_DIRECTED;
	struct packet p = {
		.vl = smi ? 15 : 0,
		.sl = random64() & 15,
		.next = smi || number % 2 ? PACKET_LOCAL : PACKET_GLOBAL,
		.dlid = (uint16_t)random64(),
		.slid = (uint16_t)random64(),
		.opcode = PACKET_OP_UD_SEND,
		.solicited = random64() & 1,
		.pkey = 0xffff,
		.dest_qp = smi ? 0 : 1,
		.psn = random64() & 0xffffff,
		.qkey = smi ? 0 : MAD_QKEY_GSI,
		.src_qp = smi ? 0 : 1,
		.payload = (const uint8_t *)m,
		.payload_length = MAD_LENGTH,
	};

	SAY(number, "lrh.vl", p.vl);
	SAY(number, "lrh.sl", p.sl);
	SAY(number, "lrh.lnh", p.next);
	SAY(number, "lrh.dlid", p.dlid);
	SAY(number, "lrh.slid", p.slid);
	SAY(number, "bth.opcode", p.opcode);
	SAY(number, "bth.solicited", p.solicited);
	SAY(number, "bth.pkey", p.pkey);
	SAY(number, "bth.dest_qp", p.dest_qp);
	SAY(number, "bth.psn", p.psn);
	SAY(number, "deth.qkey", p.qkey);
	SAY(number, "deth.src_qp", p.src_qp);
	if (p.next == PACKET_LOCAL)
		return p;
	p.tclass = (uint8_t)random64();
	p.flow_label = random64() & 0xfffff;
	p.hop_limit = (uint8_t)random64();
	random_bytes(p.sgid, sizeof(p.sgid));
	random_bytes(p.dgid, sizeof(p.dgid));
	SAY(number, "grh.tclass", p.tclass);
	SAY(number, "grh.flow_label", p.flow_label);
	SAY(number, "grh.hop_limit", p.hop_limit);
	SAY(number, "grh.next", 0x1b);
	return p;
}

static int write_record(FILE *f, unsigned number, const void *bytes, size_t n)
{
	struct erf_header h = {
		.time = le64_put((uint64_t)number << 32),
		.type = ERF_INFINIBAND,
		.flags = ERF_VARYING_LENGTH,
		.record_length = be16_put((uint16_t)(sizeof(h) + n)),
		.wire_length = be16_put((uint16_t)n),
	};

	return fwrite(&h, sizeof(h), 1, f) == 1 && fwrite(bytes, n, 1, f) == 1
	               ? 0
	               : -1;
}

int main(int argc, char **argv)
{
	FILE *f = argc == 3 ? fopen(argv[1], "w") : NULL;
	int status = 0;

	if (!f) {
		fputs("mad_craft FILE SEED\n", stderr);
		return 2;
	}
	seed = strtoull(argv[2], NULL, 0);
	for (unsigned i = 0; i < ARRAY_LEN(rows) && !status; i++) {
		uint8_t bytes[PACKET_MAX];
		struct packet p;
		struct mad m;
		int n;

		make_headers(i + 1, &rows[i], &m);
		make_attribute(i + 1, &rows[i], &m);
		p = make_packet(i + 1, &rows[i], &m);
		n = packet_encode(&p, bytes, sizeof(bytes));
		assert(n > 0 && !packet_check(bytes, (size_t)n));
		status = write_record(f, i + 1, bytes, (size_t)n);
	}
	return fclose(f) || status ? 1 : 0;
}
