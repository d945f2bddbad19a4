/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/policy - partitions and quality of service, from a file.
 *
 * Text, a statement a line, # begins a comment:
 *
 *     partition NAME PKEY [full=WHO] [limited=WHO] [ipoib] [mtu=BYTES]
 *                         [rate=GBPS] [sl=0..15]
 *     sl2vl VL0 VL1 ... VL15
 *     vlarb-high VL:WEIGHT ...
 *     vlarb-low VL:WEIGHT ...
 *     high-limit 0..255
 *
 * WHO is `all`, `sm`, or port GUIDs joined by commas.  PKEY is a number, bit 15
 * is ignored; every port is a full member of 0x7fff, the default partition,
 * unless a statement says who is.  `ipoib` makes the IPv4 broadcast group.
 * Where routing needs lanes of its own (route.h, layered), sl2vl and sl= are
 * refused when they are applied, since both can't choose the lane.
 *
 * Invariants
 *   P1  policy_parse() leaves *out as it was when it refuses, and says the
 *       line and why;
 *   P2  a P_Key has one statement, a port at most one membership in it: full
 *       wins.
 */
#ifndef SUBNET_POLICY_H
#define SUBNET_POLICY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_PARTITIONS 128u
#define POLICY_GUIDS 65536u /* of all statements */
#define POLICY_NAME 32u
#define POLICY_FILE_MAX (4u << 20)
#define POLICY_ARB 32u
#define POLICY_PKEY_DEFAULT 0x7fffu
#define POLICY_PKEY_FULL 0x8000u

enum policy_who { POLICY_NOBODY, POLICY_ALL, POLICY_SM, POLICY_LISTED };

struct policy_partition {
	char name[POLICY_NAME];
	uint16_t pkey;         /* without bit 15 */
	uint8_t full, limited; /* enum policy_who */
	bool ipoib;
	uint8_t mtu;  /* code, 0: default */
	uint8_t rate; /* code, 0: default */
	uint8_t sl;
	uint32_t first, n; /* in guid[] */
};

struct policy_guid {
	uint64_t guid;
	bool full;
};

struct policy_arb {
	uint8_t vl[POLICY_ARB];
	uint8_t weight[POLICY_ARB];
	uint8_t n;
};

struct policy {
	struct policy_partition *partition;
	struct policy_guid *guid;
	uint32_t n_partitions, n_guids;
	bool has_sl2vl, has_limit;
	uint8_t sl2vl[16];
	uint8_t high_limit;
	struct policy_arb high, low;
};

/* Nothing but the default partition.  Allocates nothing. */
void policy_init(struct policy *p);
void policy_fini(struct policy *p);

/* @return 0; -EINVAL, -E2BIG, -ENOMEM. */
int policy_parse(struct policy *out, const char *text, size_t length,
                 struct err *e);
/* @return as above; -errno of the file. */
int policy_load(struct policy *out, const char *path, struct err *e);

/*
 * The P_Keys of a port, the default partition's first.
 * @return how many, at most n.
 */
unsigned policy_keys(const struct policy *p, uint64_t port_guid, bool is_sm,
                     uint16_t *out, unsigned n);

/* Whether two ports have a partition in common in which at least one is full,
 * `want` (0: any).  @return the P_Key as the first port has it; 0: none. */
uint16_t policy_common(const struct policy *p, uint64_t a, bool a_is_sm,
                       uint64_t b, bool b_is_sm, uint16_t want);

const struct policy_partition *policy_partition(const struct policy *p,
                                                uint16_t pkey);

#endif /* SUBNET_POLICY_H */
