/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages go out.
 *
 *   pick, command --> agent moves --> answered: read, seal, AWAY --> written
 *
 * From the pick to the answer a page is LEAVING and faults on it wait, so
 * that what the agent moved is what the page was when it went (F2), even if
 * the program gives the range up meanwhile.  From then to the end of the
 * write the parcel serves it (F4).
 */
#include "base/clock.h"
#include "far/pager_priv.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is_zero(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, FAR_PAGE - 1) == 0;
}

/* -- parcels --------------------------------------------------------------- */

static struct parcel *parcel_new(struct space *s)
{
	struct pager *pager = s->pager;
	struct parcel *c = slab_get(&pager->parcel_slab);

	if (!c)
		return NULL;
	*c = (struct parcel){ .pager = pager,
		              .space = s,
		              .page = slab_get(&pager->parcel_pages) };
	if (!c->page) {
		slab_put(&pager->parcel_slab, c);
		return NULL;
	}
	c->sealed = c->page + (pager->encrypt ? FAR_BATCH * FAR_PAGE : 0);
	list_append(&pager->parcels, &c->link);
	return c;
}

/* Nobody has anything to do with it any more. */
static void parcel_free(struct parcel *c)
{
	if (c->job.packed)
		slab_put(&c->pager->packed_pages, c->job.packed);
	list_remove(&c->link);
	slab_put(&c->pager->parcel_pages, c->page);
	slab_put(&c->pager->parcel_slab, c);
}

static void parcel_end(struct parcel *c)
{
	if (c->writes == 0 && !c->packing)
		parcel_free(c);
}

struct parcel *far_evict_parcel(struct pager *p, uint32_t slot, unsigned *index)
{
	LIST_FOREACH (l, &p->parcels) {
		struct parcel *c = list_entry(l, struct parcel, link);

		if (!c->writes)
			continue;
		for (unsigned i = 0; i < c->n; i++)
			if (c->slot[i] == slot) {
				*index = i;
				return c;
			}
	}
	return NULL;
}

/* NULL: it was given up. */
static struct far_page *page_of(const struct space *s, const struct parcel *c,
                                unsigned i)
{
	return c->number[i] == NO_PAGE ? NULL
	                               : page_map_find(s->map, c->number[i]);
}

/* -- writing --------------------------------------------------------------- */

/* The slot got nothing: what is in no other place goes back. */
static void bring_back(struct parcel *c, unsigned i)
{
	struct space *s = c->space;
	struct far_page *p;

	if (!s)
		return;
	p = page_of(s, c, i);
	if (!p || p->packed || p->slot != c->slot[i])
		return;
	if (p->state == FAR_AWAY)
		far_fault_serve(s, c->number[i], p);
	far_copy_forget(c->pager, p);
	if (p->state == FAR_AWAY)
		pager_lost(s, "a page could be neither stored nor put back");
}

static void say_once(struct pager *p, bool *said, const char *why)
{
	if (!*said && p->stuck)
		p->stuck(p->ctx, why);
	*said = true;
}

void pager_say_failing(struct pager *p)
{
	say_once(p, &p->said_failing, "writes fail");
}

static void written(struct swap_request *q, int err)
{
	unsigned first = (unsigned)((uint8_t *)q->data -
	                            ((struct parcel *)q->owner)->sealed) /
	                 (unsigned)FAR_PAGE;
	struct parcel *c = q->owner;
	struct pager *pager = c->pager;

	if (err)
		pager_say_failing(pager);
	for (unsigned i = first; i < first + q->pages; i++) {
		if (err)
			bring_back(c, i);
		slots_put(&pager->slots, c->slot[i]);
		c->slot[i] = FAR_NO_SLOT;
	}
	c->writes--;
	parcel_end(c);
	pager_balance(pager);
}

/* One request for each run of neighbouring slots. */
static void write_out(struct parcel *c)
{
	struct pager *pager = c->pager;
	unsigned n_runs = 0, end;

	for (unsigned i = 0; i < c->n; i = end) {
		end = i + 1;
		if (c->slot[i] == FAR_NO_SLOT)
			continue;
		while (end < c->n && c->slot[end] == c->slot[end - 1] + 1)
			end++;
		c->run[n_runs++] = (struct swap_request){
			.op = SWAP_OUT,
			.slot = c->slot[i],
			.pages = end - i,
			.data = c->sealed + i * FAR_PAGE,
			.done = written,
			.owner = c,
		};
		pager->stats.written += end - i;
	}
	c->writes = n_runs;
	for (unsigned i = 0; i < n_runs; i++)
		swap_submit(&pager->swap, &c->run[i]);
	if (n_runs == 0)
		parcel_end(c);
}

/* -- the agent's answer ---------------------------------------------------- */

static bool is_clean(struct pager *pager, const struct far_page *p,
                     const uint8_t *page, uint8_t *scratch)
{
	uint8_t tag[FAR_TAG];

	if (p->slot == FAR_NO_SLOT)
		return false;
	seal_page(&pager->seal, p->version, page, scratch, tag);
	return memcmp(tag, p->tag, FAR_TAG) == 0;
}

/* Page i of the parcel lies in it.  @return whether it wants a slot. */
static bool take_in(struct space *s, struct parcel *c, unsigned i,
                    struct far_page *p)
{
	struct pager *pager = s->pager;
	uint8_t *page = c->page + i * FAR_PAGE;

	pager->stats.moved_out++;
	if (is_zero(page)) {
		pager->stats.dropped_zero++;
		far_copy_forget(pager, p);
		p->state = FAR_NONE;
		return false;
	}
	p->state = FAR_AWAY;
	resident_gone(&s->resident, p);
	if (far_compress_has_room(pager) &&
	    far_compress_put(pager, p, &c->job, i))
		return false;
	if (is_clean(pager, p, page, c->sealed + i * FAR_PAGE)) {
		pager->stats.clean++;
		return false;
	}
	far_copy_forget(pager, p);
	return !far_compress_put(pager, p, &c->job, i);
}

/* Slots for the pages in `wanting`, as long runs as there are. */
static void give_slots(struct space *s, struct parcel *c, uint64_t wanting)
{
	struct pager *pager = s->pager;
	uint32_t slot = 0, left = 0;

	for (unsigned i = 0; i < c->n; i++) {
		struct far_page *p;

		if (!(wanting >> i & 1))
			continue;
		if (left == 0)
			left = slots_take(
				&pager->slots,
				(uint32_t)__builtin_popcountll(wanting >> i),
				&slot);
		if (left == 0)
			return; /* full; far_evict_start() left room for a batch
			         */
		p = page_map_find(s->map, c->number[i]);
		p->slot = c->slot[i] = slot++;
		left--;
		slots_hold(&pager->slots, p->slot);
		p->version = seal_version(&pager->seal) & SEAL_VERSION_MAX;
		seal_page(&pager->seal, p->version, c->page + i * FAR_PAGE,
		          c->sealed + i * FAR_PAGE, p->tag);
	}
}

static void settle(struct space *s, struct parcel *c, uint64_t moved)
{
	uint64_t wanting = 0;
	unsigned n_kept = 0;

	for (unsigned i = 0; i < c->n; i++) {
		struct far_page *p = page_of(s, c, i);
		bool here = moved >> i & 1;

		c->slot[i] = FAR_NO_SLOT;
		if (here)
			pager_moved(s->pager, -1);
		if (!p)
			continue;
		assert(p->state == FAR_LEAVING);
		if (p->dropped) {
			p->dropped = 0;
			far_copy_forget(s->pager, p);
			p->state = FAR_NONE;
		} else if (!here) {
			s->pager->stats.kept++;
			s->own[n_kept++] = c->number[i];
			resident_add(&s->resident, c->number[i], p);
		} else if (take_in(s, c, i, p)) {
			wanting |= UINT64_C(1) << i;
		}
	}
	/* Even though they are its own: something else holds them. */
	s->stuck = s->retried && n_kept > c->n / 2;
	s->n_own = s->retried ? 0 : n_kept;
	s->retried = false;
	give_slots(s, c, wanting);
}

/*
 * A page that moved just while its range was unmapped or remapped: was it the
 * old one, or already one of a new mapping in its place?  If nothing is mapped
 * there it was the old one.
 */
static bool is_explained(const struct space *s, const struct parcel *c,
                         uint64_t doubtful)
{
	for (unsigned i = 0; i < c->n; i++) {
		const struct far_page *p = page_of(s, c, i);
		uint64_t at = page_address(c->number[i]);
		char byte;
		struct iovec local = { &byte, 1 };
		struct iovec remote = { (void *)(uintptr_t)at, 1 };

		if (doubtful >> i & 1 && !p)
			return false;
		if (doubtful >> i & 1 && p->dropped &&
		    process_vm_readv(s->pid, &local, 1, &remote, 1, 0) == 1)
			return false;
	}
	return true;
}

static void serve_wanted(struct space *s, const struct parcel *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct far_page *p = page_of(s, c, i);

		if (!p || !p->wanted)
			continue;
		p->wanted = 0;
		far_fault_missing(s, page_address(c->number[i]));
	}
}

/* What was moved is copied, and compressed if asked. */
static void arrived(struct space *s, struct parcel *c)
{
	int err = c->job.err;

	if (err == -ESRCH)
		far_space_end(s);
	else if (err)
		far_space_check(s); /* exec: other memory is there now */
	if (s->ended)
		return;
	if (err) {
		pager_lost(s, "what its agent moved cannot be read");
		return;
	}
	s->parcel = NULL;
	settle(s, c, c->job.moved);
	c->writes = 1; /* it can serve from now on */
	serve_wanted(s, c);
	far_fault_release(s);
	write_out(c);
	pager_balance(s->pager);
}

static void packed(struct task *t)
{
	struct parcel *c = container_of(t, struct parcel, job.done);
	struct space *s = c->space;

	c->packing = false;
	if (s && s->parcel == c)
		arrived(s, c);
	else
		parcel_end(c);
}

static void pack(struct space *s, struct parcel *c, uint64_t moved)
{
	struct pager *pager = s->pager;

	c->job = (struct pack_job){ .pid = s->pid,
		                    .staging = s->staging,
		                    .moved = moved,
		                    .page = c->page,
		                    .done.run = packed };
	if (!pager->compress) {
		packer_run(&c->job, NULL);
		arrived(s, c);
		return;
	}
	c->job.packed = slab_get(&pager->packed_pages);
	c->packing = true;
	packer_submit(&pager->packer, &c->job);
}

void far_evict_answered(struct space *s)
{
	struct parcel *c = s->parcel;
	uint64_t moved, doubtful;

	if ((!c && !s->owning) || (c && c->packing) || s->ended ||
	    atomic_load_explicit(&s->channel->answered, memory_order_acquire) !=
	            s->commands)
		return;
	if (s->owning) {
		s->owning = false;
		pager_balance(s->pager);
		return;
	}
	moved = s->channel->moved;
	doubtful = s->channel->doubtful;
	if (c->n < FAR_BATCH)
		moved &= (UINT64_C(1) << c->n) - 1;
	if (doubtful)
		far_space_check(s);
	if (s->ended)
		return;
	if (!is_explained(s, c, doubtful)) {
		pager_lost(s, "its memory was remapped as a page left");
		return;
	}
	pack(s, c, moved);
}

void far_evict_finish(struct space *s)
{
	uint64_t until = clock_now_ns() + NS_PER_S;
	uint32_t command = s->commands;

	while (s->parcel && s->commands == command && clock_now_ns() < until) {
		struct parcel *c = s->parcel;

		far_evict_answered(s);
		if (s->parcel == c && c->packing && packer_is_done(&c->job))
			arrived(s, c);
		sched_yield();
	}
}

void far_evict_abandon(struct space *s)
{
	if (s->parcel)
		parcel_end(s->parcel);
	s->parcel = NULL;
	LIST_FOREACH (l, &s->pager->parcels) {
		struct parcel *c = list_entry(l, struct parcel, link);

		if (c->space == s)
			c->space = NULL;
	}
}

/* -- the command ----------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Pages that did not move the last time are first. */
static void pick_own(struct space *s, struct parcel *c)
{
	for (unsigned i = 0; i < s->n_own; i++) {
		struct far_page *p = page_map_find(s->map, s->own[i]);

		if (!p || p->state != FAR_RESIDENT)
			continue;
		resident_remove(&s->resident, p, FAR_LEAVING);
		c->number[c->n++] = s->own[i];
	}
	s->n_own = 0;
}

static void pick(struct space *s, struct parcel *c)
{
	unsigned n = pager_excess(s->pager);

	pick_own(s, c);

	while (c->n < n) {
		uint64_t number;

		if (!resident_pick(&s->resident, &number))
			break;
		c->number[c->n++] = number;
	}
	qsort(c->number, c->n, sizeof(c->number[0]), by_number);
}

static void command(struct space *s, enum far_command what,
                    const uint64_t *number, unsigned count)
{
	struct far_channel *channel = s->channel;
	uint32_t n = 0;

	for (unsigned i = 0; i < count; i++) {
		if (i > 0 && number[i] == number[i - 1] + 1)
			channel->run[n - 1].pages++;
		else
			channel->run[n++] =
				(struct far_run){ page_address(number[i]), 1 };
	}
	channel->n_runs = n;
	channel->what = what;
	s->commands++;
	atomic_store_explicit(&channel->asked, s->commands,
	                      memory_order_release);
	syscall(SYS_futex, &channel->asked, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void far_evict_start(struct space *s)
{
	struct pager *pager = s->pager;
	struct parcel *c;

	if (s->parcel || s->owning || !s->channel || s->ended || s->stuck)
		return;
	if (s->n_own && !s->retried) {
		s->owning = s->retried = true;
		command(s, FAR_OWN, s->own, s->n_own);
		return;
	}
	if (!pager_has_slots(pager, FAR_BATCH)) {
		say_once(pager, &pager->said_full, "there is no room left");
		return;
	}
	far_scan_harvest(s, 8 * FAR_BATCH);
	if (resident_count(&s->resident) == 0)
		return;
	c = parcel_new(s);
	if (!c)
		return;
	pick(s, c);
	s->parcel = c;
	command(s, FAR_MOVE, c->number, c->n);
}
