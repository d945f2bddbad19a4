/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/umad_waiter.h"

#include "base/base.h"
#include "core/reactor.h"

#include <errno.h>
#include <infiniband/umad.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

/* The preload's poll() can't be interrupted: look for a stop this often. */
#define LOOK_MS 100

struct umad_waiter {
	struct poller poller;
	struct task task; /* wakes the reactor; owned by it while `posted` */
	struct reactor *reactor;
	int fd;
	bool (*read)(void *arg);
	void *arg;
	pthread_t thread;
	sem_t asked; /* to wait once */
	atomic_bool waiting;
	atomic_bool posted;
	atomic_bool stop;
};

static void *wait_in_turn(void *arg)
{
	struct umad_waiter *w = arg;

	while (!atomic_load(&w->stop)) {
		while (sem_wait(&w->asked) && errno == EINTR)
			;
		/* An error of the preload's poll means: look again. */
		while (!atomic_load(&w->stop) && umad_poll(w->fd, LOOK_MS) < 0)
			;
		atomic_store(&w->waiting, false);
		if (atomic_load(&w->stop) || atomic_exchange(&w->posted, true))
			continue;
		task_post(w->reactor, &w->task);
	}
	return NULL;
}

static void woken_up(struct task *t)
{
	struct umad_waiter *w = container_of(t, struct umad_waiter, task);

	atomic_store(&w->posted, false);
	if (atomic_load(&w->stop))
		free(w);
}

static bool poll_it(struct poller *p)
{
	struct umad_waiter *w = container_of(p, struct umad_waiter, poller);

	return w->read(w->arg);
}

static bool prepare_sleep(struct poller *p)
{
	struct umad_waiter *w = container_of(p, struct umad_waiter, poller);

	if (!atomic_exchange(&w->waiting, true))
		sem_post(&w->asked);
	return true;
}

int umad_waiter_create(struct reactor *r, int fd, bool (*read)(void *arg),
                       void *arg, struct umad_waiter **out)
{
	struct umad_waiter *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->reactor = r;
	w->fd = fd;
	w->read = read;
	w->arg = arg;
	w->poller.poll = poll_it;
	w->poller.prepare_sleep = prepare_sleep;
	w->task.run = woken_up;
	sem_init(&w->asked, 0, 0);
	err = pthread_create(&w->thread, NULL, wait_in_turn, w);
	if (err) {
		free(w);
		return -err;
	}
	poller_start(r, &w->poller);
	*out = w;
	return 0;
}

void umad_waiter_destroy(struct umad_waiter *w)
{
	poller_stop(w->reactor, &w->poller);
	atomic_store(&w->stop, true);
	sem_post(&w->asked);
	pthread_join(w->thread, NULL);
	sem_destroy(&w->asked);
	/* Otherwise the reactor still has the task; it frees `w`. */
	if (!atomic_load(&w->posted))
		free(w);
}
