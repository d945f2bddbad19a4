/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/bucket.h"

#include "base/clock.h"

void bucket_init(struct bucket *b, uint64_t per_s, uint64_t burst,
                 uint64_t now_ns)
{
	*b = (struct bucket){ .per_ns = (double)per_s / (double)NS_PER_S,
		              .burst = (double)burst,
		              .level = (double)burst,
		              .filled_ns = now_ns };
}

bool bucket_ready(struct bucket *b, uint64_t now_ns)
{
	if (b->per_ns == 0)
		return true;
	if (now_ns > b->filled_ns) {
		b->level += (double)(now_ns - b->filled_ns) * b->per_ns;
		b->filled_ns = now_ns;
	}
	if (b->level > b->burst)
		b->level = b->burst;
	return b->level >= 1;
}

void bucket_take(struct bucket *b, uint64_t amount)
{
	if (b->per_ns != 0)
		b->level -= (double)amount;
}
