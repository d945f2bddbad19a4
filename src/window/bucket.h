/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/bucket - a bucket of tokens: so much per second, so much at once.
 *
 * Whoever finds it ready may take more than there is and leaves a debt, which
 * the rate pays off before it is ready again; so the mean over time is the
 * rate, whatever the size of what is taken.
 */
#ifndef WINDOW_BUCKET_H
#define WINDOW_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	double per_ns; /* 0: no limit */
	double burst;
	double level; /* below 0: debt */
	uint64_t filled_ns;
};

/* per_s 0: no limit.  It begins full. */
void bucket_init(struct bucket *b, uint64_t per_s, uint64_t burst,
                 uint64_t now_ns);
bool bucket_ready(struct bucket *b, uint64_t now_ns);
void bucket_take(struct bucket *b, uint64_t amount);

#endif /* WINDOW_BUCKET_H */
