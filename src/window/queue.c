/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/queue.h"

#include "base/base.h"
#include "fabric/service.h"
#include "fabric/session.h"
#include "window/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* -- finishing ------------------------------------------------------------- */

static void *part(const struct queue *q, uint64_t offset)
{
	return (char *)q->shared + offset;
}

static void wake(struct queue *q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&q->shared->armed, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&q->shared->armed, 0, __ATOMIC_RELAXED);
	/* A full pair is readable already. */
	(void)send(q->bell.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void record_error(struct queue *q, const struct queue_error *error)
{
	struct queue_error *ring = part(q, queue_errors_offset(q->depth));

	ring[q->errors & (queue_errors(q->depth) - 1)] = *error;
	q->errors++;
	__atomic_store_n(&q->shared->error_tail, q->errors, __ATOMIC_RELEASE);
	q->process->host->n_failed++;
}

/* Q2, Q3.  `error` NULL: it went well. */
static void complete(struct queue *q, uint32_t slot, uint32_t status,
                     uint64_t result, const struct queue_error *error)
{
	struct queue_completion *c =
		(struct queue_completion *)part(
			q, queue_completions_offset(q->depth)) +
		slot;
	uint32_t *ring = part(q, queue_finished_offset(q->depth));

	q->process->host->n_commands++;
	if (error)
		record_error(q, error);
	else
		__atomic_store_n(&q->shared->counter, ++q->counter,
		                 __ATOMIC_RELAXED);
	c->result = result;
	c->status = status;
	__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&ring[q->finished & (q->depth - 1)], slot,
	                 __ATOMIC_RELAXED);
	q->finished++;
	__atomic_store_n(&q->shared->finished_tail, q->finished,
	                 __ATOMIC_RELEASE);
	wake(q);
}

static void free_if_idle(struct queue *q)
{
	struct process *p = q->process;

	if (q->shared || q->n_outstanding > 0)
		return;
	list_remove(&q->link);
	p->n_queues--;
	p->n_slots -= q->depth;
	free(q);
	process_settled(p);
}

static void release(struct queue_slot *s)
{
	if (s->local)
		grant_put(s->local);
	process_import_put(s->import);
	s->local = NULL;
	s->import = NULL;
	s->queue = NULL;
}

/* The key is no good any more: nobody needs to be asked again, who might take
 * it for guessing. */
static void judge_import(struct import *import, enum fabric_status status)
{
	if (status == FABRIC_BAD_KEY || status == FABRIC_REVOKED ||
	    status == FABRIC_EXPIRED || status == FABRIC_PEER_LOST)
		import->ended = status;
}

static void charge_local(struct queue_slot *s, enum fabric_status status)
{
	if (s->local && status == FABRIC_OK)
		grant_charge(s->local,
		             s->op.opcode == FABRIC_READ ? FABRIC_WRITE
		                                         : FABRIC_READ,
		             s->op.length, status);
}

static bool local_lives(const struct fabric_op *op)
{
	const struct queue_slot *s = container_of(op, struct queue_slot, op);
	const struct window_host *host = s->queue->process->host;

	return s->queue->shared &&
	       grant_state(s->local, reactor_now_ns(host->reactor)) ==
	               GRANT_LIVE;
}

static void op_done(struct fabric_op *op, enum fabric_status status)
{
	struct queue_slot *s = container_of(op, struct queue_slot, op);
	struct queue *q = s->queue;
	struct queue_error error = { .id = s->id, .status = status };
	bool at_local =
		status == FABRIC_REVOKED && s->local && !local_lives(op);

	q->n_outstanding--;
	charge_local(s, status);
	if (!at_local)
		judge_import(s->import, status);
	error.culprit = at_local ? QUEUE_AT_LOCAL : QUEUE_AT_REMOTE;
	memcpy(error.key, at_local ? s->local_key.byte : op->key.byte,
	       sizeof(error.key));
	release(s);
	if (q->shared)
		complete(q, (uint32_t)(s - q->slot), status, op->result,
		         status == FABRIC_OK ? NULL : &error);
	free_if_idle(q);
}

/* -- taking ---------------------------------------------------------------- */

static const struct {
	enum fabric_opcode opcode;
	unsigned local, remote; /* rights */
} opcodes[] = {
	[QUEUE_READ] = { FABRIC_READ, FABRIC_RIGHT_WRITE, FABRIC_RIGHT_READ },
	[QUEUE_WRITE] = { FABRIC_WRITE, FABRIC_RIGHT_READ, FABRIC_RIGHT_WRITE },
	[QUEUE_CAS] = { FABRIC_CAS, 0, FABRIC_RIGHT_ATOMIC },
	[QUEUE_FAA] = { FABRIC_FAA, 0, FABRIC_RIGHT_ATOMIC },
};

static uint32_t check_command(const struct queue_command *c, bool atomic)
{
	static const uint8_t zero[sizeof(c->pad)];

	if (c->flags & ~QUEUE_FLAGS || memcmp(c->pad, zero, sizeof(zero)) != 0)
		return QUEUE_INVALID;
	if (atomic)
		return c->remote_offset % 8 ? QUEUE_INVALID : QUEUE_OK;
	if (c->length == 0)
		return QUEUE_INVALID;
	return c->length > FABRIC_LENGTH_MAX ? FABRIC_TOO_LARGE : QUEUE_OK;
}

static enum fabric_status check_local(struct queue *q, struct queue_slot *s,
                                      const struct queue_command *c)
{
	struct process *p = q->process;
	uint64_t now = reactor_now_ns(p->host->reactor);
	struct grant *g = NULL;
	enum fabric_status status =
		guard_find(&p->guard, &p->host->grants, &s->local_key, now, &g);

	if (status == FABRIC_OK)
		status = grant_check(g, opcodes[c->opcode].local,
		                     c->local_offset, c->length, now);
	s->op.n_iov = GRANT_RANGES;
	if (status == FABRIC_OK)
		status = grant_resolve(g, c->local_offset, c->length, s->iov,
		                       &s->op.n_iov);
	if (status != FABRIC_OK)
		return status;
	grant_get(g);
	s->local = g;
	s->op.iov = s->iov;
	return FABRIC_OK;
}

static enum fabric_status check_remote(struct queue *q, struct queue_slot *s,
                                       const struct queue_command *c)
{
	struct process *p = q->process;
	struct import *import;

	if (!guard_may_try(&p->guard, reactor_now_ns(p->host->reactor)))
		return FABRIC_BUSY;
	import = process_import(p, &s->op.key);
	if (!import) {
		guard_was_wrong(&p->guard);
		return FABRIC_BAD_KEY;
	}
	if (import->ended != FABRIC_OK)
		return import->ended;
	if (!(import->rights & opcodes[c->opcode].remote))
		return FABRIC_DENIED;
	if (s->op.length > import->length ||
	    c->remote_offset > import->length - s->op.length)
		return FABRIC_RANGE;
	import->n_users++;
	s->import = import;
	return FABRIC_OK;
}

/* Fill the slot in.  *culprit says where a failure is. */
static uint32_t prepare(struct queue *q, struct queue_slot *s,
                        const struct queue_command *c,
                        enum queue_culprit *culprit)
{
	bool atomic = c->opcode == QUEUE_CAS || c->opcode == QUEUE_FAA;
	uint32_t status;

	*culprit = QUEUE_AT_COMMAND;
	if (c->opcode >= ARRAY_LEN(opcodes) || !opcodes[c->opcode].opcode)
		return QUEUE_INVALID;
	status = check_command(c, atomic);
	if (status != QUEUE_OK)
		return status;
	s->op = (struct fabric_op){
		.opcode = opcodes[c->opcode].opcode,
		.class = c->flags & QUEUE_BULK || c->length > FABRIC_PIECE
		                 ? FABRIC_BULK
		                 : FABRIC_LATENCY,
		.flags = c->flags & QUEUE_FENCE ? FABRIC_FENCED : 0,
		.flow = c->flags & QUEUE_ORDERED ? q->flow : 0,
		.offset = c->remote_offset,
		.length = atomic ? 8 : c->length,
		.operand = { c->operand },
		.done = op_done,
	};
	memcpy(s->op.key.byte, c->remote, sizeof(c->remote));
	memcpy(s->local_key.byte, c->local, sizeof(c->local));
	if (atomic) {
		s->op.class = FABRIC_LATENCY;
	} else {
		s->op.allowed = local_lives;
		*culprit = QUEUE_AT_LOCAL;
		status = check_local(q, s, c);
	}
	if (c->opcode == QUEUE_CAS) {
		s->op.operand[0] = c->compare;
		s->op.operand[1] = c->operand;
	}
	if (status == FABRIC_OK) {
		*culprit = QUEUE_AT_REMOTE;
		status = check_remote(q, s, c);
	}
	return status;
}

static void start(struct queue *q, struct queue_slot *s)
{
	struct process *p = q->process;
	struct session *session;

	q->n_outstanding++;
	if (s->import->own) {
		loopback_submit(&p->loop, &s->op);
		return;
	}
	session = host_session(p->host, s->import->node);
	if (session)
		session_submit(session, &s->op);
	else
		loopback_fail(&p->loop, &s->op, FABRIC_PEER_LOST);
}

static void take(struct queue *q, const struct queue_command *c)
{
	struct queue_error error = { .id = c->id };
	struct queue_slot *s;
	enum queue_culprit culprit;
	uint32_t status;

	if (c->slot >= q->depth || q->slot[c->slot].queue) {
		/* Its completion has no place. */
		error.status = QUEUE_INVALID;
		record_error(q, &error);
		return;
	}
	s = &q->slot[c->slot];
	s->queue = q;
	s->id = c->id;
	status = prepare(q, s, c, &culprit);
	if (status == QUEUE_OK) {
		start(q, s);
		return;
	}
	release(s);
	error.status = status;
	error.culprit = culprit;
	if (culprit != QUEUE_AT_COMMAND)
		memcpy(error.key,
		       culprit == QUEUE_AT_LOCAL ? c->local : c->remote,
		       sizeof(error.key));
	complete(q, c->slot, status, 0, &error);
}

/* Each word is read once, whatever the process does to it meanwhile. */
static void read_once(struct queue_command *to,
                      const struct queue_command *from)
{
	const uint64_t *shared = (const uint64_t *)(const void *)from;
	uint64_t words[sizeof(*to) / sizeof(uint64_t)];

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		words[i] = __atomic_load_n(&shared[i], __ATOMIC_RELAXED);
	memcpy(to, words, sizeof(*to));
}

/* -- looking at it --------------------------------------------------------- */

static bool queue_poll(struct poller *poller)
{
	struct queue *q = container_of(poller, struct queue, poller);
	const struct queue_command *ring =
		part(q, queue_commands_offset(q->depth));
	uint32_t tail =
		__atomic_load_n(&q->shared->submit_tail, __ATOMIC_ACQUIRE);
	uint32_t n = tail - q->taken;

	if (n == 0 || q->broken)
		return false;
	if (n > q->depth) {
		q->broken = true;
		__atomic_store_n(&q->shared->closed, 1, __ATOMIC_RELEASE);
		wake(q);
		return true;
	}
	for (uint32_t i = 0; i < n && i < QUEUE_BATCH; i++) {
		struct queue_command once;

		read_once(&once, &ring[q->taken++ & (q->depth - 1)]);
		take(q, &once);
	}
	return true;
}

static bool prepare_sleep(struct poller *poller)
{
	struct queue *q = container_of(poller, struct queue, poller);

	if (q->broken)
		return true;
	__atomic_store_n(&q->shared->sleeping, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&q->shared->submit_tail, __ATOMIC_RELAXED) ==
	       q->taken;
}

static void woken(struct poller *poller)
{
	struct queue *q = container_of(poller, struct queue, poller);

	__atomic_store_n(&q->shared->sleeping, 0, __ATOMIC_RELAXED);
}

/* The poller does the work; this only ended the sleep.  A process that closed
 * its end could not be woken, nor wake. */
static void rung(struct watch *w, uint32_t events)
{
	struct queue *q = container_of(w, struct queue, bell);
	char bytes[64];

	(void)events;
	if (recv(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT) == 0)
		queue_close(q);
}

/* -- life ------------------------------------------------------------------ */

/* @return 0, with the memory mapped and its descriptor. */
static int share(struct queue *q, int *fd)
{
	int err;

	*fd = memfd_create("causeway-queue", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return -errno;
	q->total_bytes = queue_total_bytes(q->depth);
	if (ftruncate(*fd, (off_t)q->total_bytes) ||
	    fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		goto failed;
	q->shared = mmap(NULL, q->total_bytes, PROT_READ | PROT_WRITE,
	                 MAP_SHARED, *fd, 0);
	if (q->shared == MAP_FAILED)
		goto failed;
	*q->shared = (struct queue_header){
		.magic = QUEUE_MAGIC,
		.version = QUEUE_VERSION,
		.depth = q->depth,
		.total_bytes = q->total_bytes,
		.commands_offset = queue_commands_offset(q->depth),
		.completions_offset = queue_completions_offset(q->depth),
		.finished_offset = queue_finished_offset(q->depth),
		.errors_offset = queue_errors_offset(q->depth),
	};
	return 0;

failed:
	err = -errno;
	q->shared = NULL;
	close(*fd);
	return err;
}

int queue_open(struct process *p, uint32_t depth, struct queue **out,
               int *memory_fd, int *bell_fd)
{
	struct window_host *host = p->host;
	struct queue *q;
	int pair[2], err;

	assert(depth > 0 && depth <= QUEUE_DEPTH_MAX && !(depth & (depth - 1)));
	if (p->n_queues >= PROCESS_QUEUES_MAX ||
	    p->n_slots + depth > PROCESS_SLOTS_MAX)
		return -ENOSPC;
	q = calloc(1, sizeof(*q) + depth * sizeof(q->slot[0]));
	if (!q)
		return -ENOMEM;
	q->process = p;
	q->depth = depth;
	err = share(q, memory_fd);
	if (err)
		goto free_queue;
	err = -EMFILE;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	               pair))
		goto unshare;
	q->bell = (struct watch){ .fd = pair[0],
		                  .events = EPOLLIN,
		                  .ready = rung };
	err = watch_start(host->reactor, &q->bell);
	if (err)
		goto close_pair;
	q->poller = (struct poller){ .poll = queue_poll,
		                     .prepare_sleep = prepare_sleep,
		                     .woken = woken };
	poller_start(host->reactor, &q->poller);
	q->number = ++p->last_queue;
	q->flow = ++host->last_flow ? host->last_flow : ++host->last_flow;
	list_append(&p->queues, &q->link);
	p->n_queues++;
	p->n_slots += depth;
	*bell_fd = pair[1];
	*out = q;
	return 0;

close_pair:
	close(pair[0]);
	close(pair[1]);
unshare:
	munmap(q->shared, q->total_bytes);
	close(*memory_fd);
free_queue:
	free(q);
	return err;
}

void queue_close(struct queue *q)
{
	struct reactor *r = q->process->host->reactor;

	if (!q->shared)
		return;
	__atomic_store_n(&q->shared->closed, 1, __ATOMIC_RELEASE);
	poller_stop(r, &q->poller);
	watch_stop(r, &q->bell);
	close(q->bell.fd);
	munmap(q->shared, q->total_bytes);
	q->shared = NULL;
	free_if_idle(q);
}
