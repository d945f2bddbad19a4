/* SPDX-License-Identifier: BSD-2-Clause */
#include "net_rig.h"

#include "core/reactor.h"
#include "switch/sim_proto.h"
#include "switch/sim_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NET "clos:hosts=8,ports=2,radix=8"

static char base[32]; /* of the sockets' names; this process's own */

struct sim_rig {
	struct reactor *reactor;
	struct rig r;
	struct sim_server *server;
};

static void sim_rig_init(struct sim_rig *s, unsigned timeout_ms, unsigned tries)
{
	struct reactor_opts ro = { .name = "t" };
	struct sim_server_opts o = { .name = base,
		                     .timeout_ms = timeout_ms,
		                     .tries = tries };
	struct err e = { 0 };

	snprintf(base, sizeof(base), "cwtest%d", getpid());
	assert_int_equal(reactor_create(&ro, &s->reactor, &e), 0);
	rig_init(&s->r, NET, s->reactor);
	rig_bring_up(&s->r);
	assert_int_equal(
		sim_server_create(s->reactor, s->r.net, &o, &s->server, &e), 0);
}

static void sim_rig_fini(struct sim_rig *s)
{
	sim_server_destroy(s->server);
	rig_fini(&s->r);
	reactor_destroy(s->reactor);
}

static struct sim_server_stats stats(const struct sim_rig *s)
{
	struct sim_server_stats out;

	sim_server_get_stats(s->server, &out);
	return out;
}

/* -- the client's side, as the preload does it
 * --------------------------------- */

static socklen_t name(struct sockaddr_un *a, const char *kind, long n)
{
	int length;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	length = n < 0 ? snprintf(a->sun_path + 1, 100, "%s:%s", base, kind)
	               : snprintf(a->sun_path + 1, 100, "%s:%s%ld", base, kind,
	                          n);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 2 +
	                   (size_t)length);
}

struct client {
	uint32_t id; /* stands for the process in the names of its sockets */
	int ctl, data;
	uint32_t number;
};

static int bound(const char *kind, long n)
{
	struct sockaddr_un a;
	socklen_t length = name(&a, kind, n);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, length), 0);
	return fd;
}

static void turn(struct sim_rig *s)
{
	for (unsigned i = 0; i < 10; i++)
		reactor_poll(s->reactor);
}

/* @return the answer's type; 0xff: no answer. */
static unsigned ask(struct sim_rig *s, struct client *c,
                    struct sim_proto_ctl *ctl)
{
	uint8_t bytes[SIM_PROTO_CTL];
	struct sockaddr_un a;
	socklen_t length = name(&a, "ctl", -1);

	ctl->client = c->number;
	sim_proto_encode_ctl(ctl, bytes);
	assert_int_equal(sendto(c->ctl, bytes, sizeof(bytes), 0,
	                        (struct sockaddr *)&a, length),
	                 sizeof(bytes));
	turn(s);
	if (recv(c->ctl, bytes, sizeof(bytes), 0) != sizeof(bytes))
		return 0xff;
	memcpy(&ctl->type, bytes + 8, sizeof(ctl->type));
	memcpy(ctl->data, bytes + 16, sizeof(ctl->data));
	return ctl->type;
}

static bool client_open(struct sim_rig *s, struct client *c, uint32_t id,
                        const char *node, bool sm)
{
	struct sim_proto_ctl ctl = { .type = SIM_PROTO_CONNECT, .length = 44 };
	struct sim_proto_connect want = { .id = id, .is_sm = sm };
	struct sockaddr_un a;
	socklen_t length;

	strncpy(want.node, node, sizeof(want.node) - 1);
	*c = (struct client){ .id = id };
	c->ctl = bound("ctl", id);
	c->data = bound("in", id);
	sim_proto_encode_connect(&want, &ctl);
	if (ask(s, c, &ctl) != SIM_PROTO_CONNECT) {
		close(c->ctl);
		close(c->data);
		return false;
	}
	assert_int_equal(sim_proto_decode_connect(&ctl, &want), 0);
	c->number = want.id;
	length = name(&a, "out", c->number);
	assert_int_equal(connect(c->data, (struct sockaddr *)&a, length), 0);
	return true;
}

static void client_close(struct sim_rig *s, struct client *c)
{
	struct sim_proto_ctl ctl = { .type = SIM_PROTO_DISCONNECT };

	assert_int_equal(ask(s, c, &ctl), SIM_PROTO_DISCONNECT);
	close(c->ctl);
	close(c->data);
}

static void send_get(struct client *c, uint16_t attr, uint16_t lid,
                     uint32_t tid)
{
	struct sim_proto_mad m = { .dlid = lid };
	uint8_t bytes[SIM_PROTO_MAD];

	mad_init(&m.mad, MAD_CLASS_SUBN_LID, MAD_GET, attr, 0);
	m.mad.header.tid = be64_put(tid);
	sim_proto_encode_mad(&m, bytes);
	assert_int_equal(send(c->data, bytes, sizeof(bytes), 0), sizeof(bytes));
}

static bool take(struct client *c, struct sim_proto_mad *m)
{
	uint8_t bytes[SIM_PROTO_MAD];

	return recv(c->data, bytes, sizeof(bytes), 0) == sizeof(bytes) &&
	       !sim_proto_decode_mad(bytes, sizeof(bytes), m);
}

/* -- tests
 * --------------------------------------------------------------------- */

static void clients_sit_at_any_port(void **state)
{
	static const struct {
		const char *node;
		uint8_t number, n_ports;
		bool ok;
	} rows[] = {
		{ "H00000", 1, 2, true },    { "H00000:2", 2, 2, true },
		{ "L0001", 0, 8, true },     { "L0001[3]", 3, 8, true },
		{ "", 0, 8, true },          { "H00000:3", 0, 0, false },
		{ "H00000:", 0, 0, false },  { "nobody", 0, 0, false },
		{ "H00000:x", 0, 0, false }, { "H00000:0", 0, 0, false },
	};
	struct sim_rig s;

	(void)state;
	sim_rig_init(&s, 0, 0);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sim_proto_ctl ctl = { .type = SIM_PROTO_GET_NODE_INFO,
			                     .length = 64 };
		struct smp_node_info info;
		struct client c;

		assert_int_equal(client_open(&s, &c, i + 1, rows[i].node, 0),
		                 rows[i].ok);
		if (!rows[i].ok)
			continue;
		assert_int_equal(ask(&s, &c, &ctl), SIM_PROTO_GET_NODE_INFO);
		field_decode(&smp_node_info_table, ctl.data, &info);
		assert_int_equal(info.local_port, rows[i].number);
		assert_int_equal(info.n_ports, rows[i].n_ports);
		client_close(&s, &c);
	}
	assert_int_equal(stats(&s).clients, 0);
	assert_int_equal(stats(&s).refused, 5);
	sim_rig_fini(&s);
}

static void questions_are_answered(void **state)
{
	struct sim_proto_ctl ctl = { .length = 64 };
	struct smp_port_info i;
	struct sim_rig s;
	struct client c;
	uint16_t lid;

	(void)state;
	sim_rig_init(&s, 0, 0);
	assert_true(client_open(&s, &c, 1, "H00003:2", 0));
	ctl.type = SIM_PROTO_GET_PORT;
	assert_int_equal(ask(&s, &c, &ctl), SIM_PROTO_GET_PORT);
	memcpy(&lid, ctl.data, sizeof(lid));
	assert_int_equal(lid, rig_lid(rig_port(&s.r, "H00003:2")));
	ctl.type = SIM_PROTO_GET_PORT_INFO;
	ctl.data[0] = 0;
	assert_int_equal(ask(&s, &c, &ctl), SIM_PROTO_GET_PORT_INFO);
	field_decode(&smp_port_info_table, ctl.data, &i);
	assert_int_equal(i.local_port, 2);
	assert_int_equal(i.lid, lid);
	ctl.type = SIM_PROTO_GET_PORT_INFO;
	ctl.data[0] = 9;
	assert_int_equal(ask(&s, &c, &ctl), SIM_PROTO_ERROR);
	for (ctl.type = SIM_PROTO_GET_VENDOR; ctl.type <= SIM_PROTO_GET_GUID;
	     ctl.type++) {
		uint32_t type = ctl.type;

		assert_int_equal(ask(&s, &c, &ctl), type);
	}
	ctl.type = SIM_PROTO_GET_PKEYS;
	assert_int_equal(ask(&s, &c, &ctl), SIM_PROTO_GET_PKEYS);
	assert_int_equal(ctl.data[0] << 8 | ctl.data[1], 0xffff);
	client_close(&s, &c);
	sim_rig_fini(&s);
}

/* More than ibsim's ten; each gets its own answers. */
static void many_clients_at_once(void **state)
{
	static struct client c[100];
	struct sim_proto_mad m;
	struct sim_rig s;

	(void)state;
	sim_rig_init(&s, 0, 0);
	for (uint32_t i = 0; i < 100; i++)
		assert_true(client_open(&s, &c[i], i + 1,
		                        i % 2 ? "H00000" : "H00005:2", 0));
	for (uint32_t i = 0; i < 100; i++)
		send_get(&c[i], MAD_ATTR_NODE_INFO, (uint16_t)(1 + i % 20),
		         i + 500);
	turn(&s);
	for (uint32_t i = 0; i < 100; i++) {
		turn(&s);
		assert_true(take(&c[i], &m));
		assert_int_equal(m.slid, 1 + i % 20);
		assert_int_equal(be64_get(m.mad.header.tid), i + 500);
		assert_int_equal(m.status, 0);
		assert_false(take(&c[i], &m));
	}
	for (uint32_t i = 0; i < 100; i++)
		client_close(&s, &c[i]);
	sim_rig_fini(&s);
}

static void another_clients_number_is_of_no_use(void **state)
{
	struct sim_proto_ctl ctl = { .type = SIM_PROTO_DISCONNECT };
	struct client a, b;
	struct sim_rig s;
	uint32_t own;

	(void)state;
	sim_rig_init(&s, 0, 0);
	assert_true(client_open(&s, &a, 1, "H00000", 0));
	assert_true(client_open(&s, &b, 2, "H00000", 0));
	own = b.number;
	b.number = a.number;
	assert_int_equal(ask(&s, &b, &ctl), SIM_PROTO_ERROR);
	b.number = 99999;
	ctl.type = SIM_PROTO_DISCONNECT;
	assert_int_equal(ask(&s, &b, &ctl), SIM_PROTO_ERROR);
	assert_int_equal(stats(&s).clients, 2);
	b.number = own;
	client_close(&s, &a);
	client_close(&s, &b);
	sim_rig_fini(&s);
}

static void one_sm_at_a_port(void **state)
{
	struct sim_proto_ctl ctl = { .type = SIM_PROTO_SET_IS_SM, .length = 4 };
	struct client a, b;
	struct sim_rig s;

	(void)state;
	sim_rig_init(&s, 0, 0);
	assert_true(client_open(&s, &a, 1, "H00000", 0));
	assert_true(client_open(&s, &b, 2, "H00000", 0));
	ctl.data[0] = 1;
	assert_int_equal(ask(&s, &a, &ctl), SIM_PROTO_SET_IS_SM);
	ctl.type = SIM_PROTO_SET_IS_SM;
	assert_int_equal(ask(&s, &b, &ctl), SIM_PROTO_ERROR);
	client_close(&s, &a); /* its place is free with it */
	ctl.type = SIM_PROTO_SET_IS_SM;
	assert_int_equal(ask(&s, &b, &ctl), SIM_PROTO_SET_IS_SM);
	client_close(&s, &b);
	sim_rig_fini(&s);
}

/* Sent `tries` times, then back with ETIMEDOUT: nobody waits for ever. */
static void a_request_without_answer_times_out(void **state)
{
	struct sim_proto_mad m;
	struct ibnet_stats n;
	struct sim_rig s;
	struct client c;
	uint64_t start;

	(void)state;
	sim_rig_init(&s, 30, 4);
	assert_true(client_open(&s, &c, 1, "H00000", 0));
	send_get(&c, MAD_ATTR_NODE_INFO, 4000, 77); /* no such LID */
	send_get(&c, MAD_ATTR_NODE_INFO, 3, 78);
	turn(&s);
	assert_true(take(&c, &m)); /* the other is not held up */
	assert_int_equal(be64_get(m.mad.header.tid), 78);
	start = clock_now_ns();
	while (!take(&c, &m)) {
		turn(&s);
		usleep(1000);
		assert_true(clock_now_ns() - start < 20 * NS_PER_S);
	}
	assert_true(clock_now_ns() - start > 100 * NS_PER_MS);
	assert_int_equal(m.status, SIM_PROTO_TIMED_OUT);
	assert_int_equal(be64_get(m.mad.header.tid), 77);
	assert_int_equal(m.mad.header.method, MAD_GET);
	ibnet_get_stats(s.r.net, &n);
	assert_int_equal(stats(&s).retried, 3);
	assert_int_equal(stats(&s).timed_out, 1);
	client_close(&s, &c);
	sim_rig_fini(&s);
}

/* What the fabric loses, the server sends again, as a kernel would. */
static void losses_are_made_good(void **state)
{
	struct sim_proto_mad m;
	struct sim_rig s;
	struct client c;
	uint64_t start = clock_now_ns();
	unsigned got = 0;

	(void)state;
	sim_rig_init(&s, 20, 10);
	ibnet_set_loss(s.r.net, IBNET_MILLION / 5, 0);
	assert_true(client_open(&s, &c, 1, "H00000", 0));
	for (uint32_t i = 0; i < 8; i++)
		send_get(&c, MAD_ATTR_NODE_INFO, 3, i);
	while (got < 8) {
		turn(&s);
		while (take(&c, &m)) {
			assert_int_equal(m.status, 0);
			got++;
		}
		usleep(1000);
		assert_true(clock_now_ns() - start < 20 * NS_PER_S);
	}
	client_close(&s, &c);
	sim_rig_fini(&s);
}

static void a_dead_process_frees_its_place(void **state)
{
	struct sim_rig s;
	uint64_t start = clock_now_ns();
	int up[2];
	pid_t pid;

	(void)state;
	sim_rig_init(&s, 0, 0);
	assert_int_equal(pipe(up), 0);
	pid = fork();
	if (!pid) {
		/* It connects by hand, and then dies without a word. */
		struct sim_proto_ctl ctl = { .type = SIM_PROTO_CONNECT,
			                     .length = 44 };
		struct sim_proto_connect want = { .id = 4711 };
		uint8_t bytes[SIM_PROTO_CTL];
		struct sockaddr_un a;
		socklen_t n = name(&a, "ctl", -1);
		int fd = bound("ctl", 4711);

		bound("in", 4711);
		sim_proto_encode_connect(&want, &ctl);
		sim_proto_encode_ctl(&ctl, bytes);
		sendto(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&a, n);
		close(up[1]);
		pause();
	}
	close(up[1]);
	while (!stats(&s).clients) {
		turn(&s);
		usleep(1000);
		assert_true(clock_now_ns() - start < 20 * NS_PER_S);
	}
	close(up[0]);
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (stats(&s).clients) {
		turn(&s);
		usleep(1000);
		assert_true(clock_now_ns() - start < 20 * NS_PER_S);
	}
	waitpid(pid, NULL, 0);
	assert_int_equal(stats(&s).died, 1);
	sim_rig_fini(&s);
}

/* S1: its socket holds a few, the server some more, and that is all. */
static void a_client_that_does_not_read_is_bounded(void **state)
{
	struct sim_proto_mad m;
	struct sim_rig s;
	struct client c;
	unsigned sent = SIM_SERVER_OUT + 500, got = 0;

	(void)state;
	sim_rig_init(&s, 60000, 1);
	assert_true(client_open(&s, &c, 1, "H00000", 0));
	for (uint32_t i = 0; i < sent; i++) {
		send_get(&c, MAD_ATTR_NODE_INFO, 3, i);
		reactor_poll(s.reactor);
	}
	turn(&s);
	assert_true(stats(&s).dropped > 0);
	for (unsigned idle = 0; idle < 100; idle++) {
		reactor_poll(s.reactor);
		while (take(&c, &m)) {
			assert_int_equal(be64_get(m.mad.header.tid), got);
			got++;
			idle = 0;
		}
	}
	assert_true(got >= SIM_SERVER_OUT);
	assert_int_equal(got + stats(&s).dropped, sent);
	client_close(&s, &c);
	sim_rig_fini(&s);
}

/* A table's first segment is the answer; the others come through too. */
static void segments_pass_one_by_one(void **state)
{
	struct sim_proto_ctl ctl = { .type = SIM_PROTO_SET_IS_SM, .length = 4 };
	struct sim_proto_mad m = { 0 }, got;
	uint8_t bytes[SIM_PROTO_MAD];
	struct client sm, c;
	struct sim_rig s;

	(void)state;
	sim_rig_init(&s, 30, 2);
	assert_true(client_open(&s, &sm, 1, "H00000", 0));
	ctl.data[0] = 1;
	assert_int_equal(ask(&s, &sm, &ctl), SIM_PROTO_SET_IS_SM);
	assert_true(client_open(&s, &c, 2, "H00003:2", 0));
	m.dlid = rig_lid(rig_port(&s.r, "H00000"));
	m.dqp = m.sqp = 1;
	mad_init(&m.mad, MAD_CLASS_SA, MAD_SA_GET_TABLE, MAD_ATTR_NODE_RECORD,
	         0);
	m.mad.header.tid = be64_put(99);
	sim_proto_encode_mad(&m, bytes);
	assert_int_equal(send(c.data, bytes, sizeof(bytes), 0), sizeof(bytes));
	turn(&s);
	assert_true(take(&sm, &got));
	assert_int_equal(got.mad.header.method, MAD_SA_GET_TABLE);
	got.dlid = got.slid;
	mad_make_response(&got.mad, 0);
	mad_sa(&got.mad)->rmpp.version = 1;
	mad_sa(&got.mad)->rmpp.type = 1;
	mad_sa(&got.mad)->rmpp.flags = 1;
	for (uint8_t i = 0; i < 5; i++) {
		mad_sa(&got.mad)->data[0] = i;
		sim_proto_encode_mad(&got, bytes);
		assert_int_equal(send(sm.data, bytes, sizeof(bytes), 0),
		                 sizeof(bytes));
		turn(&s);
	}
	for (uint8_t i = 0; i < 5; i++) {
		assert_true(take(&c, &m));
		assert_int_equal(mad_sa(&m.mad)->data[0], i);
		assert_int_equal(m.status, 0);
	}
	usleep(100000);
	turn(&s);
	assert_int_equal(stats(&s).retried, 0);
	client_close(&s, &c);
	client_close(&s, &sm);
	sim_rig_fini(&s);
}

static void messages_that_are_none_are_counted(void **state)
{
	uint8_t junk[SIM_PROTO_MAD + 10] = { 1, 2, 3 };
	struct sockaddr_un a;
	socklen_t n;
	struct sim_rig s;
	struct client c;

	(void)state;
	sim_rig_init(&s, 0, 0);
	n = name(&a, "ctl", -1);
	assert_true(client_open(&s, &c, 1, "H00000", 0));
	sendto(c.ctl, junk, 80, 0, (struct sockaddr *)&a, n);
	sendto(c.ctl, junk, 81, 0, (struct sockaddr *)&a, n);
	sendto(c.ctl, junk, 0, 0, (struct sockaddr *)&a, n);
	send(c.data, junk, 10, 0);
	send(c.data, junk, sizeof(junk), 0);
	turn(&s);
	assert_int_equal(stats(&s).bad, 5);
	assert_true(sim_server_drop(s.server, c.number));
	assert_false(sim_server_drop(s.server, c.number));
	close(c.ctl);
	close(c.data);
	sim_rig_fini(&s);
}

static void a_name_is_taken_once(void **state)
{
	struct sim_server_opts o = { .name = base };
	struct sim_server *other;
	struct err e = { 0 };
	struct sim_rig s;

	(void)state;
	sim_rig_init(&s, 0, 0);
	assert_int_equal(sim_server_create(s.reactor, s.r.net, &o, &other, &e),
	                 -EADDRINUSE);
	assert_non_null(strstr(e.text, "IBSIM_SOCKNAME"));
	sim_rig_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_sit_at_any_port),
		cmocka_unit_test(questions_are_answered),
		cmocka_unit_test(many_clients_at_once),
		cmocka_unit_test(another_clients_number_is_of_no_use),
		cmocka_unit_test(one_sm_at_a_port),
		cmocka_unit_test(a_request_without_answer_times_out),
		cmocka_unit_test(losses_are_made_good),
		cmocka_unit_test(a_dead_process_frees_its_place),
		cmocka_unit_test(a_client_that_does_not_read_is_bounded),
		cmocka_unit_test(segments_pass_one_by_one),
		cmocka_unit_test(messages_that_are_none_are_counted),
		cmocka_unit_test(a_name_is_taken_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
