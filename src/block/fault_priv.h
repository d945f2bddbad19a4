/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCK_FAULT_PRIV_H
#define BLOCK_FAULT_PRIV_H

#include "block/fault.h"
#include "block/fault_store_priv.h"
#include "core/task.h"

#include <stdbool.h>

/* A change that is not durable yet. */
struct fault_entry {
	uint64_t offset;
	uint64_t length;
	bool durable;  /* FUA: no power cut takes it away */
	uint8_t *data; /* NULL: zeroes */
};

struct fault_active_rule {
	enum fault_kind kind;
	enum block_op op;
	uint64_t offset;
	uint64_t length;
	unsigned skip;
	unsigned count;
	uint64_t argument;
};

/* What goes wrong with a request; `hit` false: nothing. */
struct fault_verdict {
	bool hit;
	enum fault_kind kind;
	uint64_t argument;
};

/* A request in flight. */
struct fault_call {
	struct fault_call *next;
	struct block_request *q;
	int err;          /* known before it ends */
	uint64_t due;     /* round */
	uint64_t log_end; /* flush: log_base + n_log at its submission */
	struct fault_verdict verdict;
};

struct fault {
	struct block_device dev;
	uint64_t random;
	unsigned delay;
	bool off;

	struct fault_store medium;
	struct fault_store cache; /* with all that the log holds: the newest */

	/* Entries in the order of completion; the first has number log_base,
	 * and numbers never come again. */
	struct fault_entry *log;
	unsigned n_log;
	unsigned log_room;
	uint64_t log_base;
	uint64_t log_bytes;

	struct fault_call *first; /* in flight */
	struct fault_call **last;
	unsigned n_calls;
	struct fault_call *unused;
	uint64_t round;
	struct task task;
	bool task_is_due;

	struct fault_active_rule rules[FAULT_RULES];
	unsigned n_rules;
};

/* splitmix64: any seed will do, also 0. */
static inline uint64_t fault_random(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* fault_rules.c */
struct fault_verdict fault_judge(struct fault *f,
                                 const struct block_request *q);

/* fault_log.c: the cache.  Whether `c` will change something when it ends: */
static inline bool fault_is_change(const struct fault_call *c)
{
	return (c->q->op == BLOCK_WRITE || c->q->op == BLOCK_WRITE_ZEROES ||
	        c->q->op == BLOCK_DISCARD) &&
	       !c->err && (!c->verdict.hit || c->verdict.kind == FAULT_LATE);
}
void fault_log_request(struct fault *f, const struct block_request *q);
/* The first `keep` bytes of it, `shift` bytes further on; whole sectors. */
void fault_log_part(struct fault *f, const struct block_request *q,
                    uint64_t keep, uint64_t shift);
void fault_log_flush(struct fault *f, uint64_t end); /* make durable */
void fault_log_clear(struct fault *f);
/* Write what a power cut leaves to `to`, which holds the medium. */
void fault_log_crash(const struct fault *f, struct fault_store *to,
                     uint64_t seed);

#endif /* BLOCK_FAULT_PRIV_H */
