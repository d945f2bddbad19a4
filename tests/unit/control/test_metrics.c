/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "control/metrics.h"
#include "control/metrics_http.h"
#include "core/reactor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" lacks \"%s\"", text, part);
}

static void values_have_types_labels_and_an_end(void **state)
{
	const char *const labels[] = { "a", "x", "b", "q\"b\\n\nl", NULL };
	AUTO_FREE char *text = NULL;
	size_t length;
	FILE *f = open_memstream(&text, &length);

	(void)state;
	metrics_family(f, "t_things", METRICS_COUNTER, NULL, "Things");
	metrics_value(f, "t_things_total", labels, UINT64_MAX);
	metrics_family(f, "t_busy_seconds", METRICS_GAUGE, "seconds", "Busy");
	metrics_seconds(f, "t_busy_seconds", NULL, 1500000000);
	metrics_end(f);
	fclose(f);
	assert_string_equal(text,
	                    "# TYPE t_things counter\n"
	                    "# HELP t_things Things.\n"
	                    "t_things_total{a=\"x\",b=\"q\\\"b\\\\n\\nl\"} "
	                    "18446744073709551615\n"
	                    "# TYPE t_busy_seconds gauge\n"
	                    "# UNIT t_busy_seconds seconds\n"
	                    "# HELP t_busy_seconds Busy.\n"
	                    "t_busy_seconds 1.500000000\n"
	                    "# EOF\n");
}

/* Every value is in the first bucket whose edge is not below it. */
static void latencies_fall_into_buckets(void **state)
{
	static const struct {
		uint64_t ns;
		const char *below, *in; /* of its le */
	} rows[] = {
		{ 0, NULL, "0.000001023" },
		{ 1023, NULL, "0.000001023" },
		{ 1024, "0.000001023", "0.000002047" },
		{ 100000, "0.000065535", "0.000131071" },
		{ UINT64_C(17000000000), "8.589934591", "17.179869183" },
		{ UINT64_C(100000000000), "17.179869183", "+Inf" },
	};
	static struct histogram h;
	char want[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *text = NULL;
		size_t length;
		FILE *f = open_memstream(&text, &length);

		h = (struct histogram){ 0 };
		histogram_add(&h, rows[i].ns);
		metrics_histogram(f, "t", NULL, &h);
		fclose(f);
		snprintf(want, sizeof(want), "t_bucket{le=\"%s\"} 1\n",
		         rows[i].in);
		assert_has(text, want);
		snprintf(want, sizeof(want), "t_bucket{le=\"%s\"} 0\n",
		         rows[i].below ? rows[i].below : "");
		if (rows[i].below)
			assert_has(text, want);
		assert_has(text, "t_bucket{le=\"+Inf\"} 1\nt_count 1\nt_sum ");
	}
}

/* -- over HTTP ------------------------------------------------------------ */

static unsigned renders;

static void render(void *ctx, FILE *f)
{
	renders++;
	metrics_family(f, "t_up", METRICS_GAUGE, NULL, ctx);
	metrics_value(f, "t_up", NULL, 1);
	metrics_end(f);
}

/* Send and read until the server closes, polling the reactor meanwhile. */
static void talk(struct reactor *r, int fd, const char *request, char *reply,
                 size_t size)
{
	size_t have = 0;
	ssize_t n;

	assert_int_equal(send(fd, request, strlen(request), 0),
	                 (ssize_t)strlen(request));
	while ((n = recv(fd, reply + have, size - 1 - have, MSG_DONTWAIT)) !=
	       0) {
		if (n > 0)
			have += (size_t)n;
		else
			assert_int_equal(errno, EAGAIN);
		reactor_poll(r);
	}
	reply[have] = '\0';
	close(fd);
}

static int connect_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static int connect_tcp(unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		                 .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

#define REST " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

static void a_client_gets_the_text(void **state)
{
	static const struct {
		const char *request, *status;
		unsigned renders;
	} rows[] = {
		{ "GET /metrics" REST, "HTTP/1.1 200", 1 },
		{ "HEAD /metrics" REST, "HTTP/1.1 200", 1 },
		{ "GET /" REST, "HTTP/1.1 404", 0 },
		{ "DELETE /metrics" REST, "HTTP/1.1 405", 0 },
		{ "nonsense\r\n\r\n", "", 0 },
	};
	char dir[] = "/tmp/causeway-test-XXXXXX", path[64], reply[4096];
	struct reactor *r;
	struct metrics_http *m;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "unix:%s/m", dir);
	assert_int_equal(
		reactor_create(&(struct reactor_opts){ .name = "t" }, &r, NULL),
		0);
	assert_int_equal(
		metrics_http_open(r, path, render, (char[]){ "Up" }, &m, NULL),
		0);
	assert_int_equal(stat(path + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		renders = 0;
		talk(r, connect_unix(path + 5), rows[i].request, reply,
		     sizeof(reply));
		assert_has(reply, rows[i].status);
		assert_int_equal(renders, rows[i].renders);
		if (rows[i].renders)
			assert_has(reply, "Content-Type: application/"
			                  "openmetrics-text; version=1.0.0");
		if (i == 0)
			assert_has(reply, "\r\n\r\n# TYPE t_up gauge\n");
	}
	metrics_http_close(m);
	assert_int_equal(metrics_http_open(r, "127.0.0.1:0", render,
	                                   (char[]){ "Up" }, &m, NULL),
	                 0);
	talk(r, connect_tcp(metrics_http_port(m)), rows[0].request, reply,
	     sizeof(reply));
	assert_has(reply, "t_up 1\n# EOF\n");
	metrics_http_close(m);
	reactor_destroy(r);
	assert_int_equal(rmdir(dir), 0);
}

static void the_network_is_refused(void **state)
{
	static const char *const addresses[] = { "0.0.0.0:0", "192.0.2.1:0",
		                                 "*:0", "[::]:0" };
	struct reactor *r;
	struct metrics_http *m;

	(void)state;
	assert_int_equal(
		reactor_create(&(struct reactor_opts){ .name = "t" }, &r, NULL),
		0);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct err e = { 0 };

		assert_int_equal(metrics_http_open(r, addresses[i], render,
		                                   NULL, &m, &e),
		                 -EINVAL);
		assert_has(e.text, "loopback");
	}
	reactor_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_have_types_labels_and_an_end),
		cmocka_unit_test(latencies_fall_into_buckets),
		cmocka_unit_test(a_client_gets_the_text),
		cmocka_unit_test(the_network_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
