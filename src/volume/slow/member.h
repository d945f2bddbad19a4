/* SPDX-License-Identifier: BSD-2-Clause */
/* volume/slow/member - the drives of a pool, and how one leaves. */
#ifndef VOLUME_SLOW_MEMBER_H
#define VOLUME_SLOW_MEMBER_H

#include "volume/slow/metaio.h"
#include "volume/slow/metalog.h"

struct pool;

struct member {
	enum handoff_drive_role state; /* UNUSED: no such member */
	uint16_t slot;                 /* or HANDOFF_NO_DRIVE */
	bool no_meta; /* refused metadata, but is needed for its data */
	uint64_t size;
	uint32_t extents;
	uint8_t uuid[16];
	char name[HANDOFF_NAME]; /* of the drive, as last seen */
	char why[160];
};

/* A member's failure on its way to the labels: see member.c. */
struct announcement {
	enum { ANNOUNCE_IDLE, ANNOUNCE_COMMIT, ANNOUNCE_LABELS } state;
	bool again;
	unsigned copy; /* of the labels, that is being written */
	struct metalog_waiter waiter;
	struct metaio_fan fan;
};

/* Bit set of the ONLINE members. */
uint32_t member_online(const struct pool *p);
/* Bit set of the members that hold the metadata: the first
 * SLOW_META_COPIES that can. */
uint32_t member_holders(const struct pool *p);

enum member_blame {
	MEMBER_BLAME_META,   /* metadata I/O failed */
	MEMBER_BLAME_VOLUME, /* a volume's I/O failed, or it has gone */
};

/*
 * Take an ONLINE member out: in memory at once, on the drives with the next
 * commit, for the fast stack when that is durable.
 *
 * @return 0 (also if it is out already); -EBUSY: its loss would lose data.
 */
int member_lose(struct pool *p, unsigned index, enum member_blame blame,
                const char *why);
/* Have the announcement go on (after a failed one). */
void member_announce(struct pool *p);
/* The member that is this drive, or -ENOENT. */
int member_find(const struct pool *p, uint16_t drive);
/* Tell the calls that wait for the announcement. */
void member_calls_settled(struct pool *p, int err);
/* Publish roles, state and capacity. */
void member_publish(struct pool *p);
/* The records of the members, for an image. */
void member_record(const struct pool *p, unsigned index, struct record *out);

#endif /* VOLUME_SLOW_MEMBER_H */
