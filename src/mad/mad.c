/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/mad.h"

#include "base/base.h"
#include "mad/lag.h"
#include "mad/notice.h"
#include "mad/perf.h"
#include "mad/sa.h"
#include "mad/smp.h"

#include <stdio.h>

/* -- classes --------------------------------------------------------------- */

struct class_row {
	const char *name;
	uint8_t mgmt_class;
	uint8_t version;
	uint16_t data; /* offset of the attribute in the MAD */
	uint16_t data_length;
};

static const struct class_row classes[] = {
	{ "SubnLid", MAD_CLASS_SUBN_LID, MAD_CLASS_VERSION,
	  offsetof(struct smp, data), SMP_DATA_LENGTH },
	{ "SubnDirected", MAD_CLASS_SUBN_DIRECTED, MAD_CLASS_VERSION,
	  offsetof(struct smp, data), SMP_DATA_LENGTH },
	{ "SubnAdm", MAD_CLASS_SA, MAD_CLASS_VERSION_SA,
	  offsetof(struct sa_mad, data), SA_DATA_LENGTH },
	{ "Perf", MAD_CLASS_PERF, MAD_CLASS_VERSION,
	  offsetof(struct perf_mad, data), PERF_DATA_LENGTH },
};

static const struct class_row *class_of(uint8_t mgmt_class)
{
	for (unsigned i = 0; i < ARRAY_LEN(classes); i++)
		if (classes[i].mgmt_class == mgmt_class)
			return &classes[i];
	return NULL;
}

/* -- attributes ------------------------------------------------------------ */

struct attr_row {
	uint16_t id;
	const struct field_table *table;
};

static const struct attr_row smp_attrs[] = {
	{ MAD_ATTR_NOTICE, &notice_table },
	{ MAD_ATTR_NODE_DESCRIPTION, &smp_node_description_table },
	{ MAD_ATTR_NODE_INFO, &smp_node_info_table },
	{ MAD_ATTR_SWITCH_INFO, &smp_switch_info_table },
	{ MAD_ATTR_GUID_INFO, &smp_guid_info_table },
	{ MAD_ATTR_PORT_INFO, &smp_port_info_table },
	{ MAD_ATTR_PKEY_TABLE, &smp_pkey_table_table },
	{ MAD_ATTR_SL2VL, &smp_sl2vl_table },
	{ MAD_ATTR_VLARB, &smp_vlarb_table },
	{ MAD_ATTR_LFT, &smp_lft_table },
	{ MAD_ATTR_MFT, &smp_mft_table },
	{ MAD_ATTR_SM_INFO, &smp_sm_info_table },
	{ MAD_ATTR_LED_INFO, &smp_led_info_table },
	{ MAD_ATTR_LAG_HOST, &lag_host_table },
	{ MAD_ATTR_LAG_SWITCH, &lag_switch_table },
	{ MAD_ATTR_LAG_GROUPS, &lag_groups_table },
	{ MAD_ATTR_LAG_LIDS, &lag_lids_table },
	{ MAD_ATTR_LAG_SKIP, &lag_skip_table },
};

static const struct attr_row perf_attrs[] = {
	{ MAD_ATTR_CLASS_PORT_INFO, &perf_class_port_info_table },
	{ MAD_ATTR_NOTICE, &notice_table },
	{ MAD_ATTR_PORT_COUNTERS, &perf_port_counters_table },
	{ MAD_ATTR_PORT_COUNTERS_EXT, &perf_port_counters_ext_table },
};

static const struct attr_row sa_attrs[] = {
	{ MAD_ATTR_CLASS_PORT_INFO, &perf_class_port_info_table },
	{ MAD_ATTR_NOTICE, &notice_sa_table },
	{ MAD_ATTR_INFORM_INFO, &sa_inform_info_table },
	{ MAD_ATTR_NODE_RECORD, &sa_node_record_table },
	{ MAD_ATTR_PORT_INFO_RECORD, &sa_port_info_record_table },
	{ MAD_ATTR_SL2VL_RECORD, &sa_sl2vl_record_table },
	{ MAD_ATTR_SWITCH_INFO_RECORD, &sa_switch_info_record_table },
	{ MAD_ATTR_LFT_RECORD, &sa_lft_record_table },
	{ MAD_ATTR_MFT_RECORD, &sa_mft_record_table },
	{ MAD_ATTR_SM_INFO_RECORD, &sa_sm_info_record_table },
	{ MAD_ATTR_LINK_RECORD, &sa_link_record_table },
	{ MAD_ATTR_GUID_INFO_RECORD, &sa_guid_info_record_table },
	{ MAD_ATTR_SERVICE_RECORD, &sa_service_record_table },
	{ MAD_ATTR_PKEY_TABLE_RECORD, &sa_pkey_table_record_table },
	{ MAD_ATTR_PATH_RECORD, &sa_path_record_table },
	{ MAD_ATTR_VLARB_RECORD, &sa_vlarb_record_table },
	{ MAD_ATTR_MC_MEMBER_RECORD, &sa_mc_member_record_table },
	{ MAD_ATTR_MULTI_PATH_RECORD, &sa_multi_path_record_table },
	{ MAD_ATTR_INFORM_INFO_RECORD, &sa_inform_info_record_table },
};

static const struct field_table *look_up(const struct attr_row *rows,
                                         unsigned n, uint16_t id)
{
	for (unsigned i = 0; i < n; i++)
		if (rows[i].id == id)
			return rows[i].table;
	return NULL;
}

static const struct field_table *attribute_of(uint8_t mgmt_class, uint16_t id)
{
	switch (mgmt_class) {
	case MAD_CLASS_SUBN_LID:
	case MAD_CLASS_SUBN_DIRECTED:
		return look_up(smp_attrs, ARRAY_LEN(smp_attrs), id);
	case MAD_CLASS_PERF:
		return look_up(perf_attrs, ARRAY_LEN(perf_attrs), id);
	case MAD_CLASS_SA:
		return look_up(sa_attrs, ARRAY_LEN(sa_attrs), id);
	default:
		return NULL;
	}
}

const struct field_table *sa_record(uint16_t attr_id)
{
	return attribute_of(MAD_CLASS_SA, attr_id);
}

const struct field_table *mad_attribute(const struct mad *m)
{
	return attribute_of(m->header.mgmt_class, mad_attr_id(m));
}

const void *mad_data(const struct mad *m, size_t *length)
{
	const struct class_row *c = class_of(m->header.mgmt_class);

	if (!c)
		return NULL;
	*length = c->data_length;
	return (const uint8_t *)m + c->data;
}

/* -- building -------------------------------------------------------------- */

void mad_init(struct mad *m, enum mad_class mgmt_class, enum mad_method method,
              uint16_t attr_id, uint32_t attr_mod)
{
	const struct class_row *c = class_of((uint8_t)mgmt_class);

	memset(m, 0, sizeof(*m));
	m->header.base_version = MAD_BASE_VERSION;
	m->header.mgmt_class = (uint8_t)mgmt_class;
	m->header.class_version = c ? c->version : MAD_CLASS_VERSION;
	m->header.method = (uint8_t)method;
	m->header.attr_id = be16_put(attr_id);
	m->header.attr_mod = be32_put(attr_mod);
}

static uint8_t answer_to(uint8_t method)
{
	switch (method) {
	case MAD_SET:
		return MAD_GET_RESP;
	case MAD_TRAP:
		return MAD_TRAP_REPRESS;
	case MAD_SA_GET_TRACE_TABLE:
		return MAD_SA_GET_TABLE_RESP;
	default:
		return method | MAD_METHOD_RESPONSE;
	}
}

void mad_make_response(struct mad *m, uint16_t status)
{
	m->header.method = answer_to(m->header.method);
	if (m->header.mgmt_class == MAD_CLASS_SUBN_DIRECTED)
		status |= MAD_STATUS_D;
	m->header.status = be16_put(status);
}

uint16_t mad_check(const struct mad *m)
{
	const struct class_row *c = class_of(m->header.mgmt_class);

	if (m->header.base_version != MAD_BASE_VERSION || !c ||
	    m->header.class_version != c->version)
		return MAD_STATUS_BAD_VERSION;
	return 0;
}

/* -- names ----------------------------------------------------------------- */

const char *mad_class_name(uint8_t mgmt_class)
{
	const struct class_row *c = class_of(mgmt_class);

	return c ? c->name : "?";
}

const char *mad_attr_name(uint8_t mgmt_class, uint16_t attr_id)
{
	const struct field_table *t = attribute_of(mgmt_class, attr_id);

	return t ? t->name : "?";
}

struct method_row {
	uint8_t method;
	bool sa_only;
	const char *name;
};

static const struct method_row methods[] = {
	{ MAD_GET, false, "Get" },
	{ MAD_SET, false, "Set" },
	{ MAD_SEND, false, "Send" },
	{ MAD_TRAP, false, "Trap" },
	{ MAD_REPORT, false, "Report" },
	{ MAD_TRAP_REPRESS, false, "TrapRepress" },
	{ MAD_GET_RESP, false, "GetResp" },
	{ MAD_REPORT_RESP, false, "ReportResp" },
	{ MAD_SA_GET_TABLE, true, "GetTable" },
	{ MAD_SA_GET_TRACE_TABLE, true, "GetTraceTable" },
	{ MAD_SA_GET_MULTI, true, "GetMulti" },
	{ MAD_SA_DELETE, true, "Delete" },
	{ MAD_SA_GET_TABLE_RESP, true, "GetTableResp" },
	{ MAD_SA_GET_MULTI_RESP, true, "GetMultiResp" },
	{ MAD_SA_DELETE_RESP, true, "DeleteResp" },
};

const char *mad_method_name(uint8_t mgmt_class, uint8_t method)
{
	for (unsigned i = 0; i < ARRAY_LEN(methods); i++)
		if (methods[i].method == method &&
		    (!methods[i].sa_only || mgmt_class == MAD_CLASS_SA))
			return methods[i].name;
	return "?";
}

static const char *code_words(unsigned code)
{
	static const char *const words[] = {
		[0] = "",
		[1] = "version not supported",
		[2] = "method not supported",
		[3] = "attribute not supported",
		[4] = "reserved code",
		[5] = "reserved code",
		[6] = "reserved code",
		[7] = "invalid value",
	};

	return words[code & 7];
}

static const char *sa_words(unsigned code)
{
	static const char *const words[] = {
		[0] = "",
		[1] = "no resources",
		[2] = "request invalid",
		[3] = "no records",
		[4] = "too many records",
		[5] = "invalid GID",
		[6] = "insufficient components",
		[7] = "request denied",
		[8] = "priority suggested",
	};

	return code < ARRAY_LEN(words) ? words[code] : "class-specific error";
}

const char *mad_status_words(uint8_t mgmt_class, uint16_t status, char *out)
{
	unsigned of_class = (status & MAD_STATUS_CLASS) >> 8;
	const char *words = code_words((status & MAD_STATUS_CODE) >> 2);

	if (!*words && of_class)
		words = mgmt_class == MAD_CLASS_SA ? sa_words(of_class)
		                                   : "class-specific error";
	else if (!*words && (status & MAD_STATUS_BUSY))
		words = "busy";
	else if (!*words && (status & MAD_STATUS_REDIRECT))
		words = "redirected";
	else if (!*words)
		words = status ? "?" : "ok";
	snprintf(out, MAD_WORDS, "%s (0x%04x)", words, status);
	return out;
}

/* -- printing -------------------------------------------------------------- */

static size_t print_header(const struct mad *m, char *out, size_t n)
{
	const struct mad_header *h = &m->header;
	char words[MAD_WORDS];
	int used;

	used = snprintf(out, n,
	                "class 0x%02x %s\nmethod 0x%02x %s\nstatus %s\n"
	                "tid 0x%016jx\nattribute 0x%04x %s\nmodifier 0x%08x\n",
	                h->mgmt_class, mad_class_name(h->mgmt_class), h->method,
	                mad_method_name(h->mgmt_class, h->method),
	                mad_status_words(h->mgmt_class, mad_status(m), words),
	                (uintmax_t)be64_get(h->tid), mad_attr_id(m),
	                mad_attr_name(h->mgmt_class, mad_attr_id(m)),
	                mad_attr_mod(m));
	return used > 0 ? (size_t)used : 0;
}

/* Large enough for every attribute's C struct. */
union any_attribute {
	struct smp_port_info port_info;
	struct perf_port_counters_ext counters;
	struct sa_multi_path_record multi_path;
	struct sa_service_record service;
	uint64_t room[64];
};

size_t mad_print(const struct mad *m, char *out, size_t n)
{
	const struct field_table *t = mad_attribute(m);
	size_t used = print_header(m, out, n), length, left;
	const void *data = mad_data(m, &length);
	union any_attribute value = { 0 };

	if (!t || !data)
		return used;
	assert(t->length <= length && t->size <= sizeof(value));
	field_decode(t, data, &value);
	left = used < n ? n - used : 0;
	return used + field_print(t, &value, left ? out + used : NULL, left);
}
