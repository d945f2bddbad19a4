/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two bridges joined by loopback TCP, processes at both: what holds within a
 * node holds across.  With the argument "turned" the roles are the other way
 * round: the second host's processes reach the first's (shows M15).
 */
#include "../test.h"
#include "../window/rig_bridge.h"

#include "base/base.h"
#include "base/clock.h"
#include "fabric/service.h"

#include <arpa/inet.h>
#include <causeway/causeway.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define RW (CAUSEWAY_READ | CAUSEWAY_WRITE)
#define ALL (RW | CAUSEWAY_ATOMIC)
#define WAIT_MS 20000
#define BYTES (1u << 20)

static struct rig_bridge a, b;
static bool turned; /* the roles */

static struct rig_bridge *near_side(void)
{
	return turned ? &b : &a;
}

static struct rig_bridge *far_side(void)
{
	return turned ? &a : &b;
}

/* A process of one node with a window on memory of one of the other. */
struct pair {
	struct causeway *near, *far;
	struct causeway_region *near_memory, *far_memory;
	struct causeway_window *window;
	struct causeway_key far_key;
	struct causeway_queue *queue;
	char text[CAUSEWAY_DESCRIPTOR_MAX];
};

static void grant(struct pair *p, struct causeway_grant_options o)
{
	const struct causeway_range all = {
		*causeway_region_key(p->far_memory), 0,
		causeway_region_length(p->far_memory)
	};

	o.node = causeway_node(p->near);
	causeway_identity(p->near, &o.process);
	assert_int_equal(
		causeway_grant(p->far, &all, 1, &o, &p->far_key, p->text), 0);
}

static void open_pair(struct pair *p, size_t bytes, unsigned depth)
{
	memset(p, 0, sizeof(*p));
	assert_int_equal(causeway_open(near_side()->path, &p->near), 0);
	assert_int_equal(causeway_open(far_side()->path, &p->far), 0);
	assert_int_equal(
		causeway_region_create(p->near, bytes, ALL, &p->near_memory),
		0);
	assert_int_equal(
		causeway_region_create(p->far, bytes, ALL, &p->far_memory), 0);
	grant(p, (struct causeway_grant_options){ .rights = ALL });
	if (causeway_import(p->near, p->text, &p->window))
		fail_msg("%s", causeway_error(p->near));
	assert_int_equal(causeway_queue_create(p->near, depth, &p->queue), 0);
}

static void close_pair(struct pair *p)
{
	causeway_queue_destroy(p->queue);
	causeway_window_close(p->window);
	causeway_region_destroy(p->near_memory);
	causeway_region_destroy(p->far_memory);
	causeway_close(p->near);
	causeway_close(p->far);
}

static struct causeway_completion one(struct causeway_queue *q)
{
	struct causeway_completion c = { 0 };

	assert_int_equal(causeway_wait(q, &c, 1, WAIT_MS), 1);
	return c;
}

static uint32_t run(struct pair *p, enum causeway_opcode opcode,
                    uint64_t offset, uint64_t length)
{
	struct causeway_command c = {
		.opcode = opcode,
		.local = *causeway_region_key(p->near_memory),
		.remote = *causeway_window_key(p->window),
		.remote_offset = offset,
		.length = length,
	};

	assert_true(causeway_submit(p->queue, &c) >= 0);
	return one(p->queue).status;
}

static void fill(void *memory, size_t n, unsigned seed)
{
	uint8_t *bytes = memory;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(seed + i * 7 + (i >> 8) * 13);
}

static bool all_are(const void *memory, size_t n, uint8_t value)
{
	const uint8_t *bytes = memory;

	for (size_t i = 0; i < n; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

/* shows M1, M3, M6, M7, M12, M15 */
static void bytes_move(void **state)
{
	static const struct {
		uint64_t length, near, far;
	} rows[] = {
		{ 1, 0, 0 },
		{ 1, 4095, 4097 },
		{ 4096, 0, 0 },
		{ 4097, 4095, 1 },
		{ 65536, 1, 3 },
		{ 65537, 0, 4095 },
		{ 1000000, 7, 11 },
		{ 64 << 20, 0, 0 },
		{ (64 << 20) - 9, 1, 5 },
	};
	struct pair p;
	uint8_t *near, *far;

	(void)state;
	open_pair(&p, (64 << 20) + 4096, 2);
	near = causeway_region_data(p.near_memory);
	far = causeway_region_data(p.far_memory);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t n = rows[i].length;

		fill(far + rows[i].far, n, i);
		near[rows[i].near + n] = 0xee;
		causeway_read(p.queue, i, p.near_memory, rows[i].near, p.window,
		              rows[i].far, n);
		assert_int_equal(one(p.queue).status, CAUSEWAY_OK);
		assert_memory_equal(near + rows[i].near, far + rows[i].far, n);
		assert_int_equal(near[rows[i].near + n], 0xee);

		fill(near + rows[i].near, n, i + 99);
		far[rows[i].far + n] = 0xdd;
		causeway_write(p.queue, i, p.near_memory, rows[i].near,
		               p.window, rows[i].far, n);
		assert_int_equal(one(p.queue).status, CAUSEWAY_OK);
		assert_memory_equal(near + rows[i].near, far + rows[i].far, n);
		assert_int_equal(far[rows[i].far + n], 0xdd);
	}
	assert_int_equal(causeway_counter(p.queue), 2 * ARRAY_LEN(rows));
	close_pair(&p);
}

/* shows M8, M9, M10, M15: the far owner refuses on its own account */
static void far_side_refuses(void **state)
{
	static const struct {
		enum causeway_opcode opcode;
		unsigned rights;
		uint64_t offset, length;
		enum causeway_status status;
	} rows[] = {
		{ CAUSEWAY_OP_READ, RW, 0, BYTES, CAUSEWAY_OK },
		{ CAUSEWAY_OP_WRITE, CAUSEWAY_READ, 0, 8, CAUSEWAY_DENIED },
		{ CAUSEWAY_OP_READ, CAUSEWAY_WRITE, 0, 8, CAUSEWAY_DENIED },
		{ CAUSEWAY_OP_FAA, RW, 0, 8, CAUSEWAY_DENIED },
		{ CAUSEWAY_OP_READ, RW, 1, BYTES, CAUSEWAY_RANGE },
		{ CAUSEWAY_OP_WRITE, RW, BYTES, 1, CAUSEWAY_RANGE },
		{ CAUSEWAY_OP_READ, RW, UINT64_MAX, 2, CAUSEWAY_RANGE },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct causeway_error_record e;
		struct pair p;
		bool ok = rows[i].status == CAUSEWAY_OK;

		open_pair(&p, BYTES, 2);
		causeway_window_close(p.window);
		grant(&p, (struct causeway_grant_options){
				  .rights = rows[i].rights });
		assert_int_equal(causeway_import(p.near, p.text, &p.window), 0);
		memset(causeway_region_data(p.far_memory), 0x22, BYTES);
		memset(causeway_region_data(p.near_memory), 0x11, BYTES);
		assert_int_equal(
			run(&p, rows[i].opcode, rows[i].offset, rows[i].length),
			rows[i].status);
		assert_int_equal(causeway_counter(p.queue), ok);
		assert_int_equal(causeway_errors(p.queue, &e, 1), !ok);
		if (!ok) {
			assert_int_equal(e.culprit, CAUSEWAY_AT_REMOTE);
			assert_true(all_are(causeway_region_data(p.near_memory),
			                    BYTES, 0x11));
		}
		assert_true(all_are(causeway_region_data(p.far_memory), BYTES,
		                    0x22));
		close_pair(&p);
	}
}

/* shows M4: another process of the right node, with all that P1 has */
static void stolen(void **state)
{
	struct causeway_window *w;
	struct causeway *thief;
	struct pair p;

	(void)state;
	open_pair(&p, 4096, 2);
	assert_int_equal(causeway_open(near_side()->path, &thief), 0);
	assert_int_equal(causeway_import(thief, p.text, &w), -EACCES);
	causeway_close(thief);
	/* And one of the owner's own node. */
	assert_int_equal(causeway_open(far_side()->path, &thief), 0);
	assert_int_equal(causeway_import(thief, p.text, &w), -EACCES);
	causeway_close(thief);
	assert_int_equal(run(&p, CAUSEWAY_OP_READ, 0, 64), CAUSEWAY_OK);
	close_pair(&p);
}

static void unreachable(void **state)
{
	struct causeway_window *w;
	struct causeway *c;

	(void)state;
	assert_int_equal(causeway_open(near_side()->path, &c), 0);
	assert_int_equal(causeway_import(c,
	                                 "cw1:nowhere/"
	                                 "0123456789abcdef0123456789abcdef",
	                                 &w),
	                 -EHOSTUNREACH);
	assert_int_equal(causeway_import(c, "cw1:b/0123", &w), -EINVAL);
	assert_int_equal(
		causeway_window_open(c, turned ? "a/none" : "b/none", 0, &w),
		-ENOENT);
	causeway_close(c);
}

/* shows M22 across nodes */
static void atomics(void **state)
{
	struct causeway_completion c;
	uint64_t *word, sum = 0;
	struct pair p;

	(void)state;
	open_pair(&p, 4096, 256);
	word = causeway_region_data(p.far_memory);
	for (unsigned i = 0; i < 256; i++)
		assert_true(causeway_fetch_and_add(p.queue, i, p.window, 8,
		                                   i) >= 0);
	for (unsigned i = 0; i < 256; i++) {
		assert_int_equal(one(p.queue).status, CAUSEWAY_OK);
		sum += i;
	}
	assert_int_equal(word[1], sum);
	causeway_compare_and_swap(p.queue, 1, p.window, 8, sum, 5);
	c = one(p.queue);
	assert_int_equal(c.result, sum);
	assert_int_equal(word[1], 5);
	close_pair(&p);
}

/* shows M11 across nodes, both ways */
static void bit_after_data(void **state)
{
	const unsigned rounds = 2000, depth = 16;
	uint64_t *near, *far;
	struct pair p;

	(void)state;
	open_pair(&p, depth * 4096, depth);
	near = causeway_region_data(p.near_memory);
	far = causeway_region_data(p.far_memory);
	for (uint64_t round = 1; round <= rounds; round++) {
		bool write = round % 2;
		volatile uint64_t *to = write ? far : near;
		uint64_t *from = write ? near : far;
		int slot[16];

		for (unsigned i = 0; i < depth; i++)
			from[i * 512 + 511] = round << 8 | i;
		for (unsigned i = 0; i < depth; i++)
			slot[i] = (write ? causeway_write : causeway_read)(
				p.queue, i, p.near_memory, i * 4096, p.window,
				i * 4096, 4096);
		for (unsigned i = 0; i < depth; i++) {
			while (!causeway_done(p.queue, (unsigned)slot[i]))
				usleep(1);
			assert_int_equal(to[i * 512 + 511], round << 8 | i);
		}
		for (unsigned i = 0; i < depth; i++)
			assert_int_equal(one(p.queue).status, CAUSEWAY_OK);
	}
	close_pair(&p);
}

/* shows M18 across nodes: the owner takes the key back under load */
static void revoke_races(void **state)
{
	const char *text = getenv("RACES");
	unsigned races = text ? (unsigned)strtoul(text, NULL, 10) : 300;
	uint8_t *snapshot = malloc(BYTES), *far;
	unsigned n_cut = 0;
	struct pair p;

	(void)state;
	open_pair(&p, BYTES, 4);
	far = causeway_region_data(p.far_memory);
	for (unsigned n = 0; n < races; n++) {
		unsigned n_ok = 0;

		memset(causeway_region_data(p.near_memory), (int)(n % 251 + 1),
		       BYTES);
		for (unsigned i = 0; i < 4; i++)
			causeway_write(p.queue, i, p.near_memory, 0, p.window,
			               0, BYTES / 4);
		for (volatile unsigned i = 0; i < n * 7919 % 100000; i++)
			;
		assert_int_equal(causeway_revoke(p.far, &p.far_key), 0);
		memcpy(snapshot, far, BYTES / 4);
		for (unsigned i = 0; i < 4; i++) {
			uint32_t status = one(p.queue).status;

			assert_true(status == CAUSEWAY_OK ||
			            status == CAUSEWAY_REVOKED);
			n_ok += status == CAUSEWAY_OK;
		}
		assert_memory_equal(snapshot, far, BYTES / 4);
		n_cut += n_ok < 4;
		causeway_window_close(p.window);
		grant(&p, (struct causeway_grant_options){ .rights = RW });
		assert_int_equal(causeway_import(p.near, p.text, &p.window), 0);
	}
	assert_true(n_cut > 0);
	close_pair(&p);
	free(snapshot);
}

/* shows M18, M5: the reader takes its own key back; nothing lands in its
 * memory after that, however much is on its way */
static void local_revoke(void **state)
{
	uint8_t *snapshot = malloc(BYTES), *near;
	unsigned n_cut = 0;
	struct pair p;

	(void)state;
	open_pair(&p, BYTES, 4);
	near = causeway_region_data(p.near_memory);
	for (unsigned n = 0; n < 300; n++) {
		const struct causeway_range all = {
			*causeway_region_key(p.near_memory), 0, BYTES
		};
		const struct causeway_grant_options o = { .rights = RW };
		struct causeway_command c = {
			.opcode = CAUSEWAY_OP_READ,
			.remote = *causeway_window_key(p.window),
			.length = BYTES,
		};
		unsigned n_ok = 0;

		assert_int_equal(
			causeway_grant(p.near, &all, 1, &o, &c.local, NULL), 0);
		memset(causeway_region_data(p.far_memory), (int)(n % 251 + 1),
		       BYTES);
		for (unsigned i = 0; i < 4; i++)
			assert_true(causeway_submit(p.queue, &c) >= 0);
		for (volatile unsigned i = 0; i < n * 7919 % 400000; i++)
			;
		assert_int_equal(causeway_revoke(p.near, &c.local), 0);
		memcpy(snapshot, near, BYTES);
		for (unsigned i = 0; i < 4; i++)
			n_ok += one(p.queue).status == CAUSEWAY_OK;
		assert_memory_equal(snapshot, near, BYTES);
		n_cut += n_ok < 4;
	}
	assert_true(n_cut > 0);
	close_pair(&p);
	free(snapshot);
}

/* shows M23: a lease ends, a quota holds, and both are told from the rest */
static void leases_and_quotas(void **state)
{
	struct pair p;
	unsigned done = 0;
	uint64_t end;
	uint32_t status;

	(void)state;
	open_pair(&p, BYTES, 2);
	causeway_window_close(p.window);
	grant(&p,
	      (struct causeway_grant_options){ .rights = RW, .lease_ms = 300 });
	assert_int_equal(causeway_import(p.near, p.text, &p.window), 0);
	end = clock_now_ns() + 10 * NS_PER_S;
	do
		status = run(&p, CAUSEWAY_OP_READ, 0, 8);
	while (status == CAUSEWAY_OK && clock_now_ns() < end);
	assert_int_equal(status, CAUSEWAY_EXPIRED);
	causeway_window_close(p.window);
	assert_int_equal(causeway_import(p.near, p.text, &p.window), -ESTALE);

	grant(&p,
	      (struct causeway_grant_options){ .rights = RW, .ops_per_s = 50 });
	assert_int_equal(causeway_import(p.near, p.text, &p.window), 0);
	end = clock_now_ns() + NS_PER_S;
	while (clock_now_ns() < end) {
		status = run(&p, CAUSEWAY_OP_READ, 0, 8);
		done += status == CAUSEWAY_OK;
		if (status != CAUSEWAY_OK)
			assert_int_equal(status, CAUSEWAY_QUOTA);
	}
	/* 50 at once and 50 in the second; the clock of the test is not the
	 * bridge's, and one may be slow. */
	assert_in_range(done, 51, 130);
	close_pair(&p);
}

/* -- M13: a link that delays everything ------------------------------------ */

struct relay {
	int listener;
	unsigned to;
	atomic_bool end;
	pthread_t thread;
	unsigned delay_ms;
};

static int dial(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (!connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return fd;
	close(fd); /* whom it leads to has just stopped */
	return -1;
}

static bool pass_on(int from, int to)
{
	char bytes[16384];
	ssize_t n = recv(from, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN;
	return n > 0 && send(to, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

/* Looks at each connection once in delay_ms. */
static void *relay_run(void *arg)
{
	struct relay *r = arg;
	int pair[64][2];
	unsigned n = 0;

	while (!r->end) {
		int fd = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK);

		int to = fd >= 0 && n < 64 ? dial(r->to) : -1;

		if (to >= 0) {
			pair[n][0] = fd;
			pair[n++][1] = to;
		} else if (fd >= 0) {
			close(fd);
		}
		usleep(r->delay_ms * 1000);
		for (unsigned i = 0; i < n; i++)
			if (!pass_on(pair[i][0], pair[i][1]) ||
			    !pass_on(pair[i][1], pair[i][0])) {
				close(pair[i][0]);
				close(pair[i][1]);
				memmove(&pair[i], &pair[i + 1],
				        (--n - i) * sizeof(pair[0]));
				i--;
			}
	}
	for (unsigned i = 0; i < n; i++) {
		close(pair[i][0]);
		close(pair[i][1]);
	}
	return NULL;
}

static unsigned relay_start(struct relay *r, unsigned to, unsigned delay_ms)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);

	*r = (struct relay){ .to = to, .delay_ms = delay_ms };
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(r->listener, (struct sockaddr *)&sa, sizeof(sa)),
	                 0);
	assert_int_equal(listen(r->listener, 16), 0);
	assert_int_equal(getsockname(r->listener, (struct sockaddr *)&sa, &n),
	                 0);
	assert_int_equal(pthread_create(&r->thread, NULL, relay_run, r), 0);
	return ntohs(sa.sin_port);
}

static void relay_stop(struct relay *r)
{
	r->end = true;
	pthread_join(r->thread, NULL);
	close(r->listener);
}

/* shows M13: 1,024 outstanding on a slow link; submit does not wait for it */
static void slow_link(void **state)
{
	struct rig_bridge far;
	struct causeway_completion c[64];
	struct rig_bridge before = *far_side();
	uint64_t began, submitted, slowest = 0;
	unsigned n = 0, n_outstanding;
	struct relay relay;
	struct pair p;

	(void)state;
	rig_bridge_start(&far, "far");
	rig_bridge_network(&far, 3);
	rig_bridge_introduce(near_side(), &far,
	                     relay_start(&relay, far.port, 20));
	*far_side() = far; /* whom open_pair() asks */
	open_pair(&p, BYTES, 1024);
	began = clock_now_ns();
	for (unsigned i = 0; i < 1024; i++) {
		uint64_t start = clock_now_ns(), took;

		assert_true(causeway_read(p.queue, i, p.near_memory, i * 512,
		                          p.window, i * 512, 512) >= 0);
		took = clock_now_ns() - start;
		if (took > slowest)
			slowest = took;
	}
	submitted = clock_now_ns() - began;
	n_outstanding = 1024 - (unsigned)causeway_counter(p.queue);
	while (n < 1024) {
		int got = causeway_wait(p.queue, c, 64, WAIT_MS);

		assert_true(got > 0);
		for (int i = 0; i < got; i++)
			assert_int_equal(c[i].status, CAUSEWAY_OK);
		n += (unsigned)got;
	}
	print_message("# submitted in %llu us, slowest %llu us, done in %llu "
	              "us\n",
	              (unsigned long long)submitted / 1000,
	              (unsigned long long)slowest / 1000,
	              (unsigned long long)(clock_now_ns() - began) / 1000);
	assert_true(n_outstanding > 512);
	close_pair(&p);
	*far_side() = before;
	rig_bridge_stop(&far);
	relay_stop(&relay);
}

/* A bridge that stops with work under way ends it, and says so. */
static void bridge_stops(void **state)
{
	struct rig_bridge near, far, before[2] = { a, b };
	struct causeway_completion c[64];
	struct relay relay;
	struct pair p;
	int got;

	(void)state;
	rig_bridge_start(&near, "near");
	rig_bridge_start(&far, "far");
	rig_bridge_network(&near, 4);
	rig_bridge_network(&far, 5);
	rig_bridge_introduce(&near, &far, relay_start(&relay, far.port, 20));
	*near_side() = near;
	*far_side() = far;
	open_pair(&p, 8 << 20, 64);
	for (unsigned i = 0; i < 64; i++)
		assert_true(causeway_read(p.queue, i, p.near_memory, 0,
		                          p.window, 0,
		                          i % 2 ? 8 << 20 : 64) >= 0);
	usleep(5000);
	rig_bridge_stop(&near);
	do
		got = causeway_wait(p.queue, c, 64, WAIT_MS);
	while (got > 0);
	assert_int_equal(got, -EPIPE);
	assert_int_equal(
		causeway_read(p.queue, 0, p.near_memory, 0, p.window, 0, 64),
		-EPIPE);
	causeway_close(p.near);
	causeway_close(p.far);
	rig_bridge_stop(&far);
	relay_stop(&relay);
	a = before[0];
	b = before[1];
}

/* The far node goes: commands end, and its keys with it. */
static void far_node_stops(void **state)
{
	struct rig_bridge far, before = *far_side();
	struct causeway_window *w;
	uint64_t began;
	struct pair p;

	(void)state;
	rig_bridge_start(&far, "leaving");
	rig_bridge_network(&far, 6);
	rig_bridge_introduce(near_side(), &far, far.port);
	*far_side() = far;
	open_pair(&p, 4096, 2);
	rig_bridge_stop(&far);
	assert_int_equal(run(&p, CAUSEWAY_OP_READ, 0, 64), CAUSEWAY_PEER_LOST);
	began = clock_now_ns();
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(run(&p, CAUSEWAY_OP_WRITE, 0, 64),
		                 CAUSEWAY_PEER_LOST);
	assert_true(clock_now_ns() - began < 10 * NS_PER_S);
	assert_int_equal(causeway_import(p.near, p.text, &w), -EHOSTUNREACH);
	causeway_close(p.near);
	causeway_close(p.far);
	*far_side() = before;
}

/* -- M19 ------------------------------------------------------------------- */

/* shows M19 across nodes */
static void owner_dies(void **state)
{
	struct causeway *near;
	struct causeway_grant_options o = { .rights = RW };
	struct pair p = { 0 };
	int pair[2];
	pid_t pid;

	(void)state;
	assert_int_equal(causeway_open(near_side()->path, &near), 0);
	o.node = causeway_node(near);
	causeway_identity(near, &o.process);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		struct causeway_range all = { .length = 4096 };

		if (causeway_open(far_side()->path, &p.far) ||
		    causeway_region_create(p.far, 4096, RW, &p.far_memory))
			_exit(1);
		all.key = *causeway_region_key(p.far_memory);
		if (causeway_grant(p.far, &all, 1, &o, NULL, p.text) ||
		    write(pair[1], p.text, sizeof(p.text)) < 0)
			_exit(1);
		pause();
	}
	assert_int_equal(read(pair[0], p.text, sizeof(p.text)), sizeof(p.text));
	p.near = near;
	assert_int_equal(causeway_import(near, p.text, &p.window), 0);
	assert_int_equal(causeway_region_create(near, 4096, RW, &p.near_memory),
	                 0);
	assert_int_equal(causeway_queue_create(near, 2, &p.queue), 0);
	assert_int_equal(run(&p, CAUSEWAY_OP_READ, 0, 64), CAUSEWAY_OK);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	usleep(100000);
	assert_int_equal(run(&p, CAUSEWAY_OP_READ, 0, 64), CAUSEWAY_REVOKED);
	close(pair[0]);
	close(pair[1]);
	causeway_close(near);
}

/* An answer to an asker that has just been restarted is lost at first: the
 * answering node's session still leads to the life before. */
static void restarted_asker(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct causeway_window *w;
		struct rig_bridge asker;
		struct causeway *c;
		char name[32];

		rig_bridge_start(&asker, "restarted");
		rig_bridge_network(&asker, 7);
		rig_bridge_introduce(&asker, far_side(), far_side()->port);
		snprintf(name, sizeof(name), "%s/none", far_side()->name);
		assert_int_equal(causeway_open(asker.path, &c), 0);
		assert_int_equal(causeway_window_open(c, name, 0, &w), -ENOENT);
		causeway_close(c);
		rig_bridge_stop(&asker);
	}
}

/* The node that was called knows the caller when that has joined. */
static void wait_until_known(struct rig_bridge *at, const char *name)
{
	struct causeway_window *w;
	struct causeway *c;
	int err;

	assert_int_equal(causeway_open(at->path, &c), 0);
	do {
		usleep(1000);
		err = causeway_window_open(c, name, 0, &w);
	} while (err == -EHOSTUNREACH);
	assert_int_equal(err, -ENOENT);
	causeway_close(c);
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	rig_bridge_start(&a, "a");
	rig_bridge_start(&b, "b");
	rig_bridge_network(&a, 1);
	rig_bridge_network(&b, 2);
	rig_bridge_introduce(&a, &b, b.port);
	wait_until_known(&a, "b/none");
	wait_until_known(&b, "a/none");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_bridge_stop(&a);
	rig_bridge_stop(&b);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_move),
		cmocka_unit_test(far_side_refuses),
		cmocka_unit_test(stolen),
		cmocka_unit_test(unreachable),
		cmocka_unit_test(atomics),
		cmocka_unit_test(bit_after_data),
		cmocka_unit_test(revoke_races),
		cmocka_unit_test(local_revoke),
		cmocka_unit_test(leases_and_quotas),
		cmocka_unit_test(slow_link),
		cmocka_unit_test(bridge_stops),
		cmocka_unit_test(far_node_stops),
		cmocka_unit_test(owner_dies),
		cmocka_unit_test(restarted_asker),
	};

	turned = argc > 1 && strcmp(argv[1], "turned") == 0;
	return cmocka_run_group_tests(tests, setup, teardown);
}
