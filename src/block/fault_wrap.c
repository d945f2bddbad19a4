/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/fault_wrap.h"

#include "base/base.h"
#include "block/fault_priv.h"
#include "block/finish.h"
#include "core/reactor.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define OP(o) (1u << (o))

static const unsigned ops_of[] = {
	[FAULT_WRAP_ERROR] = ~0u,
	[FAULT_WRAP_DELAY] = ~0u,
	[FAULT_WRAP_TORN] = OP(BLOCK_WRITE) | OP(BLOCK_WRITE_ZEROES),
	[FAULT_WRAP_LOST] = OP(BLOCK_WRITE) | OP(BLOCK_WRITE_ZEROES) |
	                    OP(BLOCK_DISCARD) | OP(BLOCK_FLUSH),
	[FAULT_WRAP_MISDIRECT] = OP(BLOCK_READ) | OP(BLOCK_WRITE),
};

struct wrap_rule {
	struct fault_wrap_rule r;
	uint64_t seen;
	uint64_t hits;
};

struct fault_wrap {
	struct block_device dev;
	struct block_device *lower;
	atomic_bool pulled;
	atomic_uint n_rules; /* read without the lock: 0 is the fast path */
	pthread_mutex_t lock;
	uint64_t random; /* under the lock, as the rules */
	struct wrap_rule rules[FAULT_WRAP_RULES];
};

/* What is to happen to a request. */
struct wrap_verdict {
	bool hit; /* by more than a delay */
	enum fault_wrap_kind kind;
	int err;
	uint64_t delay_ns;
	uint64_t random;
};

struct wrap_call {
	struct block_request lower;
	struct block_request *q;
	struct fault_wrap *f;
	struct wrap_verdict v;
	struct timer timer;
	uint64_t at;  /* torn: how far */
	uint64_t end; /* torn: where it ends */
	struct iovec *iov;
};

static struct fault_wrap *wrap_of(struct block_device *dev)
{
	return container_of(dev, struct fault_wrap, dev);
}

/* -- rules ---------------------------------------------------------------- */

static bool names(const struct fault_wrap_rule *r,
                  const struct block_request *q)
{
	unsigned op = OP(q->op);

	if (!(ops_of[r->kind] & op) || (r->ops && !(r->ops & op)))
		return false;
	return r->length == 0 || q->op == BLOCK_FLUSH ||
	       (q->offset < r->offset + r->length &&
	        r->offset < q->offset + q->length);
}

static bool strikes(struct fault_wrap *f, struct wrap_rule *rule)
{
	const struct fault_wrap_rule *r = &rule->r;

	if (rule->seen++ < r->skip || (r->count && rule->hits >= r->count))
		return false;
	if (r->per_million &&
	    fault_random(&f->random) % 1000000 >= r->per_million)
		return false;
	rule->hits++;
	return true;
}

static struct wrap_verdict judge(struct fault_wrap *f,
                                 const struct block_request *q)
{
	struct wrap_verdict v = { 0 };

	if (atomic_load(&f->n_rules) == 0)
		return v;
	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < f->n_rules && !v.hit; i++) {
		const struct fault_wrap_rule *r = &f->rules[i].r;

		if (!names(r, q) || !strikes(f, &f->rules[i]))
			continue;
		if (r->kind == FAULT_WRAP_DELAY) {
			v.delay_ns += r->delay_ns;
			continue;
		}
		v.hit = true;
		v.kind = r->kind;
		v.err = r->err;
		v.random = fault_random(&f->random);
	}
	pthread_mutex_unlock(&f->lock);
	return v;
}

/* -- what goes wrong ------------------------------------------------------ */

static void end(struct wrap_call *c, int err, bool later)
{
	struct block_request *q = c->q;

	free(c->iov);
	free(c);
	if (later)
		block_finish(q, err);
	else
		q->done(q, err);
}

static void passed(struct block_request *lower, int err)
{
	end(container_of(lower, struct wrap_call, lower), err, false);
}

static void pass(struct wrap_call *c)
{
	c->lower.done = passed;
	block_submit(c->f->lower, &c->lower);
}

static void misdirect(struct wrap_call *c)
{
	const struct block_device *lower = c->f->lower;
	uint64_t places = (lower->size - c->lower.length) / lower->grain + 1;
	uint64_t place = c->v.random % places * lower->grain;

	if (place == c->lower.offset)
		place = place ? 0 : (places - 1) * lower->grain;
	c->lower.offset = place;
	pass(c);
}

static void tear_on(struct wrap_call *c, bool later);

static void torn_part_done(struct block_request *lower, int err)
{
	struct wrap_call *c = container_of(lower, struct wrap_call, lower);

	if (err)
		end(c, err, false);
	else
		tear_on(c, false);
}

/* Whether a torn write's unit at `at` reaches the medium: half of them, in a
 * beginning (`end` says how long) or here and there. */
static bool is_kept(const struct wrap_call *c, uint64_t at)
{
	uint64_t unit = c->v.random ^ at;

	return at < c->end && (c->v.random & 1 || fault_random(&unit) & 1);
}

/* Write the next run of units that are kept. */
static void tear_on(struct wrap_call *c, bool later)
{
	const struct block_request *q = c->q;
	uint32_t grain = c->f->lower->grain;
	uint64_t from;
	int n;

	while (c->at < q->length && !is_kept(c, c->at))
		c->at += grain;
	if (c->at == q->length) {
		end(c, c->v.err, later);
		return;
	}
	from = c->at;
	while (c->at < q->length && is_kept(c, c->at))
		c->at += grain;
	c->lower.offset = q->offset + from;
	c->lower.length = c->at - from;
	if (q->iov_count) {
		n = iov_slice(q->iov, q->iov_count, from, c->at - from, c->iov,
		              q->iov_count);
		assert(n > 0);
		c->lower.iov = c->iov;
		c->lower.iov_count = (unsigned)n;
	}
	c->lower.done = torn_part_done;
	block_submit(c->f->lower, &c->lower);
}

static void tear(struct wrap_call *c)
{
	const struct block_request *q = c->q;
	uint32_t grain = c->f->lower->grain;

	c->end = q->length;
	if (c->v.random & 1) /* a beginning: not even all but nothing */
		c->end = (c->v.random >> 1) % (q->length / grain) * grain;
	if (q->iov_count) {
		c->iov = calloc(q->iov_count, sizeof(*c->iov));
		if (!c->iov) {
			end(c, -ENOMEM, true);
			return;
		}
	}
	tear_on(c, true);
}

static void act(struct wrap_call *c)
{
	if (atomic_load(&c->f->pulled)) {
		end(c, -ENXIO, true);
		return;
	}
	if (!c->v.hit) {
		pass(c);
		return;
	}
	switch (c->v.kind) {
	case FAULT_WRAP_ERROR:
		end(c, c->v.err, true);
		return;
	case FAULT_WRAP_LOST:
		end(c, 0, true);
		return;
	case FAULT_WRAP_MISDIRECT:
		misdirect(c);
		return;
	case FAULT_WRAP_TORN:
		tear(c);
		return;
	case FAULT_WRAP_DELAY:
		break;
	}
	abort(); /* a delay is no verdict */
}

static void delay_over(struct timer *t)
{
	act(container_of(t, struct wrap_call, timer));
}

/* -- the device ----------------------------------------------------------- */

static void wrap_submit(struct block_device *dev, struct block_request *q)
{
	struct fault_wrap *f = wrap_of(dev);
	int err = atomic_load(&f->pulled) ? -ENXIO : block_check(dev, q);
	struct wrap_call *c;
	struct wrap_verdict v;

	if (err) {
		block_finish(q, err);
		return;
	}
	v = judge(f, q);
	if (!v.hit && !v.delay_ns) {
		block_submit(f->lower, q);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		block_finish(q, -ENOMEM);
		return;
	}
	c->lower = *q;
	c->q = q;
	c->f = f;
	c->v = v;
	c->timer.fire = delay_over;
	if (!v.delay_ns)
		act(c);
	else if (timer_start(reactor_current(), &c->timer, v.delay_ns))
		end(c, -ENOMEM, true);
}

static void wrap_close(struct block_device *dev)
{
	struct fault_wrap *f = wrap_of(dev);

	pthread_mutex_destroy(&f->lock);
	free(f);
}

static const struct block_ops wrap_ops = {
	.type = "fault",
	.submit = wrap_submit,
	.close = wrap_close,
};

int fault_wrap_create(struct block_device *lower, uint64_t seed,
                      struct block_device **out)
{
	struct fault_wrap *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->dev.ops = &wrap_ops;
	f->dev.size = lower->size;
	f->dev.grain = lower->grain;
	f->lower = lower;
	f->random = seed;
	pthread_mutex_init(&f->lock, NULL);
	*out = &f->dev;
	return 0;
}

unsigned fault_wrap_add(struct block_device *dev,
                        const struct fault_wrap_rule *rule)
{
	struct fault_wrap *f = wrap_of(dev);
	unsigned number;

	pthread_mutex_lock(&f->lock);
	number = atomic_load(&f->n_rules);
	assert(number < FAULT_WRAP_RULES);
	f->rules[number] = (struct wrap_rule){ .r = *rule };
	atomic_store(&f->n_rules, number + 1);
	pthread_mutex_unlock(&f->lock);
	return number;
}

void fault_wrap_clear(struct block_device *dev)
{
	struct fault_wrap *f = wrap_of(dev);

	pthread_mutex_lock(&f->lock);
	atomic_store(&f->n_rules, 0);
	pthread_mutex_unlock(&f->lock);
}

uint64_t fault_wrap_hits(struct block_device *dev, unsigned rule)
{
	struct fault_wrap *f = wrap_of(dev);
	uint64_t hits;

	pthread_mutex_lock(&f->lock);
	hits = f->rules[rule].hits;
	pthread_mutex_unlock(&f->lock);
	return hits;
}

void fault_wrap_pull(struct block_device *dev)
{
	atomic_store(&wrap_of(dev)->pulled, true);
}

void fault_wrap_plug(struct block_device *dev)
{
	atomic_store(&wrap_of(dev)->pulled, false);
}
