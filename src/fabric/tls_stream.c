/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/tls_priv.h"

#include "base/base.h"
#include "base/iov.h"
#include "core/reactor.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

/* A record's bytes: small pieces of a vector are put together to one. */
#define RECORD 16384u

struct tls_stream {
	struct stream stream;
	struct stream *below;
	struct reactor *reactor;
	SSL *ssl;
	struct task task; /* bytes were left in OpenSSL: ready() again */
	bool task_queued;
	bool destroyed;
	bool open;  /* the handshake has ended well */
	bool ended; /* `result` for ever */
	int result;
	bool want_read, want_write; /* the user's */
	bool needs_write;           /* OpenSSL's own, to go on */
	bool left;                  /* the last read filled its vector */
	uint8_t record[RECORD];
};

static struct tls_stream *tls_of(struct stream *s)
{
	return container_of(s, struct tls_stream, stream);
}

/* -- OpenSSL's bytes, to and from the stream below ------------------------ */

static int bio_read(BIO *b, char *to, int length)
{
	struct tls_stream *t = BIO_get_data(b);
	struct iovec iov = { to, (size_t)length };
	ssize_t n = stream_readv(t->below, &iov, 1);

	BIO_clear_retry_flags(b);
	if (n == -EAGAIN)
		BIO_set_retry_read(b);
	return n < 0 ? -1 : (int)n;
}

static int bio_write(BIO *b, const char *from, int length)
{
	struct tls_stream *t = BIO_get_data(b);
	struct iovec iov = { (char *)from, (size_t)length };
	ssize_t n = stream_writev(t->below, &iov, 1);

	BIO_clear_retry_flags(b);
	if (n == -EAGAIN)
		BIO_set_retry_write(b);
	return n < 0 ? -1 : (int)n;
}

static long bio_ctrl(BIO *b, int command, long value, void *at)
{
	(void)b;
	(void)value;
	(void)at;
	return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_stream_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
	                             "causeway stream");

	if (m) {
		BIO_meth_set_read(m, bio_read);
		BIO_meth_set_write(m, bio_write);
		BIO_meth_set_ctrl(m, bio_ctrl);
	}
	return m;
}

static BIO *make_bio(struct tls_stream *t, BIO_METHOD *method)
{
	BIO *b = BIO_new(method);

	if (b) {
		BIO_set_data(b, t);
		BIO_set_init(b, 1);
	}
	return b;
}

/* -- errors --------------------------------------------------------------- */

static int end(struct tls_stream *t, int result)
{
	t->ended = true;
	t->result = result;
	return result;
}

/* The other side's key differs, or it has none. */
static bool key_was_rejected(unsigned long e)
{
	switch (ERR_GET_REASON(e)) {
	case SSL_R_BINDER_DOES_NOT_VERIFY:
	case SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER:
	case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
		return true;
	default:
		return false;
	}
}

/* What a call of OpenSSL that returned `ret` means to the user. */
static int result_of(struct tls_stream *t, int ret)
{
	unsigned long e;

	switch (SSL_get_error(t->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		t->needs_write = false;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		t->needs_write = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return end(t, 0);
	case SSL_ERROR_SYSCALL: /* an end below, too (TL2) */
		return end(t, -ECONNRESET);
	default:
		e = ERR_peek_error();
		ERR_clear_error();
		return end(t, key_was_rejected(e) && !t->open ? -EKEYREJECTED
		                                              : -EPROTO);
	}
}

/* -- readiness ------------------------------------------------------------ */

/* A handshake that nothing can be waited for in ends at its deadline. */
static bool update_wants(struct tls_stream *t)
{
	bool shaking = !t->open && !t->ended;

	return stream_want(t->below, shaking ? !t->needs_write : t->want_read,
	                   shaking ? t->needs_write
	                           : t->want_write || t->needs_write);
}

static void queue_task(struct tls_stream *t)
{
	if (t->task_queued)
		return;
	t->task_queued = true;
	task_defer(t->reactor, &t->task);
}

/* @return 0; -EAGAIN; why there will be no connection. */
static int shake_hands(struct tls_stream *t)
{
	int ret;

	if (t->ended)
		return t->result ? t->result : -ECONNRESET;
	if (t->open)
		return 0;
	ret = t->below->ops->connected(t->below);
	if (ret == -EAGAIN)
		t->needs_write = true;
	if (ret)
		return ret == -EAGAIN ? ret : end(t, ret);
	ERR_clear_error();
	ret = SSL_do_handshake(t->ssl);
	if (ret == 1) {
		t->open = true;
		t->needs_write = false;
		return 0;
	}
	ret = result_of(t, ret);
	return ret ? ret : end(t, -ECONNRESET);
}

static void below_ready(struct stream *below)
{
	struct tls_stream *t = below->user;

	if (!t->open && shake_hands(t) == -EAGAIN) {
		update_wants(t);
		return;
	}
	update_wants(t);
	if (t->want_read || t->want_write)
		t->stream.ready(&t->stream);
}

static void run_task(struct task *task)
{
	struct tls_stream *t = container_of(task, struct tls_stream, task);

	t->task_queued = false;
	if (t->destroyed)
		free(t);
	else if (t->want_read || t->want_write)
		t->stream.ready(&t->stream);
}

/* -- the stream ----------------------------------------------------------- */

static ssize_t tls_readv(struct stream *s, const struct iovec *iov, unsigned n)
{
	struct tls_stream *t = tls_of(s);
	size_t sum = 0;
	int err = shake_hands(t);

	if (err)
		return t->ended ? t->result : err;
	t->left = false;
	for (unsigned i = 0; i < n; i++) {
		for (size_t got = 0, some; got < iov[i].iov_len; got += some) {
			int ret;

			ERR_clear_error();
			ret = SSL_read_ex(t->ssl,
			                  (uint8_t *)iov[i].iov_base + got,
			                  iov[i].iov_len - got, &some);
			if (ret == 1) {
				sum += some;
				continue;
			}
			err = result_of(t, ret);
			return sum ? (ssize_t)sum : err;
		}
	}
	t->left = true;
	return (ssize_t)sum;
}

/* Up to a record of what begins at `offset`, in one place. */
static const void *gather(struct tls_stream *t, const struct iovec *iov,
                          unsigned n, size_t offset, size_t length)
{
	size_t at = 0;

	for (unsigned i = 0; i < n && at < length; i++) {
		size_t m = iov[i].iov_len;

		if (offset >= m) {
			offset -= m;
			continue;
		}
		m -= offset;
		if (m > length - at)
			m = length - at;
		if (m == length)
			return (const uint8_t *)iov[i].iov_base + offset;
		memcpy(t->record + at, (uint8_t *)iov[i].iov_base + offset, m);
		at += m;
		offset = 0;
	}
	return t->record;
}

static ssize_t tls_writev(struct stream *s, const struct iovec *iov, unsigned n)
{
	struct tls_stream *t = tls_of(s);
	size_t sum = 0, total = 0, some;
	int err = shake_hands(t);

	if (err)
		return t->ended && !t->result ? -EPIPE : err;
	for (unsigned i = 0; i < n; i++)
		total += iov[i].iov_len;
	while (sum < total) {
		size_t m = total - sum < RECORD ? total - sum : RECORD;
		int ret;

		ERR_clear_error();
		/* After -EAGAIN the user comes with the same bytes again. */
		ret = SSL_write_ex(t->ssl, gather(t, iov, n, sum, m), m, &some);
		if (ret != 1) {
			err = result_of(t, ret);
			return sum ? (ssize_t)sum : err ? err : -EPIPE;
		}
		sum += some;
	}
	return (ssize_t)sum;
}

static int tls_connected(struct stream *s)
{
	int err = shake_hands(tls_of(s));

	update_wants(tls_of(s));
	return err;
}

static bool tls_want(struct stream *s, bool readable, bool writable)
{
	struct tls_stream *t = tls_of(s);

	t->want_read = readable;
	t->want_write = writable;
	/* Bytes in OpenSSL, and an end, make no descriptor ready. */
	if ((readable && t->open && t->left && SSL_has_pending(t->ssl)) ||
	    ((readable || writable) && t->ended))
		queue_task(t);
	return update_wants(t);
}

static uint64_t tls_unacknowledged(struct stream *s)
{
	struct stream *below = tls_of(s)->below;

	return below->ops->unacknowledged(below);
}

static int tls_addresses(struct stream *s, struct sockaddr_storage *local,
                         struct sockaddr_storage *peer)
{
	struct stream *below = tls_of(s)->below;

	return below->ops->addresses(below, local, peer);
}

static int tls_binding(struct stream *s, uint8_t out[32])
{
	static const char label[] = "EXPORTER-causeway-auth";
	struct tls_stream *t = tls_of(s);

	if (!t->open)
		return -ENOTCONN;
	if (SSL_export_keying_material(t->ssl, out, 32, label,
	                               sizeof(label) - 1, NULL, 0, 0) != 1)
		return -EIO;
	return 0;
}

static void tls_destroy(struct stream *s)
{
	struct tls_stream *t = tls_of(s);

	if (t->open && !t->ended) {
		ERR_clear_error();
		SSL_shutdown(t->ssl);
	}
	SSL_free(t->ssl);
	ERR_clear_error();
	stream_destroy(t->below);
	t->destroyed = true;
	if (!t->task_queued)
		free(t);
}

static const struct stream_ops tls_ops = {
	.scheme = FABRIC_TLS,
	.readv = tls_readv,
	.writev = tls_writev,
	.connected = tls_connected,
	.want = tls_want,
	.unacknowledged = tls_unacknowledged,
	.addresses = tls_addresses,
	.binding = tls_binding,
	.destroy = tls_destroy,
};

struct stream *tls_stream_create(struct transport *transport, struct reactor *r,
                                 struct stream *below, bool dialled)
{
	struct tls_stream *t = calloc(1, sizeof(*t));
	BIO *bio = NULL;

	if (t) {
		t->ssl = SSL_new(tls_context(transport));
		bio = make_bio(t, tls_method(transport));
	}
	if (!t || !t->ssl || !bio) {
		BIO_free(bio);
		if (t)
			SSL_free(t->ssl);
		free(t);
		stream_destroy(below);
		return NULL;
	}
	SSL_set_bio(t->ssl, bio, bio);
	if (dialled)
		SSL_set_connect_state(t->ssl);
	else
		SSL_set_accept_state(t->ssl);
	t->stream.ops = &tls_ops;
	t->below = below;
	t->reactor = r;
	t->task.run = run_task;
	t->needs_write = dialled; /* until it is connected */
	below->ready = below_ready;
	below->user = t;
	return &t->stream;
}
