/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The copy of a page outside of its program: in a slot, or compressed in the
 * tier.  What the tier has no room for, its coldest, moves on to slots.
 *
 * How much of the limit the tier may have follows from what its pages are
 * good for.  A page that comes from the tier soon after it had left (before
 * as many others left as the tier's memory would hold as they are) would not
 * have had to leave without a tier: that cost PACKED_NS.  Any other would have
 * had to come from elsewhere: that saved what a read takes, as measured.
 */
#include "base/clock.h"
#include "far/pager_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A page's way into the tier and out, the program's faults included. */
#define PACKED_NS 8000
#define READ_NS 30000 /* until it has been measured */
#define VOTES 1024u   /* until the share is set anew */
#define SPILL 16u     /* pages: to seal more keeps faults waiting for long */
#define RETRY_NS (NS_PER_S / 4) /* after a write that failed */

/* Of the limit, in 64ths. */
#define SHARE_FIRST 32
#define SHARE_LEAST 4
#define SHARE_MOST 48
#define SHARE_STEP 4
/* Of the tier's own limit: what is to be free of it. */
#define MARGIN 16

/* Pages on their way from the tier to slots. */
struct spill {
	struct pager *pager;
	unsigned n;
	unsigned writes; /* that are out */
	uint32_t cell[SPILL];
	struct tier_address at[SPILL];
	struct swap_request run[SPILL];
	uint8_t *page;   /* from parcel_pages */
	uint8_t *sealed; /* what is written: `page`, or encrypted */
};

static uint64_t share(const struct pager *p, uint64_t n)
{
	return p->local / 64 * n;
}

int far_compress_init(struct pager *p)
{
	int err = tier_init(&p->tier, share(p, SHARE_MOST));

	if (!err)
		err = packer_start(&p->packer, p->reactor);

	p->tier.limit = share(p, SHARE_FIRST);
	p->read_ns = READ_NS;
	slab_init(&p->spill_slab, sizeof(struct spill), 64, SPILLS_MAX);
	slab_init(&p->packed_pages, FAR_BATCH * TIER_PACKED, 64, PARCELS_MAX);
	return err;
}

void far_compress_fini(struct pager *p)
{
	slab_fini(&p->spill_slab);
	slab_fini(&p->packed_pages);
	tier_fini(&p->tier);
}

/* -- a page's copy --------------------------------------------------------- */

void far_copy_hold(struct pager *p, const struct far_page *page)
{
	if (page->packed)
		tier_hold(&p->tier, page->slot);
	else
		slots_hold(&p->slots, page->slot);
}

void far_copy_forget(struct pager *p, struct far_page *page)
{
	slots_put(&p->slots, page->packed ? tier_release(&p->tier, page->slot)
	                                  : page->slot);
	page->packed = 0;
	page->slot = FAR_NO_SLOT;
}

bool far_copy_is_packed(struct pager *p, struct far_page *page)
{
	const struct tier_address *a;
	struct tier_address at;

	if (!page->packed)
		return false;
	a = tier_elsewhere(&p->tier, page->slot);
	if (!a)
		return true;
	at = *a;
	slots_hold(&p->slots, at.slot);
	far_copy_forget(p, page);
	page->slot = at.slot;
	page->version = at.version & SEAL_VERSION_MAX;
	memcpy(page->tag, at.tag, FAR_TAG);
	return false;
}

/* From where on pages move on. */
static uint64_t mark(const struct pager *p)
{
	return p->tier.limit - p->tier.limit / MARGIN;
}

bool far_compress_has_room(const struct pager *p)
{
	return p->compress && p->tier.bytes < mark(p);
}

bool far_compress_put(struct pager *p, struct far_page *page,
                      const struct pack_job *job, unsigned i)
{
	uint32_t cell;

	if (!p->compress)
		return false;
	if (!job->length[i] ||
	    !tier_put(&p->tier, job->packed + i * TIER_PACKED, job->length[i],
	              &cell)) {
		p->stats.not_compressed++;
		return false;
	}
	far_copy_forget(p, page);
	page->slot = cell;
	page->packed = 1;
	p->stats.compressed++;
	p->stats.compressed_to += job->length[i];
	return true;
}

/* -- the tier's share ------------------------------------------------------ */

static void vote(struct pager *p, int64_t score)
{
	uint64_t limit = p->tier.limit;

	p->score += score;
	if (++p->votes < VOTES)
		return;
	if (p->score > 0)
		limit += share(p, SHARE_STEP);
	else
		limit = (p->tier.bytes < limit ? p->tier.bytes : limit) -
		        share(p, SHARE_STEP);
	p->score = 0;
	p->votes = 0;
	if ((int64_t)limit < (int64_t)share(p, SHARE_LEAST))
		limit = share(p, SHARE_LEAST);
	if (limit > share(p, SHARE_MOST))
		limit = share(p, SHARE_MOST);
	p->tier.limit = limit;
}

void far_compress_hit(struct space *s, const struct far_page *page)
{
	struct pager *p = s->pager;
	uint32_t age = s->resident.left - page->stamp;

	p->stats.from_tier++;
	p->stats.read++;
	vote(p, age < p->tier.bytes / FAR_PAGE ? -PACKED_NS : p->read_ns);
}

void far_compress_missed(struct pager *p)
{
	if (p->compress)
		vote(p, p->read_ns);
}

/* -- moving on ------------------------------------------------------------- */

static void spill_end(struct spill *c)
{
	c->pager->spills--;
	slab_put(&c->pager->parcel_pages, c->page);
	slab_put(&c->pager->spill_slab, c);
}

static void spilled(struct swap_request *q, int err)
{
	struct spill *c = q->owner;
	struct pager *p = c->pager;
	unsigned first =
		(unsigned)((uint8_t *)q->data - c->sealed) / (unsigned)FAR_PAGE;

	if (err) {
		p->spill_again_ns = clock_now_ns() + RETRY_NS;
		pager_say_failing(p);
	}
	for (unsigned i = first; i < first + q->pages; i++) {
		if (err)
			tier_kept(&p->tier, c->cell[i]);
		if (err || !tier_stored(&p->tier, c->cell[i], &c->at[i]))
			slots_put(&p->slots, c->at[i].slot);
	}
	if (--c->writes == 0)
		spill_end(c);
	pager_balance(p);
}

/* Take slots, and seal what goes there: page `i` and on, a run.
 * @return how many. */
static unsigned seal_run(struct spill *c, unsigned i)
{
	struct pager *p = c->pager;
	uint32_t slot, n = slots_take(&p->slots, c->n - i, &slot);

	for (uint32_t k = 0; k < n; k++, i++) {
		uint64_t version = seal_version(&p->seal);
		uint8_t *page = c->page + i * FAR_PAGE;

		c->at[i].slot = slot + k;
		c->at[i].version = version;
		tier_get(&p->tier, c->cell[i], page);
		seal_page(&p->seal, version, page, c->sealed + i * FAR_PAGE,
		          c->at[i].tag);
	}
	return n;
}

static void spill_write(struct spill *c)
{
	struct pager *p = c->pager;
	unsigned n_runs = 0, n;

	for (unsigned i = 0; i < c->n; i += n) {
		n = seal_run(c, i);
		assert(n > 0); /* far_compress_make_room() has looked */
		c->run[n_runs++] = (struct swap_request){
			.op = SWAP_OUT,
			.slot = c->at[i].slot,
			.pages = n,
			.data = c->sealed + i * FAR_PAGE,
			.done = spilled,
			.owner = c,
		};
	}
	p->stats.written += c->n;
	c->writes = n_runs;
	for (unsigned i = 0; i < n_runs; i++)
		swap_submit(&p->swap, &c->run[i]);
}

static bool spill_one(struct pager *p)
{
	struct spill *c = slab_get(&p->spill_slab);
	uint8_t *page = c ? slab_get(&p->parcel_pages) : NULL;

	if (!page) {
		if (c)
			slab_put(&p->spill_slab, c);
		return false;
	}
	*c = (struct spill){ .pager = p, .page = page };
	c->sealed = page + (p->encrypt ? FAR_BATCH * FAR_PAGE : 0);
	p->spills++;
	c->n = tier_coldest(&p->tier, SPILL, c->cell);
	if (c->n == 0) {
		spill_end(c);
		return false;
	}
	spill_write(c);
	return true;
}

void far_compress_make_room(struct pager *p)
{
	struct tier *t = &p->tier;
	uint64_t busy = p->spills * SPILL * (t->packed / (t->pages + 1));

	if (!p->compress)
		return;
	tier_shrink(t);
	while (p->spills < SPILLS_MAX && t->bytes > mark(p) + busy &&
	       pager_has_slots(p, SPILL) &&
	       clock_now_ns() >= p->spill_again_ns && spill_one(p))
		busy += SPILL * (t->packed / (t->pages + 1));
}
