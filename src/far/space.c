/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One address space: what the kernel says of it, and its end.
 *
 * The kernel holds whoever unmaps, remaps, drops or forks until the event is
 * read, so a page's entry is right before the program goes on.
 */
#include "far/pager_priv.h"
#include "far/uffd.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MESSAGES 16
#define READS 8 /* of so many, at a time */

static const uint8_t zero_page[FAR_PAGE] __attribute__((aligned(FAR_PAGE)));

/* -- the program gives pages up -------------------------------------------- */

static void drop(void *ctx, uint64_t number, struct far_page *p)
{
	struct space *s = ctx;

	(void)number;
	if (p->state == FAR_LEAVING) {
		p->dropped = 1;
		return;
	}
	if (p->state == FAR_RESIDENT)
		resident_remove(&s->resident, p, FAR_NONE);
	p->state = FAR_NONE;
	p->wanted = 0;
	far_copy_forget(s->pager, p);
}

static void drop_range(struct space *s, uint64_t start, uint64_t end)
{
	page_map_visit(s->map, start >> FAR_PAGE_SHIFT, end >> FAR_PAGE_SHIFT,
	               drop, s);
}

/* The agent must not go on moving pages of what may be mapped anew. */
static void break_off(struct space *s)
{
	if (s->parcel)
		atomic_store_explicit(&s->channel->cancelled, s->commands,
		                      memory_order_seq_cst);
}

static void unmapped(struct space *s, uint64_t start, uint64_t end)
{
	break_off(s);
	drop_range(s, start, end);
	far_scan_forget(s, start, end);
}

/* -- remap ----------------------------------------------------------------- */

struct shift {
	struct space *space;
	uint64_t pages; /* to add to the number, modulo 2^64 */
};

/* `to` may be NO_PAGE. */
static void rename_in_parcel(struct parcel *c, uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->number[i] == from)
			c->number[i] = to;
}

static void shift(void *ctx, uint64_t number, struct far_page *p)
{
	const struct shift *by = ctx;
	struct space *s = by->space;
	uint64_t to = number + by->pages;
	struct far_page *q = page_map_get(s->map, to);
	unsigned state = p->state;

	if (!q) {
		pager_lost(s, "no memory to follow its mremap()");
		return;
	}
	if (q->state == FAR_LEAVING) { /* given up, and not settled yet */
		far_copy_forget(s->pager, q);
		rename_in_parcel(s->parcel, to, NO_PAGE);
	}
	if (state == FAR_RESIDENT)
		resident_remove(&s->resident, p, FAR_NONE);
	*q = *p;
	q->wanted = 0;
	if (state != FAR_LEAVING)
		q->state = FAR_AWAY;
	*p = (struct far_page){ .slot = FAR_NO_SLOT };
	if (state == FAR_RESIDENT)
		resident_add(&s->resident, to, q);
	if (state == FAR_LEAVING)
		rename_in_parcel(s->parcel, number, to);
}

static void remapped(struct space *s, uint64_t from, uint64_t to,
                     uint64_t length)
{
	struct shift ctx = { s, (to >> FAR_PAGE_SHIFT) -
		                        (from >> FAR_PAGE_SHIFT) };

	break_off(s);
	page_map_visit(s->map, from >> FAR_PAGE_SHIFT,
	               (from + length) >> FAR_PAGE_SHIFT, shift, &ctx);
	far_scan_forget(s, from, from + length);
}

/* -- fork ------------------------------------------------------------------ */

/*
 * The child was made before this event was read.  A page that the agent is
 * moving at that time was moved before, and then the child has none, or is
 * shared with the child by now, and then the kernel refuses to move it.  So
 * after the agent's answer the parent's entries are right for the child too.
 */

struct copy {
	struct space *child;
	bool ok;
};

/* What is resident the child has as its own, from the kernel. */
static void copy_page(void *ctx, uint64_t number, struct far_page *p)
{
	struct copy *c = ctx;
	struct far_page *q;

	if (p->state != FAR_AWAY && p->state != FAR_COMING)
		return;
	q = page_map_get(c->child->map, number);
	if (!q) {
		c->ok = false;
		return;
	}
	*q = *p;
	q->state = FAR_AWAY;
	q->wanted = 0;
	far_copy_hold(c->child->pager, p);
}

static void forked(struct space *s, int fd)
{
	struct space *child = far_space_create(s->pager, fd);
	struct copy copy = { child, true };

	break_off(s); /* the agent waits for us to have read everything */
	far_evict_finish(s);
	if (child) {
		child->is_child = true;
		child->parent = s;
	}
	if (!child) {
		pager_lost(s, "no memory to follow its fork()");
		return;
	}
	page_map_visit(s->map, 0, FAR_PAGES_MAX, copy_page, &copy);
	if (!copy.ok)
		pager_lost(s, "no memory for what its child inherits");
}

/* -- messages -------------------------------------------------------------- */

static void message(struct space *s, const struct uffd_msg *m)
{
	switch (m->event) {
	case UFFD_EVENT_PAGEFAULT:
		far_seat_fault(s, (pid_t)m->arg.pagefault.feat.ptid);
		far_fault_missing(s, m->arg.pagefault.address);
		break;
	case UFFD_EVENT_FORK:
		forked(s, (int)m->arg.fork.ufd);
		break;
	case UFFD_EVENT_REMAP:
		remapped(s, m->arg.remap.from, m->arg.remap.to,
		         m->arg.remap.len);
		break;
	case UFFD_EVENT_REMOVE:
		drop_range(s, m->arg.remove.start, m->arg.remove.end);
		break;
	case UFFD_EVENT_UNMAP:
		unmapped(s, m->arg.remove.start, m->arg.remove.end);
		break;
	default:
		break;
	}
}

/* See far_channel.reading. */
static void tell_agent(struct space *s, uint32_t reading)
{
	if (s->channel)
		atomic_store_explicit(&s->channel->reading, reading,
		                      memory_order_seq_cst);
}

static bool has_event(const struct uffd_msg *m, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if (m[i].event != UFFD_EVENT_PAGEFAULT)
			return true;
	return false;
}

/* @return whether there may be more. */
static bool read_some(struct space *s)
{
	struct uffd_msg m[MESSAGES];
	bool changes;
	ssize_t n;

	tell_agent(s, s->events + 1);
	n = read(s->faults.fd, m, sizeof(m)) / (ssize_t)sizeof(m[0]);
	changes = has_event(m, n);
	if (!changes)
		tell_agent(s, s->events);
	for (ssize_t i = 0; i < n && !s->ended; i++)
		message(s, &m[i]);
	if (changes && !s->ended)
		tell_agent(s, s->events += 2);
	return n == MESSAGES && !s->ended;
}

static void faults_ready(struct watch *w, uint32_t events)
{
	struct space *s = container_of(w, struct space, faults);
	struct pager *p = s->pager;

	(void)events;
	s->reading = true;
	for (unsigned k = 0; k < READS && read_some(s); k++)
		continue;
	if (!s->ended) {
		far_fault_wake(s);
		pager_balance(p);
	}
	far_seat_spin(p);
}

/* -- life ------------------------------------------------------------------ */

struct space *far_space_create(struct pager *p, int fd)
{
	struct space *s = calloc(1, sizeof(*s));

	if (s)
		s->map = page_map_create();
	if (!s || !s->map) {
		free(s);
		close(fd);
		return NULL;
	}
	s->pager = p;
	s->pagemap_fd = -1;
	s->event.fd = s->death.fd = -1;
	resident_init(&s->resident, s->map);
	list_init(&s->fetches);
	s->faults = (struct watch){ .fd = fd,
		                    .events = EPOLLIN,
		                    .ready = faults_ready };
	if (watch_start(p->reactor, &s->faults)) {
		page_map_destroy(s->map);
		free(s);
		close(fd);
		return NULL;
	}
	list_append(&p->spaces, &s->link);
	p->n_spaces++;
	return s;
}

static void put_slot(void *ctx, uint64_t number, struct far_page *p)
{
	struct space *s = ctx;

	(void)number;
	far_copy_forget(s->pager, p);
}

static void close_watch(struct reactor *r, struct watch *w)
{
	if (w->fd < 0)
		return;
	watch_stop(r, w);
	close(w->fd);
	w->fd = -1;
}

void far_space_end(struct space *s)
{
	struct reactor *r = s->pager->reactor;

	if (s->ended)
		return;
	far_seat_leave(s);
	s->ended = true;
	s->pager->stats.used += s->prefetch.used;
	s->pager->stats.strays += s->is_child && !s->pid;
	close_watch(r, &s->faults);
	close_watch(r, &s->event);
	close_watch(r, &s->death);
	page_map_visit(s->map, 0, FAR_PAGES_MAX, put_slot, s);
	far_evict_abandon(s);
	LIST_FOREACH (l, &s->fetches) {
		list_entry(l, struct fetch, link)->space = NULL;
		list_remove(l);
	}
	list_remove(&s->link);
	LIST_FOREACH (l, &s->pager->spaces) {
		struct space *child = list_entry(l, struct space, link);

		if (child->parent == s) { /* has all to itself now */
			child->parent = NULL;
			child->shared = 0;
		}
	}
	list_append(&s->pager->ended, &s->link);
	s->pager->n_spaces--;
}

void far_space_free_ended(struct pager *p)
{
	struct list *l;

	while ((l = list_pop(&p->ended))) {
		struct space *s = list_entry(l, struct space, link);

		if (s->channel)
			munmap(s->channel, sizeof(*s->channel));
		if (s->pagemap_fd >= 0)
			close(s->pagemap_fd);
		resident_fini(&s->resident);
		page_map_destroy(s->map);
		free(s->range);
		free(s);
	}
}

/* The kernel says -ESRCH when nobody has this memory any more. */
void far_space_check(struct space *s)
{
	if (uffd_copy(s->faults.fd, FAR_PAGE, zero_page, FAR_PAGE) == -ESRCH)
		far_space_end(s);
}

static void died(struct watch *w, uint32_t events)
{
	(void)events;
	far_space_end(container_of(w, struct space, death));
}

int far_space_watch(struct space *s, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int err;

	if (fd < 0)
		return -errno;
	s->death = (struct watch){ .fd = fd, .events = EPOLLIN, .ready = died };
	err = watch_start(s->pager->reactor, &s->death);
	if (err) {
		close(fd);
		s->death.fd = -1;
		return err;
	}
	s->pid = pid;
	return 0;
}
