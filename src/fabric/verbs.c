/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs.h"

#include "base/base.h"
#include "core/reactor.h"
#include "fabric/verbs_lane.h"
#include "fabric/verbs_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <infiniband/verbs.h>
#include <netinet/in.h>
#include <rdma/rdma_cma.h>
#include <string.h>
#include <sys/epoll.h>

#define BACKLOG 64
#define EVENTS_PER_TURN 32

struct verbs_transport {
	struct transport transport;
	struct reactor *reactor;
	struct rdma_event_channel *channel;
	struct watch watch;
	struct list listeners;
};

struct verbs_listener {
	struct transport_listener base;
	struct list link;
	struct rdma_cm_id *id;
};

static struct verbs_transport *verbs_of(struct transport *t)
{
	return container_of(t, struct verbs_transport, transport);
}

/* -- is there any --------------------------------------------------------- */

int verbs_available(struct err *e)
{
	int n = 0, err;
	struct ibv_device **list = ibv_get_device_list(&n);

	err = errno;
	if (list)
		ibv_free_device_list(list);
	if (n > 0 && access("/dev/infiniband/rdma_cm", R_OK | W_OK) == 0)
		return 0;
	if (n > 0)
		return err_set(e, -errno,
		               "no access to "
		               "/dev/infiniband/rdma_cm: %s; is rdma_ucm "
		               "loaded?",
		               strerror(errno));
	if (access("/sys/class/infiniband", F_OK) != 0)
		return err_set(e, -ENODEV,
		               "this kernel has no RDMA: "
		               "ib_core is not loaded");
	if (!list)
		return err_set(e, -ENODEV, "libibverbs finds no devices: %s",
		               strerror(err));
	return err_set(e, -ENODEV,
	               "this host has no RDMA device; see "
	               "`rdma link`");
}

/* -- events --------------------------------------------------------------- */

/*
 * A request to connect.  Its id has the listener's context until it gets one
 * of its own.
 */
static void accept_request(struct verbs_listener *l, struct rdma_cm_id *id)
{
	struct verbs_transport *v = verbs_of(l->base.transport);
	struct stream *s;
	struct lane *lane;

	if (verbs_stream_accept(v->reactor, id, &s, NULL))
		return;
	if (verbs_lane_create(v->reactor, s, false, &lane))
		return;
	l->base.accepted(&l->base, lane);
}

static bool is_listener(const struct verbs_transport *v,
                        const struct rdma_cm_id *id)
{
	LIST_FOREACH (l, &v->listeners)
		if (list_entry(l, struct verbs_listener, link)->id == id)
			return true;
	return false;
}

static void channel_ready(struct watch *w, uint32_t events)
{
	struct verbs_transport *v =
		container_of(w, struct verbs_transport, watch);

	(void)events;
	for (int i = 0; i < EVENTS_PER_TURN; i++) {
		struct rdma_cm_event *event, copy;

		if (rdma_get_cm_event(v->channel, &event))
			return;
		copy = *event;
		/* Before its id may be destroyed, which waits for this. */
		rdma_ack_cm_event(event);
		if (copy.event == RDMA_CM_EVENT_CONNECT_REQUEST)
			accept_request(copy.listen_id->context, copy.id);
		else if (!is_listener(v, copy.id)) /* its device went */
			verbs_stream_event(copy.id, (int)copy.event,
			                   copy.status);
	}
}

/* -- the transport -------------------------------------------------------- */

static int dial(struct transport *t, struct reactor *r,
                const struct fabric_address *to, struct lane **out,
                struct err *e)
{
	struct verbs_transport *v = verbs_of(t);
	struct rdma_cm_id *id;
	struct stream *s;
	int err;

	if (rdma_create_id(v->channel, &id, NULL, RDMA_PS_TCP))
		return err_set(e, -errno, "cannot make an RDMA connection: %s",
		               strerror(errno));
	err = verbs_stream_dial(r, id, to, &s, e);
	if (err)
		return err;
	if (verbs_lane_create(r, s, true, out))
		return err_set(e, -ENOMEM, "no memory for a connection");
	return 0;
}

static int open_listener(struct verbs_transport *v, struct verbs_listener *l,
                         const struct fabric_address *at)
{
	struct sockaddr_storage sa;

	address_to_socket(at, &sa);
	if (rdma_create_id(v->channel, &l->id, l, RDMA_PS_TCP))
		return -errno;
	if (rdma_bind_addr(l->id, (struct sockaddr *)&sa) ||
	    rdma_listen(l->id, BACKLOG))
		return -errno;
	l->base.address.port = ntohs(rdma_get_src_port(l->id));
	return 0;
}

static int listen_at(struct transport *t, struct reactor *r,
                     const struct fabric_address *at,
                     struct transport_listener **out, struct err *e)
{
	struct verbs_listener *l = calloc(1, sizeof(*l));
	char text[FABRIC_ADDRESS_TEXT];
	int err;

	(void)r;
	if (!l)
		return err_set(e, -ENOMEM, "no memory for a listener");
	l->base.transport = t;
	l->base.address = *at;
	err = open_listener(verbs_of(t), l, at);
	if (err) {
		if (l->id)
			rdma_destroy_id(l->id);
		free(l);
		return err_set(e, err, "cannot listen on %s: %s",
		               address_format(at, text), strerror(-err));
	}
	list_append(&verbs_of(t)->listeners, &l->link);
	*out = &l->base;
	return 0;
}

static void unlisten(struct transport_listener *base)
{
	struct verbs_listener *l =
		container_of(base, struct verbs_listener, base);

	list_remove(&l->link);
	rdma_destroy_id(l->id);
	free(l);
}

int verbs_transport_create(struct reactor *r, struct transport **out,
                           struct err *e)
{
	struct verbs_transport *v;
	int flags, err = verbs_available(e);

	if (err)
		return err;
	v = calloc(1, sizeof(*v));
	if (!v)
		return err_set(e, -ENOMEM, "no memory for RDMA");
	v->channel = rdma_create_event_channel();
	if (!v->channel) {
		err = -errno;
		free(v);
		return err_set(e, err, "no RDMA connection manager: %s",
		               strerror(-err));
	}
	v->reactor = r;
	list_init(&v->listeners);
	v->transport = (struct transport){ .scheme = FABRIC_VERBS,
		                           .ctx = v,
		                           .dial = dial,
		                           .listen = listen_at,
		                           .unlisten = unlisten };
	v->watch = (struct watch){ .fd = v->channel->fd,
		                   .events = EPOLLIN,
		                   .ready = channel_ready };
	flags = fcntl(v->channel->fd, F_GETFL);
	err = fcntl(v->channel->fd, F_SETFL, flags | O_NONBLOCK)
	              ? -errno
	              : watch_start(r, &v->watch);
	if (err) {
		rdma_destroy_event_channel(v->channel);
		free(v);
		return err_set(e, err, "cannot watch RDMA: %s", strerror(-err));
	}
	*out = &v->transport;
	return 0;
}

void verbs_transport_destroy(struct transport *t)
{
	struct verbs_transport *v;

	if (!t)
		return;
	v = verbs_of(t);
	watch_stop(v->reactor, &v->watch);
	rdma_destroy_event_channel(v->channel);
	free(v);
}
