/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/fault_priv.h"

#include "base/base.h"

#include <assert.h>
#include <string.h>

static void apply(struct fault_store *to, const struct fault_entry *en)
{
	fault_store_write(to, en->offset, en->length, en->data);
}

/* -- the log -------------------------------------------------------------- */

/* Take the first `n` entries off. */
static void forget(struct fault *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		f->log_bytes -= f->log[i].length;
		free(f->log[i].data);
	}
	f->n_log -= n;
	f->log_base += n;
	memmove(f->log, f->log + n, f->n_log * sizeof(*f->log));
}

void fault_log_flush(struct fault *f, uint64_t end)
{
	unsigned n = end > f->log_base ? (unsigned)(end - f->log_base) : 0;

	assert(n <= f->n_log);
	for (unsigned i = 0; i < n; i++)
		apply(&f->medium, &f->log[i]);
	if (n > 0)
		forget(f, n);
}

void fault_log_clear(struct fault *f)
{
	if (f->n_log > 0)
		forget(f, f->n_log);
	free(f->log);
	f->log = NULL;
	f->log_room = 0;
}

static struct fault_entry *append(struct fault *f)
{
	if (f->n_log == f->log_room) {
		f->log_room = f->log_room ? f->log_room * 2 : 16;
		f->log = realloc(f->log, f->log_room * sizeof(*f->log));
		assert(f->log);
	}
	return &f->log[f->n_log++];
}

static uint8_t *copy_data(const struct block_request *q)
{
	uint8_t *data;

	if (q->op != BLOCK_WRITE)
		return NULL;
	data = malloc(q->length);
	assert(data);
	iov_to_buffer(q->iov, q->iov_count, data);
	return data;
}

void fault_log_part(struct fault *f, const struct block_request *q,
                    uint64_t keep, uint64_t shift)
{
	uint64_t offset = q->offset + shift / BLOCK_SECTOR * BLOCK_SECTOR;
	struct fault_entry *en;

	keep = keep < q->length ? keep / BLOCK_SECTOR * BLOCK_SECTOR
	                        : q->length;
	if (offset < q->offset || offset >= f->dev.size)
		return;
	if (keep > f->dev.size - offset)
		keep = f->dev.size - offset;
	if (keep == 0)
		return;
	while (f->n_log > 0 && f->log_bytes + keep > FAULT_CACHE_MAX)
		fault_log_flush(f, f->log_base + 1);
	en = append(f);
	en->offset = offset;
	en->length = keep;
	/* What fails promises nothing. */
	en->durable = (q->flags & BLOCK_FUA) && keep == q->length;
	en->data = copy_data(q);
	f->log_bytes += keep;
	apply(&f->cache, en);
}

void fault_log_request(struct fault *f, const struct block_request *q)
{
	fault_log_part(f, q, q->length, 0);
}

/* -- power cuts ----------------------------------------------------------- */

/* How a cut treats the writes, so that no outcome is too rare to be seen. */
struct dice {
	uint64_t random;
	unsigned of_8;      /* chance to be kept */
	uint64_t kept_from; /* these numbers are kept in any case, ... */
	uint64_t kept_to;
	uint64_t lost;      /* ... and this one is not */
	unsigned torn_of_8; /* chance of a kept one to be torn */
};

static struct dice throw_dice(uint64_t seed, uint64_t first, uint64_t end)
{
	enum { NONE, OLDEST, ONE, ALL_BUT_ONE, FEW, HALF, HALF_TOO, MOST, N };
	static const unsigned chances[N] = { [ALL_BUT_ONE] = 8,
		                             [FEW] = 1,
		                             [HALF] = 4,
		                             [HALF_TOO] = 4,
		                             [MOST] = 7 };
	struct dice d = { .random = seed, .lost = UINT64_MAX };
	uint64_t kind = fault_random(&d.random) % N;
	uint64_t one = first + fault_random(&d.random) % (end - first + 1);

	d.of_8 = chances[kind];
	if (kind == OLDEST)
		d.kept_to = one;
	if (kind == ONE) {
		d.kept_from = one;
		d.kept_to = one + 1;
	}
	if (kind == ALL_BUT_ONE) /* or all: `one` may be the end */
		d.lost = one;
	d.torn_of_8 = (unsigned)(fault_random(&d.random) % 4) * 2;
	return d;
}

static bool is_kept(struct dice *d, uint64_t n)
{
	if (n >= d->kept_from && n < d->kept_to)
		return true;
	return fault_random(&d->random) % 8 < d->of_8 && n != d->lost;
}

/* Any of the sectors, or the beginning, or the end. */
static void apply_torn(struct fault_store *to, const struct fault_entry *en,
                       struct dice *d)
{
	uint64_t sectors = en->length / BLOCK_SECTOR;
	uint64_t cut = fault_random(&d->random) % sectors;
	uint64_t kind = fault_random(&d->random) % 3;

	for (uint64_t s = 0; s < sectors; s++) {
		struct fault_entry one = *en;

		if ((kind == 0 && s >= cut) || (kind == 1 && s <= cut) ||
		    (kind == 2 && fault_random(&d->random) % 2))
			continue;
		one.offset += s * BLOCK_SECTOR;
		one.length = BLOCK_SECTOR;
		if (one.data)
			one.data += s * BLOCK_SECTOR;
		apply(to, &one);
	}
}

static void suffer(struct fault_store *to, const struct fault_entry *en,
                   struct dice *d, uint64_t n)
{
	if (en->durable)
		apply(to, en);
	else if (!is_kept(d, n))
		return;
	else if (fault_random(&d->random) % 8 < d->torn_of_8)
		apply_torn(to, en, d);
	else
		apply(to, en);
}

/* Not yet done, so not durable, whatever its flags. */
static void suffer_in_flight(struct fault_store *to,
                             const struct block_request *q, struct dice *d,
                             uint64_t n)
{
	struct fault_entry en = { .offset = q->offset, .length = q->length };

	en.data = copy_data(q);
	suffer(to, &en, d, n);
	free(en.data);
}

/*
 * In the order of completion: with writes lost and torn at will, another
 * order would give no sector a value that it cannot have so.
 */
void fault_log_crash(const struct fault *f, struct fault_store *to,
                     uint64_t seed)
{
	struct dice d = throw_dice(seed, f->log_base,
	                           f->log_base + f->n_log + f->n_calls);
	uint64_t n = f->log_base;

	for (unsigned i = 0; i < f->n_log; i++)
		suffer(to, &f->log[i], &d, n++);
	for (const struct fault_call *c = f->first; c; c = c->next) {
		if (fault_is_change(c))
			suffer_in_flight(to, c->q, &d, n);
		n++;
	}
}
