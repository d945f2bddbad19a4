/* SPDX-License-Identifier: BSD-2-Clause */
/* shows S13, S16, S18, S21: a swap device's server, by a packet socket in the
 * kernel's place */
#include "../test.h"

#include "../../support/block_rig.h"
#include "../../support/memory_device.h"

#include "kswap/fuse_server.h"
#include "kswap/shared.h"

#include <errno.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/socket.h>

#define PAGES 256u
#define SIZE (PAGES * FAR_PAGE)
#define DEADLINE_MS 300u

static struct fixture {
	struct reactor *reactor;
	struct memory_device below;
	struct shared *shared;
	int shared_fd;
	int kernel;
	int served;
	struct fuse_server *server;
	uint64_t unique;
	bool ended;
} fx;

static struct reply {
	struct fuse_out_header h;
	uint8_t data[SHARED_REQUEST];
} reply;

static void ended(void *ctx)
{
	(void)ctx;
	fx.ended = true;
}

static void start_server(void)
{
	struct fuse_server_opts o = { .reactor = fx.reactor,
		                      .shared = fx.shared,
		                      .device = &fx.below.device,
		                      .fd = fx.served,
		                      .deadline_ms = DEADLINE_MS,
		                      .ended = ended };

	assert_int_equal(fuse_server_create(&o, &fx.server, NULL), 0);
}

static int start(bool encrypt)
{
	const int room = 1 << 20;
	int pair[2];

	memset(&fx, 0, sizeof(fx));
	fx.reactor = rig_reactor();
	memory_device_init(&fx.below, calloc(1, SIZE), SIZE, FAR_PAGE);
	if (shared_create(SIZE, encrypt, &fx.shared_fd, &fx.shared, NULL) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair))
		return -1;
	fx.kernel = pair[0];
	fx.served = pair[1];
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &room,
		           sizeof(room));
	start_server();
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return start(false);
}

static int setup_encrypted(void **state)
{
	(void)state;
	return start(true);
}

static void release(void)
{
	fx.below.hold = false;
	memory_device_release(&fx.below);
}

static int teardown(void **state)
{
	(void)state;
	release();
	while (reactor_poll(fx.reactor))
		;
	fuse_server_destroy(fx.server);
	close(fx.kernel);
	close(fx.served);
	shared_detach(fx.shared);
	close(fx.shared_fd);
	free(fx.below.bytes);
	reactor_destroy(fx.reactor);
	return 0;
}

/* -- the kernel ------------------------------------------------------------ */

static uint64_t ask(uint32_t opcode, const void *body, size_t n_body,
                    const void *data, size_t n_data)
{
	struct fuse_in_header h = {
		.len = (uint32_t)(sizeof(h) + n_body + n_data),
		.opcode = opcode,
		.unique = fx.unique += 2,
		.nodeid = FUSE_ROOT_ID,
	};
	struct iovec iov[3] = { { &h, sizeof(h) },
		                { (void *)(uintptr_t)body, n_body },
		                { (void *)(uintptr_t)data, n_data } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 3 };

	assert_int_equal(sendmsg(fx.kernel, &m, 0), h.len);
	return h.unique;
}

static bool answered(void)
{
	ssize_t n = recv(fx.kernel, &reply, sizeof(reply), 0);

	if (n < 0)
		return false;
	assert_int_equal(n, reply.h.len);
	return true;
}

static void wait_for_answer(void)
{
	uint64_t end = clock_now_ns() + 20 * NS_PER_S;

	while (!answered()) {
		reactor_poll(fx.reactor);
		assert_true(clock_now_ns() < end);
	}
}

static void poll_a_while(void)
{
	for (int i = 0; i < 50; i++)
		reactor_poll(fx.reactor);
}

static void send_write(uint64_t page, uint8_t fill, unsigned n)
{
	static uint8_t data[SHARED_REQUEST];
	struct fuse_write_in in = { .offset = page * FAR_PAGE,
		                    .size = (uint32_t)(n * FAR_PAGE) };

	memset(data, fill, in.size);
	ask(FUSE_WRITE, &in, sizeof(in), data, in.size);
}

static int write_pages(uint64_t page, uint8_t fill, unsigned n)
{
	struct fuse_write_out out;

	send_write(page, fill, n);
	wait_for_answer();
	if (reply.h.error)
		return reply.h.error;
	memcpy(&out, reply.data, sizeof(out));
	assert_int_equal(out.size, n * FAR_PAGE);
	return 0;
}

static void send_read(uint64_t page, unsigned n)
{
	struct fuse_read_in in = { .offset = page * FAR_PAGE,
		                   .size = (uint32_t)(n * FAR_PAGE) };

	ask(FUSE_READ, &in, sizeof(in), NULL, 0);
}

/* Every byte of the `n` pages must be `fill`. */
static int read_pages(uint64_t page, uint8_t fill, unsigned n)
{
	send_read(page, n);
	wait_for_answer();
	if (reply.h.error)
		return reply.h.error;
	assert_int_equal(reply.h.len, sizeof(reply.h) + n * FAR_PAGE);
	for (size_t i = 0; i < n * FAR_PAGE; i++)
		assert_int_equal(reply.data[i], fill);
	return 0;
}

static void discard(uint64_t page, unsigned n)
{
	struct fuse_fallocate_in in = {
		.offset = page * FAR_PAGE,
		.length = n * FAR_PAGE,
		.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	};

	ask(FUSE_FALLOCATE, &in, sizeof(in), NULL, 0);
	wait_for_answer();
	assert_int_equal(reply.h.error, 0);
}

/* -- tests ----------------------------------------------------------------- */

static void a_session_begins(void **state)
{
	struct fuse_init_in in = { .major = 7,
		                   .minor = 31,
		                   .flags = FUSE_MAX_PAGES | FUSE_ASYNC_DIO };
	struct fuse_init_out init;
	struct fuse_attr_out attr;

	(void)state;
	ask(FUSE_INIT, &in, sizeof(in), NULL, 0);
	wait_for_answer();
	memcpy(&init, reply.data, sizeof(init));
	assert_int_equal(init.minor, 31);
	assert_int_equal(init.flags, in.flags);
	assert_int_equal(init.max_write, SHARED_REQUEST);
	ask(FUSE_GETATTR, NULL, 0, NULL, 0);
	wait_for_answer();
	memcpy(&attr, reply.data, sizeof(attr));
	assert_int_equal(attr.attr.size, SIZE);
	ask(FUSE_GETXATTR, NULL, 0, NULL, 0);
	wait_for_answer();
	assert_int_equal(reply.h.error, -ENOSYS);
}

static void pages_come_back(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 32; n *= 2)
		assert_int_equal(write_pages(n, (uint8_t)n, n), 0);
	for (unsigned n = 32; n >= 1; n /= 2)
		assert_int_equal(read_pages(n, (uint8_t)n, n), 0);
	assert_int_equal(fx.shared->away, 63);
	/* The same page again and again, as the kernel uses its slots. */
	for (uint8_t i = 1; i < 20; i++) {
		assert_int_equal(write_pages(64, i, 1), 0);
		assert_int_equal(read_pages(64, i, 1), 0);
	}
}

static void zeroes_go_nowhere(void **state)
{
	(void)state;
	assert_int_equal(read_pages(3, 0, 2), 0);
	assert_int_equal(write_pages(3, 0, 2), 0);
	assert_int_equal(fx.below.count[BLOCK_READ], 0);
	assert_int_equal(fx.below.count[BLOCK_WRITE], 0);
	assert_int_equal(write_pages(3, 9, 2), 0);
	assert_int_equal(write_pages(3, 0, 1), 0);
	assert_int_equal(read_pages(3, 0, 1), 0);
	assert_int_equal(read_pages(4, 9, 1), 0);
	discard(4, 1);
	assert_int_equal(read_pages(3, 0, 2), 0);
	assert_int_equal(fx.shared->away, 0);
}

static void other_bytes_are_found(void **state)
{
	(void)state;
	assert_int_equal(write_pages(5, 1, 2), 0);
	assert_int_equal(read_pages(5, 1, 2), 0);
	fx.below.bytes[6 * FAR_PAGE + 17] ^= 1;
	assert_int_equal(read_pages(5, 1, 2), -EIO);
	assert_int_equal(read_pages(5, 1, 1), 0);
	assert_int_equal(fx.shared->bad_seals, 1);
	/* An older page in a newer one's place. */
	assert_int_equal(write_pages(5, 2, 1), 0);
	memset(fx.below.bytes + 5 * FAR_PAGE, 1, FAR_PAGE);
	assert_int_equal(read_pages(5, 1, 1), -EIO);
}

static void donors_see_nothing(void **state)
{
	const uint8_t *page = fx.below.bytes + 8 * FAR_PAGE;

	(void)state;
	assert_int_equal(write_pages(8, 'x', 1), 0);
	assert_null(memmem(page, FAR_PAGE, "xxxx", 4));
	assert_int_equal(read_pages(8, 'x', 1), 0);
}

static void nonsense_is_refused(void **state)
{
	static const struct {
		uint64_t offset;
		uint32_t size;
	} rows[] = {
		{ SIZE, 4096 },
		{ SIZE - 4096, 8192 },
		{ 512, 4096 },
		{ 0, 512 },
		{ 0, 0 },
		{ UINT64_MAX - 4095, 4096 },
		{ 0, 2 * SHARED_REQUEST },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fuse_read_in in = { .offset = rows[i].offset,
			                   .size = rows[i].size };

		ask(FUSE_READ, &in, sizeof(in), NULL, 0);
		wait_for_answer();
		assert_int_equal(reply.h.error, -EINVAL);
	}
}

/* U1, U2: a device that does not end a request costs that request. */
static void nobody_waits_for_ever(void **state)
{
	(void)state;
	assert_int_equal(write_pages(2, 7, 1), 0);
	fx.below.hold = true;
	assert_int_equal(read_pages(2, 7, 1), -EIO);
	assert_int_equal(fx.shared->read.late, 1);
	assert_int_equal(write_pages(9, 1, 1), -EIO);
	assert_int_equal(fx.shared->write.late, 1);
	/* Its range is held: what the device still has might come later. */
	assert_int_equal(write_pages(9, 2, 1), -EIO);
	assert_int_equal(fx.shared->write.late, 1);
	release();
	poll_a_while();
	assert_int_equal(write_pages(9, 2, 1), 0);
	assert_int_equal(read_pages(9, 2, 1), 0);
	assert_int_equal(read_pages(2, 7, 1), 0);
}

static void a_device_that_fails_is_told(void **state)
{
	(void)state;
	assert_int_equal(write_pages(2, 7, 1), 0);
	fx.below.fail[BLOCK_READ] = -ENXIO;
	fx.below.fail[BLOCK_WRITE] = -ENXIO;
	assert_int_equal(read_pages(2, 7, 1), -EIO);
	assert_int_equal(write_pages(3, 7, 1), -EIO);
	fx.below.fail[BLOCK_READ] = 0;
	/* What failed to be written is not there, and not taken for zeroes. */
	assert_int_equal(read_pages(3, 7, 1), -EIO);
}

/* H1 to H3: a worker is killed with requests under way; the next one does
 * them, and nothing that it had answered is lost. */
static void the_next_worker_goes_on(void **state)
{
	static uint8_t theirs[3 * FAR_PAGE];

	(void)state;
	assert_int_equal(write_pages(1, 1, 4), 0);
	fx.below.hold = true;
	send_write(10, 10, 3);
	poll_a_while();
	iov_to_buffer(fx.below.held->iov, 1, theirs);
	send_read(1, 4);
	poll_a_while();
	assert_false(answered());
	/* It is gone; what it had asked for is still on its way. */
	fuse_server_destroy(fx.server);
	fx.below.held = NULL;
	fx.below.n_held = 0;
	start_server();
	assert_int_equal(fx.shared->again, 2);
	send_read(10, 3); /* is not looked at before (H2) */
	poll_a_while();
	assert_false(answered());
	assert_int_equal(fx.below.n_held, 2);
	release();
	for (int i = 0; i < 3; i++) {
		wait_for_answer();
		assert_int_equal(reply.h.error, 0);
	}
	assert_int_equal(read_pages(10, 10, 3), 0);
	assert_int_equal(read_pages(1, 1, 4), 0);
	/* Now it arrives: the same bytes. */
	memcpy(fx.below.bytes + 10 * FAR_PAGE, theirs, sizeof(theirs));
	assert_int_equal(read_pages(10, 10, 3), 0);
}

static void more_than_there_is_room_for_waits(void **state)
{
	unsigned n = 0;

	(void)state;
	assert_int_equal(write_pages(0, 3, 1), 0);
	fx.below.hold = true;
	for (unsigned i = 0; i < SHARED_SLOTS + 8; i++)
		send_read(0, 1);
	poll_a_while();
	assert_int_equal(fx.below.n_held, SHARED_SLOTS);
	release();
	while (n < SHARED_SLOTS + 8) {
		wait_for_answer();
		assert_int_equal(reply.h.error, 0);
		n++;
	}
}

static void the_end_is_seen(void **state)
{
	(void)state;
	shutdown(fx.kernel, SHUT_RDWR);
	poll_a_while();
	assert_true(fx.ended);
}

#define SERVED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(a_session_begins),
		SERVED(pages_come_back),
		SERVED(zeroes_go_nowhere),
		SERVED(other_bytes_are_found),
		cmocka_unit_test_setup_teardown(donors_see_nothing,
		                                setup_encrypted, teardown),
		SERVED(nonsense_is_refused),
		SERVED(nobody_waits_for_ever),
		SERVED(a_device_that_fails_is_told),
		SERVED(the_next_worker_goes_on),
		cmocka_unit_test_setup_teardown(the_next_worker_goes_on,
		                                setup_encrypted, teardown),
		SERVED(more_than_there_is_room_for_waits),
		SERVED(the_end_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
