/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The limit: how much memory the programs have, and who gives some up.
 *
 *      0 ........ capture .............. high ........... full = local
 *                 ranges are             pages leave      pages wait for
 *                 registered                              others to leave
 *
 * The kernel is asked on a tick and after every LOOK_EVERY pages that came;
 * between two looks what was moved is added up.  A tick comes the sooner the
 * less room there is, and the later the longer nothing has changed.
 */
#include "far/pager_priv.h"

#include "far/uffd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MIN_NS (2 * NS_PER_MS)
#define TICK_MAX_NS (50 * NS_PER_MS)
#define LOOK_EVERY 256u /* pages */
/* Pages that leave together, at least: to seal a whole batch keeps faults
 * waiting for 200 us; to compress one, nobody. */
#define LEAST 16
#define LEAST_COMPRESSED 48

/* Of the limit, in 64ths. */
#define CAPTURE 40
#define HIGH 58

static int64_t part(const struct pager *p, int64_t n)
{
	return (int64_t)(p->local / 64) * n;
}

int64_t pager_in_use(const struct pager *p)
{
	return p->resident + (int64_t)p->tier.bytes;
}

bool pager_has_slots(const struct pager *p, uint64_t n)
{
	LIST_FOREACH (l, &p->spaces) {
		if (list_entry(l, struct space, link)->parcel)
			n += FAR_BATCH;
	}
	return p->slots.n - p->slots.used >= n;
}

bool pager_is_high(const struct pager *p)
{
	return pager_in_use(p) > part(p, HIGH);
}

unsigned pager_excess(const struct pager *p)
{
	int64_t pages = (pager_in_use(p) - part(p, HIGH)) / (int64_t)FAR_PAGE;
	int64_t least = p->compress ? LEAST_COMPRESSED : LEAST;

	if (pages < least)
		return (unsigned)least;
	return pages > (int64_t)FAR_BATCH ? FAR_BATCH : (unsigned)pages;
}

bool pager_is_full(const struct pager *p)
{
	return pager_in_use(p) + (int64_t)(p->coming * FAR_PAGE) >
	       (int64_t)p->local;
}

void pager_lost(struct space *s, const char *why)
{
	struct pager *p = s->pager;

	if (s->ended)
		return;
	if (s->pid)
		kill(s->pid, SIGKILL);
	if (p->lost)
		p->lost(p->ctx, s->pid, why);
	far_space_end(s);
}

/* -- looking --------------------------------------------------------------- */

/* What a child has in common with its parent counts for the parent; when
 * either writes to it the child has pages that a scan finds. */
static uint64_t own(const struct space *s)
{
	uint64_t known = resident_count(&s->resident) * FAR_PAGE;
	uint64_t more = s->rss > s->shared ? s->rss - s->shared : 0;

	return s->is_child && known > more ? known : more;
}

static void look(struct pager *p)
{
	int64_t all = 0;

	LIST_FOREACH (l, &p->spaces) {
		struct space *s = list_entry(l, struct space, link);

		if (s->pid)
			s->rss = far_scan_rss(s->pid);
		all += (int64_t)own(s);
	}
	p->resident = all;
	p->looks = 0;
	if (p->stats.peak < (uint64_t)pager_in_use(p))
		p->stats.peak = (uint64_t)pager_in_use(p);
}

void pager_moved(struct pager *p, int64_t pages)
{
	p->resident += pages * (int64_t)FAR_PAGE;
	if (pages > 0)
		p->looks += (unsigned)pages;
}

void pager_balance(struct pager *p)
{
	if (p->looks >= LOOK_EVERY)
		look(p);
	far_compress_make_room(p);
	if (!pager_is_high(p))
		return;
	LIST_FOREACH (l, &p->spaces) {
		struct space *s = list_entry(l, struct space, link);

		far_evict_start(s);
	}
}

/* Until the next look: long enough for a program to fill half of what is
 * left at 2 GB/s, doubled while nothing happens. */
static uint64_t next_tick(struct pager *p, int64_t before)
{
	int64_t room = (int64_t)p->local - pager_in_use(p);
	uint64_t soon = room > 0 ? (uint64_t)room / 4 : 0;
	int64_t change = p->resident - before;

	if (soon < TICK_MIN_NS)
		soon = TICK_MIN_NS;
	if (!pager_is_high(p) && change > -(int64_t)(64 * FAR_PAGE) &&
	    change < (int64_t)(64 * FAR_PAGE) && soon < 2 * p->tick_ns)
		soon = 2 * p->tick_ns;
	return soon < TICK_MAX_NS ? soon : TICK_MAX_NS;
}

static void tick(struct timer *t)
{
	struct pager *p = container_of(t, struct pager, tick);
	int64_t before = p->resident;

	far_space_free_ended(p);
	far_seat_tick(p);
	LIST_FOREACH (l, &p->spaces) {
		far_space_check(list_entry(l, struct space, link));
	}
	look(p);
	if (pager_in_use(p) > part(p, CAPTURE)) {
		LIST_FOREACH (l, &p->spaces) {
			struct space *s = list_entry(l, struct space, link);

			far_scan_capture(s);
			/* What a child shared becomes its own unseen. */
			if (s->is_child ||
			    resident_count(&s->resident) < FAR_BATCH)
				s->scanned_all = false;
			s->stuck = false;
		}
	}
	pager_balance(p);
	p->tick_ns = next_tick(p, before);
	timer_start(p->reactor, &p->tick, p->tick_ns);
}

/* -- life ------------------------------------------------------------------ */

/* Whether this kernel and these rights will do, before a program is there. */
static int try_uffd(int device, struct err *e)
{
	int fd = uffd_open(device);
	int err;

	if (fd < 0)
		return err_set(e, fd,
		               "no userfaultfd here (%s): run as root, or give "
		               "access to /dev/userfaultfd",
		               strerror(-fd));
	err = uffd_api(fd, UFFD_PAGER_FEATURES);
	close(fd);
	if (err == -EPERM)
		return err_set(e, err,
		               "userfaultfd may not follow forks: this needs "
		               "CAP_SYS_PTRACE; run as root");
	if (err)
		return err_set(e, -ENOSYS,
		               "this kernel's userfaultfd cannot move pages: "
		               "Linux 6.8 or newer is needed");
	return 0;
}

static int init(struct pager *p, const struct pager_opts *o, struct err *e)
{
	uint64_t room = o->device->size / FAR_PAGE;
	int err;

	p->device_fd = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	err = try_uffd(p->device_fd, e);
	if (err)
		return err;
	if (slots_init(&p->slots, room < FAR_NO_SLOT ? room : FAR_NO_SLOT - 1))
		return err_set(e, -ENOMEM, "no memory for %" PRIu64 " slots",
		               room);
	if (p->compress && far_compress_init(p))
		return err_set(e, -ENOMEM,
		               "no memory, or no thread, to compress pages");
	err = seal_init(&p->seal, o->encrypt, e);
	if (err)
		return err;
	return far_join_listen(p, e);
}

int pager_create(const struct pager_opts *o, struct pager **out, struct err *e)
{
	struct pager *p;
	int err;

	if (o->local < PAGER_LOCAL_MIN)
		return err_set(e, -EINVAL,
		               "%" PRIu64 " bytes of local memory are too few: "
		               "at least 8M",
		               o->local);
	if (o->device->size < FAR_BATCH * FAR_PAGE)
		return err_set(e, -EINVAL, "there is no room for far pages");
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(e, -ENOMEM, "no memory for a pager");
	p->reactor = o->reactor;
	p->local = o->local;
	p->encrypt = o->encrypt;
	p->compress = o->compress;
	p->lost = o->lost;
	p->stuck = o->stuck;
	p->ctx = o->ctx;
	p->listener.fd = -1;
	p->tick_ns = TICK_MIN_NS;
	p->tick.fire = tick;
	list_init(&p->joining);
	list_init(&p->spaces);
	list_init(&p->ended);
	list_init(&p->parcels);
	swap_init(&p->swap, o->device);
	slab_init(&p->fetch_slab, sizeof(struct fetch), 64, FETCHES_MAX);
	slab_init(&p->fetch_pages, FETCH_MAX * FAR_PAGE, FAR_PAGE, FETCHES_MAX);
	slab_init(&p->parcel_slab, sizeof(struct parcel), 64, PARCELS_MAX);
	slab_init(&p->parcel_pages, FAR_BATCH * FAR_PAGE * (o->encrypt ? 2 : 1),
	          FAR_PAGE, PARCELS_MAX);
	err = init(p, o, e);
	if (!err)
		err = timer_start(p->reactor, &p->tick, p->tick_ns);
	if (err) {
		pager_destroy(p);
		return err;
	}
	*out = p;
	return 0;
}

void pager_destroy(struct pager *p)
{
	if (!p)
		return;
	timer_stop(p->reactor, &p->tick);
	far_join_stop(p);
	while (!list_empty(&p->spaces)) {
		struct space *s =
			list_entry(p->spaces.next, struct space, link);

		if (s->pid)
			kill(s->pid, SIGKILL);
		far_space_end(s);
	}
	far_space_free_ended(p);
	packer_stop(&p->packer);
	while (p->swap.in_flight || !list_empty(&p->parcels))
		reactor_poll(p->reactor);
	slab_fini(&p->fetch_slab);
	slab_fini(&p->fetch_pages);
	slab_fini(&p->parcel_slab);
	slab_fini(&p->parcel_pages);
	far_compress_fini(p);
	if (p->device_fd >= 0)
		close(p->device_fd);
	seal_fini(&p->seal);
	slots_fini(&p->slots);
	free(p);
}

const char *pager_socket(const struct pager *p)
{
	return p->socket_path;
}

void pager_stats(const struct pager *p, struct pager_stats *out)
{
	*out = p->stats;
	out->programs = p->n_spaces;
	out->local = p->local;
	out->resident = p->resident > 0 ? (uint64_t)p->resident : 0;
	out->tier = p->tier.bytes;
	out->packed = p->tier.pages;
	out->away = p->slots.used * FAR_PAGE;
	out->room = p->slots.n * FAR_PAGE;
	LIST_FOREACH (l, &p->spaces) {
		out->used += list_entry(l, struct space, link)->prefetch.used;
	}
}
