/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our own way: a named window, reached by a session over TCP, in process on
 * both ends.  Keys, rights and ranges are checked at the owner and each key's
 * counters are kept.  Beside the load of window_load.h
 *
 *     window_ours count HOST[,HOST]... PORT SECONDS
 *
 * keeps fetch-and-adds of one word under way.  At the end it reads the word:
 * each add that was acknowledged is in it once, so `value` less `added` is
 * what was done twice, or done and not acknowledged.  Prints
 * {"added", "value", "failed", "resent", "longest_gap_ns", "lost_ns",
 * "closed_ns"}; lost_ns is when (CLOCK_MONOTONIC) the first failed, which ends
 * the run, closed_ns when a plain TCP connection to the same port ended.
 */
#include "window_load.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/reactor.h"
#include "fabric/node.h"
#include "fabric/service.h"
#include "fabric/tcp.h"
#include "window/window.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPIN_US 1000u
#define BULK_FROM 32768u
#define ADDERS 8u

static struct transport *const transports[] = { &tcp_transport };

static struct reactor *reactor;
static struct window_host *host;
static struct node *node;
static struct window_remote *window;
static void *const *buffers;
static struct slot {
	struct fabric_op op;
	struct iovec iov;
} slots[LOAD_SLOTS];

static void make_node(const char *name, bool block)
{
	const struct reactor_opts opts = { .name = name,
		                           .spin_max_us = block ? 0 : SPIN_US };
	const struct window_host_opts host_opts = { .node = name };
	struct window_host_opts with_reactor = host_opts;
	struct node_opts node_opts = {
		.name = name,
		.boot = clock_now_ns(),
		.insecure = true,
		.transports = transports,
		.n_transports = ARRAY_LEN(transports),
	};
	struct err e = { 0 };

	snprintf((char *)node_opts.id, sizeof(node_opts.id), "%s", name);
	if (reactor_create(&opts, &reactor, &e))
		load_die("%s", e.text);
	reactor_bind(reactor);
	with_reactor.reactor = reactor;
	if (window_host_create(&with_reactor, &host, &e))
		load_die("%s", e.text);
	node_opts.reactor = reactor;
	node_opts.service = window_host_service(host);
	if (node_create(&node_opts, &node, &e))
		load_die("%s", e.text);
	window_host_attach(host, node);
}

static struct fabric_address address(const char *ip, const char *port)
{
	struct fabric_address a;
	struct err e = { 0 };
	char text[FABRIC_ADDRESS_TEXT];

	snprintf(text, sizeof(text), "tcp:%s:%s", ip, port);
	if (address_parse(text, &a, &e))
		load_die("%s", e.text);
	return a;
}

/* -- server ---------------------------------------------------------------- */

/* In a file of shared memory whose pages are there, as the other ways' are: the
 * first touch of a new window's page costs more than a read of it. */
static void make_window(void)
{
	static const uint8_t block[1 << 20];
	struct err e = { 0 };
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/shm/causeway-bench-%d", getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	for (uint64_t done = 0; done < LOAD_REGION; done += sizeof(block))
		if (write(fd, block, sizeof(block)) != sizeof(block))
			load_die("no room in /dev/shm");
	close(fd);
	if (window_create(host, "load", LOAD_REGION, path, &e) ||
	    window_allow(host, "load", "client",
	                 FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE |
	                         FABRIC_RIGHT_ATOMIC,
	                 NULL, &e))
		load_die("%s", e.text);
	unlink(path);
}

/* All hosts have the same port, which the first one gets. */
static void serve(const struct load_opts *o)
{
	struct fabric_address a, at[NODE_LISTENERS];
	struct err e = { 0 };
	char port[8] = "0";

	make_node("server", o->block);
	make_window();
	for (unsigned i = 0; i < o->n_hosts; i++) {
		a = address(o->host[i], port);
		if (node_listen(node, &a, &e))
			load_die("%s", e.text);
		node_listeners(node, at);
		snprintf(port, sizeof(port), "%u", at[0].port);
	}
	load_serving((unsigned)atoi(port));
	reactor_run(reactor);
}

/* -- client ---------------------------------------------------------------- */

static void opened(void *ctx, struct window_remote *w, int err)
{
	(void)ctx;
	if (!w)
		load_die("the window cannot be opened: %s", strerror(-err));
	window = w;
	reactor_stop(reactor);
}

static void connect_to(const struct load_opts *o, void *const buffer[],
                       const uint32_t length[])
{
	struct fabric_address a[LOAD_HOSTS_MAX], own = address("*", "0");
	struct fabric_peer *peer;
	struct err e = { 0 };

	(void)length;
	buffers = buffer;
	make_node("client", o->block);
	/* The server answers what is asked by name on a session of its own. */
	if (node_listen(node, &own, &e))
		load_die("%s", e.text);
	for (unsigned i = 0; i < o->n_hosts; i++)
		a[i] = address(o->host[i], o->port);
	if (node_peer_add(node, "server", a, o->n_hosts, &peer, &e))
		load_die("%s", e.text);
	window_open(host, "server", "load", 0, opened, NULL);
	reactor_run(reactor);
}

static void read_done(struct fabric_op *op, enum fabric_status status)
{
	if (status != FABRIC_OK)
		load_die("a read failed: %s", fabric_status_name(status));
	load_done((unsigned)(container_of(op, struct slot, op) - slots));
	if (load_over())
		reactor_stop(reactor);
}

static void post(unsigned slot, uint64_t offset, uint32_t length)
{
	struct slot *s = &slots[slot];

	s->iov = (struct iovec){ buffers[slot], length };
	s->op = (struct fabric_op){
		.opcode = FABRIC_READ,
		.class = length < BULK_FROM ? FABRIC_LATENCY : FABRIC_BULK,
		.offset = offset,
		.length = length,
		.iov = &s->iov,
		.n_iov = 1,
		.done = read_done,
	};
	window_submit(window, &s->op);
}

static void run(void)
{
	reactor_run(reactor);
}

/* -- fetch-and-adds -------------------------------------------------------- */

static struct {
	uint64_t added, failed, longest_gap_ns, lost_ns, closed_ns;
	uint64_t last_ns, end_ns;
	unsigned in_flight;
} count;

static void add(struct fabric_op *op);

static void added(struct fabric_op *op, enum fabric_status status)
{
	uint64_t now = clock_now_ns();

	count.in_flight--;
	if (status == FABRIC_OK)
		count.added++;
	else
		count.failed++;
	if (status != FABRIC_OK && !count.lost_ns)
		count.lost_ns = now;
	if (now - count.last_ns > count.longest_gap_ns && count.last_ns)
		count.longest_gap_ns = now - count.last_ns;
	count.last_ns = now;
	if (now < count.end_ns && !count.lost_ns)
		add(op);
	else if (count.in_flight == 0)
		reactor_stop(reactor);
}

static void add(struct fabric_op *op)
{
	*op = (struct fabric_op){
		.opcode = FABRIC_FAA,
		.class = FABRIC_LATENCY,
		.length = 8,
		.operand = { 1 },
		.done = added,
	};
	count.in_flight++;
	window_submit(window, op);
}

static void word_read(struct fabric_op *op, enum fabric_status status)
{
	if (status != FABRIC_OK)
		load_die("the word cannot be read: %s",
		         fabric_status_name(status));
	(void)op;
	reactor_stop(reactor);
}

/* What TCP itself would have told us. */
static void *watch_closing(void *arg)
{
	const struct fabric_address *a = arg;
	struct sockaddr_storage to;
	socklen_t length = address_to_socket(a, &to);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char c;

	if (connect(fd, (struct sockaddr *)&to, length) == 0)
		while (recv(fd, &c, 1, 0) > 0)
			continue;
	__atomic_store_n(&count.closed_ns, clock_now_ns(), __ATOMIC_RELAXED);
	return NULL;
}

static uint64_t read_word(void)
{
	static uint64_t word;
	static struct slot s;

	s.iov = (struct iovec){ &word, sizeof(word) };
	s.op = (struct fabric_op){ .opcode = FABRIC_READ,
		                   .class = FABRIC_LATENCY,
		                   .length = sizeof(word),
		                   .iov = &s.iov,
		                   .n_iov = 1,
		                   .done = word_read };
	window_submit(window, &s.op);
	reactor_run(reactor);
	return word;
}

static int run_count(int argc, char **argv)
{
	static struct fabric_op ops[ADDERS];
	struct load_opts o = { .port = argv[3], .block = true };
	static struct fabric_address at;
	struct session_stats s;
	pthread_t thread;
	uint64_t before;
	char *save = NULL;

	if (argc != 5)
		load_die("usage: see bench/window_ours.c");
	for (char *h = strtok_r(argv[2], ",", &save);
	     h && o.n_hosts < LOAD_HOSTS_MAX; h = strtok_r(NULL, ",", &save))
		o.host[o.n_hosts++] = h;
	connect_to(&o, NULL, NULL);
	before = read_word();
	at = address(o.host[0], o.port);
	pthread_create(&thread, NULL, watch_closing, &at);
	printf("ready\n");
	fflush(stdout);
	count.end_ns = clock_now_ns() + (uint64_t)(atof(argv[4]) * 1e9);
	for (unsigned i = 0; i < ADDERS; i++)
		add(&ops[i]);
	reactor_run(reactor);
	if (count.lost_ns)
		pthread_join(thread, NULL);
	session_stats(node_peer_session(node_peer_find(node, "server")), &s);
	printf("{\"added\": %ju, \"value\": %ju, \"failed\": %ju, "
	       "\"resent\": %ju, \"longest_gap_ns\": %ju, \"lost_ns\": %ju, "
	       "\"closed_ns\": %ju}\n",
	       (uintmax_t)count.added,
	       (uintmax_t)(count.lost_ns ? 0 : read_word() - before),
	       (uintmax_t)count.failed, (uintmax_t)s.resent,
	       (uintmax_t)count.longest_gap_ns, (uintmax_t)count.lost_ns,
	       (uintmax_t)__atomic_load_n(&count.closed_ns, __ATOMIC_RELAXED));
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	static const struct load_way ours = { serve, connect_to, post, run };

	if (argc > 1 && !strcmp(argv[1], "count"))
		return run_count(argc, argv);
	return load_main(argc, argv, &ours);
}
