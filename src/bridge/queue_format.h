/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command queue, version 1: a memfd that the bridge makes and seals, shared
 * with one process.  Normative text: docs/bridge.md.  Little-endian, naturally
 * aligned; fields that both sides use are read and written as atomics.
 *
 *      +------------------+ 0
 *      | header           |
 *      +------------------+ commands_offset
 *      | commands         | a ring of `depth`, 128 bytes each
 *      +------------------+ completions_offset
 *      | completions      | one per slot, 16 bytes: status and the bit
 *      +------------------+ finished_offset
 *      | finished slots   | a ring of `depth` numbers, 4 bytes each
 *      +------------------+ errors_offset
 *      | error records    | a ring of 2 x `depth`, 32 bytes each
 *      +------------------+ total_bytes
 *
 * Each field has one writer: [C] the client, [B] the bridge, which trusts
 * nothing that it reads here and reads it once.  Positions (tails) count up
 * for ever and wrap at 2^32; an entry's place is the position modulo depth.
 *
 * A descriptor, one end of a socket pair, comes with the memory.  The client
 * sends a byte to wake the bridge, the bridge one after a completion that the
 * client armed for; more than one unread byte has no meaning.  (It is not an
 * eventfd: either side could make the other block in one.)
 *
 *      client                                bridge
 *      entry, then submit_tail (release)
 *      full barrier
 *      sleeping? send a byte                 sleeping = 1, full barrier,
 *                                            submit_tail moved? stay awake
 *      armed = 1, full barrier               completion, bit, finished entry,
 *      finished_tail moved? stay awake       finished_tail (release), barrier
 *                                            armed? armed = 0, send a byte
 */
#ifndef BRIDGE_QUEUE_FORMAT_H
#define BRIDGE_QUEUE_FORMAT_H

#include "base/wire.h"

#include <stddef.h>

static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "the format is little-endian");

#define QUEUE_MAGIC UINT64_C(0x3145554555515743) /* "CWQUEUE1" */
#define QUEUE_VERSION 1u
#define QUEUE_DEPTH_MAX 4096u

struct queue_header {
	uint64_t magic;              /*   0 [B] and all before submit_tail */
	uint32_t version;            /*   8 */
	uint32_t depth;              /*  12 a power of two */
	uint64_t total_bytes;        /*  16 */
	uint64_t commands_offset;    /*  24 */
	uint64_t completions_offset; /*  32 */
	uint64_t finished_offset;    /*  40 */
	uint64_t errors_offset;      /*  48 */
	uint8_t pad0[72];            /*  56 */
	uint32_t submit_tail;        /* 128 [C] */
	uint8_t pad1[60];            /* 132 */
	uint32_t sleeping;           /* 192 [B] */
	uint8_t pad2[60];            /* 196 */
	uint32_t finished_tail;      /* 256 [B] */
	uint32_t error_tail;         /* 260 [B] */
	uint64_t counter;            /* 264 [B] commands that ended well */
	uint32_t closed;             /* 272 [B] nothing is taken any more */
	uint8_t pad3[44];            /* 276 */
	uint32_t armed;              /* 320 [C] sets, [B] clears */
	uint8_t pad4[3772];          /* 324 */
};
static_assert(sizeof(struct queue_header) == 4096, "header is a page");
static_assert(offsetof(struct queue_header, submit_tail) == 128, "own line");
static_assert(offsetof(struct queue_header, sleeping) == 192, "own line");
static_assert(offsetof(struct queue_header, finished_tail) == 256, "own line");
static_assert(offsetof(struct queue_header, armed) == 320, "own line");

enum queue_opcode {
	QUEUE_READ = 1,  /* remote to local */
	QUEUE_WRITE = 2, /* local to remote */
	QUEUE_CAS = 3,   /* compare, operand */
	QUEUE_FAA = 4,   /* operand */
};

#define QUEUE_FENCE 1u   /* after all earlier writes of the queue */
#define QUEUE_ORDERED 2u /* after earlier ordered commands of its class */
#define QUEUE_BULK 4u    /* never delays commands without it */
#define QUEUE_FLAGS 7u

/* 0 to 12: enum fabric_status of fabric/op.h, docs/wire-fabric.md. */
#define QUEUE_OK 0u
#define QUEUE_INVALID 13u /* not a command */

enum queue_culprit {
	QUEUE_AT_COMMAND = 0,
	QUEUE_AT_LOCAL = 1,
	QUEUE_AT_REMOTE = 2,
};

struct queue_command {
	uint32_t opcode;        /*   0 */
	uint32_t flags;         /*   4 */
	uint64_t id;            /*   8 */
	uint8_t local[16];      /*  16 */
	uint8_t remote[16];     /*  32 */
	uint64_t local_offset;  /*  48 */
	uint64_t remote_offset; /*  56 */
	uint64_t length;        /*  64 */
	uint64_t operand;       /*  72 */
	uint64_t compare;       /*  80 */
	uint32_t slot;          /*  88 where its completion goes */
	uint8_t pad[36];        /*  92 zero */
};
static_assert(sizeof(struct queue_command) == 128, "two lines");

struct queue_completion {
	uint64_t result; /*  0 */
	uint32_t status; /*  8 */
	uint32_t done;   /* 12 the completion bit: 1; the client clears it
	                  *    before it uses the slot again */
};
static_assert(sizeof(struct queue_completion) == 16, "completion");

struct queue_error {
	uint64_t id;      /*  0 */
	uint32_t status;  /*  8 */
	uint32_t culprit; /* 12 */
	uint8_t key[16];  /* 16 */
};
static_assert(sizeof(struct queue_error) == 32, "error record");

/* -- where the bridge puts them; the client goes by the header ------------ */

static inline uint64_t queue_commands_offset(uint32_t depth)
{
	(void)depth;
	return sizeof(struct queue_header);
}

static inline uint64_t queue_completions_offset(uint32_t depth)
{
	return queue_commands_offset(depth) +
	       (uint64_t)depth * sizeof(struct queue_command);
}

static inline uint64_t queue_finished_offset(uint32_t depth)
{
	return queue_completions_offset(depth) +
	       (uint64_t)depth * sizeof(struct queue_completion);
}

static inline uint64_t queue_errors_offset(uint32_t depth)
{
	return queue_finished_offset(depth) +
	       (((uint64_t)depth * sizeof(uint32_t) + 63) & ~UINT64_C(63));
}

/* A record that is being written over is not one of the last `depth`. */
static inline uint32_t queue_errors(uint32_t depth)
{
	return 2 * depth;
}

static inline uint64_t queue_total_bytes(uint32_t depth)
{
	return queue_errors_offset(depth) +
	       (uint64_t)queue_errors(depth) * sizeof(struct queue_error);
}

#endif /* BRIDGE_QUEUE_FORMAT_H */
