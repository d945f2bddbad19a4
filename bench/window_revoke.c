/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Revoke against writes that are under way.
 *
 *     window_revoke FILE RACES
 *
 * Two nodes in one process, each on a thread of its own, over TCP.  In each
 * race the user writes to a window of the owner's as fast as it can, and a
 * third thread, the operator, revokes its key at some moment.  FILE holds the
 * window's bytes, so that the operator can look at them: once revoke has
 * returned they must not change.  Prints {"races", "moved_after",
 * "ack_p50_ns", "ack_p99_ns", "ack_max_ns", "bytes"}.
 */
#include "base/base.h"
#include "base/clock.h"
#include "core/reactor.h"
#include "fabric/node.h"
#include "fabric/service.h"
#include "fabric/tcp.h"
#include "window/window.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE (UINT64_C(1) << 20)
#define WRITES 4u /* of SIZE bytes, at a time */
#define LOOK_US 150u
#define DELAY_MAX_US 400u

static struct transport *const transports[] = { &tcp_transport };

static struct side {
	const char *name;
	struct reactor *reactor;
	pthread_t thread;
	struct window_host *host;
	struct node *node;
} owner = { .name = "owner" }, user = { .name = "user" };

static void die(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

/* -- the two sides --------------------------------------------------------- */

struct errand {
	struct task task;
	sem_t done;
	void (*run)(void);
};

static void run_errand(struct task *t)
{
	struct errand *x = container_of(t, struct errand, task);

	x->run();
	sem_post(&x->done);
}

static void on(struct side *s, void (*run)(void))
{
	struct errand x = { .task.run = run_errand, .run = run };

	sem_init(&x.done, 0, 0);
	task_post(s->reactor, &x.task);
	sem_wait(&x.done);
	sem_destroy(&x.done);
}

static void *run_side(void *arg)
{
	reactor_run(arg);
	return NULL;
}

static struct fabric_address loopback(void)
{
	struct fabric_address a;

	if (address_parse("127.0.0.1:0", &a, NULL))
		die("no loopback");
	return a;
}

static void start(struct side *s)
{
	const struct reactor_opts opts = { .name = s->name,
		                           .spin_max_us = 100 };
	struct node_opts node = { .name = s->name,
		                  .boot = clock_now_ns(),
		                  .insecure = true,
		                  .transports = transports,
		                  .n_transports = 1 };
	struct window_host_opts host = { .node = s->name };
	struct fabric_address a = loopback();
	struct err e = { 0 };

	memcpy(node.id, s->name, strlen(s->name));
	if (reactor_create(&opts, &s->reactor, &e))
		die("%s", e.text);
	reactor_bind(s->reactor);
	host.reactor = node.reactor = s->reactor;
	if (window_host_create(&host, &s->host, &e))
		die("%s", e.text);
	node.service = window_host_service(s->host);
	if (node_create(&node, &s->node, &e) || node_listen(s->node, &a, &e))
		die("%s", e.text);
	window_host_attach(s->host, s->node);
	reactor_bind(NULL);
}

/* -- the user's thread ----------------------------------------------------- */

static struct {
	struct window_remote *window;
	struct fabric_op op[WRITES];
	struct iovec iov;
	unsigned in_flight;
	uint64_t bytes;
	uint8_t stamp;
	sem_t begun, ended;
} writer;

static void submit(struct fabric_op *op);

static void written(struct fabric_op *op, enum fabric_status status)
{
	writer.in_flight--;
	if (status == FABRIC_OK) {
		writer.bytes += SIZE;
		submit(op);
	} else if (status != FABRIC_REVOKED && status != FABRIC_BAD_KEY) {
		die("a write ended with %s", fabric_status_name(status));
	}
	if (writer.in_flight > 0)
		return;
	window_close(writer.window);
	sem_post(&writer.ended);
}

static void submit(struct fabric_op *op)
{
	memset(writer.iov.iov_base, ++writer.stamp, SIZE);
	*op = (struct fabric_op){ .opcode = FABRIC_WRITE,
		                  .class = FABRIC_BULK,
		                  .length = SIZE,
		                  .iov = &writer.iov,
		                  .n_iov = 1,
		                  .done = written };
	writer.in_flight++;
	window_submit(writer.window, op);
}

static void opened(void *ctx, struct window_remote *w, int err)
{
	(void)ctx;
	if (!w)
		die("the window cannot be opened: %s", strerror(-err));
	writer.window = w;
	for (unsigned i = 0; i < WRITES; i++)
		submit(&writer.op[i]);
	sem_post(&writer.begun);
}

static void begin(void)
{
	window_open(user.host, "owner", "race", 0, opened, NULL);
}

static struct fabric_address at[NODE_LISTENERS];

static void join(void)
{
	struct fabric_peer *p;
	struct err e = { 0 };

	if (node_peer_add(user.node, "owner", at, 1, &p, &e))
		die("%s", e.text);
}

/* -- the owner's thread ---------------------------------------------------- */

static const char *path;

static void make(void)
{
	struct err e = { 0 };

	node_listeners(owner.node, at);
	if (window_create(owner.host, "race", SIZE, path, &e))
		die("%s", e.text);
}

static void allow(void)
{
	struct err e = { 0 };

	if (window_allow(owner.host, "race", "user",
	                 FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE, NULL, &e))
		die("%s", e.text);
}

static void revoke_it(void)
{
	struct err e = { 0 };

	if (window_revoke(owner.host, "race", "user", &e))
		die("%s", e.text);
}

/* -- the operator ---------------------------------------------------------- */

static void rest_us(unsigned us)
{
	struct timespec t = { .tv_nsec = (long)us * 1000 };

	nanosleep(&t, NULL);
}

/* @return whether bytes moved after revoke had returned. */
static bool race(const uint8_t *bytes, uint64_t *took_ns)
{
	static uint8_t copy[SIZE];
	uint64_t began;
	bool moved;

	on(&owner, allow);
	on(&user, begin);
	sem_wait(&writer.begun);
	rest_us((unsigned)rand() % DELAY_MAX_US);
	began = clock_now_ns();
	on(&owner, revoke_it);
	*took_ns = clock_now_ns() - began;
	memcpy(copy, bytes, SIZE);
	rest_us(LOOK_US);
	moved = memcmp(copy, bytes, SIZE) != 0;
	sem_wait(&writer.ended);
	return moved || memcmp(copy, bytes, SIZE) != 0;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	unsigned races = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
	uint64_t *took = calloc(races + 1, sizeof(*took));
	unsigned moved = 0;
	uint8_t *bytes;
	int fd;

	if (!races || !took)
		die("usage: window_revoke FILE RACES");
	path = argv[1];
	sem_init(&writer.begun, 0, 0);
	sem_init(&writer.ended, 0, 0);
	writer.iov = (struct iovec){ calloc(1, SIZE), SIZE };
	start(&owner);
	start(&user);
	pthread_create(&owner.thread, NULL, run_side, owner.reactor);
	pthread_create(&user.thread, NULL, run_side, user.reactor);
	on(&owner, make);
	on(&user, join);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bytes = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		die("cannot look at %s", path);
	for (unsigned i = 0; i < races; i++)
		moved += race(bytes, &took[i]);
	qsort(took, races, sizeof(*took), by_value);
	printf("{\"races\": %u, \"moved_after\": %u, \"ack_p50_ns\": %ju, "
	       "\"ack_p99_ns\": %ju, \"ack_max_ns\": %ju, \"bytes\": %ju}\n",
	       races, moved, (uintmax_t)took[races / 2],
	       (uintmax_t)took[(uint64_t)races * 99 / 100],
	       (uintmax_t)took[races - 1], (uintmax_t)writer.bytes);
	fflush(stdout);
	_exit(0);
}
