/* SPDX-License-Identifier: BSD-2-Clause */
/* shows V1 (NBD: connections and exports come and go, within bounds) */
#include "../test.h"

#include "nbd_client.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

static char folder[] = "/tmp/causeway-nbd-XXXXXX";

static int setup(void **state)
{
	(void)state;
	start_server(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop_server();
	return 0;
}

static struct nbd_server_stats stats(void)
{
	struct nbd_server_stats s;

	nbd_server_stats(fx.server, &s);
	return s;
}

/* -- bounds --------------------------------------------------------------- */

static void a_thousand_idle_connections_hold_little(void **state)
{
	static int fd[1000];
	struct rlimit files = { 4096, 4096 };
	uint8_t data[4096];
	size_t before, after;

	(void)state;
	setrlimit(RLIMIT_NOFILE, &files);
	fd[0] = attach("disk", false);
	before = mallinfo2().uordblks;
	for (int i = 1; i < 1000; i++) {
		fd[i] = attach("disk", false);
		put_request(fd[i], 0, NBD_CMD_READ, 0, 4096);
		assert_int_equal(get_simple(fd[i]), NBD_OK);
		assert_int_equal(get(fd[i], data, 4096), 4096);
	}
	pass_ms(1000);
	pass_ms(1000);
	after = mallinfo2().uordblks;
	assert_int_equal(stats().connections, 1000);
	assert_true(stats().held + stats().buffers < 1000 * NBD_IDLE_MAX);
	assert_true(after - before < 999 * NBD_IDLE_MAX);
	for (int i = 0; i < 1000; i++)
		close(fd[i]);
	spin();
	assert_int_equal(stats().connections, 0);
	assert_int_equal(stats().held, 0);
}

static int setup_three(void **state)
{
	(void)state;
	start_server(3);
	return 0;
}

static void connections_beyond_the_limit_are_closed(void **state)
{
	int fd[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		fd[i] = i ? attach("disk", false) : greet();
	assert_int_equal(dial(), -1);
	assert_int_equal(stats().refused, 1);
	close(fd[0]);
	spin();
	fd[0] = attach("disk", false);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
}

static void exports_beyond_the_limit_are_refused(void **state)
{
	struct nbd_export_info info = { .name = "tank/one-more",
		                        .device = &fx.memory.device };
	struct nbd_export *x;
	struct err e = { 0 };
	char name[32];

	(void)state;
	for (unsigned i = 1; i < NBD_EXPORTS_MAX; i++) {
		snprintf(name, sizeof(name), "tank/%u", i);
		add_export(name, false, &x);
	}
	assert_int_equal(nbd_export_add(fx.server, &here, &info, &x, &e),
	                 -ENOSPC);
}

static void names_are_bounded(void **state)
{
	char name[NBD_NAME_MAX + 2] = "", text[NBD_NAME_MAX + 2];
	struct nbd_export_info info = { .name = name,
		                        .device = &fx.memory.device };
	struct nbd_export *x;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(nbd_export_add(fx.server, &here, &info, &x, &e),
	                 -EINVAL);
	memset(name, 'x', NBD_NAME_MAX + 1);
	assert_int_equal(nbd_export_add(fx.server, &here, &info, &x, &e),
	                 -EINVAL);
	name[NBD_NAME_MAX] = '\0';
	assert_int_equal(nbd_export_add(fx.server, &here, &info, &x, &e), 0);
	memset(text, 'y', NBD_NAME_MAX + 1);
	text[NBD_NAME_MAX + 1] = '\0';
	info.name = "other";
	info.description = text;
	assert_int_equal(nbd_export_add(fx.server, &here, &info, &x, &e),
	                 -EINVAL);
}

/* -- ending --------------------------------------------------------------- */

static void a_removed_export_answers_what_is_in_flight(void **state)
{
	int fd = attach("disk", false), shy = greet(), other;
	struct nbd_export *x;
	bool gone = false;

	(void)state;
	add_export("other", false, &x);
	other = attach("other", false);
	fx.memory.hold = true;
	put_request(fd, 0, NBD_CMD_FLUSH, 0, 0);
	nbd_export_remove(fx.export, 5000, set_true, &gone);
	assert_false(gone);
	spin();
	put_go(shy, "disk");
	assert_int_equal(last_reply(shy), NBD_REP_ERR_UNKNOWN);
	assert_false(gone || is_closed(fd));
	fx.memory.hold = false;
	memory_device_release(&fx.memory);
	assert_int_equal(get_simple(fd), NBD_OK);
	assert_true(is_closed(fd));
	close(fd);
	spin();
	assert_true(gone);
	/* Its neighbour is not disturbed, and the name is free. */
	put_request(other, 0, NBD_CMD_FLUSH, 0, 0);
	assert_int_equal(get_simple(other), NBD_OK);
	add_export("disk", false, &x);
	put_go(shy, "disk");
	assert_int_equal(last_reply(shy), NBD_REP_ACK);
	close(other);
	close(shy);
}

static void a_client_that_does_not_read_is_cut_at_the_deadline(void **state)
{
	int fd = attach("disk", false);
	bool gone = false;

	(void)state;
	for (int i = 0; i < 8; i++)
		put_request(fd, 0, NBD_CMD_READ, 0, MIB);
	nbd_export_remove(fx.export, 3000, set_true, &gone);
	pass_ms(2999);
	assert_false(gone);
	pass_ms(1);
	assert_true(gone);
	close(fd);
}

static void nothing_is_freed_while_the_device_owns_a_request(void **state)
{
	int fd = attach("disk", false);

	(void)state;
	fx.memory.hold = true;
	put_request(fd, 0, NBD_CMD_READ, 0, MIB);
	put_request(fd, 0, NBD_CMD_WRITE, 0, MIB); /* its data never comes */
	close(fd);
	begin_stop(100);
	for (int i = 0; i < 20; i++)
		pass_ms(1000);
	assert_false(fx.server_gone);
	assert_int_equal(fx.memory.n_held, 1);
	memory_device_release(&fx.memory);
	pass_ms(1);
	assert_true(fx.server_gone);
}

static void a_stopping_server_takes_nobody(void **state)
{
	struct nbd_export_info info = { .name = "late",
		                        .device = &fx.memory.device };
	struct nbd_export *x;
	struct err e = { 0 };
	int fd = attach("disk", false), shy = greet();

	(void)state;
	fx.memory.hold = true;
	put_request(fd, 0, NBD_CMD_FLUSH, 0, 0);
	begin_stop(1000);
	assert_int_equal(dial(), -1);
	assert_true(is_closed(shy));
	assert_int_equal(nbd_export_add(fx.server, &here, &info, &x, &e),
	                 -ESHUTDOWN);
	memory_device_release(&fx.memory);
	assert_int_equal(get_simple(fd), NBD_OK);
	close(fd);
	close(shy);
}

static void a_drained_connection_waits_for_the_client_to_hang_up(void **state)
{
	int fd = attach("disk", false);
	bool gone = false;

	(void)state;
	nbd_export_remove(fx.export, 60000, set_true, &gone);
	assert_true(is_closed(fd));
	assert_false(gone);
	pass_ms(2000); /* but not for ever */
	assert_true(gone);
	close(fd);
}

/* -- listeners ------------------------------------------------------------ */

static int add_at(enum nbd_kind kind, const char *text, struct nbd_export **x,
                  struct err *e)
{
	struct nbd_export_info info = { .name = "at",
		                        .device = &fx.memory.device };
	struct nbd_address at = { kind, text };

	*e = (struct err){ 0 };
	return nbd_export_add(fx.server, &at, &info, x, e);
}

static int connect_unix(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strncpy(sa.sun_path, path, sizeof(sa.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool is_greeted(int fd)
{
	struct nbd_greeting g;

	spin();
	return get(fd, &g, sizeof(g)) == sizeof(g) &&
	       be64_get(g.magic) == NBD_MAGIC;
}

static void a_unix_socket_is_ours_alone_and_goes_with_us(void **state)
{
	char path[128];
	struct nbd_export *x, *y;
	struct stat st;
	struct err e;
	bool gone = false;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/a.sock", folder);
	umask(0);
	assert_int_equal(add_at(NBD_UNIX, path, &x, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	fd = connect_unix(path);
	assert_true(is_greeted(fd));
	/* The same name at the same place, then at another. */
	assert_int_equal(add_at(NBD_UNIX, path, &y, &e), -EEXIST);
	nbd_export_remove(x, 1000, set_true, &gone);
	assert_true(is_closed(fd));
	assert_true(gone);
	assert_int_equal(stat(path, &st), -1);
	close(fd);
}

static void a_stale_socket_is_replaced_a_live_one_is_not(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char path[128], file[128];
	struct nbd_export *x;
	struct err e;
	int old = socket(AF_UNIX, SOCK_STREAM, 0), fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/b.sock", folder);
	memcpy(sa.sun_path, path, strlen(path));
	assert_int_equal(bind(old, (struct sockaddr *)&sa, sizeof(sa)), 0);
	listen(old, 1);
	assert_int_equal(add_at(NBD_UNIX, path, &x, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "another program"));
	close(old);
	assert_int_equal(add_at(NBD_UNIX, path, &x, &e), 0);
	fd = connect_unix(path);
	assert_true(is_greeted(fd));
	close(fd);
	/* What is not a socket is never replaced. */
	snprintf(file, sizeof(file), "%s/file", folder);
	fclose(fopen(file, "w"));
	assert_int_equal(add_at(NBD_UNIX, file, &x, &e), -EADDRINUSE);
	assert_int_equal(access(file, F_OK), 0);
	unlink(file);
}

static void tcp_addresses_are_numeric(void **state)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
		{ "127.0.0.1:0", 0 },
		{ "[::1]:0", 0 },
		{ "localhost:0", 0 },
		{ "*:0", 0 },
		{ ":0", 0 },
		{ "127.0.0.1", -EINVAL },
		{ "127.0.0.1:", -EINVAL },
		{ "::1:10809", -EINVAL },
		{ "[::1:0", -EINVAL },
		{ "example.org:0", -EINVAL },
		{ "127.0.0.1:nbd", -EINVAL },
		{ "127.0.0.1:99999", -EINVAL },
		{ "", -EINVAL },
		{ ":", -EINVAL },
		{ "192.0.2.1:0", -EADDRNOTAVAIL },
	};
	struct nbd_export *x;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int err = add_at(NBD_TCP, rows[i].text, &x, &e);

		if (err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL)
			continue; /* a machine without IPv6 */
		if (err != rows[i].err)
			fail_msg("%s: %d, %s", rows[i].text, err, e.text);
	}
}

static void a_tcp_client_is_served(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct nbd_export *x;
	struct err e;

	(void)state;
	assert_int_equal(add_at(NBD_TCP, "127.0.0.1:0", &x, &e), 0);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sa.sin_port = htons((uint16_t)nbd_export_port(x));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_true(is_greeted(fd));
	close(fd);
}

static void running_out_of_descriptors_pauses_accepting(void **state)
{
	struct rlimit before, few;
	char path[128];
	struct nbd_export *x;
	struct err e;
	int fd, spare;

	(void)state;
	snprintf(path, sizeof(path), "%s/c.sock", folder);
	assert_int_equal(add_at(NBD_UNIX, path, &x, &e), 0);
	fd = connect_unix(path);
	spare = dup(0);
	close(spare);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = (rlim_t)spare;
	setrlimit(RLIMIT_NOFILE, &few);
	for (int i = 0; i < 1000; i++)
		reactor_poll(fx.reactor);
	assert_int_equal(stats().exhausted, 1);
	pass_ms(100);
	assert_int_equal(stats().exhausted, 2);
	setrlimit(RLIMIT_NOFILE, &before);
	pass_ms(100);
	assert_true(is_greeted(fd));
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_thousand_idle_connections_hold_little),
		cmocka_unit_test_setup_teardown(
			connections_beyond_the_limit_are_closed, setup_three,
			teardown),
		TEST(exports_beyond_the_limit_are_refused),
		TEST(names_are_bounded),
		TEST(a_removed_export_answers_what_is_in_flight),
		TEST(a_client_that_does_not_read_is_cut_at_the_deadline),
		TEST(nothing_is_freed_while_the_device_owns_a_request),
		TEST(a_stopping_server_takes_nobody),
		TEST(a_drained_connection_waits_for_the_client_to_hang_up),
		TEST(a_unix_socket_is_ours_alone_and_goes_with_us),
		TEST(a_stale_socket_is_replaced_a_live_one_is_not),
		TEST(tcp_addresses_are_numeric),
		TEST(a_tcp_client_is_served),
		TEST(running_out_of_descriptors_pauses_accepting),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
