/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/auth_gate.h"

#include "base/base.h"
#include "core/reactor.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define LIMIT_NS (AUTH_TIME_LIMIT_MS * NS_PER_MS)
#define GRACE_NS (AUTH_GRACE_MS * NS_PER_MS)

static struct auth_guest *guest_of(struct list *link)
{
	return list_entry(link, struct auth_guest, link);
}

/* Wake up when the oldest has been here for too long. */
static int arm(struct auth_gate *g)
{
	uint64_t now = reactor_now_ns(g->reactor), due;

	if (list_empty(&g->guests)) {
		timer_stop(g->reactor, &g->timer);
		return 0;
	}
	due = guest_of(g->guests.next)->entered_ns + LIMIT_NS;
	return timer_start(g->reactor, &g->timer, due > now ? due - now : 0);
}

static void fire(struct timer *t)
{
	struct auth_gate *g = container_of(t, struct auth_gate, timer);
	uint64_t now = reactor_now_ns(g->reactor);

	while (!list_empty(&g->guests)) {
		struct auth_guest *oldest = guest_of(g->guests.next);

		if (oldest->entered_ns + LIMIT_NS > now)
			break;
		auth_gate_leave(oldest);
		g->n_timed_out++;
		oldest->expired(oldest);
	}
	/* A timer that fires has its place: no memory is needed. */
	(void)arm(g);
}

void auth_gate_init(struct auth_gate *g, struct reactor *r)
{
	*g = (struct auth_gate){ .reactor = r, .timer = { .fire = fire } };
	list_init(&g->guests);
}

void auth_gate_fini(struct auth_gate *g)
{
	assert(list_empty(&g->guests));
	timer_stop(g->reactor, &g->timer);
}

static void address_of(const struct sockaddr_storage *from, uint8_t out[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const struct sockaddr_in *v4 = (const void *)from;
	const struct sockaddr_in6 *v6 = (const void *)from;

	memset(out, 0, 16);
	if (from->ss_family == AF_INET) {
		memcpy(out, mapped, sizeof(mapped));
		memcpy(out + sizeof(mapped), &v4->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		/* Whoever has one address of a /64 has them all. */
		memcpy(out, &v6->sin6_addr, 8);
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
			memcpy(out, &v6->sin6_addr, 16);
	}
}

/* How many inside have this address; the oldest of them in *oldest. */
static unsigned count(struct auth_gate *g, const uint8_t address[16],
                      struct auth_guest **oldest)
{
	unsigned n = 0;

	*oldest = NULL;
	LIST_FOREACH (link, &g->guests) {
		struct auth_guest *x = guest_of(link);

		if (x->dialled || memcmp(x->address, address, 16) != 0)
			continue;
		if (!n++)
			*oldest = x;
	}
	return n;
}

/* The oldest guest from the address that has most of them. */
static struct auth_guest *crowd(struct auth_gate *g)
{
	struct auth_guest *worst = NULL, *oldest;
	unsigned most = 0, n;

	LIST_FOREACH (link, &g->guests) {
		if (guest_of(link)->dialled)
			continue;
		n = count(g, guest_of(link)->address, &oldest);
		if (n > most) {
			most = n;
			worst = oldest;
		}
	}
	return worst;
}

/* @return who must go to let `address` in; NULL with *full: nobody may. */
static struct auth_guest *make_room(struct auth_gate *g,
                                    const uint8_t address[16], bool *full)
{
	uint64_t now = reactor_now_ns(g->reactor);
	struct auth_guest *goes;
	unsigned n = count(g, address, &goes);

	*full = false;
	if (n < AUTH_GUESTS_PER_ADDRESS)
		goes = g->n_guests < AUTH_GUESTS_MAX ? NULL : crowd(g);
	if (goes && now - goes->entered_ns < GRACE_NS) {
		*full = true;
		return NULL;
	}
	return goes;
}

int auth_gate_enter(struct auth_gate *g, struct auth_guest *guest,
                    const struct sockaddr_storage *from)
{
	struct auth_guest *goes = NULL;
	bool full = false;
	int err;

	guest->dialled = !from;
	if (from) {
		address_of(from, guest->address);
		goes = make_room(g, guest->address, &full);
	}
	if (full) {
		g->n_turned_away++;
		return -EBUSY;
	}
	guest->gate = g;
	guest->entered_ns = reactor_now_ns(g->reactor);
	list_append(&g->guests, &guest->link);
	g->n_guests += from ? 1 : 0;
	err = arm(g);
	if (err) {
		auth_gate_leave(guest);
		return err;
	}
	g->n_entered++;
	if (goes) {
		auth_gate_leave(goes);
		g->n_displaced++;
		goes->expired(goes);
	}
	return 0;
}

void auth_gate_leave(struct auth_guest *guest)
{
	struct auth_gate *g = guest->gate;

	if (!g)
		return;
	list_remove(&guest->link);
	g->n_guests -= guest->dialled ? 0 : 1;
	guest->gate = NULL;
}
