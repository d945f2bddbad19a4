/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/process.h"

#include "base/base.h"
#include "bridge/bridge_decode.h"
#include "bridge/queue_format.h"
#include "window/key.h"
#include "window/queue.h"
#include "window/region.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* -- replies --------------------------------------------------------------- */

void process_reply(struct process *p, const struct bridge_reply *reply,
                   const int *fds, unsigned n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct bridge_reply_wire wire;
	struct iovec iov = { .iov_base = &wire, .iov_len = sizeof(wire) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	bridge_encode_reply(reply, &wire);
	if (n_fds > 0) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	/* One request at a time: whoever reads no replies has no room. */
	if (sendmsg(p->connection.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		process_end(p);
}

void process_fail(struct process *p, unsigned type, int err, const char *fmt,
                  ...)
{
	struct bridge_reply reply = { .type = (enum bridge_type)type,
		                      .status = bridge_status_from_errno(err) };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reply.words, sizeof(reply.words), fmt, ap);
	va_end(ap);
	process_reply(p, &reply, NULL, 0);
}

static void succeed(struct process *p, const struct bridge_reply *reply)
{
	process_reply(p, reply, NULL, 0);
}

void process_refuse(struct process *p, int err)
{
	process_fail(p, BRIDGE_HELLO, err,
	             err == -EPROTO
	                     ? "the bridge speaks another version"
	                     : "the bridge does not understand the request");
}

/* -- regions and keys ------------------------------------------------------ */

static struct grant_holder self_of(const struct process *p)
{
	return p->guard.who;
}

void process_drop_region(struct process *p, struct process_region *r)
{
	grant_end_region(&p->host->grants, r->region);
	p->n_bytes -= r->region->length;
	p->n_regions--;
	p->host->n_regions--;
	region_put(r->region);
	list_remove(&r->link);
	free(r);
}

/* The key that a process has for its own region. */
static int local_key(struct process *p, struct process_region *r)
{
	const struct grant_holder holder = self_of(p);
	const struct grant_range range = { .region = r->region,
		                           .length = r->region->length };
	struct grant *g;
	int err;

	if (p->owner.n_grants >= PROCESS_KEYS_MAX)
		return -ENOSPC;
	err = grant_create(&p->host->grants,
	                   &(struct grant_spec){ .holder = &holder,
	                                         .rights = r->region->rights,
	                                         .owner = &p->owner,
	                                         .n_ranges = 1,
	                                         .range = &range },
	                   &g);
	if (err)
		return err;
	g->is_own = true;
	r->local = g->key;
	return 0;
}

static void register_region(struct process *p, const struct bridge_request *q,
                            int fd)
{
	struct bridge_reply reply = { .type = q->type };
	struct process_region *r;
	struct err e = { 0 };
	int err;

	if (p->n_regions >= PROCESS_REGIONS_MAX ||
	    p->host->n_regions >= WINDOW_REGIONS_MAX ||
	    q->length > PROCESS_BYTES_MAX - p->n_bytes) {
		process_fail(p, q->type, -ENOSPC,
		             "a process may register %u regions of %llu bytes "
		             "in all",
		             PROCESS_REGIONS_MAX,
		             (unsigned long long)PROCESS_BYTES_MAX);
		return;
	}
	r = calloc(1, sizeof(*r));
	err = !r               ? err_set(&e, -ENOMEM, "no memory")
	      : q->rights == 0 ? err_set(&e, -EINVAL, "a region needs rights")
	                       : region_map(fd, q->offset, q->length, q->rights,
	                                    &r->region, &e);
	if (err) {
		free(r);
		process_fail(p, q->type, err, "%.180s", e.text);
		return;
	}
	list_append(&p->regions, &r->link);
	p->n_regions++;
	p->host->n_regions++;
	p->n_bytes += q->length;
	err = local_key(p, r);
	if (err) {
		process_drop_region(p, r);
		process_fail(p, q->type, err, "no key: %s", strerror(-err));
		return;
	}
	memcpy(reply.key, r->local.byte, sizeof(reply.key));
	succeed(p, &reply);
}

/* One of the keys that it made; dead ones are nobody's. */
static struct grant *own_grant(struct process *p, const uint8_t bytes[16])
{
	struct fabric_key key;
	struct grant *g;

	memcpy(key.byte, bytes, sizeof(key.byte));
	g = grant_find(&p->host->grants, &key);
	return g && g->owner == &p->owner &&
	                       grant_state(g,
	                                   reactor_now_ns(p->host->reactor)) ==
	                               GRANT_LIVE
	               ? g
	               : NULL;
}

/* @return 0, or what is wrong with one of the ranges. */
static int collect(struct process *p, const struct bridge_request *q,
                   struct grant_range out[GRANT_RANGES], unsigned *n)
{
	*n = 0;
	for (unsigned i = 0; i < q->number; i++) {
		const struct bridge_range *from = &q->range[i];
		struct grant *g = own_grant(p, from->key);
		int err;

		if (!g)
			return -EBADF;
		if ((q->rights & g->rights) != q->rights)
			return -EACCES;
		err = grant_narrow(g, from->offset, from->length, out, n);
		if (err)
			return err;
	}
	return 0;
}

static struct grant_holder holder_of(const struct process *p,
                                     const struct bridge_request *q)
{
	struct grant_holder holder = { 0 };

	if (!q->node[0])
		return self_of(p);
	memcpy(holder.node, q->node, sizeof(holder.node));
	memcpy(holder.process.byte, q->process, sizeof(holder.process.byte));
	return holder;
}

static int make_grant(struct process *p, const struct bridge_request *q,
                      struct grant **out)
{
	const struct grant_holder holder = holder_of(p, q);
	struct grant_range ranges[GRANT_RANGES] = { 0 };
	uint64_t now = reactor_now_ns(p->host->reactor);
	struct grant_spec spec = {
		.holder = &holder,
		.rights = q->rights,
		.limits = { .expires_ns =
		                    q->lease_ms ? now + q->lease_ms * NS_PER_MS
		                                : 0,
		            .bytes_per_s = q->bytes_per_s,
		            .ops_per_s = q->ops_per_s },
		.owner = &p->owner,
		.range = ranges,
	};
	int err;

	if (q->rights == 0)
		return -EINVAL;
	if (p->owner.n_grants >= PROCESS_KEYS_MAX)
		return -ENOSPC;
	err = collect(p, q, ranges, &spec.n_ranges);
	if (err)
		return err;
	err = grant_create(&p->host->grants, &spec, out);
	if (!err)
		(*out)->is_own = !q->node[0];
	return err;
}

static void grant(struct process *p, const struct bridge_request *q, int fd)
{
	struct bridge_reply reply = { .type = q->type };
	struct grant *g;
	int err = make_grant(p, q, &g);

	(void)fd;
	if (err) {
		process_fail(p, q->type, err, "no key was made: %s",
		             err == -EBADF    ? "a range's key is not yours"
		             : err == -EACCES ? "a range's key has fewer rights"
		             : err == -ERANGE ? "outside of a range's key"
		             : err == -ENOSPC ? "too many keys or ranges"
		                              : strerror(-err));
		return;
	}
	memcpy(reply.key, g->key.byte, sizeof(reply.key));
	reply.length = g->length;
	reply.rights = g->rights;
	succeed(p, &reply);
}

/* A region's own key takes the region with it. */
static void revoke_key(struct process *p, const struct bridge_request *q,
                       int fd)
{
	struct grant *g = own_grant(p, q->key);

	(void)fd;
	if (!g) {
		process_fail(p, q->type, -EBADF, "not a key of this process");
		return;
	}
	LIST_FOREACH (link, &p->regions) {
		struct process_region *r =
			list_entry(link, struct process_region, link);

		if (key_equal(&r->local, &g->key)) {
			process_drop_region(p, r);
			g = NULL;
			break;
		}
	}
	if (g)
		grant_end(&p->host->grants, g, GRANT_REVOKED);
	succeed(p, &(struct bridge_reply){ .type = q->type });
}

/* -- queues ---------------------------------------------------------------- */

static void make_queue(struct process *p, const struct bridge_request *q,
                       int fd)
{
	struct bridge_reply reply = { .type = q->type };
	uint32_t depth = 1;
	struct queue *made;
	int fds[2], err = -EINVAL;

	(void)fd;
	while (depth < q->number && depth < QUEUE_DEPTH_MAX)
		depth *= 2;
	if (q->number <= depth)
		err = queue_open(p, depth, &made, &fds[0], &fds[1]);
	if (err) {
		process_fail(p, q->type, err,
		             "no queue of %u commands: a process may have %u "
		             "queues, "
		             "%u commands each and %u in all",
		             q->number, PROCESS_QUEUES_MAX, QUEUE_DEPTH_MAX,
		             PROCESS_SLOTS_MAX);
		return;
	}
	reply.number = made->number;
	reply.length = made->total_bytes;
	process_reply(p, &reply, fds, 2);
	close(fds[0]);
	close(fds[1]);
}

static void end_queue(struct process *p, const struct bridge_request *q, int fd)
{
	(void)fd;
	LIST_FOREACH (link, &p->queues) {
		struct queue *queue = list_entry(link, struct queue, link);

		if (queue->number != q->number || !queue->shared)
			continue;
		queue_close(queue);
		succeed(p, &(struct bridge_reply){ .type = q->type });
		return;
	}
	process_fail(p, q->type, -EINVAL, "no such queue");
}

/* -- all of them ----------------------------------------------------------- */

static void hello(struct process *p, const struct bridge_request *q, int fd)
{
	struct bridge_reply reply = { .type = q->type };

	(void)fd;
	p->state = PROCESS_SERVED;
	memcpy(reply.key, p->guard.who.process.byte, sizeof(reply.key));
	memcpy(reply.node, p->host->node, sizeof(reply.node));
	succeed(p, &reply);
}

static const struct {
	void (*serve)(struct process *p, const struct bridge_request *q,
	              int fd);
	bool wants_fd;
} calls[] = {
	[BRIDGE_HELLO] = { hello, false },
	[BRIDGE_REGISTER] = { register_region, true },
	[BRIDGE_GRANT] = { grant, false },
	[BRIDGE_REVOKE] = { revoke_key, false },
	[BRIDGE_IMPORT] = { process_open_window, false },
	[BRIDGE_OPEN] = { process_open_window, false },
	[BRIDGE_CLOSE] = { process_close_window, false },
	[BRIDGE_QUEUE] = { make_queue, false },
	[BRIDGE_UNQUEUE] = { end_queue, false },
	[BRIDGE_BORROW] = { process_open_window, false },
};

void process_call(struct process *p, const struct bridge_request *q, int fd)
{
	if ((p->state == PROCESS_CONNECTED) != (q->type == BRIDGE_HELLO))
		process_fail(p, q->type, -EINVAL,
		             "HELLO comes first, and once");
	else if (calls[q->type].wants_fd != (fd >= 0))
		process_fail(p, q->type, -EINVAL,
		             "a descriptor too many or too few");
	else
		calls[q->type].serve(p, q, fd);
	if (fd >= 0)
		close(fd);
}
