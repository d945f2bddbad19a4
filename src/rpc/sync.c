/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc/client.h"

#include "base/base.h"
#include "base/clock.h"
#include "rpc/frame.h"
#include "rpc/message.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define READ_SIZE 65536u

int rpc_sync_open(const char *path, struct rpc_sync *s, struct err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(e, -ENAMETOOLONG,
		               "the control socket's path is over %zu bytes: "
		               "%s",
		               sizeof(address.sun_path) - 1, path);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, -errno, "cannot make a socket: %s",
		               strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		err = -errno;
		close(fd);
		return err_set(e, err, "cannot reach the daemon at %s: %s",
		               path, strerror(-err));
	}
	*s = (struct rpc_sync){ .fd = fd, .next_id = 1 };
	return 0;
}

void rpc_sync_close(struct rpc_sync *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Wait for `events`.  @return 0, -ETIMEDOUT or another error. */
static int wait_for(int fd, short events, uint64_t due_ns)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t now = clock_now_ns();
	int n;

	while (now < due_ns) {
		n = poll(&p, 1, (int)((due_ns - now) / NS_PER_MS) + 1);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		now = clock_now_ns();
	}
	return -ETIMEDOUT;
}

static int send_all(int fd, const char *text, size_t n, uint64_t due_ns)
{
	ssize_t sent;
	int err;

	while (n > 0) {
		sent = send(fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent >= 0) {
			text += sent;
			n -= (size_t)sent;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		err = wait_for(fd, POLLOUT, due_ns);
		if (err)
			return err;
	}
	return 0;
}

/*
 * One message, whatever it says.  The peer sends nothing unasked, so what
 * follows a message in the same read is dropped.
 */
static int receive(int fd, uint64_t due_ns, struct json_object **out,
                   struct err *e)
{
	struct rpc_frame frame = { .max_values = RPC_REPLY_VALUES };
	char *text = malloc(RPC_MESSAGE_MAX);
	size_t length = 0, skip, used;
	char *part = malloc(READ_SIZE);
	ssize_t n;
	int got = text && part ? 0 : -ENOMEM;

	while (got == 0) {
		got = wait_for(fd, POLLIN, due_ns);
		if (got)
			break;
		n = recv(fd, part, READ_SIZE, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			got = n < 0 ? -errno : -ECONNRESET;
			break;
		}
		got = rpc_frame_scan(&frame, part, (size_t)n, &skip, &used);
		if (got >= 0) {
			memcpy(text + length, part + skip, used - skip);
			length += used - skip;
		}
	}
	if (got == 1)
		got = rpc_parse(text, length, out, e);
	free(text);
	free(part);
	return got;
}

/* A reply to our call; or one to nothing, when we were turned away. */
static int exchange(struct rpc_sync *s, struct json_object *m, uint64_t due_ns,
                    struct json_object **reply, struct rpc_reply_view *view,
                    struct err *e)
{
	size_t n;
	const char *text = json_object_to_json_string_length(
		m, JSON_C_TO_STRING_PLAIN, &n);
	int err = text ? send_all(s->fd, text, n, due_ns) : -ENOMEM;

	/* A server that turned us away has closed, but has said why. */
	if (err && err != -EPIPE)
		return err;
	do {
		err = receive(s->fd, due_ns, reply, e);
		if (err)
			return err;
		err = rpc_reply_read(*reply, view, e);
		if (!err && (view->id == s->next_id || view->id == 0))
			return 0;
		json_object_put(*reply);
	} while (!err); /* an answer to a call that timed out */
	return err;
}

enum rpc_class rpc_sync_call(struct rpc_sync *s, const char *method,
                             struct json_object *params, unsigned timeout_ms,
                             struct json_object **result,
                             struct rpc_error *error)
{
	uint64_t due_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
	struct json_object *reply = NULL;
	struct rpc_reply_view view;
	struct json_object *m;
	struct err e = { 0 };
	int err;

	m = rpc_request_new(method, params, s->next_id);
	err = m ? exchange(s, m, due_ns, &reply, &view, &e) : -ENOMEM;
	json_object_put(m);
	s->next_id++;
	if (err == -ETIMEDOUT)
		err_set(&e, err,
		        "'%s' was not answered within %u ms; it may "
		        "still be at work: look with 'status', then try again",
		        method, timeout_ms);
	else if (err)
		err_set(&e, err,
		        "the connection to the daemon ended: %s; "
		        "look with 'status', then try again",
		        strerror(-err));
	if (err) {
		rpc_error_set(error, &e, RPC_TRY_AGAIN);
		return RPC_TRY_AGAIN;
	}

	if (view.error) {
		rpc_error_read(view.error, error);
		if (error->class == RPC_OK)
			error->class = RPC_FAILED;
	} else {
		*result = json_object_get(view.result);
		error->class = RPC_OK;
	}
	json_object_put(reply);
	return error->class;
}
