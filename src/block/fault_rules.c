/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/fault_priv.h"

#include "base/base.h"

#include <errno.h>

#define OP(o) (1u << (o))
#define WRITES (OP(BLOCK_WRITE) | OP(BLOCK_WRITE_ZEROES))

static const unsigned ops_of[] = {
	[FAULT_EIO] = ~0u,
	[FAULT_LATE] = ~0u,
	[FAULT_LOST] = WRITES | OP(BLOCK_DISCARD) | OP(BLOCK_FLUSH),
	[FAULT_MISDIRECTED] = WRITES,
	[FAULT_TORN] = WRITES,
	[FAULT_ROT] = OP(BLOCK_READ),
};

int fault_rule(struct block_device *dev, enum fault_kind kind, enum block_op op,
               uint64_t offset, uint64_t length, unsigned skip, unsigned count,
               uint64_t argument)
{
	struct fault *f = container_of(dev, struct fault, dev);

	if ((unsigned)kind >= ARRAY_LEN(ops_of) || (unsigned)op >= BLOCK_OPS ||
	    !(ops_of[kind] & OP(op)))
		return -EINVAL;
	if (f->n_rules == FAULT_RULES)
		return -ENOSPC;
	f->rules[f->n_rules++] =
		(struct fault_active_rule){ kind, op,    offset,  length,
		                            skip, count, argument };
	return 0;
}

void fault_clear_rules(struct block_device *dev)
{
	container_of(dev, struct fault, dev)->n_rules = 0;
}

/* Neither range wraps in what it covers: the request is inside the device,
 * and the rule's may end anywhere. */
static bool fits(const struct fault_active_rule *r,
                 const struct block_request *q)
{
	if (r->op != q->op || r->count == 0)
		return false;
	if (q->op == BLOCK_FLUSH)
		return true;
	return r->offset < q->offset + q->length &&
	       (q->offset < r->offset || q->offset - r->offset < r->length);
}

struct fault_verdict fault_judge(struct fault *f, const struct block_request *q)
{
	struct fault_verdict v = { 0 };

	for (unsigned i = 0; i < f->n_rules; i++) {
		struct fault_active_rule *r = &f->rules[i];

		if (!fits(r, q))
			continue;
		if (r->skip > 0) {
			r->skip--;
			return v;
		}
		r->count--;
		v.hit = true;
		v.kind = r->kind;
		v.argument = r->argument;
		return v;
	}
	return v;
}
