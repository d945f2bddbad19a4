/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_stream.h"

#include "fabric/verbs_stream_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define TURN 32 /* completions taken at once */

enum kind { SENT, RECEIVED, MOVED }; /* of a work request; wr_id's top */

static uint8_t *receive_slot(struct verbs_stream *v, unsigned i)
{
	return verbs_stream_send_slot(v, i) + VERBS_SLOT;
}

static uint32_t slot_key(struct verbs_stream *v, unsigned i)
{
	return v->mr[i < VERBS_SLOTS_STRANGER ? 0 : 1]->lkey;
}

/* -- work requests -------------------------------------------------------- */

static uint64_t work_id(enum kind kind, unsigned i)
{
	return (uint64_t)kind << 8 | i;
}

int verbs_stream_post_receive(struct verbs_stream *v, unsigned i)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)receive_slot(v, i),
		.length = VERBS_SLOT,
		.lkey = slot_key(v, i),
	};
	struct ibv_recv_wr wr = {
		.wr_id = work_id(RECEIVED, i),
		.sg_list = &sge,
		.num_sge = 1,
	};
	struct ibv_recv_wr *bad;

	return -ibv_post_recv(v->id->qp, &wr, &bad);
}

static void sent(struct verbs_stream *v, uint32_t length)
{
	v->unacknowledged += length;
	if (v->lane)
		v->lane->stats.bytes_sent += length;
}

static void received(struct verbs_stream *v, uint32_t length)
{
	if (!v->lane)
		return;
	v->lane->stats.bytes_received += length;
	v->lane->heard_ns = reactor_now_ns(v->reactor);
}

static int post_send(struct verbs_stream *v, unsigned i, uint32_t length)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)verbs_stream_send_slot(v, i),
		.length = length,
		.lkey = slot_key(v, i),
	};
	struct ibv_send_wr wr = {
		.wr_id = work_id(SENT, i),
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = IBV_WR_SEND,
		.send_flags = IBV_SEND_SIGNALED,
	};
	struct ibv_send_wr *bad;
	int err = -ibv_post_send(v->id->qp, &wr, &bad);

	if (err)
		return err;
	v->free_sends &= ~(UINT32_C(1) << i);
	v->send_length[i] = length;
	sent(v, length);
	return 0;
}

int verbs_stream_rdma(struct stream *s, struct verbs_user *user, unsigned i,
                      bool write, uint64_t address, uint32_t rkey,
                      uint32_t length)
{
	struct verbs_stream *v = verbs_stream_of(s);
	struct ibv_sge sge = {
		.addr = (uintptr_t)verbs_stream_piece(s, i),
		.length = length,
		.lkey = v->pieces_mr->lkey,
	};
	struct ibv_send_wr wr = {
		.wr_id = work_id(MOVED, i),
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = write ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ,
		/* Behind READs that were posted before it. */
		.send_flags = IBV_SEND_SIGNALED | (write ? IBV_SEND_FENCE : 0u),
		.wr.rdma = { .remote_addr = address, .rkey = rkey },
	};
	struct ibv_send_wr *bad;
	int err;

	assert(!v->user[i] && length <= VERBS_PIECE);
	if (v->state != VERBS_UP)
		return -ENOTCONN;
	err = -ibv_post_send(v->id->qp, &wr, &bad);
	if (err)
		return err;
	v->user[i] = user;
	v->piece_length[i] = length;
	if (write)
		sent(v, length);
	else
		v->reads |= UINT32_C(1) << i;
	return 0;
}

static int error_of(enum ibv_wc_status status)
{
	if (status == IBV_WC_RETRY_EXC_ERR)
		return -ETIMEDOUT;
	if (status == IBV_WC_REM_ACCESS_ERR)
		return -EACCES;
	return -ECONNRESET;
}

static void complete(struct verbs_stream *v, const struct ibv_wc *wc)
{
	unsigned i = wc->wr_id & 0xff;

	/* With an error only wr_id and status are valid. */
	if (wc->status != IBV_WC_SUCCESS && wc->status != IBV_WC_WR_FLUSH_ERR)
		verbs_stream_die(v, error_of(wc->status));
	switch ((enum kind)(wc->wr_id >> 8)) {
	case SENT:
		v->free_sends |= UINT32_C(1) << i;
		v->unacknowledged -= v->send_length[i];
		break;
	case RECEIVED:
		if (wc->status != IBV_WC_SUCCESS)
			break;
		v->length[i] = wc->byte_len;
		received(v, wc->byte_len);
		v->filled[(v->first_filled + v->n_filled++) % VERBS_SLOTS] =
			(uint8_t)i;
		break;
	case MOVED:
		v->moved |= UINT32_C(1) << i;
		if (!(v->reads & UINT32_C(1) << i))
			v->unacknowledged -= v->piece_length[i];
		else if (wc->status == IBV_WC_SUCCESS)
			received(v, v->piece_length[i]);
		v->reads &= ~(UINT32_C(1) << i);
		if (wc->status != IBV_WC_SUCCESS)
			verbs_stream_die(v, -ECONNRESET);
		break;
	}
}

bool verbs_stream_take(struct verbs_stream *v)
{
	struct ibv_wc wc[TURN];
	int n = v->cq ? ibv_poll_cq(v->cq, TURN, wc) : 0;

	if (n < 0) {
		verbs_stream_die(v, -EIO);
		return true;
	}
	for (int i = 0; i < n; i++)
		complete(v, &wc[i]);
	return n > 0;
}

/* -- the stream ----------------------------------------------------------- */

static int dead_end(const struct verbs_stream *v)
{
	return v->state == VERBS_DEAD ? v->err : -EAGAIN;
}

/* Take up to `room` bytes of the oldest receive slot. */
static size_t take(struct verbs_stream *v, uint8_t *to, size_t room)
{
	unsigned i = v->filled[v->first_filled];
	size_t n = v->length[i] - v->taken;

	if (n > room)
		n = room;
	memcpy(to, receive_slot(v, i) + v->taken, n);
	v->taken += (uint32_t)n;
	if (v->taken < v->length[i])
		return n;
	v->taken = 0;
	v->first_filled = (v->first_filled + 1) % VERBS_SLOTS;
	v->n_filled--;
	if (v->state != VERBS_DEAD && verbs_stream_post_receive(v, i))
		verbs_stream_die(v, -ENOMEM);
	return n;
}

static ssize_t verbs_readv(struct stream *s, const struct iovec *iov,
                           unsigned n)
{
	struct verbs_stream *v = verbs_stream_of(s);
	size_t sum = 0;

	if (!v->n_filled)
		verbs_stream_take(v);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *to = iov[i].iov_base;
		size_t got = 0;

		while (v->n_filled && got < iov[i].iov_len)
			got += take(v, to + got, iov[i].iov_len - got);
		sum += got;
		if (got < iov[i].iov_len)
			break;
	}
	return sum ? (ssize_t)sum : dead_end(v);
}

static int write_error(const struct verbs_stream *v)
{
	return v->err ? v->err : -EPIPE;
}

static ssize_t verbs_writev(struct stream *s, const struct iovec *iov,
                            unsigned n)
{
	struct verbs_stream *v = verbs_stream_of(s);
	size_t sum = 0, at = 0;
	unsigned k = 0;

	if (v->state == VERBS_DEAD)
		return write_error(v);
	if (v->state != VERBS_UP)
		return -EAGAIN;
	if (!v->free_sends)
		verbs_stream_take(v);
	while (k < n && v->free_sends) {
		unsigned slot = (unsigned)__builtin_ctz(v->free_sends);
		uint32_t length = 0;

		while (k < n && length < VERBS_SLOT) {
			size_t m = iov[k].iov_len - at;

			if (m > VERBS_SLOT - length)
				m = VERBS_SLOT - length;
			memcpy(verbs_stream_send_slot(v, slot) + length,
			       (const uint8_t *)iov[k].iov_base + at, m);
			length += (uint32_t)m;
			at += m;
			if (at == iov[k].iov_len) {
				at = 0;
				k++;
			}
		}
		if (length && post_send(v, slot, length)) {
			verbs_stream_die(v, -ENOMEM);
			break;
		}
		sum += length;
	}
	if (sum)
		return (ssize_t)sum;
	return v->state == VERBS_DEAD ? write_error(v) : -EAGAIN;
}

static int verbs_connected(struct stream *s)
{
	struct verbs_stream *v = verbs_stream_of(s);

	if (v->state == VERBS_UP)
		return 0;
	if (v->state == VERBS_DEAD)
		return v->err ? v->err : -ECONNRESET;
	return -EAGAIN;
}

static bool verbs_want(struct stream *s, bool readable, bool writable)
{
	verbs_stream_of(s)->want_read = readable;
	verbs_stream_of(s)->want_write = writable;
	return true;
}

static uint64_t verbs_unacknowledged(struct stream *s)
{
	return verbs_stream_of(s)->unacknowledged;
}

static int verbs_addresses(struct stream *s, struct sockaddr_storage *local,
                           struct sockaddr_storage *peer)
{
	struct verbs_stream *v = verbs_stream_of(s);
	const struct sockaddr *from[2] = { rdma_get_local_addr(v->id),
		                           rdma_get_peer_addr(v->id) };
	struct sockaddr_storage *to[2] = { local, peer };

	for (int i = 0; i < 2; i++) {
		if (from[i]->sa_family != AF_INET &&
		    from[i]->sa_family != AF_INET6)
			return -ENOTCONN;
		memset(to[i], 0, sizeof(*to[i]));
		memcpy(to[i], from[i],
		       from[i]->sa_family == AF_INET
		               ? sizeof(struct sockaddr_in)
		               : sizeof(struct sockaddr_in6));
	}
	return 0;
}

/* -- turns of the reactor ------------------------------------------------- */

static bool readable(const struct verbs_stream *v)
{
	return v->n_filled || v->state == VERBS_DEAD;
}

static bool writable(const struct verbs_stream *v)
{
	return (v->state == VERBS_UP && v->free_sends) ||
	       v->state == VERBS_DEAD;
}

void verbs_stream_tell(struct verbs_stream *v)
{
	v->telling = true;
	while (!v->destroyed && v->moved) {
		unsigned i = (unsigned)__builtin_ctz(v->moved);
		struct verbs_user *u = v->user[i];

		v->moved &= v->moved - 1;
		v->user[i] = NULL;
		u->moved(u, i, v->state == VERBS_DEAD ? -ECONNRESET : 0);
	}
	if (!v->destroyed &&
	    ((v->want_read && readable(v)) || (v->want_write && writable(v))))
		v->stream.ready(&v->stream);
	v->telling = false;
	if (v->destroyed)
		verbs_stream_free(v);
}

static bool poll(struct poller *p)
{
	struct verbs_stream *v = container_of(p, struct verbs_stream, poller);
	bool any = verbs_stream_take(v);

	verbs_stream_tell(v);
	return any;
}

static bool prepare_sleep(struct poller *p)
{
	struct verbs_stream *v = container_of(p, struct verbs_stream, poller);

	if (v->cq && v->state != VERBS_DEAD && ibv_req_notify_cq(v->cq, 0))
		verbs_stream_die(v, -EIO);
	return !verbs_stream_take(v);
}

static void channel_ready(struct watch *w, uint32_t events)
{
	struct verbs_stream *v = container_of(w, struct verbs_stream, watch);
	struct ibv_cq *cq;
	void *context;

	(void)events;
	if (ibv_get_cq_event(v->channel, &cq, &context) == 0)
		ibv_ack_cq_events(cq, 1);
	verbs_stream_take(v);
	verbs_stream_tell(v);
}

static const struct stream_ops verbs_ops = {
	.scheme = FABRIC_VERBS,
	.readv = verbs_readv,
	.writev = verbs_writev,
	.connected = verbs_connected,
	.want = verbs_want,
	.unacknowledged = verbs_unacknowledged,
	.addresses = verbs_addresses,
	.destroy = verbs_stream_destroy,
};

void verbs_stream_init(struct verbs_stream *v)
{
	v->stream.ops = &verbs_ops;
	v->poller =
		(struct poller){ .poll = poll, .prepare_sleep = prepare_sleep };
	v->watch = (struct watch){ .events = EPOLLIN, .ready = channel_ready };
}
