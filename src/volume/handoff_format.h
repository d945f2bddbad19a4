/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface between the two stacks, version 2: one shared memory object.
 * Normative text: docs/handoff.md.  Little-endian, naturally aligned; fields
 * that both sides use while they run are read and written as atomics.
 *
 *      +------------------+ 0
 *      | header           |
 *      +------------------+ lanes_offset
 *      | lanes            | one per reactor: two rings, in-flight counts
 *      +------------------+ drives_offset
 *      | drives           |
 *      +------------------+ pools_offset
 *      | pools            |
 *      +------------------+ volumes_offset
 *      | volumes          |
 *      +------------------+ rows_offset
 *      | rows             | HANDOFF_POOL_ROWS per pool, sparse
 *      +------------------+ arena_offset
 *      | arena            | buffers of metadata I/O
 *      +------------------+ table_offset
 *      | table            | 8 bytes per chunk of every volume, sparse
 *      +------------------+ total_bytes
 *
 * Each field has one writer: [F] the fast stack, [S] the slow stack.
 */
#ifndef VOLUME_HANDOFF_FORMAT_H
#define VOLUME_HANDOFF_FORMAT_H

#include "base/wire.h"

#include <stddef.h>

static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "the format is little-endian");

#define HANDOFF_MAGIC UINT64_C(0x464f444e41485743) /* "CWHANDOF" */
#define HANDOFF_VERSION 2u

#define HANDOFF_LANES 16u
#define HANDOFF_DRIVES 256u
#define HANDOFF_POOLS 16u
#define HANDOFF_VOLUMES 1024u
#define HANDOFF_POOL_ROWS (1u << 18)
#define HANDOFF_RING 1024u /* records; a power of two */
#define HANDOFF_NAME 64u   /* bytes, NUL included */
#define HANDOFF_WIDTH 16u  /* drives in a row, at most */
#define HANDOFF_NO_DRIVE 0xffffu

#define CHUNK_SHIFT 16u
#define CHUNK_BYTES (UINT64_C(1) << CHUNK_SHIFT)

/* -- the table ------------------------------------------------------------ */

/*
 * Where a chunk of a volume is:
 *
 *    63          48 47    40 39          18 17           0
 *   +--------------+--------+--------------+--------------+
 *   | valid 4 KiB  | state  | row          | index in row |
 *   +--------------+--------+--------------+--------------+
 *
 * The mask of valid 4 KiB blocks is all ones in version 2.  A hole is 0 and
 * reads as zeroes.  The slow stack alone writes entries, with one exception:
 * NEW becomes MAPPED by a store of the fast stack when the chunk's first
 * write is on the drives; until then the slow stack leaves the entry alone.
 */
#define ENTRY_INDEX_BITS 18u
#define ENTRY_ROW_BITS 22u
#define ENTRY_STATE_SHIFT 40u
#define ENTRY_VALID_ALL (UINT64_C(0xffff) << 48)

enum entry_state {
	ENTRY_HOLE = 0,   /* nothing allocated */
	ENTRY_MAPPED = 1, /* readable and writable */
	ENTRY_NEW = 2,    /* allocated, first write not finished: reads zero */
};

/* -- header --------------------------------------------------------------- */

struct handoff_header {
	uint64_t magic;          /*   0 [F] */
	uint32_t version;        /*   8 [F] */
	uint32_t n_lanes;        /*  12 [F] */
	uint64_t total_bytes;    /*  16 [F] and all offsets below */
	uint64_t lanes_offset;   /*  24 */
	uint64_t drives_offset;  /*  32 */
	uint64_t pools_offset;   /*  40 */
	uint64_t volumes_offset; /*  48 */
	uint64_t rows_offset;    /*  56 */
	uint64_t arena_offset;   /*  64 */
	uint64_t arena_bytes;    /*  72 */
	uint64_t table_offset;   /*  80 */
	uint64_t table_entries;  /*  88 */
	uint8_t pad0[96];        /*  96 */
	uint64_t generation;     /* 192 [F] starts of the slow stack so far */
	uint32_t slow_state;     /* 200 [S], cleared by [F] before a start */
	uint8_t pad1[52];        /* 204 */
	uint32_t slow_sleeping;  /* 256 [S] sets, [F] clears and wakes */
	uint8_t pad2[3836];      /* 260 */
};
static_assert(sizeof(struct handoff_header) == 4096, "header is a page");
static_assert(offsetof(struct handoff_header, generation) == 192, "own line");
static_assert(offsetof(struct handoff_header, slow_sleeping) == 256, "line");

enum handoff_slow_state {
	HANDOFF_DETACHED = 0, /* not there, or not yet looking */
	HANDOFF_LOADING = 1,  /* attached, rebuilding its state */
	HANDOFF_SERVING = 2,  /* answers hand-offs */
};

/* -- records -------------------------------------------------------------- */

enum handoff_request_kind {
	HANDOFF_MISS = 1,    /* write to a hole: allocate */
	HANDOFF_DISCARD = 2, /* release the whole chunk at `address` */
	HANDOFF_BARRIER = 3, /* make data and mappings of `volume` durable */
	HANDOFF_DRIVE_ERROR = 4, /* `drive` failed a write or has gone */
	HANDOFF_NO_VOLUME = 5,   /* the volume is not there (any more) */
	HANDOFF_META_DONE = 6, /* answer to HANDOFF_META_IO; reason = status */
	HANDOFF_REQUEST_KINDS
};

enum handoff_pipeline {
	HANDOFF_PROTOCOL = 1,
	HANDOFF_THIN = 2,
	HANDOFF_RAID = 3,
	HANDOFF_DRIVE = 4,
};

/* Fast to slow. */
struct handoff_request {
	uint64_t tag;         /*  0 names the hand-off; comes back unchanged */
	uint8_t kind;         /*  8 */
	uint8_t pipeline;     /*  9 whose operation it is: gets the answer */
	uint8_t opcode;       /* 10 enum block_op */
	uint8_t reason;       /* 11 enum handoff_status: what went wrong */
	uint16_t stage;       /* 12 step of the pipeline, for traces */
	uint16_t drive;       /* 14 slot, or HANDOFF_NO_DRIVE */
	uint32_t volume;      /* 16 slot */
	uint32_t generation;  /* 20 of the volume's slot */
	uint64_t address;     /* 24 bytes from the volume's start */
	uint64_t length;      /* 32 bytes */
	uint64_t buffer;      /* 40 the fast stack's own; never followed */
	uint64_t deadline_ns; /* 48 CLOCK_MONOTONIC */
	uint32_t client;      /* 56 */
	uint32_t command;     /* 60 */
};
static_assert(sizeof(struct handoff_request) == 64, "one cache line");

enum handoff_reply_kind {
	HANDOFF_RESUME = 1,   /* go on with `entry`; look the table up again */
	HANDOFF_COMPLETE = 2, /* finished with `status` */
	HANDOFF_META_IO = 3,  /* do this I/O for the slow stack */
	HANDOFF_REPLY_KINDS
};

enum handoff_status {
	HANDOFF_OK = 0,
	HANDOFF_NO_SPACE = 1,
	HANDOFF_IO_ERROR = 2,
	HANDOFF_GONE = 3,    /* no such volume or drive (any more) */
	HANDOFF_INVALID = 4, /* the record makes no sense */
	HANDOFF_TIMED_OUT = 5,
	HANDOFF_STATUSES
};

/* Slow to fast. */
struct handoff_reply {
	uint64_t tag;    /*  0 of the request; META_IO: the slow stack's own */
	uint8_t kind;    /*  8 */
	uint8_t opcode;  /*  9 META_IO: enum block_op */
	uint16_t status; /* 10 COMPLETE: enum handoff_status */
	uint16_t drive;  /* 12 META_IO: slot */
	uint16_t flags;  /* 14 META_IO: BLOCK_FUA */
	uint64_t entry;  /* 16 RESUME */
	uint64_t offset; /* 24 META_IO: bytes from the drive's start */
	uint64_t length; /* 32 META_IO: bytes; at most HANDOFF_META_BYTES */
	uint64_t arena;  /* 40 META_IO: offset of the buffer in the arena */
	uint64_t pad[2]; /* 48 */
};
static_assert(sizeof(struct handoff_reply) == 64, "one cache line");

#define HANDOFF_META_BYTES (UINT64_C(1) << 20)
/* META_IO in flight, at most; all on lane 0. */
#define HANDOFF_META_DEPTH 256u

/* -- lanes ---------------------------------------------------------------- */

/*
 * A discard is carried out or given up, never both.  claims[tag % 512] is
 * (tag / 512) << 2 | state.  F stores OPEN before it sends; S makes that TAKEN
 * before it clears the entry, F makes it GIVEN_UP when the deadline passes,
 * both by compare and exchange.  What is taken will be answered.
 */
#define HANDOFF_CLAIMS 512u

enum handoff_claim {
	HANDOFF_CLAIM_OPEN = 1,
	HANDOFF_CLAIM_TAKEN = 2,
	HANDOFF_CLAIM_GIVEN_UP = 3,
};

/* Indices run freely; slot = index % HANDOFF_RING; full at head - tail ==
 * HANDOFF_RING. */
struct handoff_ring {
	uint64_t head; /*   0 producer */
	uint8_t pad0[56];
	uint64_t tail; /*  64 consumer */
	uint8_t pad1[56];
};
static_assert(sizeof(struct handoff_ring) == 128, "two cache lines");

/*
 * inflight[p][e & 1] counts the operations of this lane that looked the table
 * up, for a volume of pool p, while the pool's epoch of readers was e.  The
 * slow stack reuses a chunk that it has unmapped only after it has advanced
 * that epoch twice and each time seen the counts of the epoch it left fall to
 * 0 on every lane.
 */
struct handoff_lane {
	uint64_t inflight[HANDOFF_POOLS][2]; /*   0 [F] */
	uint32_t fast_sleeping; /* 256 [F] sets, [S] clears and wakes */
	uint8_t pad0[60];
	struct handoff_ring to_slow;                   /* 320 */
	struct handoff_ring to_fast;                   /* 448 */
	uint32_t claims[HANDOFF_CLAIMS];               /* 576 [F], [S] */
	uint8_t pad1[1472];                            /* 2624 */
	struct handoff_request requests[HANDOFF_RING]; /* 4096 */
	struct handoff_reply replies[HANDOFF_RING];    /* 69632 */
};
static_assert(sizeof(struct handoff_lane) == 4096 + 2 * 65536, "33 pages");

/* -- objects -------------------------------------------------------------- */

enum handoff_drive_role {
	HANDOFF_UNUSED = 0, /* in no pool */
	HANDOFF_ONLINE = 1, /* a member: read and write it */
	HANDOFF_FAILED = 2, /* out of its pool until it is replaced */
};

struct handoff_drive {
	uint32_t present;      /*  0 [F] 1: open; the slow stack may use it */
	uint32_t role;         /*  4 [S] enum handoff_drive_role */
	uint64_t size;         /*  8 [F] bytes */
	uint32_t grain;        /* 16 [F] bytes */
	uint32_t opens;        /* 20 [F] bumped each time the slot is filled */
	uint16_t pool;         /* 24 [S] slot; valid unless UNUSED */
	uint16_t index;        /* 26 [S] number in its pool */
	uint32_t pad0;         /* 28 */
	uint64_t read_errors;  /* 32 [F] */
	uint64_t write_errors; /* 40 [F] */
	uint8_t pad1[16];      /* 48 */
	char name[HANDOFF_NAME]; /* 64 [F] */
};
static_assert(sizeof(struct handoff_drive) == 128, "two cache lines");

enum handoff_pool_state {
	HANDOFF_POOL_FREE = 0,     /* no pool in this slot */
	HANDOFF_POOL_ONLINE = 1,   /* every drive is there */
	HANDOFF_POOL_DEGRADED = 2, /* works with drives failed or missing */
	HANDOFF_POOL_OFFLINE = 3,  /* too few drives: no I/O */
};

struct handoff_pool {
	uint32_t state;          /*   0 [S] */
	uint32_t n_drives;       /*   4 [S] */
	uint64_t capacity_bytes; /*   8 [S] raw bytes for extents */
	uint64_t used_bytes;     /*  16 [S] raw bytes of allocated chunks */
	uint64_t extent_bytes;   /*  24 [S] */
	uint64_t epoch;          /*  32 [S] of the newest checkpoint */
	uint64_t commits;        /*  40 [S] */
	uint64_t replay_ns;      /*  48 [S] how long the last recovery took */
	uint8_t pad0[8];         /*  56 */
	uint8_t uuid[16];        /*  64 [S] */
	uint8_t pad1[48];        /*  80 */
	char name[HANDOFF_NAME]; /* 128 [S] */
	uint64_t readers;        /* 192 [S] epoch: see lane.inflight */
	uint8_t pad2[56];        /* 200 */
};
static_assert(sizeof(struct handoff_pool) == 256, "four cache lines");
static_assert(offsetof(struct handoff_pool, readers) == 192, "own line");

enum handoff_volume_state {
	HANDOFF_VOLUME_FREE = 0,
	HANDOFF_VOLUME_ACTIVE = 1,
	HANDOFF_VOLUME_OFFLINE = 2,  /* its pool is */
	HANDOFF_VOLUME_DELETING = 3, /* refuses I/O; chunks being released */
};

struct handoff_volume {
	uint32_t state;      /*   0 [S] stored last with release */
	uint32_t generation; /*   4 [S] bumped each time the slot is filled */
	uint64_t size;       /*   8 [S] bytes */
	uint64_t table_base; /*  16 [S] entry of chunk 0 */
	uint32_t row_base;   /*  24 [S] first row of its pool */
	uint16_t pool;       /*  28 [S] slot */
	uint8_t profile;     /*  30 [S] enum raid_profile */
	uint8_t pad0;        /*  31 */
	uint64_t id;         /*  32 [S] in the pool; never used twice */
	uint8_t uuid[16];    /*  40 [S] */
	uint64_t allocated;  /*  56 [S] chunks */
	char name[HANDOFF_NAME]; /*  64 [S] without the pool's */
	uint64_t changes;        /* 128 [S] entries installed and cleared */
	uint8_t pad1[56];        /* 136 */
	uint64_t committed;      /* 192 [S] of those, durable */
	uint8_t pad2[56];        /* 200 */
};
static_assert(sizeof(struct handoff_volume) == 256, "four cache lines");

/*
 * A row: one extent from each of `width` drives.  Strip k of chunk i lies on
 * some member m (volume/geometry.h) at
 *     data_start + extent[m] * extent_bytes + (i << strip_shift).
 */
struct handoff_row {
	uint32_t state;        /*  0 [S] 1: live; stored last with release */
	uint8_t profile;       /*  4 [S] enum raid_profile */
	uint8_t width;         /*  5 [S] members */
	uint8_t data;          /*  6 [S] data strips in a chunk */
	uint8_t strip_shift;   /*  7 [S] log2 of a strip's bytes */
	uint64_t extent_bytes; /*  8 [S] */
	uint64_t data_start;   /* 16 [S] bytes */
	uint64_t pad0;         /* 24 */
	uint16_t drive[HANDOFF_WIDTH];  /* 32 [S] slot or HANDOFF_NO_DRIVE */
	uint32_t extent[HANDOFF_WIDTH]; /* 64 [S] */
};
static_assert(sizeof(struct handoff_row) == 128, "two cache lines");

#endif /* VOLUME_HANDOFF_FORMAT_H */
