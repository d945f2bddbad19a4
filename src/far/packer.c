/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/packer.h"

#include "core/reactor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/uio.h>

/* Copy what lies in staging. */
static int copy(const struct pack_job *j)
{
	struct iovec local[FAR_BATCH], remote[FAR_BATCH];
	unsigned long n = 0;

	for (unsigned i = 0; i < FAR_BATCH; i++) {
		uint64_t from = j->staging + i * FAR_PAGE;

		if (!(j->moved >> i & 1))
			continue;
		local[n] = (struct iovec){ j->page + i * FAR_PAGE, FAR_PAGE };
		remote[n++] =
			(struct iovec){ (void *)(uintptr_t)from, FAR_PAGE };
	}
	if (n == 0 || process_vm_readv(j->pid, local, n, remote, n, 0) ==
	                      (ssize_t)(n * FAR_PAGE))
		return 0;
	return errno == ESRCH ? -ESRCH : -EFAULT;
}

void packer_run(struct pack_job *j, void *work)
{
	j->err = copy(j);
	for (unsigned i = 0; i < FAR_BATCH; i++) {
		unsigned n = 0;

		if (!j->err && j->packed && work && j->moved >> i & 1)
			n = tier_pack(work, j->page + i * FAR_PAGE,
			              j->packed + i * TIER_PACKED);
		j->length[i] = (uint16_t)n;
	}
}

static struct pack_job *next(struct packer *p)
{
	struct list *l;

	pthread_mutex_lock(&p->lock);
	while (!(l = list_pop(&p->jobs)) && !p->stop)
		pthread_cond_wait(&p->wake, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return l ? list_entry(l, struct pack_job, link) : NULL;
}

static void *run(void *arg)
{
	struct packer *p = arg;
	struct pack_job *j;
	void *work = malloc(tier_pack_size());

	prctl(PR_SET_NAME, "packer");
	while ((j = next(p))) {
		packer_run(j, work);
		/* Whoever polls for that may free the job after `done`. */
		atomic_store_explicit(&j->is_done, true, memory_order_release);
		task_post(p->reactor, &j->done);
	}
	free(work);
	return NULL;
}

int packer_start(struct packer *p, struct reactor *reactor)
{
	sigset_t all, old;
	int err;

	*p = (struct packer){ .reactor = reactor };
	list_init(&p->jobs);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&p->thread, NULL, run, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	p->is_running = !err;
	return -err;
}

void packer_stop(struct packer *p)
{
	if (!p->is_running)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	p->is_running = false;
}

void packer_submit(struct packer *p, struct pack_job *j)
{
	atomic_store_explicit(&j->is_done, false, memory_order_relaxed);
	pthread_mutex_lock(&p->lock);
	list_append(&p->jobs, &j->link);
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
}
