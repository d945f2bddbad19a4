/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/swap.h"

#include "base/clock.h"
#include "far/page_map.h"

#include <errno.h>

void swap_init(struct swap_queue *s, struct block_device *device)
{
	*s = (struct swap_queue){ .device = device, .next_tag = 1 };
	list_init(&s->waiting);
}

static void done(struct block_request *b, int err);

static bool check(struct block_request *b, uint64_t at, uint64_t length)
{
	struct swap_request *q = container_of(b, struct swap_request, block);
	uint64_t first = at / FAR_PAGE;
	uint64_t end = (at + length + FAR_PAGE - 1) / FAR_PAGE;

	return q->check(q, (unsigned)first, (unsigned)(end - first));
}

static void start(struct swap_request *q)
{
	struct swap_queue *s = q->queue;

	s->writes += q->op == SWAP_OUT;
	q->iov = (struct iovec){ q->data, q->pages * FAR_PAGE };
	q->block = (struct block_request){
		.op = q->op == SWAP_IN ? BLOCK_READ : BLOCK_WRITE,
		.offset = q->slot * FAR_PAGE,
		.length = q->pages * FAR_PAGE,
		.iov = &q->iov,
		.iov_count = 1,
		.done = done,
		.check = check,
		.command = (uint32_t)q->tag,
	};
	block_submit(s->device, &q->block);
}

static void done(struct block_request *b, int err)
{
	struct swap_request *q = container_of(b, struct swap_request, block);
	struct swap_queue *s = q->queue;
	struct list *next = NULL;

	if (!err && q->op == SWAP_IN && !s->device->checks &&
	    !q->check(q, 0, q->pages))
		err = -EBADMSG;
	s->in_flight--;
	s->errors[q->op] += err != 0;
	histogram_add(&s->latency[q->op], clock_now_ns() - q->start_ns);
	if (q->op == SWAP_OUT) {
		s->writes--;
		next = list_pop(&s->waiting);
	}
	if (next)
		start(list_entry(next, struct swap_request, link));
	q->done(q, err);
}

void swap_submit(struct swap_queue *s, struct swap_request *q)
{
	q->queue = s;
	q->tag = s->next_tag++;
	q->start_ns = clock_now_ns();
	s->in_flight++;
	s->pages[q->op] += q->pages;
	if (q->op == SWAP_OUT && s->writes == SWAP_WRITES_MAX)
		list_append(&s->waiting, &q->link);
	else
		start(q);
}
