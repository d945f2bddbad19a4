/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the pager sits: on the core of the thread that faults.
 *
 * To wake a thread on another core costs 15 us where that one spins and 60 us
 * where it sleeps, in a virtual machine; to switch to one on the same core, 1.
 * So while nearly all faults are one thread's, as they are of most programs,
 * the pager and the agent share a core with it, and the pager sleeps instead
 * of spinning.  The thread has to be held there: the scheduler would move it
 * to an idle core as it wakes.
 *
 * The thread's affinity is changed for that time, and what it begins in that
 * time inherits it; so whoever has what we gave to that thread, of its process
 * and its children, gets back what the thread had.  A thread that changes its
 * affinity by itself is let go.
 */
#include "base/clock.h"
#include "far/pager_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAULTS 512u /* until it is looked at where they come from */
#define MOST 7      /* of 8 are one thread's: it is worth it */
#define RATE 2000   /* faults a second */
#define LOOK_NS (50 * NS_PER_MS)
#define REST_NS (NS_PER_S / 2) /* after a seat that was no good */

static bool read_file(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, room - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The core where a thread of process `pid` was last; -1: there is none. */
static int core_of(pid_t pid, pid_t tid)
{
	char path[64], text[512];
	const char *at;
	int core = -1;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (!read_file(path, text, sizeof(text)))
		return -1;
	at = strrchr(text, ')'); /* field 2, a name of any kind; core is 39 */
	for (unsigned field = 2; at && field < 39; field++)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, "%d", &core) == 1 ? core : -1;
}

/* Nanoseconds that a thread has waited for a core; 0: not known. */
static uint64_t waited(pid_t pid, pid_t tid)
{
	char path[64], text[128];
	unsigned long long ran, waits;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	if (!read_file(path, text, sizeof(text)) ||
	    sscanf(text, "%llu %llu", &ran, &waits) != 2)
		return 0;
	return waits;
}

static bool is_held(const struct seat *h, pid_t tid)
{
	cpu_set_t has;

	return sched_getaffinity(tid, sizeof(has), &has) == 0 &&
	       CPU_EQUAL(&has, &h->here);
}

static void let_go(const struct seat *h, pid_t tid)
{
	if (is_held(h, tid))
		sched_setaffinity(tid, sizeof(h->before), &h->before);
}

static pid_t agent_of(const struct space *s)
{
	return (pid_t)atomic_load_explicit(&s->channel->agent,
	                                   memory_order_relaxed);
}

/* -- what was begun there -------------------------------------------------- */

static void let_threads_go(const struct seat *h)
{
	pid_t agent = agent_of(h->space);
	char path[64];
	struct dirent *d;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", h->space->pid);
	tasks = opendir(path);
	while (tasks && (d = readdir(tasks))) {
		pid_t tid = atoi(d->d_name);

		if (tid > 0 && tid != h->tid && tid != agent)
			let_go(h, tid);
	}
	if (tasks)
		closedir(tasks);
}

static void let_children_go(const struct seat *h)
{
	char path[64], text[1024];
	char *at = text, *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", h->space->pid,
	         h->tid);
	if (!read_file(path, text, sizeof(text)))
		return;
	for (long pid = strtol(at, &end, 10); end != at;
	     at = end, pid = strtol(at, &end, 10))
		let_go(h, (pid_t)pid);
}

void far_seat_joined(const struct pager *p, pid_t pid)
{
	if (p->seat.space)
		let_go(&p->seat, pid);
}

/* -- sitting down and standing up ------------------------------------------ */

static void stand(struct pager *p)
{
	struct seat *h = &p->seat;

	let_threads_go(h);
	let_children_go(h);
	let_go(h, agent_of(h->space));
	let_go(h, h->tid);
	sched_setaffinity(0, sizeof(h->own), &h->own);
	reactor_set_spin(p->reactor, h->spin_us);
	h->space = NULL;
}

static void sit(struct space *s, pid_t tid)
{
	struct pager *p = s->pager;
	struct seat *h = &p->seat;
	int last = core_of(s->pid, tid);
	size_t core = (size_t)last;

	if (last < 0 || last >= CPU_SETSIZE || !s->channel ||
	    sched_getaffinity(tid, sizeof(h->before), &h->before) ||
	    sched_getaffinity(0, sizeof(h->own), &h->own) ||
	    !CPU_ISSET(core, &h->own) || CPU_COUNT(&h->own) == 1)
		return;
	CPU_ZERO(&h->here);
	CPU_SET(core, &h->here);
	if (sched_setaffinity(0, sizeof(h->here), &h->here))
		return;
	h->space = s;
	h->tid = tid;
	h->waited_ns = waited(s->pid, tid);
	h->looked_ns = clock_now_ns();
	sched_setaffinity(agent_of(s), sizeof(h->here), &h->here);
	h->spin_us = reactor_set_spin(p->reactor, 0);
	if (sched_setaffinity(tid, sizeof(h->here), &h->here))
		stand(p);
}

/* -- looking --------------------------------------------------------------- */

static void start_period(struct seat *h)
{
	h->faults = h->n_same = 0;
	h->began_ns = clock_now_ns();
}

/* Enough faults, and nearly all of one thread. */
static bool is_worth_it(const struct seat *h)
{
	uint64_t took = clock_now_ns() - h->began_ns;

	return h->n_same >= h->faults / 8 * MOST &&
	       h->faults * NS_PER_S >= RATE * took;
}

/* Somebody else is on that core all the time, or the thread has gone. */
static bool is_spoilt(struct seat *h)
{
	uint64_t now = clock_now_ns(), waits;
	bool spoilt;

	if (now - h->looked_ns < LOOK_NS)
		return false;
	waits = waited(h->space->pid, h->tid);
	spoilt = !is_held(h, h->tid) ||
	         waits - h->waited_ns > (now - h->looked_ns) / 2;
	h->waited_ns = waits;
	h->looked_ns = now;
	let_threads_go(h);
	let_children_go(h);
	return spoilt;
}

static void look(struct pager *p)
{
	struct seat *h = &p->seat;
	bool worth_it = is_worth_it(h);

	if (h->space && (!worth_it || h->space != h->faults_of ||
	                 h->tid != h->candidate || is_spoilt(h))) {
		h->rest_until_ns = worth_it ? clock_now_ns() + REST_NS : 0;
		stand(p);
	} else if (!h->space && worth_it && h->faults &&
	           clock_now_ns() >= h->rest_until_ns) {
		sit(h->faults_of, h->candidate);
	}
	start_period(h);
}

void far_seat_fault(struct space *s, pid_t tid)
{
	struct seat *h = &s->pager->seat;

	if (h->faults == 0) {
		h->faults_of = s;
		h->candidate = h->space == s ? h->tid : tid;
	}
	h->n_same += tid == h->candidate && h->faults_of == s;
	if (++h->faults == FAULTS)
		look(s->pager);
}

void far_seat_tick(struct pager *p)
{
	if (p->seat.space && clock_now_ns() - p->seat.began_ns > LOOK_NS)
		look(p);
}

void far_seat_leave(struct space *s)
{
	struct seat *h = &s->pager->seat;

	if (h->space == s)
		stand(s->pager);
	if (h->faults_of == s)
		start_period(h);
}

void far_seat_spin(struct pager *p)
{
	if (p->seat.space)
		reactor_set_spin(p->reactor, p->coming ? p->seat.spin_us : 0);
}
