/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of subnet administration, for the files that share it. */
#ifndef SUBNET_ADMIN_PRIV_H
#define SUBNET_ADMIN_PRIV_H

#include "mad/sa.h"
#include "mad/transfer.h"
#include "subnet/admin.h"
#include "subnet/subnet_priv.h"

#define ADMIN_REPORTS 64u /* outstanding */
#define ADMIN_ALIASES_MAX 4096u

struct admin_service {
	struct sa_service_record r;
	uint64_t until_ns; /* UINT64_MAX: for ever */
};

struct admin_inform {
	struct sa_inform_info info;
	struct mad_address to;
	uint8_t gid[16];
};

/* A further GUID of a port (GuidInfoRecord). */
struct admin_alias {
	uint64_t guid;
	uint32_t port;
	uint8_t index;
};

struct admin_report {
	struct transact_request q;
	struct admin *a;
	struct admin_report *next_free;
};

struct admin {
	struct subnet *s;
	struct mad_agent agent;
	struct transfers transfers;
	struct transact *reporter;
	struct admin_report report[ADMIN_REPORTS];
	struct admin_report *free_report;
	struct admin_service *service;
	struct admin_inform *inform;
	struct admin_alias *alias;
	uint32_t n_services, n_informs, n_aliases;
	unsigned n_reporting;
	uint64_t n_queries, n_refused, n_reports_lost;
};

/* A query under way. */
struct admin_query {
	struct admin *a;
	struct subnet *s;
	const struct mad_datagram *d;
	const uint8_t *asked; /* its attribute: at least what fits in `d` */
	size_t n_asked;
	const struct field_table *t; /* the record's */
	uint64_t mask;
	const void *want; /* the query's record, decoded */
	uint32_t asker;   /* port; GRAPH_NONE: unknown */
	bool table;       /* GetTable: any number */
	uint8_t *out;     /* records, encoded */
	size_t length, room;
	uint32_t n;
	uint16_t status;
};

/* Add a record, if the query selects it.  @return false: no more can be. */
bool admin_add(struct admin_query *q, const void *record);
/* The same without looking at the mask again. */
bool admin_put(struct admin_query *q, const void *record);

uint32_t admin_port_of_lid(const struct subnet *s, uint16_t lid);
uint32_t admin_port_of_gid(const struct admin *a, const uint8_t gid[16]);
void admin_gid(const struct subnet *s, uint64_t guid, uint8_t gid[16]);
bool admin_is_multicast(const uint8_t gid[16]);
/* Whether the asker may learn of this port. */
bool admin_may_see(const struct admin_query *q, uint32_t port);

/* -- handlers: fill in q->out or q->status --------------------------------- */

void admin_node_records(struct admin_query *q);
void admin_port_records(struct admin_query *q);
void admin_switch_records(struct admin_query *q);
void admin_lft_records(struct admin_query *q);
void admin_mft_records(struct admin_query *q);
void admin_sm_records(struct admin_query *q);
void admin_link_records(struct admin_query *q);
void admin_pkey_records(struct admin_query *q);
void admin_guid_records(struct admin_query *q);
void admin_guid_set(struct admin_query *q);
void admin_guid_delete(struct admin_query *q);
void admin_path_records(struct admin_query *q);
void admin_multi_path(struct admin_query *q);
void admin_mc_records(struct admin_query *q);
void admin_mc_join(struct admin_query *q);
void admin_mc_leave(struct admin_query *q);
void admin_service_records(struct admin_query *q);
void admin_service_set(struct admin_query *q);
void admin_service_delete(struct admin_query *q);
void admin_inform_records(struct admin_query *q);
void admin_inform_set(struct admin_query *q);

/* Path MTU and rate codes between two ports, and the SL.  @return false: there
 * is no path. */
struct admin_path {
	uint16_t slid, dlid;
	uint8_t mtu, rate, sl;
};
bool admin_find_path(const struct subnet *s, uint32_t from, uint32_t to,
                     struct admin_path *out);

/* The codes of the slowest link on the way out of a port. */
uint8_t admin_rate_of(const struct graph_port *p);

#endif /* SUBNET_ADMIN_PRIV_H */
