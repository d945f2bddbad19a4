/* SPDX-License-Identifier: BSD-2-Clause */
/* How a verbs stream begins and ends. */
#include "fabric/verbs_stream_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define RESOLVE_MS 1000
#define RETRIES 7   /* of a packet; RNR: 7 is for ever */
#define RNR_TIMER 8 /* 160 us until such a retry; IBA 1.4, 9.7.5.2.8 */
#define BUFFERS ((size_t)2 * VERBS_SLOTS * VERBS_SLOT)
#define PIECES ((size_t)VERBS_PIECES * VERBS_PIECE)

/* -- making one ----------------------------------------------------------- */

static int make_channel(struct verbs_stream *v)
{
	int flags, err;

	v->channel = ibv_create_comp_channel(v->id->verbs);
	if (!v->channel)
		return -errno;
	flags = fcntl(v->channel->fd, F_GETFL);
	if (flags < 0 || fcntl(v->channel->fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	v->watch.fd = v->channel->fd;
	err = watch_start(v->reactor, &v->watch);
	v->watching = err == 0;
	return err;
}

static int make_queues(struct verbs_stream *v)
{
	struct ibv_qp_init_attr attr = {
		.cap = { .max_send_wr = VERBS_SLOTS + VERBS_PIECES,
		         .max_recv_wr = VERBS_SLOTS,
		         .max_send_sge = 1,
		         .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
	};

	v->pd = ibv_alloc_pd(v->id->verbs);
	if (!v->pd)
		return -errno;
	v->cq = ibv_create_cq(v->id->verbs, 2 * VERBS_SLOTS + VERBS_PIECES,
	                      NULL, v->channel, 0);
	if (!v->cq)
		return -errno;
	attr.send_cq = attr.recv_cq = v->cq;
	return rdma_create_qp(v->id, v->pd, &attr) ? -errno : 0;
}

/* The slots from `first` on, as far as `n`. */
static int add_slots(struct verbs_stream *v, unsigned first, unsigned n)
{
	struct ibv_mr **mr = &v->mr[first ? 1 : 0];

	*mr = ibv_reg_mr(v->pd, verbs_stream_send_slot(v, first),
	                 (size_t)(n - first) * 2 * VERBS_SLOT,
	                 IBV_ACCESS_LOCAL_WRITE);
	if (!*mr)
		return -errno;
	for (unsigned i = first; i < n; i++) {
		int err = verbs_stream_post_receive(v, i);

		if (err)
			return err;
		v->free_sends |= UINT32_C(1) << i;
	}
	v->n_slots = n;
	return 0;
}

/* The device is known: have all that a connection needs (VB4). */
static int prepare(struct verbs_stream *v)
{
	int err = make_channel(v);

	if (!err)
		err = make_queues(v);
	if (!err)
		err = add_slots(v, 0, VERBS_SLOTS_STRANGER);
	return err;
}

static struct rdma_conn_param parameters(const struct verbs_stream *v)
{
	struct ibv_device_attr attr = { .max_qp_rd_atom = 1,
		                        .max_qp_init_rd_atom = 1 };

	ibv_query_device(v->id->verbs, &attr);
	return (struct rdma_conn_param){
		.responder_resources =
			(uint8_t)(attr.max_qp_rd_atom < 16 ? attr.max_qp_rd_atom
		                                           : 16),
		.initiator_depth = (uint8_t)(attr.max_qp_init_rd_atom < 16
		                                     ? attr.max_qp_init_rd_atom
		                                     : 16),
		.retry_count = RETRIES,
		.rnr_retry_count = RETRIES,
	};
}

static void *map_memory(size_t length)
{
	void *p = mmap(NULL, length, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int verbs_stream_grow(struct stream *s, bool pieces)
{
	struct verbs_stream *v = verbs_stream_of(s);
	int err;

	if (v->state != VERBS_UP && v->state != VERBS_CONNECTING)
		return -ENOTCONN;
	if (pieces && !v->pieces) {
		v->pieces = map_memory(PIECES);
		if (!v->pieces)
			return -ENOMEM;
		v->pieces_mr = ibv_reg_mr(v->pd, v->pieces, PIECES,
		                          IBV_ACCESS_LOCAL_WRITE);
		if (!v->pieces_mr)
			return -errno;
	}
	err = v->n_slots == VERBS_SLOTS ? 0
	                                : add_slots(v, v->n_slots, VERBS_SLOTS);
	if (err)
		verbs_stream_die(v, err);
	return err;
}

void verbs_stream_count(struct stream *s, struct lane *l)
{
	verbs_stream_of(s)->lane = l;
}

void *verbs_stream_piece(struct stream *s, unsigned i)
{
	return verbs_stream_of(s)->pieces + (size_t)i * VERBS_PIECE;
}

struct ibv_pd *verbs_stream_domain(struct stream *s)
{
	return verbs_stream_of(s)->pd;
}

/* -- ending --------------------------------------------------------------- */

void verbs_stream_cut(struct stream *s)
{
	struct verbs_stream *v = verbs_stream_of(s);

	if (v->state == VERBS_UP)
		rdma_disconnect(v->id);
	if (v->id->qp)
		rdma_destroy_qp(v->id);
	verbs_stream_die(v, -ECONNRESET);
}

static void free_device_objects(struct verbs_stream *v)
{
	if (v->pieces_mr)
		ibv_dereg_mr(v->pieces_mr);
	for (int i = 0; i < 2; i++)
		if (v->mr[i])
			ibv_dereg_mr(v->mr[i]);
	if (v->cq)
		ibv_destroy_cq(v->cq);
	if (v->pd)
		ibv_dealloc_pd(v->pd);
	if (v->watching)
		watch_stop(v->reactor, &v->watch);
	if (v->channel)
		ibv_destroy_comp_channel(v->channel);
}

void verbs_stream_free(struct verbs_stream *v)
{
	if (v->pieces)
		munmap(v->pieces, PIECES);
	munmap(v->slots, BUFFERS);
	free(v);
}

void verbs_stream_destroy(struct stream *s)
{
	struct verbs_stream *v = verbs_stream_of(s);

	poller_stop(v->reactor, &v->poller);
	if (v->state == VERBS_UP)
		rdma_disconnect(v->id);
	if (v->id->qp)
		rdma_destroy_qp(v->id);
	free_device_objects(v);
	rdma_destroy_id(v->id);
	v->destroyed = true;
	if (!v->telling)
		verbs_stream_free(v);
}

static struct verbs_stream *make(struct reactor *r, struct rdma_cm_id *id)
{
	struct verbs_stream *v = calloc(1, sizeof(*v));

	if (v)
		v->slots = map_memory(BUFFERS);
	if (!v || !v->slots) {
		free(v);
		rdma_destroy_id(id);
		return NULL;
	}
	verbs_stream_init(v);
	v->reactor = r;
	v->id = id;
	poller_start(r, &v->poller);
	id->context = v;
	return v;
}

int verbs_stream_accept(struct reactor *r, struct rdma_cm_id *id,
                        struct stream **out, struct err *e)
{
	struct verbs_stream *v = make(r, id);
	struct rdma_conn_param p;
	int err;

	if (!v)
		return err_set(e, -ENOMEM, "no memory for a connection");
	v->state = VERBS_CONNECTING;
	err = prepare(v);
	if (!err) {
		p = parameters(v);
		err = rdma_accept(id, &p) ? -errno : 0;
	}
	if (err) {
		verbs_stream_destroy(&v->stream);
		return err_set(e, err, "cannot accept an RDMA connection: %s",
		               strerror(-err));
	}
	*out = &v->stream;
	return 0;
}

int verbs_stream_dial(struct reactor *r, struct rdma_cm_id *id,
                      const struct fabric_address *to, struct stream **out,
                      struct err *e)
{
	struct verbs_stream *v = make(r, id);
	struct sockaddr_storage sa;

	if (!v)
		return err_set(e, -ENOMEM, "no memory for a connection");
	address_to_socket(to, &sa);
	if (rdma_resolve_addr(id, NULL, (struct sockaddr *)&sa, RESOLVE_MS)) {
		int err = -errno;

		verbs_stream_destroy(&v->stream);
		return err_set(e, err, "no RDMA device leads there: %s",
		               strerror(-err));
	}
	*out = &v->stream;
	return 0;
}

/* -- events of the connection manager ------------------------------------- */

/* The connection manager leaves it at 0, which is 655 ms. */
static int set_rnr_timer(struct verbs_stream *v)
{
	struct ibv_qp_attr attr = { .min_rnr_timer = RNR_TIMER };

	return -ibv_modify_qp(v->id->qp, &attr, IBV_QP_MIN_RNR_TIMER);
}

static int advance(struct verbs_stream *v, int event)
{
	struct rdma_conn_param p;
	int err;

	switch (event) {
	case RDMA_CM_EVENT_ADDR_RESOLVED:
		v->state = VERBS_ROUTING;
		return rdma_resolve_route(v->id, RESOLVE_MS) ? -errno : 0;
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
		err = prepare(v);
		if (err)
			return err;
		v->state = VERBS_CONNECTING;
		p = parameters(v);
		return rdma_connect(v->id, &p) ? -errno : 0;
	case RDMA_CM_EVENT_ESTABLISHED:
		v->state = VERBS_UP;
		return set_rnr_timer(v);
	case RDMA_CM_EVENT_ADDR_ERROR:
	case RDMA_CM_EVENT_ROUTE_ERROR:
		return -EHOSTUNREACH;
	case RDMA_CM_EVENT_REJECTED:
		return -ECONNREFUSED;
	case RDMA_CM_EVENT_UNREACHABLE:
		return -ETIMEDOUT;
	default:
		return -ECONNRESET;
	}
}

void verbs_stream_event(struct rdma_cm_id *id, int event, int status)
{
	struct verbs_stream *v = id->context;
	int err;

	(void)status;
	if (event == RDMA_CM_EVENT_TIMEWAIT_EXIT ||
	    event == RDMA_CM_EVENT_ADDR_CHANGE || v->state == VERBS_DEAD)
		return;
	if (event == RDMA_CM_EVENT_DISCONNECTED) {
		verbs_stream_take(v); /* what came before the end */
		verbs_stream_die(v, 0);
	} else {
		err = advance(v, event);
		if (err)
			verbs_stream_die(v, err);
	}
	verbs_stream_tell(v);
}
