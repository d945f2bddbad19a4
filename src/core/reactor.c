/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/reactor_priv.h"

#include "core/timer_priv.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

/* A chain of completions (drive -> RAID -> thin -> export) is this deep or a
 * little more; it should end before the next system call. */
#define DEFER_ROUNDS 8u

/*
 * Asking epoll costs 100-300 ns, an iteration with a task some tens.  While
 * tasks, pollers and io_uring keep the loop busy, descriptors are asked every
 * so many iterations, or after so long, whichever comes first; an iteration
 * that has found nothing else always asks, so a socket's latency while the
 * reactor spins is that of one call.
 */
#define FDS_EVERY 16u
#define FDS_EVERY_NS (20 * NS_PER_US)

#define EVENTS_PER_CALL 64

/* Gaps are averaged with this weight (1/8).  A gap counts as twice the spin
 * limit at most, so that a few short ones bring the spinning back. */
#define GAP_SHIFT 3u

/*
 * A spin that ended in sleep was in vain, and where the one who would bring
 * the work waits for this very core, each is.  So the gaps after it begin with
 * sleep: 1, 3, 7, ... of them, this many at most, until a spin pays again.
 */
#define REST_MAX 63u

/*
 * While it spins a reactor offers its core to others now and then (0.3 us),
 * each time as long as somebody takes it: a yield that lasts longer than one
 * without takers.
 */
#define YIELD_EVERY 8u
#define YIELDED_NS NS_PER_US

static _Thread_local struct reactor *current;

/* -- time and tasks ------------------------------------------------------- */

static uint64_t read_clock(const struct reactor *r)
{
	return r->clock ? r->clock->now_ns(r->clock) : clock_now_ns();
}

uint64_t reactor_now_ns(const struct reactor *r)
{
	return r->inside ? r->now_ns : read_clock(r);
}

struct reactor *reactor_current(void)
{
	return current;
}

unsigned reactor_set_spin(struct reactor *r, unsigned max_us)
{
	unsigned was = (unsigned)(r->spin_max_ns / NS_PER_US);

	r->spin_max_ns = max_us * NS_PER_US;
	return was;
}

void reactor_bind(struct reactor *r)
{
	current = r;
}

static void wake(struct reactor *r)
{
	uint64_t one = 1;

	if (!atomic_load(&r->sleeping) || !atomic_exchange(&r->sleeping, false))
		return;
	/* Cannot fail: the counter would overflow after 2^64 wake-ups. */
	if (write(r->wake_fd, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN);
}

void task_post(struct reactor *r, struct task *t)
{
	struct task *top =
		atomic_load_explicit(&r->posted, memory_order_relaxed);

	do {
		t->next = top;
	} while (!atomic_compare_exchange_weak(&r->posted, &top, t));
	wake(r);
}

void reactor_stop(struct reactor *r)
{
	atomic_store(&r->stop, true);
	wake(r);
}

void task_defer(struct reactor *r, struct task *t)
{
	t->next = NULL;
	if (r->deferred)
		r->deferred_last->next = t;
	else
		r->deferred = t;
	r->deferred_last = t;
}

/* A task may be freed or queued again as soon as it runs. */
static bool run_list(struct reactor *r, struct task *t)
{
	uint64_t n = 0;

	while (t) {
		struct task *next = t->next;

		t->run(t);
		t = next;
		n++;
	}
	if (n)
		reactor_count(&r->tasks, n);
	return n > 0;
}

static bool run_posted(struct reactor *r)
{
	struct task *oldest = NULL;
	struct task *t;

	if (!atomic_load_explicit(&r->posted, memory_order_relaxed))
		return false;
	t = atomic_exchange_explicit(&r->posted, NULL, memory_order_acquire);
	while (t) {
		struct task *next = t->next;

		t->next = oldest;
		oldest = t;
		t = next;
	}
	return run_list(r, oldest);
}

static bool run_deferred(struct reactor *r)
{
	bool any = false;

	for (unsigned i = 0; i < DEFER_ROUNDS && r->deferred; i++) {
		struct task *batch = r->deferred;

		r->deferred = NULL;
		any |= run_list(r, batch);
	}
	return any;
}

/* -- pollers -------------------------------------------------------------- */

void poller_start(struct reactor *r, struct poller *p)
{
	p->prepared = false;
	list_append(&r->pollers, &p->link);
}

void poller_stop(struct reactor *r, struct poller *p)
{
	if (r->next_poller == &p->link)
		r->next_poller = p->link.next;
	list_remove(&p->link);
}

/* Pollers may be stopped and started while they are walked. */
static struct poller *next_poller(struct reactor *r)
{
	struct list *l = r->next_poller;

	if (l == &r->pollers)
		return NULL;
	r->next_poller = l->next;
	return list_entry(l, struct poller, link);
}

static bool run_pollers(struct reactor *r)
{
	struct poller *p;
	bool any = false;

	r->hot = false;
	r->next_poller = r->pollers.next;
	while ((p = next_poller(r))) {
		r->hot |= p->hot;
		any |= p->poll(p);
	}
	return any;
}

static bool prepare_pollers(struct reactor *r)
{
	struct poller *p;
	bool idle = true;

	r->next_poller = r->pollers.next;
	while (idle && (p = next_poller(r))) {
		p->prepared = true;
		idle = !p->prepare_sleep || p->prepare_sleep(p);
	}
	return idle;
}

static void wake_pollers(struct reactor *r)
{
	struct poller *p;

	r->next_poller = r->pollers.next;
	while ((p = next_poller(r))) {
		bool prepared = p->prepared;

		p->prepared = false;
		if (prepared && p->woken)
			p->woken(p);
	}
}

/* -- descriptors ---------------------------------------------------------- */

/*
 * A wait of nanoseconds; of whole milliseconds, rounded up, where the call is
 * not known (a container's filter, valgrind).
 */
static int wait_for_events(struct reactor *r, struct epoll_event *events,
                           int64_t timeout_ns)
{
	struct timespec ts = {
		.tv_sec = timeout_ns / (int64_t)NS_PER_S,
		.tv_nsec = timeout_ns % (int64_t)NS_PER_S,
	};
	int64_t ms = (timeout_ns + (int64_t)NS_PER_MS - 1) / (int64_t)NS_PER_MS;

	if (!r->coarse_wait) {
		int n = epoll_pwait2(r->epoll_fd, events, EVENTS_PER_CALL,
		                     timeout_ns < 0 ? NULL : &ts, NULL);

		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		r->coarse_wait = true;
	}
	return epoll_wait(r->epoll_fd, events, EVENTS_PER_CALL,
	                  timeout_ns < 0 ? -1
	                                 : (int)(ms > INT_MAX ? INT_MAX : ms));
}

/* timeout_ns < 0: for ever. */
static void fetch(struct reactor *r, int64_t timeout_ns)
{
	struct epoll_event events[EVENTS_PER_CALL];
	int n;

	if (timeout_ns == 0)
		n = epoll_wait(r->epoll_fd, events, EVENTS_PER_CALL, 0);
	else
		n = wait_for_events(r, events, timeout_ns);
	assert(n >= 0 || errno == EINTR);
	for (int i = 0; i < n; i++) {
		struct watch *w = events[i].data.ptr;

		w->ready_events = events[i].events;
		if (!list_linked(&w->ready_link))
			list_append(&r->ready, &w->ready_link);
	}
}

static bool fetch_is_due(struct reactor *r, bool worked)
{
	if (!list_empty(&r->ready) || r->n_watches == 0)
		return false;
	if (!worked && r->sleeps_next) /* and asks then */
		return ++r->fds_skipped >= FDS_EVERY;
	return (!worked && !r->hot) || ++r->fds_skipped >= FDS_EVERY ||
	       r->now_ns - r->fds_checked_ns >= FDS_EVERY_NS;
}

static bool run_ready(struct reactor *r)
{
	struct list *l;
	bool any = false;

	while ((l = list_pop(&r->ready))) {
		struct watch *w = list_entry(l, struct watch, ready_link);
		uint32_t events = w->ready_events;

		w->ready_events = 0;
		any |= w->ready != NULL;
		if (w->ready)
			w->ready(w, events);
	}
	return any;
}

/* -- the loop ------------------------------------------------------------- */

static void begin(struct reactor *r)
{
	uint64_t now = read_clock(r);

	if (r->worked)
		reactor_count(&r->busy_ns, now - r->now_ns);
	r->now_ns = now;
	r->worked = false;
	r->inside = true;
	reactor_count(&r->iterations, 1);
}

static bool iterate(struct reactor *r, bool always_fetch)
{
	bool any;

	begin(r);
	any = run_posted(r);
	any |= run_deferred(r);
	any |= run_pollers(r);
	any |= uring_poll(&r->uring);
	if (fetch_is_due(r, any && !always_fetch)) {
		r->fds_skipped = 0;
		r->fds_checked_ns = r->now_ns;
		fetch(r, 0);
	}
	any |= run_ready(r);
	any |= timer_expire(r);
	any |= run_deferred(r);
	r->worked = any;
	r->inside = false;
	return any;
}

static void gap_ended(struct reactor *r)
{
	uint64_t gap = r->now_ns - r->idle_since_ns;

	if (gap > r->spin_max_ns * 2)
		gap = r->spin_max_ns * 2;
	r->expected_gap_ns +=
		(gap >> GAP_SHIFT) - (r->expected_gap_ns >> GAP_SHIFT);
	r->idle_since_ns = 0;
	if (r->spun)
		r->rest_after = 0;
	else if (r->rest)
		r->rest--;
	r->spun = false;
}

static bool may_spin(const struct reactor *r)
{
	return !r->rest && r->expected_gap_ns < r->spin_max_ns &&
	       r->now_ns - r->idle_since_ns < r->spin_max_ns;
}

/* A spin may keep from the core the very thread that would end it: the peer,
 * or the program that waits for both. */
static void give_way(struct reactor *r)
{
	uint64_t before;

	if (!r->crowded && ++r->spins % YIELD_EVERY)
		return;
	before = clock_now_ns();
	sched_yield();
	r->crowded = clock_now_ns() - before > YIELDED_NS;
}

static void spun_in_vain(struct reactor *r)
{
	r->spun = false;
	if (r->rest_after < REST_MAX)
		r->rest_after = 2 * r->rest_after + 1;
	r->rest = r->rest_after;
}

static int64_t time_to_sleep(const struct reactor *r)
{
	uint64_t now = read_clock(r);
	uint64_t due;

	if (r->n_timers == 0)
		return -1;
	due = r->heap[1]->due_ns;
	if (due <= now)
		return 0;
	return due - now > INT64_MAX ? INT64_MAX : (int64_t)(due - now);
}

static void sleep_until_work(struct reactor *r)
{
	bool idle;

	atomic_store(&r->sleeping, true);
	idle = prepare_pollers(r);
	idle = idle && uring_prepare_sleep(&r->uring);
	if (idle && !r->deferred && !atomic_load(&r->posted) &&
	    !atomic_load(&r->stop)) {
		reactor_count(&r->sleeps, 1);
		fetch(r, time_to_sleep(r));
	}
	atomic_store_explicit(&r->sleeping, false, memory_order_relaxed);
	uring_woken(&r->uring);
	wake_pollers(r);
}

void reactor_run(struct reactor *r)
{
	struct reactor *before = current;

	current = r;
	/* The main thread's name is the program's. */
	if (r->name && gettid() != getpid())
		prctl(PR_SET_NAME, r->name);
	r->idle_since_ns = 0;
	r->worked = false;
	do {
		r->sleeps_next = r->expected_gap_ns >= r->spin_max_ns;
		if (iterate(r, false)) {
			if (r->idle_since_ns)
				gap_ended(r);
			continue;
		}
		if (!r->idle_since_ns)
			r->idle_since_ns = r->now_ns;
		if (may_spin(r)) {
			r->spun = true;
			give_way(r);
			continue;
		}
		if (r->spun)
			spun_in_vain(r);
		sleep_until_work(r);
	} while (!atomic_load_explicit(&r->stop, memory_order_acquire));
	atomic_store(&r->stop, false);
	current = before;
}

bool reactor_poll(struct reactor *r)
{
	struct reactor *before = current;
	bool worked;

	current = r;
	r->sleeps_next = false;
	worked = iterate(r, true);
	current = before;
	return worked;
}

void reactor_stats(const struct reactor *r, struct reactor_stats *out)
{
	out->iterations =
		atomic_load_explicit(&r->iterations, memory_order_relaxed);
	out->sleeps = atomic_load_explicit(&r->sleeps, memory_order_relaxed);
	out->tasks = atomic_load_explicit(&r->tasks, memory_order_relaxed);
	out->busy_ns = atomic_load_explicit(&r->busy_ns, memory_order_relaxed);
}

/* -- creation ------------------------------------------------------------- */

static int open_descriptors(struct reactor *r, struct err *e)
{
	int err;

	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll_fd < 0)
		return err_set(e, -errno, "cannot create an epoll set: %s",
		               strerror(errno));
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->wake_fd < 0)
		return err_set(e, -errno, "cannot create an eventfd: %s",
		               strerror(errno));
	/* Edge-triggered: every write wakes, and nobody need read. */
	r->wake_watch.fd = r->wake_fd;
	r->wake_watch.events = EPOLLIN | EPOLLET;
	err = reactor_watch_internal(r, &r->wake_watch);
	if (err)
		return err_set(e, err, "cannot watch a descriptor: %s",
		               strerror(-err));
	return 0;
}

int reactor_create(const struct reactor_opts *opts, struct reactor **out,
                   struct err *e)
{
	struct reactor *r =
		aligned_alloc(REACTOR_CACHE_LINE, sizeof(struct reactor));
	int err;

	if (!r)
		return err_set(e, -ENOMEM, "no memory for a reactor");
	memset(r, 0, sizeof(*r));
	r->epoll_fd = -1;
	r->wake_fd = -1;
	r->name = opts->name;
	r->clock = opts->clock;
	r->spin_max_ns = opts->spin_max_us * NS_PER_US;
	/* Until it is known better, work is rare. */
	r->expected_gap_ns = r->spin_max_ns * 2;
	list_init(&r->pollers);
	list_init(&r->ready);
	r->next_poller = &r->pollers;
	err = open_descriptors(r, e);
	if (!err)
		err = uring_init(&r->uring, opts->uring_depth, r->wake_fd, e);
	if (err) {
		reactor_destroy(r);
		return err;
	}
	*out = r;
	return 0;
}

void reactor_destroy(struct reactor *r)
{
	if (!r)
		return;
	assert(r->n_watches == 0 && r->n_timers == 0);
	assert(list_empty(&r->pollers) && !r->deferred && !r->posted);
	uring_fini(&r->uring);
	if (r->wake_fd >= 0)
		close(r->wake_fd);
	if (r->epoll_fd >= 0)
		close(r->epoll_fd);
	if (current == r)
		current = NULL;
	free(r->heap);
	free(r);
}
