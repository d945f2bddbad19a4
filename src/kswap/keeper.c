/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/keeper.h"

#include "base/base.h"
#include "core/log.h"

#include <errno.h>
#include <sys/epoll.h>

#define LOOK_NS (50 * NS_PER_MS)
#define RETRY_NS NS_PER_S
#define GRACE_MS 1000

static void over(struct keeper *k, int err)
{
	if (k->over)
		return;
	k->over = true;
	timer_stop(k->reactor, &k->timer);
	watch_stop(k->reactor, &k->watch);
	k->ended(k, err);
}

/* `pid` if it is a worker that lives. */
static int living(const struct keeper *k, const int32_t *pid)
{
	int worker = __atomic_load_n(pid, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < k->n_children; i++)
		if (worker && worker == k->child[i].pid)
			return worker;
	return 0;
}

int keeper_worker(const struct keeper *k)
{
	return living(k, &k->shared->worker);
}

int keeper_spare(const struct keeper *k)
{
	int spare = living(k, &k->shared->spare);

	return spare == keeper_worker(k) ? 0 : spare;
}

static int prepare(struct child *c, int fds[CHILD_FDS_MAX])
{
	const struct keeper *k = c->owner;

	fds[0] = k->device;
	fds[1] = k->shared_fd;
	return 2;
}

static int start_worker(struct keeper *k, struct err *e)
{
	struct child *c = &k->child[k->n_children++];

	*c = (struct child){ .argv = k->argv,
		             .name = "swap-worker",
		             .owner = k,
		             .prepare = prepare };
	return child_start(k->reactor, c, e);
}

/* Once the first one serves, and has said what the others need to know. */
static void start_spare(struct keeper *k)
{
	struct err e = { 0 };
	char words[sizeof(e.text)];

	if (k->n_children == KEEPER_WORKERS || clock_now_ns() < k->retry_ns ||
	    !start_worker(k, &e))
		return;
	k->n_children--;
	k->retry_ns = clock_now_ns() + RETRY_NS;
	log_event(LOG_LEVEL_WARN, "no second worker", "error=%s",
	          log_quote(words, sizeof(words), e.text));
}

static void look(struct timer *t)
{
	struct keeper *k = container_of(t, struct keeper, timer);
	uint64_t now = clock_now_ns();
	unsigned most = shared_state(k->shared) == SHARED_NEW ? KEEPER_START_MS
	                                                      : KEEPER_DOWN_MS;

	if (keeper_worker(k)) {
		k->down_ns = now;
		start_spare(k);
	} else if (shared_state(k->shared) == SHARED_FAILED) {
		over(k, k->shared->code);
		return;
	} else if (now - k->down_ns > most * NS_PER_MS) {
		log_event(LOG_LEVEL_ERROR, "the swap device is given up",
		          "down_ms=%u", most);
		over(k, -ETIMEDOUT);
		return;
	}
	timer_start(k->reactor, &k->timer, LOOK_NS);
}

/* The kernel has let the file system go. */
static void gone(struct watch *w, uint32_t events)
{
	(void)events;
	over(container_of(w, struct keeper, watch), 0);
}

int keeper_start(struct keeper *k, struct err *e)
{
	int err;

	k->over = false;
	k->timer.fire = look;
	k->down_ns = clock_now_ns();
	k->n_children = 0;
	k->retry_ns = 0;
	k->watch = (struct watch){ .fd = k->device, .ready = gone };
	err = watch_start(k->reactor, &k->watch);
	if (!err)
		err = timer_start(k->reactor, &k->timer, LOOK_NS);
	if (err)
		return err_set(e, err, "no descriptor to watch /dev/fuse with");
	return start_worker(k, e);
}

void keeper_stop(struct keeper *k)
{
	for (unsigned i = 0; i < k->n_children; i++)
		child_stop(&k->child[i], GRACE_MS);
}
