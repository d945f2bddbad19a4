/* SPDX-License-Identifier: BSD-2-Clause */
/* shows V1, V8 (NBD: requests, replies, bounds) */
#include "../test.h"

#include "nbd_client.h"

#include <sys/ioctl.h>

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

static uint64_t buffers(void)
{
	struct nbd_server_stats s;

	nbd_server_stats(fx.server, &s);
	return s.buffers;
}

static void write_pattern(int fd, uint64_t offset, uint32_t length, int byte)
{
	struct nbd_request_header h = header(NBD_CMD_WRITE, offset, length);
	uint8_t *message = malloc(sizeof(h) + length);

	memcpy(message, &h, sizeof(h));
	memset(message + sizeof(h), byte, length);
	put(fd, message, sizeof(h) + length);
	free(message);
}

static bool reads_pattern(int fd, uint64_t offset, uint32_t length, int byte)
{
	uint8_t *data = calloc(1, length);
	bool same;

	put_request(fd, 0, NBD_CMD_READ, offset, length);
	same = get_simple(fd) == NBD_OK && get(fd, data, length) == length;
	for (uint32_t i = 0; i < length; i++)
		same &= data[i] == byte;
	free(data);
	return same;
}

static void what_is_written_is_read_at_every_size(void **state)
{
	static const uint32_t lengths[] = {
		512, 4096, 4608, 65536, 131072, 1 << 20, 16 << 20, 32 << 20
	};
	int fd = attach("disk", false);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		write_pattern(fd, 512, lengths[i], (int)i + 1);
		assert_int_equal(get_simple(fd), NBD_OK);
		assert_true(reads_pattern(fd, 512, lengths[i], (int)i + 1));
		assert_true(reads_pattern(fd, 0, 512, 0));
	}
	close(fd);
}

static void requests_may_arrive_in_any_pieces(void **state)
{
	struct nbd_request_header h = header(NBD_CMD_WRITE, 0, 1024);
	uint8_t message[2 * (sizeof(h) + 1024)];
	int fd = attach("disk", false);

	(void)state;
	memset(message, 7, sizeof(message));
	memcpy(message, &h, sizeof(h));
	memcpy(message + sizeof(message) / 2, &h, sizeof(h));
	for (size_t piece = 1; piece < sizeof(message); piece += 13) {
		for (size_t at = 0; at < sizeof(message); at += piece) {
			size_t n = sizeof(message) - at;

			put(fd, message + at, n < piece ? n : piece);
		}
		assert_int_equal(get_simple(fd), NBD_OK);
		assert_int_equal(get_simple(fd), NBD_OK);
	}
	assert_true(reads_pattern(fd, 0, 1024, 7));
	close(fd);
}

static void refused_requests_reach_no_device_and_send_no_data(void **state)
{
	static const struct {
		const char *what;
		uint16_t type;
		uint64_t offset;
		uint32_t length;
		enum nbd_error error;
	} rows[] = {
		{ "read past the end", NBD_CMD_READ, DISK, 512, NBD_EINVAL },
		{ "read that wraps", NBD_CMD_READ, UINT64_MAX - 511, 1024,
		  NBD_EINVAL },
		{ "longest read", NBD_CMD_READ, 0, UINT32_MAX, NBD_EINVAL },
		{ "odd read", NBD_CMD_READ, 1, 512, NBD_EINVAL },
		{ "trim past the end", NBD_CMD_TRIM, DISK - 512, 1024,
		  NBD_ENOSPC },
		{ "cache", NBD_CMD_CACHE, 0, 512, NBD_EINVAL },
		{ "unknown", 77, 0, 512, NBD_EINVAL },
		{ "status without context", NBD_CMD_BLOCK_STATUS, 0, 512,
		  NBD_EINVAL },
	};
	int fd = attach("disk", false);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put_request(fd, 0, rows[i].type, rows[i].offset,
		            rows[i].length);
		if (get_simple(fd) != (int)rows[i].error)
			fail_msg("%s", rows[i].what);
	}
	/* A write's data is skipped, whatever its length. */
	write_pattern(fd, DISK, 512, 1);
	assert_int_equal(get_simple(fd), NBD_ENOSPC);
	write_pattern(fd, 0, NBD_LENGTH_MAX + 512, 1);
	assert_int_equal(get_simple(fd), NBD_EINVAL);
	for (unsigned op = 0; op < BLOCK_OPS; op++)
		assert_int_equal(fx.memory.count[op], 0);
	assert_true(reads_pattern(fd, 0, 512, 0));
	close(fd);
}

static void a_device_error_is_reported_without_data(void **state)
{
	struct nbd_error_chunk chunk;
	uint8_t byte;
	int simple = attach("disk", false), structured = attach("disk", true);

	(void)state;
	fx.memory.fail[BLOCK_READ] = -EIO;
	put_request(simple, 0, NBD_CMD_READ, 0, 4096);
	assert_int_equal(get_simple(simple), NBD_EIO);
	assert_int_equal(recv(simple, &byte, 1, 0), -1);
	put_request(structured, 0, NBD_CMD_READ, 0, 4096);
	assert_int_equal(get(structured, &chunk, sizeof(chunk)), sizeof(chunk));
	assert_int_equal(be16_get(chunk.header.type), NBD_CHUNK_ERROR);
	assert_int_equal(be16_get(chunk.header.flags), NBD_CHUNK_DONE);
	assert_int_equal(be32_get(chunk.error), NBD_EIO);
	assert_int_equal(recv(structured, &byte, 1, 0), -1);
	fx.memory.fail[BLOCK_WRITE] = -ENOSPC;
	write_pattern(simple, 0, 512, 1);
	assert_int_equal(get_simple(simple), NBD_ENOSPC);
	close(simple);
	close(structured);
}

static void flags_reach_the_device(void **state)
{
	int fd = attach("disk", false);
	struct nbd_request_header h = header(NBD_CMD_WRITE, 0, 512);
	uint8_t data[512] = { 0 };

	(void)state;
	h.flags = be16_put(NBD_CMD_FLAG_FUA);
	put(fd, &h, sizeof(h));
	put(fd, data, sizeof(data));
	assert_int_equal(get_simple(fd), NBD_OK);
	assert_int_equal(fx.memory.last_flags, BLOCK_FUA);
	put_request(fd, NBD_CMD_FLAG_NO_HOLE, NBD_CMD_WRITE_ZEROES, 0, 512);
	assert_int_equal(get_simple(fd), NBD_OK);
	assert_int_equal(fx.memory.last_flags, BLOCK_NO_UNMAP);
	/* A trim has no FUA below: a flush follows it. */
	put_request(fd, NBD_CMD_FLAG_FUA, NBD_CMD_TRIM, 0, 512);
	assert_int_equal(get_simple(fd), NBD_OK);
	assert_int_equal(fx.memory.count[BLOCK_DISCARD], 1);
	assert_int_equal(fx.memory.count[BLOCK_FLUSH], 1);
	close(fd);
}

static void a_long_trim_goes_in_steps(void **state)
{
	int fd = attach("disk", false);

	(void)state;
	write_pattern(fd, DISK - 512, 512, 9);
	assert_int_equal(get_simple(fd), NBD_OK);
	put_request(fd, 0, NBD_CMD_WRITE_ZEROES, 512, DISK - 512);
	assert_int_equal(get_simple(fd), NBD_OK);
	assert_int_equal(fx.memory.count[BLOCK_WRITE_ZEROES], 4);
	assert_true(reads_pattern(fd, DISK - 512, 512, 0));
	close(fd);
}

static void a_structured_read_says_where_its_data_lies(void **state)
{
	struct nbd_data_chunk r;
	uint8_t data[4096];
	int fd = attach("disk", true);

	(void)state;
	memset(fx.memory.bytes + 8192, 5, 4096);
	put_request(fd, NBD_CMD_FLAG_DF, NBD_CMD_READ, 8192, 4096);
	assert_int_equal(get(fd, &r, sizeof(r)), sizeof(r));
	assert_int_equal(be16_get(r.header.type), NBD_CHUNK_DATA);
	assert_int_equal(be32_get(r.header.length), 8 + 4096);
	assert_int_equal(be64_get(r.offset), 8192);
	assert_int_equal(get(fd, data, sizeof(data)), sizeof(data));
	assert_memory_equal(data, fx.memory.bytes + 8192, sizeof(data));
	close(fd);
}

static void a_wrong_magic_or_a_disconnect_ends_the_connection(void **state)
{
	struct nbd_request_header h = header(NBD_CMD_READ, 0, 512);
	int fd = attach("disk", false);

	(void)state;
	h.magic = be32_put(0);
	put(fd, &h, sizeof(h));
	assert_true(is_closed(fd));
	close(fd);
	fd = attach("disk", false);
	put_request(fd, 0, NBD_CMD_DISC, 0, 0);
	assert_true(is_closed(fd));
	close(fd);
}

static void a_disconnect_is_carried_out_after_what_came_before(void **state)
{
	int fd = attach("disk", false);

	(void)state;
	fx.memory.hold = true;
	put_request(fd, 0, NBD_CMD_FLUSH, 0, 0);
	put_request(fd, 0, NBD_CMD_DISC, 0, 0);
	assert_false(is_closed(fd));
	memory_device_release(&fx.memory);
	assert_int_equal(get_simple(fd), NBD_OK);
	assert_true(is_closed(fd));
	close(fd);
}

static void a_flood_of_requests_is_held_back_and_served(void **state)
{
	enum { N = 4 * NBD_REQUESTS_MAX };
	static struct nbd_request_header many[N];
	int fd = attach("disk", false);

	(void)state;
	fx.memory.hold = true;
	for (int i = 0; i < N; i++)
		many[i] = header(NBD_CMD_FLUSH, 0, 0);
	put(fd, many, sizeof(many));
	assert_int_equal(fx.memory.n_held, NBD_REQUESTS_MAX);
	for (int i = 0; i < N; i++) {
		if (fx.memory.n_held) {
			memory_device_release(&fx.memory);
			spin();
		}
		assert_int_equal(get_simple(fd), NBD_OK);
	}
	assert_int_equal(fx.memory.count[BLOCK_FLUSH], N);
	close(fd);
}

static void a_client_that_reads_nothing_holds_bounded_memory(void **state)
{
	int fd = attach("disk", false);
	uint8_t *data = malloc(MIB);
	unsigned served = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		put_request(fd, 0, NBD_CMD_READ, 0, MIB);
	assert_true(fx.memory.count[BLOCK_READ] < 80);
	assert_true(buffers() <= NBD_HELD_MAX);
	while (get_simple(fd) == NBD_OK && get(fd, data, MIB) == MIB)
		served++;
	assert_int_equal(served, 200);
	/* What was cached is given back when traffic has ceased. */
	pass_ms(1000);
	pass_ms(1000);
	assert_int_equal(buffers(), 0);
	free(data);
	close(fd);
}

static int unread(int fd)
{
	int n = 0;

	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	return n;
}

/* Whether the reply to one request comes later than it can. */
static bool is_held_back(int fd)
{
	struct nbd_request_header h = header(NBD_CMD_READ, 0, 512);
	int before = unread(fd), polls = 0;

	assert_int_equal(send(fd, &h, sizeof(h), 0), sizeof(h));
	for (; unread(fd) == before; polls++)
		reactor_poll(fx.reactor);
	return polls > 8;
}

/* One that waits for our core: holding on to it would make both wait. */
static void few_replies_are_held_for_a_client_that_does_not_read(void **state)
{
	int fd = attach("disk", false);
	unsigned held = 0;

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		put_request(fd, 0, NBD_CMD_READ, 0, 512);
	for (unsigned i = 0; i < 64; i++)
		held += is_held_back(fd);
	assert_in_range(held, 1, 8);
	close(fd);
}

static void a_reactors_memory_is_shared_and_bounded(void **state)
{
	enum { CLIENTS = 20 };
	int fd[CLIENTS];
	uint8_t *data = malloc(NBD_LENGTH_MAX);

	(void)state;
	fx.memory.hold = true;
	for (int i = 0; i < CLIENTS; i++) {
		fd[i] = attach("disk", false);
		put_request(fd[i], 0, NBD_CMD_READ, 0, NBD_LENGTH_MAX);
	}
	assert_int_equal(fx.memory.n_held, NBD_BUFFERS_MAX / NBD_LENGTH_MAX);
	assert_true(buffers() <= NBD_BUFFERS_MAX);
	fx.memory.hold = false;
	memory_device_release(&fx.memory);
	spin();
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(get_simple(fd[i]), NBD_OK);
		assert_int_equal(get(fd[i], data, NBD_LENGTH_MAX),
		                 NBD_LENGTH_MAX);
		close(fd[i]);
	}
	free(data);
}

static void a_client_that_hoards_memory_is_cut_when_others_wait(void **state)
{
	enum { HOARDERS = NBD_BUFFERS_MAX / NBD_LENGTH_MAX };
	int fd[HOARDERS], honest;

	(void)state;
	for (int i = 0; i < HOARDERS; i++) {
		fd[i] = attach("disk", false);
		put_request(fd[i], 0, NBD_CMD_WRITE, 0, NBD_LENGTH_MAX);
	}
	honest = attach("disk", false);
	put_request(honest, 0, NBD_CMD_READ, 0, 4096);
	assert_int_equal(get_simple(honest), -1);
	for (int i = 0; i < 15; i++)
		pass_ms(1000);
	assert_int_equal(get_simple(honest), NBD_OK);
	for (int i = 0; i < HOARDERS; i++)
		close(fd[i]);
	close(honest);
}

static void a_read_only_export_is_never_written(void **state)
{
	struct nbd_export *x;
	int fd;

	(void)state;
	add_export("fixed", true, &x);
	fd = attach("fixed", false);
	write_pattern(fd, 0, 512, 1);
	assert_int_equal(get_simple(fd), NBD_EPERM);
	put_request(fd, 0, NBD_CMD_TRIM, 0, 512);
	assert_int_equal(get_simple(fd), NBD_EPERM);
	assert_true(reads_pattern(fd, 0, 512, 0));
	close(fd);
}

static void operations_are_counted_and_timed(void **state)
{
	static struct nbd_export_stats s;
	int fd = attach("disk", false);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(reads_pattern(fd, 0, 4096, 0));
	put_request(fd, 0, NBD_CMD_READ, DISK, 512);
	assert_int_equal(get_simple(fd), NBD_EINVAL);
	nbd_export_stats(fx.export, &s);
	assert_int_equal(s.connections, 1);
	assert_int_equal(s.op[NBD_OP_READ].latency.count, 11);
	assert_int_equal(s.op[NBD_OP_READ].errors, 1);
	assert_int_equal(s.op[NBD_OP_READ].bytes, 40960);
	assert_true(histogram_percentile(&s.op[NBD_OP_READ].latency, 50) > 0);
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read_at_every_size),
		TEST(requests_may_arrive_in_any_pieces),
		TEST(refused_requests_reach_no_device_and_send_no_data),
		TEST(a_device_error_is_reported_without_data),
		TEST(flags_reach_the_device),
		TEST(a_long_trim_goes_in_steps),
		TEST(a_structured_read_says_where_its_data_lies),
		TEST(a_wrong_magic_or_a_disconnect_ends_the_connection),
		TEST(a_disconnect_is_carried_out_after_what_came_before),
		TEST(a_flood_of_requests_is_held_back_and_served),
		TEST(a_client_that_reads_nothing_holds_bounded_memory),
		TEST(few_replies_are_held_for_a_client_that_does_not_read),
		TEST(a_reactors_memory_is_shared_and_bounded),
		TEST(a_client_that_hoards_memory_is_cut_when_others_wait),
		TEST(a_read_only_export_is_never_written),
		TEST(operations_are_counted_and_timed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
