/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The application's half of a command queue.  The bridge is believed as far
 * as the layout goes, which was checked when the queue was made: a number
 * from the ring is a slot only if it is below the depth.
 */
#include "client/client_priv.h"

#include "base/base.h"
#include "base/clock.h"
#include "bridge/queue_format.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define SPIN_NS (50 * NS_PER_US)
#define LOOK_EVERY 1024u

static_assert((int)CAUSEWAY_OP_READ == (int)QUEUE_READ &&
                      (int)CAUSEWAY_OP_WRITE == (int)QUEUE_WRITE &&
                      (int)CAUSEWAY_OP_CAS == (int)QUEUE_CAS &&
                      (int)CAUSEWAY_OP_FAA == (int)QUEUE_FAA,
              "opcodes");
static_assert((unsigned)CAUSEWAY_FENCE == QUEUE_FENCE &&
                      (unsigned)CAUSEWAY_ORDERED == QUEUE_ORDERED &&
                      (unsigned)CAUSEWAY_BULK == QUEUE_BULK,
              "flags");
static_assert((int)CAUSEWAY_AT_LOCAL == (int)QUEUE_AT_LOCAL &&
                      (int)CAUSEWAY_AT_REMOTE == (int)QUEUE_AT_REMOTE,
              "culprits");
static_assert((unsigned)CAUSEWAY_INVALID == QUEUE_INVALID, "status");
static_assert(CAUSEWAY_QUEUE_MAX == QUEUE_DEPTH_MAX, "depth");

struct causeway_queue {
	struct list link;
	struct causeway *context;
	uint32_t number;
	uint32_t depth;
	int bell;
	uint64_t total_bytes;
	struct queue_header *shared;
	struct queue_command *commands;
	struct queue_completion *completions;
	const uint32_t *finished;
	const struct queue_error *errors;
	uint32_t submitted; /* positions: ours */
	uint32_t polled;
	uint32_t errors_taken;
	uint32_t n_empty; /* polls in vain */
	uint32_t n_free;
	uint32_t *free; /* slots, a stack */
	uint64_t *id;   /* by slot */
};

/* -- life ------------------------------------------------------------------ */

/* What the header says lies within the memory and is as large as we think. */
static bool layout_is_good(const struct queue_header *h, uint64_t bytes)
{
	uint32_t depth = h->depth;

	return h->magic == QUEUE_MAGIC && h->version == QUEUE_VERSION &&
	       depth > 0 && depth <= QUEUE_DEPTH_MAX &&
	       !(depth & (depth - 1)) && h->total_bytes == bytes &&
	       bytes == queue_total_bytes(depth) &&
	       h->commands_offset == queue_commands_offset(depth) &&
	       h->completions_offset == queue_completions_offset(depth) &&
	       h->finished_offset == queue_finished_offset(depth) &&
	       h->errors_offset == queue_errors_offset(depth);
}

static int map_queue(struct causeway_queue *q, int fd)
{
	char *base = mmap(NULL, q->total_bytes, PROT_READ | PROT_WRITE,
	                  MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return client_fail(q->context, -errno,
		                   "cannot map the queue: %s", strerror(errno));
	(void)madvise(base, q->total_bytes, MADV_DONTFORK);
	q->shared = (struct queue_header *)(void *)base;
	if (!layout_is_good(q->shared, q->total_bytes)) {
		munmap(base, q->total_bytes);
		return client_fail(
			q->context, -EPROTO,
			"the bridge's queues are of another version");
	}
	q->depth = q->shared->depth;
	q->commands = (void *)(base + q->shared->commands_offset);
	q->completions = (void *)(base + q->shared->completions_offset);
	q->finished = (void *)(base + q->shared->finished_offset);
	q->errors = (void *)(base + q->shared->errors_offset);
	q->free = calloc(q->depth, sizeof(*q->free));
	q->id = calloc(q->depth, sizeof(*q->id));
	if (!q->free || !q->id) {
		free(q->free);
		free(q->id);
		munmap(base, q->total_bytes);
		return client_fail(q->context, -ENOMEM, "no memory");
	}
	while (q->n_free < q->depth) {
		q->free[q->n_free] = q->depth - 1 - q->n_free;
		q->n_free++;
	}
	return 0;
}

int causeway_queue_create(struct causeway *c, unsigned depth,
                          struct causeway_queue **out)
{
	const struct bridge_request r = { .type = BRIDGE_QUEUE,
		                          .number = depth };
	struct bridge_reply reply;
	struct causeway_queue *q;
	int fds[CLIENT_FDS], err;

	if (depth == 0 || depth > CAUSEWAY_QUEUE_MAX)
		return client_fail(c, -EINVAL, "a queue of %u commands", depth);
	q = calloc(1, sizeof(*q));
	if (!q)
		return client_fail(c, -ENOMEM, "no memory");
	q->context = c;
	err = client_call(c, &r, -1, &reply, fds);
	if (err) {
		free(q);
		return err;
	}
	q->number = reply.number;
	q->total_bytes = reply.length;
	q->bell = fds[1];
	err = map_queue(q, fds[0]);
	close(fds[0]);
	if (err) {
		close(q->bell);
		free(q);
		return err;
	}
	list_append(&c->queues, &q->link);
	*out = q;
	return 0;
}

void client_free_queue(struct list *link)
{
	struct causeway_queue *q =
		list_entry(link, struct causeway_queue, link);

	list_remove(&q->link);
	close(q->bell);
	munmap(q->shared, q->total_bytes);
	free(q->free);
	free(q->id);
	free(q);
}

void causeway_queue_destroy(struct causeway_queue *q)
{
	struct bridge_request r = { .type = BRIDGE_UNQUEUE };
	struct bridge_reply reply;

	if (!q)
		return;
	r.number = q->number;
	(void)client_call(q->context, &r, -1, &reply, NULL);
	client_free_queue(&q->link);
}

/* -- submitting ------------------------------------------------------------ */

static bool is_closed(const struct causeway_queue *q)
{
	char byte;

	return __atomic_load_n(&q->shared->closed, __ATOMIC_ACQUIRE) ||
	       recv(q->bell, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void ring(struct causeway_queue *q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&q->shared->sleeping, __ATOMIC_RELAXED))
		(void)send(q->bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int causeway_submit(struct causeway_queue *q,
                    const struct causeway_command *command)
{
	struct queue_command *entry;
	uint32_t slot;

	if (__atomic_load_n(&q->shared->closed, __ATOMIC_RELAXED))
		return -EPIPE;
	if (q->n_free == 0)
		return is_closed(q) ? -EPIPE : -EAGAIN;
	slot = q->free[--q->n_free];
	q->id[slot] = command->id;
	__atomic_store_n(&q->completions[slot].done, 0, __ATOMIC_RELAXED);
	entry = &q->commands[q->submitted & (q->depth - 1)];
	*entry = (struct queue_command){
		.opcode = command->opcode,
		.flags = command->flags,
		.id = command->id,
		.local_offset = command->local_offset,
		.remote_offset = command->remote_offset,
		.length = command->length,
		.operand = command->operand,
		.compare = command->compare,
		.slot = slot,
	};
	memcpy(entry->local, command->local.byte, sizeof(entry->local));
	memcpy(entry->remote, command->remote.byte, sizeof(entry->remote));
	q->submitted++;
	__atomic_store_n(&q->shared->submit_tail, q->submitted,
	                 __ATOMIC_RELEASE);
	ring(q);
	return (int)slot;
}

static int transfer(struct causeway_queue *q, enum causeway_opcode opcode,
                    uint64_t id, const struct causeway_region *local,
                    uint64_t local_offset, const struct causeway_window *remote,
                    uint64_t remote_offset, uint64_t length)
{
	return causeway_submit(
		q, &(struct causeway_command){ .opcode = opcode,
	                                       .id = id,
	                                       .local = local->key,
	                                       .remote = remote->key,
	                                       .local_offset = local_offset,
	                                       .remote_offset = remote_offset,
	                                       .length = length });
}

int causeway_read(struct causeway_queue *q, uint64_t id,
                  const struct causeway_region *to, uint64_t to_offset,
                  const struct causeway_window *from, uint64_t from_offset,
                  uint64_t length)
{
	return transfer(q, CAUSEWAY_OP_READ, id, to, to_offset, from,
	                from_offset, length);
}

int causeway_write(struct causeway_queue *q, uint64_t id,
                   const struct causeway_region *from, uint64_t from_offset,
                   const struct causeway_window *to, uint64_t to_offset,
                   uint64_t length)
{
	return transfer(q, CAUSEWAY_OP_WRITE, id, from, from_offset, to,
	                to_offset, length);
}

int causeway_compare_and_swap(struct causeway_queue *q, uint64_t id,
                              const struct causeway_window *at, uint64_t offset,
                              uint64_t compare, uint64_t value)
{
	return causeway_submit(
		q, &(struct causeway_command){ .opcode = CAUSEWAY_OP_CAS,
	                                       .id = id,
	                                       .remote = at->key,
	                                       .remote_offset = offset,
	                                       .operand = value,
	                                       .compare = compare });
}

int causeway_fetch_and_add(struct causeway_queue *q, uint64_t id,
                           const struct causeway_window *at, uint64_t offset,
                           uint64_t value)
{
	return causeway_submit(
		q, &(struct causeway_command){ .opcode = CAUSEWAY_OP_FAA,
	                                       .id = id,
	                                       .remote = at->key,
	                                       .remote_offset = offset,
	                                       .operand = value });
}

/* -- completions ----------------------------------------------------------- */

int causeway_done(const struct causeway_queue *q, unsigned slot)
{
	return slot < q->depth &&
	       __atomic_load_n(&q->completions[slot].done, __ATOMIC_ACQUIRE);
}

uint64_t causeway_counter(const struct causeway_queue *q)
{
	return __atomic_load_n(&q->shared->counter, __ATOMIC_ACQUIRE);
}

static uint32_t ready(const struct causeway_queue *q)
{
	return __atomic_load_n(&q->shared->finished_tail, __ATOMIC_ACQUIRE) -
	       q->polled;
}

int causeway_poll(struct causeway_queue *q, struct causeway_completion *out,
                  unsigned max)
{
	uint32_t n = ready(q), taken = 0;

	while (taken < n && taken < max && q->n_free < q->depth) {
		uint32_t slot = __atomic_load_n(
			&q->finished[q->polled & (q->depth - 1)],
			__ATOMIC_RELAXED);

		if (slot >= q->depth)
			return -EPIPE; /* not our bridge's doing */
		out[taken++] = (struct causeway_completion){
			.id = q->id[slot],
			.result = q->completions[slot].result,
			.status = q->completions[slot].status,
			.slot = slot,
		};
		q->free[q->n_free++] = slot;
		q->polled++;
	}
	if (taken > 0)
		return (int)taken;
	/* A bridge that was killed says nothing: ask now and then. */
	if (__atomic_load_n(&q->shared->closed, __ATOMIC_RELAXED) ||
	    (++q->n_empty % LOOK_EVERY == 0 && is_closed(q)))
		return -EPIPE;
	return 0;
}

int causeway_queue_fd(const struct causeway_queue *q)
{
	return q->bell;
}

int causeway_arm(struct causeway_queue *q)
{
	char bytes[64];

	(void)recv(q->bell, bytes, sizeof(bytes), MSG_DONTWAIT);
	__atomic_store_n(&q->shared->armed, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return ready(q) ? -EAGAIN : 0;
}

/* Asleep, until something may have happened.  @return 0: the time is up. */
static int sleep_until(struct causeway_queue *q, uint64_t end)
{
	struct pollfd p = { .fd = q->bell, .events = POLLIN };
	uint64_t now = clock_now_ns();
	int ms = -1;

	if (end != UINT64_MAX) {
		if (now >= end)
			return 0;
		ms = (int)((end - now + NS_PER_MS - 1) / NS_PER_MS);
	}
	(void)poll(&p, 1, ms);
	return 1;
}

int causeway_wait(struct causeway_queue *q, struct causeway_completion *out,
                  unsigned max, int timeout_ms)
{
	uint64_t began = clock_now_ns();
	uint64_t end = timeout_ms < 0
	                       ? UINT64_MAX
	                       : began + (unsigned)timeout_ms * NS_PER_MS;
	int n;

	do
		n = causeway_poll(q, out, max);
	while (n == 0 && clock_now_ns() < began + SPIN_NS);
	while (n == 0) {
		bool open = !is_closed(q);

		if (causeway_arm(q) == 0 && open && !sleep_until(q, end))
			return 0;
		n = causeway_poll(q, out, max);
		if (n == 0 && !open)
			return -EPIPE;
	}
	return n;
}

/* -- errors ---------------------------------------------------------------- */

int causeway_errors(struct causeway_queue *q, struct causeway_error_record *out,
                    unsigned max)
{
	const uint32_t room = queue_errors(q->depth);
	unsigned taken = 0;

	while (taken < max) {
		uint32_t tail = __atomic_load_n(&q->shared->error_tail,
		                                __ATOMIC_ACQUIRE);
		struct queue_error e;

		if (tail == q->errors_taken)
			break;
		if (tail - q->errors_taken >= room)
			q->errors_taken = tail - (room - 1);
		e = q->errors[q->errors_taken & (room - 1)];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		tail = __atomic_load_n(&q->shared->error_tail,
		                       __ATOMIC_RELAXED);
		if (tail - q->errors_taken >= room)
			continue; /* perhaps written over while we read it */
		q->errors_taken++;
		out[taken] = (struct causeway_error_record){
			.id = e.id, .status = e.status, .culprit = e.culprit
		};
		memcpy(out[taken++].key.byte, e.key, sizeof(e.key));
	}
	return (int)taken;
}
