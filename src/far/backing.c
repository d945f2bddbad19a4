/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/backing.h"

#include "base/base.h"
#include "core/reactor.h"
#include "far/donor.h"
#include "far/store.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_DOMAIN UINT_MAX
#define RETRY_NS (5 * NS_PER_S)
#define MIB(bytes) ((bytes) >> 20)

struct backing;

/* One of the names that its user gave. */
struct source {
	struct backing *backing;
	char *name;
	unsigned domain; /* the same for all names of one node */
	bool is_lender;  /* a node, not a window */
	bool was_asked;  /* for what is wanted now */
	bool has_lied;   /* its node: it is asked for nothing more */
};

/* Memory of a source that the store has, or had. */
struct piece {
	struct backing *backing;
	struct source *source;
	struct block_device *dev; /* NULL: it is out, or has left */
	uint64_t size;
	unsigned index; /* in the store */
};

struct backing {
	struct block_device dev;
	struct backing_opts opts; /* with a copy of the socket's path */
	struct block_device *store;
	struct source source[STORE_DONORS_MAX];
	unsigned n_sources;
	unsigned n_domains;                    /* they are 0 to n_domains - 1 */
	struct piece *piece[STORE_DONORS_MAX]; /* by index */
	/* asking for more */
	struct reach_attempt attempt;
	struct source *asked;
	uint64_t asking_bytes;
	uint64_t wanted;  /* bytes; 0: nothing */
	uint64_t useless; /* bits: domains that are no good for it */
	bool is_alone;    /* it was said that nobody has room */
	struct timer retry;
	bool is_ending;
};

__attribute__((format(printf, 2, 3))) static void say(const struct backing *b,
                                                      const char *fmt, ...)
{
	char words[512];
	va_list ap;

	if (!b->opts.say || b->is_ending)
		return;
	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	b->opts.say(b->opts.ctx, words);
}

/* -- how often ------------------------------------------------------------- */

/* Where more nodes are named, one is left to take a lost part. */
static unsigned data_members(const struct backing *b)
{
	if (!b->opts.raid5)
		return 1;
	return b->n_domains >= 10 ? 8 : b->n_domains >= 6 ? 4 : 2;
}

static unsigned members(const struct backing *b)
{
	return b->opts.raid5 ? data_members(b) + 1 : b->opts.copies;
}

/* -- donors ---------------------------------------------------------------- */

static void donor_gone(void *ctx, int err)
{
	struct piece *p = ctx;

	store_lose(p->backing->store, p->index, err);
}

static void donor_recalled(void *ctx, unsigned left_ms)
{
	struct piece *p = ctx;

	say(p->backing,
	    "donor %s takes back %" PRIu64 " MiB in %u s: they move first",
	    p->source->name, MIB(p->size), left_ms / 1000);
	store_leave(p->backing->store, p->index);
}

static unsigned deadline(const struct backing *b, bool is_alone)
{
	if (b->opts.deadline_ms)
		return b->opts.deadline_ms;
	return is_alone ? DONOR_ALONE_MS : DONOR_DEADLINE_MS;
}

static struct donor_opts donor_opts_of(struct backing *b, struct source *s,
                                       uint64_t length)
{
	return (struct donor_opts){
		.reactor = b->opts.reactor,
		.socket = b->opts.socket,
		.name = s->name,
		.length = length,
		.deadline_ms = deadline(b, members(b) == 1),
		.gone = donor_gone,
		.recalled = donor_recalled,
	};
}

/* What is reached becomes a device; the piece has no index yet. */
static int make_piece(struct backing *b, struct source *s, struct reach *reach,
                      struct piece **out, struct block_device **dev,
                      struct err *e)
{
	struct donor_opts o = donor_opts_of(b, s, 0);
	struct piece *p = calloc(1, sizeof(*p));
	int err;

	if (!p) {
		reach_close(reach);
		return err_set(e, -ENOMEM, "no memory for donor %s", s->name);
	}
	o.ctx = p;
	err = donor_open(&o, reach, dev, e);
	if (err) {
		free(p);
		return err;
	}
	*p = (struct piece){
		.backing = b, .source = s, .dev = *dev, .size = (*dev)->size
	};
	*out = p;
	return 0;
}

/* The one that had this number before is closed. */
static void keep_piece(struct backing *b, struct piece *p, unsigned index)
{
	free(b->piece[index]);
	b->piece[index] = p;
	p->index = index;
}

/*
 * Whoever is silent longer is taken for dead, unless nobody else has what it
 * has: when all are silent it is rather this host that is slow.
 */
static void set_deadlines(struct backing *b, bool is_alone)
{
	for (unsigned i = 0; i < STORE_DONORS_MAX; i++)
		if (b->piece[i] && b->piece[i]->dev)
			donor_set_deadline(b->piece[i]->dev,
			                   deadline(b, is_alone));
}

/* -- more room ------------------------------------------------------------- */

static void ask_next(struct backing *b);

static void add(struct backing *b)
{
	struct source *s = b->asked;
	struct block_device *dev;
	struct piece *p;
	int index;

	if (make_piece(b, s, &b->attempt.reach, &p, &dev, NULL)) {
		ask_next(b);
		return;
	}
	say(b, "donor %s lends %" PRIu64 " MiB more", s->name, MIB(dev->size));
	b->is_alone = false;
	b->wanted = 0;
	index = store_add(b->store, dev, s->domain, false);
	if (index < 0)
		free(p);
	else
		keep_piece(b, p, (unsigned)index);
}

static bool ask(struct backing *b, struct source *s, uint64_t bytes)
{
	const struct donor_opts o = donor_opts_of(b, s, bytes);
	const struct reach_spec spec = donor_reach(&o);

	b->asked = s;
	b->asking_bytes = bytes;
	return reach_start(&b->attempt, b->opts.reactor, &spec) == 0;
}

static void answered(struct reach_attempt *a)
{
	struct backing *b = container_of(a, struct backing, attempt);
	uint64_t less = a->free / STORE_EXTENT * STORE_EXTENT;

	if (b->is_ending)
		reach_close(&a->reach);
	else if (!a->err)
		add(b);
	else if (a->err != -ENOSPC || less == 0 || less >= b->asking_bytes ||
	         !ask(b, b->asked, less))
		ask_next(b);
}

static void ask_next(struct backing *b)
{
	for (unsigned i = 0; i < b->n_sources; i++) {
		struct source *s = &b->source[i];

		if (s->was_asked || s->has_lied || !s->is_lender ||
		    b->useless & store_domain_bit(s->domain))
			continue;
		s->was_asked = true;
		if (ask(b, s, b->wanted))
			return;
	}
	if (!b->is_alone)
		say(b, "no other donor has room for %" PRIu64 " MiB%s",
		    MIB(b->wanted),
		    members(b) > 1 ? ": one more loss would be for good" : "");
	b->is_alone = true;
	set_deadlines(b, true);
	store_no_room(b->store);
	(void)timer_start(b->opts.reactor, &b->retry, RETRY_NS);
}

static void retry(struct timer *t)
{
	struct backing *b = container_of(t, struct backing, retry);

	b->wanted = 0;
	store_ask_again(b->store);
}

static void store_wants(void *ctx, uint64_t bytes, uint64_t domains)
{
	struct backing *b = ctx;

	timer_stop(b->opts.reactor, &b->retry);
	b->wanted = bytes;
	b->useless = domains;
	for (unsigned i = 0; i < b->n_sources; i++)
		b->source[i].was_asked = false;
	if (!b->attempt.is_running)
		ask_next(b); /* else the answer is for this, too */
}

/* -- what the store says --------------------------------------------------- */

static const char *name_of(const struct backing *b, unsigned index)
{
	return b->piece[index] ? b->piece[index]->source->name : "the spare";
}

static void forget_device(struct backing *b, unsigned index)
{
	if (b->piece[index])
		b->piece[index]->dev = NULL;
}

/* Its other windows stay until they are caught themselves. */
static void distrust(struct backing *b, const struct piece *p)
{
	for (unsigned i = 0; p && i < b->n_sources; i++)
		b->source[i].has_lied |=
			b->source[i].domain == p->source->domain;
}

static void store_lost(void *ctx, unsigned index, int err)
{
	struct backing *b = ctx;
	bool lied = err == -EBADMSG;

	forget_device(b, index);
	set_deadlines(b, true);
	if (lied)
		distrust(b, b->piece[index]);

	say(b, "donor %s fails (%s): %s", name_of(b, index),
	    lied ? "other bytes come back than it got" : strerror(-err),
	    members(b) > 1 ? "what it had comes from the others"
	                   : "what it had is lost");
}

static void store_left(void *ctx, unsigned index)
{
	struct backing *b = ctx;

	forget_device(b, index);

	say(b, "donor %s has its memory back", name_of(b, index));
}

static void store_whole(void *ctx)
{
	struct backing *b = ctx;

	set_deadlines(b, members(b) == 1);
	say(b, b->opts.raid5 ? "all pages can lose a donor again"
	                     : "all pages have all their copies again");
}

/* -- opening --------------------------------------------------------------- */

/* Donors that are open, on their way into a store. */
struct opening {
	struct backing *backing;
	struct block_device *donors[STORE_DONORS_MAX];
	struct piece *piece[STORE_DONORS_MAX];
	unsigned domain[STORE_DONORS_MAX];
	unsigned n;
	struct err refused; /* the last one that had less */
};

static int open_piece(struct opening *o, struct source *s, uint64_t length,
                      uint64_t *free_there, struct err *e)
{
	const struct donor_opts d = donor_opts_of(o->backing, s, length);
	const struct reach_spec spec = donor_reach(&d);
	struct reach reach;
	int err;

	if (o->n == STORE_DONORS_MAX)
		return err_set(e, -ENOSPC, "more than %u donors",
		               STORE_DONORS_MAX);
	err = reach_open(&spec, &reach, free_there, e);
	if (!err)
		err = make_piece(o->backing, s, &reach, &o->piece[o->n],
		                 &o->donors[o->n], e);
	if (!err)
		o->domain[o->n++] = s->domain;
	return err;
}

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + STORE_EXTENT - 1) / STORE_EXTENT * STORE_EXTENT;
}

/* As much of `bytes` as the node has.  @return 0 also if that is less. */
static int borrow(struct opening *o, struct source *s, uint64_t bytes,
                  uint64_t *got, struct err *e)
{
	uint64_t free_there = 0;
	struct err why = { 0 };
	int err = open_piece(o, s, bytes, &free_there, &why);

	*got = 0;
	if (err == -ENOSPC) {
		o->refused = why;
		why = (struct err){ 0 };
		bytes = free_there / STORE_EXTENT * STORE_EXTENT;
		err = bytes ? open_piece(o, s, bytes, NULL, &why) : -ENOSPC;
	}
	if (!err)
		*got = bytes;
	return err && err != -ENOSPC ? err_set(e, err, "%s", why.text) : 0;
}

/* Equal parts, and what some do not have from the others. */
static int borrow_all(struct opening *o, uint64_t need, struct err *e)
{
	struct backing *b = o->backing;
	bool has_more[STORE_DONORS_MAX];
	unsigned n_left = 0;
	int err = 0;

	for (unsigned i = 0; i < b->n_sources; i++)
		n_left += has_more[i] = b->source[i].is_lender;
	while (need > 0 && n_left > 0) {
		unsigned n = n_left;

		for (unsigned i = 0; i < b->n_sources && need > 0; i++) {
			uint64_t part, got;

			if (!has_more[i])
				continue;
			part = round_up(need / n);
			if (part == 0)
				part = STORE_EXTENT;
			n--;
			err = borrow(o, &b->source[i], part, &got, e);
			if (err)
				return err;
			need -= got < need ? got : need;
			has_more[i] = got == part;
			n_left -= !has_more[i];
			if (n == 0)
				break;
		}
		/* Each has its share: more of one is of no use. */
		if (b->n_domains <= members(b))
			break;
	}
	return 0;
}

static int open_all(struct opening *o, struct err *e)
{
	struct backing *b = o->backing;
	uint64_t most = round_up(b->opts.size / data_members(b));
	uint64_t need = most * members(b);
	int err;

	for (unsigned i = 0; i < b->n_sources; i++) {
		uint64_t has;

		if (b->source[i].is_lender)
			continue;
		err = open_piece(o, &b->source[i], 0, NULL, e);
		if (err)
			return err;
		/* More than its share of each block is of no use there. */
		has = o->donors[o->n - 1]->size;
		has = has < most ? has : most;
		need -= need < has ? need : has;
	}
	return borrow_all(o, need, e);
}

static int make_store(struct opening *o, struct err *e)
{
	struct backing *b = o->backing;
	const struct store_opts so = {
		.donors = o->donors,
		.domain = o->domain,
		.n_donors = o->n,
		.copies = b->opts.copies,
		.raid5 = b->opts.raid5 ? members(b) : 0,
		.watcher = { .lost = store_lost,
		             .left = store_left,
		             .wants = store_wants,
		             .whole = store_whole,
		             .ctx = b },
	};
	int err = store_create(&so, &b->store, e);

	for (unsigned i = 0; i < o->n; i++) {
		if (err)
			free(o->piece[i]);
		else
			keep_piece(b, o->piece[i], i);
	}
	if (err == -ENOSPC && o->refused.code && e)
		*e = o->refused;
	return err;
}

static bool has_lender(const struct backing *b)
{
	for (unsigned i = 0; i < b->n_sources; i++)
		if (b->source[i].is_lender)
			return true;
	return false;
}

static int open_store(struct backing *b, struct err *e)
{
	struct opening o = { .backing = b };
	int err = open_all(&o, e);

	if (err) {
		while (o.n-- > 0) {
			block_close(o.donors[o.n]);
			free(o.piece[o.n]);
		}
		return err;
	}
	err = make_store(&o, e);
	if (err)
		return err;
	if (b->store->size < b->opts.size && !b->opts.or_less && has_lender(b))
		return err_set(e, -ENOSPC,
		               "%" PRIu64 " MiB on %u nodes each are more than "
		               "the donors have, which is room for %" PRIu64
		               " MiB; %s",
		               MIB(b->opts.size), members(b),
		               MIB(b->store->size), o.refused.text);
	b->dev.size = b->store->size;
	b->dev.grain = b->store->grain;
	if (b->opts.spare)
		(void)store_add(b->store, b->opts.spare, SPARE_DOMAIN, true);
	b->opts.spare = NULL;
	return 0;
}

/* -- names ----------------------------------------------------------------- */

static unsigned domain_of(const struct backing *b, const char *name)
{
	size_t n = strcspn(name, "/");

	for (unsigned i = 0; i < b->n_sources; i++)
		if (strcspn(b->source[i].name, "/") == n &&
		    !strncmp(b->source[i].name, name, n))
			return b->source[i].domain;
	return b->n_domains;
}

static int take_names(struct backing *b, const char *list, struct err *e)
{
	while (*list) {
		struct source *s = &b->source[b->n_sources];
		size_t n = strcspn(list, ",");

		if (b->n_sources == STORE_DONORS_MAX)
			return err_set(e, -EINVAL, "more than %u donors",
			               STORE_DONORS_MAX);
		s->backing = b;
		s->name = strndup(list, n);
		if (!s->name)
			return err_set(e, -ENOMEM, "no memory for a name");
		s->is_lender = !strchr(s->name, '/');
		s->domain = domain_of(b, s->name);
		b->n_domains += s->domain == b->n_domains;
		b->n_sources++;
		list += n + (list[n] == ',');
	}
	return 0;
}

/* -- life ------------------------------------------------------------------ */

static void backing_submit(struct block_device *dev, struct block_request *q)
{
	block_submit(container_of(dev, struct backing, dev)->store, q);
}

static void backing_close(struct block_device *dev)
{
	struct backing *b = container_of(dev, struct backing, dev);

	b->is_ending = true;
	timer_stop(b->opts.reactor, &b->retry);
	reach_finish(&b->attempt);
	timer_stop(b->opts.reactor, &b->retry);
	block_close(b->store);
	block_close(b->opts.spare);
	for (unsigned i = 0; i < STORE_DONORS_MAX; i++)
		free(b->piece[i]);
	for (unsigned i = 0; i < b->n_sources; i++)
		free(b->source[i].name);
	free((void *)(uintptr_t)b->opts.socket);
	free(b);
}

static const struct block_ops backing_ops = {
	.type = "backing",
	.submit = backing_submit,
	.close = backing_close,
};

int backing_open(const struct backing_opts *o, struct block_device **out,
                 struct err *e)
{
	struct backing *b = calloc(1, sizeof(*b));
	int err;

	if (!b) {
		block_close(o->spare);
		return err_set(e, -ENOMEM, "no memory for donors");
	}
	b->dev.ops = &backing_ops;
	b->dev.checks = true;
	b->opts = *o;
	b->opts.socket = strdup(o->socket);
	b->attempt.ended = answered;
	b->retry.fire = retry;
	err = b->opts.socket ? take_names(b, o->donors, e)
	                     : err_set(e, -ENOMEM, "no memory for donors");
	if (!err)
		err = open_store(b, e);
	if (err) {
		backing_close(&b->dev);
		return err;
	}
	*out = &b->dev;
	return 0;
}
