/* SPDX-License-Identifier: BSD-2-Clause */
/* A session's links: they come and go at run time. */
#include "fabric/session_priv.h"

#include <errno.h>
#include <stdlib.h>

static struct session_link *find_link(const struct session *s,
                                      const struct fabric_address *a)
{
	LIST_FOREACH (l, &s->links) {
		struct session_link *k =
			list_entry(l, struct session_link, link);

		if (address_equal(&k->address, a))
			return k;
	}
	return NULL;
}

int session_link_add(struct session *s, const struct fabric_address *a)
{
	struct session_link *k;

	if (find_link(s, a))
		return -EEXIST;
	if (s->n_links == SESSION_LINKS)
		return -ENOSPC;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->address = *a;
	k->why = "not dialled yet";
	list_append(&s->links, &k->link);
	s->n_links++;
	session_watch_dials(s);
	return 0;
}

int session_link_remove(struct session *s, const struct fabric_address *a)
{
	struct session_link *k = find_link(s, a);

	if (!k)
		return -ENOENT;
	/* Off the list first, so that nothing of it is chosen again. */
	list_remove(&k->link);
	s->n_links--;
	for (unsigned c = 0; c < FABRIC_CLASSES; c++) {
		if (k->slots[c].dialling)
			session_lane_free(k->slots[c].dialling);
		if (k->slots[c].up)
			session_lane_bury(k->slots[c].up, "");
	}
	free(k);
	session_lane_fence(s);
	session_watch_dials(s);
	return 0;
}

void session_link_free_all(struct session *s)
{
	struct list *l;

	while ((l = list_pop(&s->links)))
		free(list_entry(l, struct session_link, link));
	s->n_links = 0;
}

static void link_info(const struct session_link *k,
                      struct session_link_info *out)
{
	*out = (struct session_link_info){ .address = k->address,
		                           .ops = k->ops,
		                           .bytes_sent = k->bytes_sent,
		                           .bytes_received = k->bytes_received,
		                           .times_lost = k->times_lost,
		                           .why = k->why };
	for (unsigned c = 0; c < FABRIC_CLASSES; c++) {
		const struct session_lane *l = k->slots[c].up;

		if (!l)
			continue;
		out->lanes++;
		out->ops += l->lane->stats.ops;
		out->bytes_sent += l->lane->stats.bytes_sent;
		out->bytes_received += l->lane->stats.bytes_received;
		if (l->suspect_ns) {
			out->state = SESSION_LINK_SUSPECT;
			out->why = "a lane is silent";
		}
	}
	if (out->lanes == FABRIC_CLASSES && out->state == SESSION_LINK_DOWN)
		out->state = SESSION_LINK_UP;
}

unsigned session_links(const struct session *s,
                       struct session_link_info out[SESSION_LINKS])
{
	unsigned n = 0;

	LIST_FOREACH (l, &s->links)
		link_info(list_entry(l, struct session_link, link), &out[n++]);
	return n;
}

const char *session_link_state_name(enum session_link_state state)
{
	static const char *const names[] = {
		[SESSION_LINK_DOWN] = "down",
		[SESSION_LINK_SUSPECT] = "suspect",
		[SESSION_LINK_UP] = "up",
	};

	return names[state];
}
