/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/admin - subnet administration: the queries that hosts ask (IBA 15.4).
 *
 * Concept.  A row for each attribute says which methods it has and who makes
 * its records.  Records are made from the manager's picture, never read from
 * the fabric for a query.  Tables go out by RMPP.
 *
 *   PathRecord, MultiPathRecord  a host with link aggregation is answered with
 *                                its virtual LID, both ways
 *   NodeRecord PortInfoRecord SwitchInfoRecord LinkRecord SMInfoRecord
 *   LFTRecord MFTRecord PKeyTableRecord GuidInfoRecord
 *   MCMemberRecord               get; Set joins and creates, Delete leaves
 *   ServiceRecord                get, Set, Delete; leases run out
 *   InformInfo InformInfoRecord  subscriptions; traps and the SA's own notices
 *                                (64 to 67) are reported
 *   ClassPortInfo
 *
 * Trust: two ports can learn of each other only with a partition in common.
 * Until this manager is master and has a plan, everything is answered BUSY.
 *
 * Limits     ADMIN_SERVICES_MAX, ADMIN_INFORMS_MAX, ADMIN_ANSWER_MAX bytes of
 * one answer; beyond, NO_RESOURCES or TOO_MANY.
 */
#ifndef SUBNET_ADMIN_H
#define SUBNET_ADMIN_H

#include "mad/notice.h"
#include "mad/port.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADMIN_SERVICES_MAX 4096u
#define ADMIN_INFORMS_MAX 4096u
#define ADMIN_ANSWER_MAX (32u << 20)

struct admin;
struct subnet;

/* @return 0; -ENOMEM, -EBUSY. */
int admin_create(struct subnet *s, struct mad_port *p, struct admin **out);
/* Cancel reports; admin_is_idle() becomes true. */
void admin_stop(struct admin *a);
bool admin_is_idle(const struct admin *a);
/* Idle.  NULL is allowed. */
void admin_destroy(struct admin *a);

/* A trap came in: report it to those who asked. */
void admin_notice(struct admin *a, const struct notice *n);
/* A port came (NOTICE_IN_SERVICE) or went, or a group did. */
void admin_gid_notice(struct admin *a, unsigned trap, const uint8_t gid[16]);
/* A pass has seen changes: report ports that came and went since. */
void admin_ports(struct admin *a);
/* The policy is another one: make its groups. */
void admin_policy(struct admin *a);
void admin_count(const struct admin *a, uint64_t *queries, uint64_t *refused);

/*
 * One request, decoded and decided: the whole of the SA but for the wire.
 * `asked` are the bytes of its attribute: those in the MAD, or those of all
 * segments of which it is the first.  `out` gets the response's MAD; a table's
 * records are in *data, malloc()ed.  For the fuzzer and tests as well.
 *
 * @return 1: send it; 0: nothing is to be sent.
 */
int admin_answer(struct admin *a, const struct mad_datagram *d,
                 const uint8_t *asked, size_t n_asked, struct mad *out,
                 uint8_t **data, size_t *length);

#endif /* SUBNET_ADMIN_H */
