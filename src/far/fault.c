/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages come in.
 *
 * Where the kernel says -EAGAIN (the address space is changing) or a page
 * turns out to be gone, whoever waits is woken and faults again, and the
 * page stays where it was: there is nothing to remember and retry.
 */
#include "base/clock.h"
#include "far/pager_priv.h"
#include "far/uffd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZERO_WINDOW 64u /* pages of zeroes at once, at most */

/* A page that came back before so many others had left was needed: half of
 * what fits, for of pages at random a part comes back as soon as that too. */
static uint64_t soon(const struct pager *p)
{
	return (p->local - p->tier.bytes) / FAR_PAGE / 2;
}

/* Whoever waits for a page looks again: at once, or, while messages are being
 * read, after these.  The kernel gives faults before events, so that whoever is
 * woken while the address space changes would keep that from being heard of. */
static void wake(struct space *s, uint64_t number)
{
	if (s->reading && s->n_again < HELD_MAX)
		s->again[s->n_again++] = number;
	else
		uffd_wake(s->faults.fd, page_address(number), FAR_PAGE);
}

void far_fault_wake(struct space *s)
{
	s->reading = false;
	for (unsigned i = 0; i < s->n_again; i++)
		wake(s, s->again[i]);
	s->n_again = 0;
}

/* -- zeroes ---------------------------------------------------------------- */

/* How many of `want` pages from `number` on have never been written. */
static unsigned count_none(const struct space *s, uint64_t number,
                           unsigned want)
{
	unsigned n = 1;

	while (n < want && number + n < FAR_PAGES_MAX) {
		const struct far_page *p = page_map_find(s->map, number + n);

		if (p && p->state != FAR_NONE)
			break;
		n++;
	}
	return n;
}

/* A program that asks for pages faster than others leave is held up. */
static bool hold(struct space *s, uint64_t number)
{
	if (!pager_is_full(s->pager) || !s->parcel || s->n_held == HELD_MAX)
		return false;
	s->held[s->n_held++] = number;
	return true;
}

/* Where there is no memory for the entry a scan may find the page later. */
static void note_zero(struct space *s, uint64_t number)
{
	struct far_page *p = page_map_get(s->map, number);

	if (!p)
		return;
	p->hot = 0;
	resident_add(&s->resident, number, p);
}

static void place_zeroes(struct space *s, uint64_t number)
{
	struct pager *pager = s->pager;
	bool in_turn = number == s->zero_next && !pager_is_full(pager);
	int64_t done;

	s->zero_window = in_turn && s->zero_window < ZERO_WINDOW
	                         ? s->zero_window * 2
	                 : in_turn ? ZERO_WINDOW
	                           : 1;
	done = uffd_zero(s->faults.fd, page_address(number),
	                 count_none(s, number, s->zero_window) * FAR_PAGE);
	if (done <= 0 && s->zero_window > 1) /* the end of a mapping */
		done = uffd_zero(s->faults.fd, page_address(number), FAR_PAGE);
	if (done <= 0) {
		wake(s, number);
		return;
	}
	pager->stats.zero++;
	s->zero_next = number + (uint64_t)done / FAR_PAGE;
	for (; number < s->zero_next; number++)
		note_zero(s, number);
	pager_moved(pager, done / (int64_t)FAR_PAGE);
}

/* -- placing --------------------------------------------------------------- */

static void placed(struct space *s, uint64_t number, struct far_page *p)
{
	p->wanted = 0;
	resident_add(&s->resident, number, p);
	pager_moved(s->pager, 1);
}

/* The page's bytes are right: to the program with them. */
static void place(struct space *s, uint64_t number, struct far_page *p,
                  const uint8_t *bytes)
{
	int64_t r =
		uffd_copy(s->faults.fd, page_address(number), bytes, FAR_PAGE);

	if (r != (int64_t)FAR_PAGE)
		wake(s, number);
	if (r == (int64_t)FAR_PAGE || r == -EEXIST) {
		placed(s, number, p);
		return;
	}
	p->wanted = 0;
	p->state = FAR_AWAY;
}

/* -- reading --------------------------------------------------------------- */

static void fetch_free(struct fetch *f)
{
	struct pager *pager = f->pager;

	slab_put(&pager->fetch_pages, f->page);
	slab_put(&pager->fetch_slab, f);
}

static struct far_page *page_of(const struct fetch *f, unsigned i)
{
	return page_map_find(f->space->map, f->number[i]);
}

/* What page i was asked for; NULL: dropped, and perhaps something else. */
static struct far_page *still_wanted(const struct fetch *f, unsigned i)
{
	struct far_page *p = f->space ? page_of(f, i) : NULL;

	return p && p->state == FAR_COMING && p->slot == f->swap.slot + i
	               ? p
	               : NULL;
}

static bool open_pages(struct swap_request *q, unsigned first, unsigned n)
{
	struct fetch *f = container_of(q, struct fetch, swap);
	bool all = true;

	for (unsigned i = first; i < first + n; i++) {
		const struct far_page *p = still_wanted(f, i);
		bool opens = p && seal_open(&f->pager->seal, p->version,
		                            f->page + i * FAR_PAGE, p->tag);

		f->right &= ~(UINT64_C(1) << i);
		f->right |= (uint64_t)opens << i;
		all &= opens || !p;
	}
	return all;
}

/* @return whether page i came as it had left, and is still wanted here. */
static bool is_right(struct fetch *f, unsigned i, int err)
{
	struct space *s = f->space;
	struct far_page *p = still_wanted(f, i);

	if (!p)
		return false;
	if (f->right >> i & 1)
		return true;
	p->state = FAR_AWAY;
	if (p->wanted)
		pager_lost(s, err == -EBADMSG
		                      ? "a page came back changed"
		                      : "a page could not be read back");
	return false;
}

/* Pages [i, end), neighbours in the program, go there by one call; what that
 * leaves goes one by one. */
static void place_run(struct fetch *f, unsigned i, unsigned end)
{
	struct space *s = f->space;
	int64_t r = end - i < 2 ? 0
	                        : uffd_copy(s->faults.fd,
	                                    page_address(f->number[i]),
	                                    f->page + i * FAR_PAGE,
	                                    (end - i) * FAR_PAGE);

	for (; r >= (int64_t)FAR_PAGE; r -= (int64_t)FAR_PAGE, i++)
		placed(s, f->number[i], page_of(f, i));
	for (; i < end; i++)
		place(s, f->number[i], page_of(f, i), f->page + i * FAR_PAGE);
}

static void place_all(struct fetch *f, int err)
{
	unsigned n = f->swap.pages, first = 0, i = 0;

	while (i < n && f->space) { /* a page may end it */
		if (i > first && f->number[i] != f->number[i - 1] + 1) {
			place_run(f, first, i);
			first = i;
		}
		if (is_right(f, i++, err))
			continue;
		if (f->space)
			place_run(f, first, i - 1);
		first = i;
	}
	if (f->space)
		place_run(f, first, n);
}

static void took(struct pager *p, uint64_t ns)
{
	histogram_add(&p->stats.fault, ns);
	p->read_ns += ((int64_t)ns - p->read_ns) / 16;
}

static void fetched(struct swap_request *q, int err)
{
	struct fetch *f = container_of(q, struct fetch, swap);
	struct pager *pager = f->pager;

	place_all(f, err);
	for (unsigned i = 0; i < q->pages; i++)
		slots_put(&pager->slots, q->slot + i);
	pager->coming -= q->pages;
	if (f->asked_ns)
		took(pager, clock_now_ns() - f->asked_ns);
	list_remove(&f->link);
	fetch_free(f);
	pager_balance(pager);
	far_seat_spin(pager);
}

/* @return NULL: too many are under way. */
static struct fetch *fetch_new(struct space *s)
{
	struct fetch *f = slab_get(&s->pager->fetch_slab);

	if (!f)
		return NULL;
	*f = (struct fetch){ .pager = s->pager,
		             .space = s,
		             .page = slab_get(&s->pager->fetch_pages) };
	if (!f->page) {
		slab_put(&s->pager->fetch_slab, f);
		return NULL;
	}
	list_append(&s->fetches, &f->link);
	return f;
}

static void add_page(struct fetch *f, uint64_t number, struct far_page *p)
{
	struct pager *pager = f->pager;

	if (f->swap.pages == 0)
		f->swap.slot = p->slot;
	f->number[f->swap.pages++] = number;
	pager->coming++;
	slots_hold(&pager->slots, p->slot);
	resident_back(&f->space->resident, p, soon(pager));
	p->state = FAR_COMING;
}

static void fetch_start(struct fetch *f)
{
	struct pager *pager = f->pager;

	f->swap.op = SWAP_IN;
	f->swap.data = f->page;
	f->swap.done = fetched;
	f->swap.check = open_pages;
	pager->stats.read += f->swap.pages;
	if (!f->asked_ns)
		pager->stats.prefetched += f->swap.pages;
	swap_submit(&pager->swap, &f->swap);
}

/* -- prefetch -------------------------------------------------------------- */

struct candidate {
	uint64_t number;
	uint32_t slot;
};

static int by_slot(const void *a, const void *b)
{
	uint32_t x = ((const struct candidate *)a)->slot;
	uint32_t y = ((const struct candidate *)b)->slot;

	return x < y ? -1 : x > y;
}

static unsigned gather(struct space *s, const struct prefetch_plan *plan,
                       struct candidate out[PREFETCH_MAX])
{
	unsigned n = 0, index;

	for (uint32_t i = 0; i < plan->count; i++) {
		uint64_t number =
			plan->first + (uint64_t)((int64_t)i * plan->stride);
		struct far_page *p = page_map_find(s->map, number);

		if (p && p->state == FAR_AWAY &&
		    !far_copy_is_packed(s->pager, p) &&
		    !far_evict_parcel(s->pager, p->slot, &index))
			out[n++] = (struct candidate){ number, p->slot };
	}
	return n;
}

/* Neighbours [first, first + n) that the tier has go there by one call. */
static void unpack_run(struct space *s, uint64_t first, unsigned n)
{
	struct pager *pager = s->pager;
	int64_t r = uffd_copy(s->faults.fd, page_address(first), pager->page,
	                      n * FAR_PAGE);

	for (; r >= (int64_t)FAR_PAGE; r -= (int64_t)FAR_PAGE, first++) {
		struct far_page *p = page_map_find(s->map, first);

		far_copy_forget(pager, p);
		pager->stats.from_tier++;
		pager->stats.read++;
		pager->stats.prefetched++;
		placed(s, first, p);
	}
}

/* What the tier has of the plan comes at once. */
static void unpack_ahead(struct space *s, const struct prefetch_plan *plan)
{
	struct pager *pager = s->pager;
	uint64_t first = 0;
	unsigned n = 0;

	for (uint32_t i = 0; i < plan->count; i++) {
		uint64_t number =
			plan->first + (uint64_t)((int64_t)i * plan->stride);
		struct far_page *p = page_map_find(s->map, number);
		bool is_packed = p && p->state == FAR_AWAY &&
		                 far_copy_is_packed(pager, p);

		if (n > 0 && (!is_packed || number != first + n)) {
			unpack_run(s, first, n);
			n = 0;
		}
		if (!is_packed)
			continue;
		resident_back(&s->resident, p, soon(pager));
		tier_get(&pager->tier, p->slot, pager->page + n * FAR_PAGE);
		if (n++ == 0)
			first = number;
	}
	if (n > 0)
		unpack_run(s, first, n);
}

static void prefetch(struct space *s, const struct prefetch_plan *plan)
{
	struct candidate c[PREFETCH_MAX];
	unsigned n, end;

	if (plan->count == 0 || pager_is_full(s->pager))
		return;
	unpack_ahead(s, plan);
	n = gather(s, plan, c);
	qsort(c, n, sizeof(c[0]), by_slot);
	for (unsigned i = 0; i < n; i = end) {
		struct fetch *f;

		end = i + 1;
		while (end < n && c[end].slot == c[end - 1].slot + 1)
			end++;
		f = fetch_new(s);
		if (!f)
			return;
		for (unsigned k = i; k < end; k++)
			add_page(f, c[k].number,
			         page_map_find(s->map, c[k].number));
		fetch_start(f);
	}
}

/* -- faults ---------------------------------------------------------------- */

/* No need to wait for anybody: it is here. */
static void unpack(struct space *s, uint64_t number, struct far_page *p,
                   const struct prefetch_plan *plan)
{
	struct pager *pager = s->pager;

	far_compress_hit(s, p);
	resident_back(&s->resident, p, soon(pager));
	tier_get(&pager->tier, p->slot, pager->page);
	place(s, number, p, pager->page);
	if (p->state == FAR_RESIDENT)
		far_copy_forget(pager, p);
	prefetch(s, plan);
}

void far_fault_serve(struct space *s, uint64_t number, struct far_page *p)
{
	struct prefetch_plan plan;
	struct parcel *parcel;
	struct fetch *f;
	unsigned index;

	plan = prefetch_fault(&s->prefetch, number);
	if (far_copy_is_packed(s->pager, p)) {
		unpack(s, number, p, &plan);
		return;
	}
	far_compress_missed(s->pager);
	parcel = far_evict_parcel(s->pager, p->slot, &index);
	if (parcel) {
		s->pager->stats.from_parcel++;
		resident_back(&s->resident, p, soon(s->pager));
		place(s, number, p, parcel->page + index * FAR_PAGE);
		return;
	}
	f = fetch_new(s);
	if (!f) { /* it asks again */
		p->wanted = 0;
		wake(s, number);
		return;
	}
	p->wanted = 1;
	f->asked_ns = clock_now_ns();
	add_page(f, number, p);
	fetch_start(f);
	prefetch(s, &plan);
}

/* The program has come as far as what is being fetched ahead of it, so there
 * is time to fetch more. */
static void reached(struct space *s, uint64_t number, struct far_page *p)
{
	struct prefetch_plan plan = prefetch_fault(&s->prefetch, number);

	p->wanted = 1;
	prefetch(s, &plan);
}

/* Whether the kernel has the page, or so one must believe. */
static bool is_there(const struct space *s, uint64_t number)
{
	uint64_t entry;

	return pread(s->pagemap_fd, &entry, sizeof(entry),
	             (off_t)(number * sizeof(entry))) != sizeof(entry) ||
	       entry >> 62; /* present, or in swap */
}

/*
 * The kernel says that a program gives pages up, lets it go on when we have
 * heard, and drops them then: also what we had placed there in between.
 */
static void was_dropped(struct space *s, uint64_t number, struct far_page *p)
{
	resident_remove(&s->resident, p, FAR_NONE);
	far_copy_forget(s->pager, p);
	place_zeroes(s, number);
}

void far_fault_missing(struct space *s, uint64_t address)
{
	uint64_t number = address >> FAR_PAGE_SHIFT;
	struct far_page *p;

	if (number >= FAR_PAGES_MAX)
		return;
	p = page_map_find(s->map, number);
	s->pager->stats.faults++;
	switch (p ? (enum far_state)p->state : FAR_NONE) {
	case FAR_NONE:
		if (!hold(s, number))
			place_zeroes(s, number);
		break;
	case FAR_RESIDENT: /* it came while the fault was on its way */
		if (is_there(s, number))
			wake(s, number);
		else
			was_dropped(s, number, p);
		break;
	case FAR_COMING:
		s->pager->stats.joined++;
		if (!p->wanted)
			reached(s, number, p);
		break;
	case FAR_LEAVING: /* served when the agent has answered */
		s->pager->stats.joined++;
		p->wanted = 1;
		break;
	case FAR_AWAY:
		if (!hold(s, number))
			far_fault_serve(s, number, p);
		break;
	}
}

void far_fault_release(struct space *s)
{
	uint64_t held[HELD_MAX]; /* some may have to wait again */
	unsigned n = s->n_held;

	memcpy(held, s->held, n * sizeof(held[0]));
	s->n_held = 0;
	for (unsigned i = 0; i < n; i++)
		far_fault_missing(s, page_address(held[i]));
}
