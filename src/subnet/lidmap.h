/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/lidmap - which LID belongs to whom, for ever.
 *
 * Concept.  A physical LID (2^lmc of them) belongs to a port GUID, a virtual
 * one to a host's system image GUID.  Virtual LIDs come from a range of their
 * own that no port ever gets.  Owners keep their LIDs while they are away;
 * only when none is free does the owner that was away longest lose its own.
 *
 * File       Text, sorted by LID, made for reading:
 *
 *     causeway-lids 1
 *     virtual-range 24576 30719
 *     port 0x0002c90300a1b2c3 lid 17 lmc 0
 *     host 0x0002c90300a1b2c0 lid 24576
 *     crc32c 5d1f9a02
 *
 *            The checksum is of everything above its line.  A file that is
 *            changed by hand needs none: leave out the last line.
 * Cost       256 KB and 32 bytes an owner.
 *
 * Invariants
 *   D1  no LID has two owners;
 *   D2  a LID changes only when its owner asks for a wider LMC, or when it is
 *       taken for want of free ones;
 *   D3  lidmap_parse() accepts nothing that breaks D1, and leaves the map as
 *       it was when it refuses.
 */
#ifndef SUBNET_LIDMAP_H
#define SUBNET_LIDMAP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIDMAP_LIDS 0xc000u /* unicast: 1 to 0xbfff */
#define LIDMAP_LMC_MAX 7u
#define LIDMAP_FILE_MAX (8u << 20) /* bytes */

enum lidmap_kind { LIDMAP_PORT, LIDMAP_HOST };

struct lidmap_entry {
	uint64_t guid;
	uint32_t seen; /* lidmap_tick() when it was last looked up */
	uint16_t lid;
	uint8_t lmc;
	uint8_t kind; /* enum lidmap_kind */
};

struct lidmap {
	struct lidmap_entry *entry;
	uint32_t *by_guid; /* hash: entry + 1 */
	uint32_t *owner;   /* [lid]: entry + 1; 0: free */
	uint32_t n, room;
	uint32_t hash_room;
	uint32_t tick;
	uint16_t virtual_first, virtual_last;
	uint16_t next[2]; /* where to look for free ones, by kind */
	bool changed;     /* since it was last saved; the owner resets it */
};

/* `cap`: LIDs that every switch can route, as LinearFDBCap; the virtual range
 * is the upper third of what that leaves.  @return 0; -ENOMEM. */
int lidmap_init(struct lidmap *m, unsigned cap);
void lidmap_fini(struct lidmap *m);

/* @return the LID; 0: it has none.  *lmc may be NULL. */
uint16_t lidmap_get(const struct lidmap *m, enum lidmap_kind kind,
                    uint64_t guid, uint8_t *lmc);

/*
 * The owner's LID; a new one if it has none, `wish` (0: none) if that is free,
 * in the right range and aligned.
 *
 * @return the LID; 0: there is none left, or no memory.
 */
uint16_t lidmap_assign(struct lidmap *m, enum lidmap_kind kind, uint64_t guid,
                       uint8_t lmc, uint16_t wish);

void lidmap_forget(struct lidmap *m, enum lidmap_kind kind, uint64_t guid);

/* The owner of a LID, or NULL. */
const struct lidmap_entry *lidmap_owner(const struct lidmap *m, uint16_t lid);

/* A sweep begins: entries not assigned since are away. */
void lidmap_tick(struct lidmap *m);

/* -- the file -------------------------------------------------------------- */

/* malloc()ed text; NULL: no memory. */
char *lidmap_format(const struct lidmap *m, size_t *length);

/* @return 0; -EBADMSG (checksum), -EINVAL, -E2BIG, -ENOMEM, with the line. */
int lidmap_parse(struct lidmap *m, const char *text, size_t length,
                 struct err *e);

/* A file that is not there is an empty one.  @return as above, -errno. */
int lidmap_load(struct lidmap *m, const char *path, struct err *e);
/* Replaces the file as a whole, and is durable when it returns. */
int lidmap_save(struct lidmap *m, const char *path, struct err *e);

#endif /* SUBNET_LIDMAP_H */
