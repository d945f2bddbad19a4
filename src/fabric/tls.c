/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/tls.h"

#include "base/base.h"
#include "fabric/frame_lane.h"
#include "fabric/tcp.h"
#include "fabric/tls_priv.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>

static const unsigned char identity[] = "causeway";
#define IDENTITY_LENGTH (sizeof(identity) - 1)

/* TLS_AES_128_GCM_SHA256, whose hash the PSK has to have (RFC 8446, 4.2.11) */
static const unsigned char cipher_id[] = { 0x13, 0x01 };
static const char cipher_name[] = "TLS_AES_128_GCM_SHA256";

struct tls_transport {
	struct transport transport;
	const struct auth_key *key;
	SSL_CTX *ctx;
	BIO_METHOD *method;
};

static struct tls_transport *tls_of(struct transport *t)
{
	return container_of(t, struct tls_transport, transport);
}

SSL_CTX *tls_context(struct transport *t)
{
	return tls_of(t)->ctx;
}

BIO_METHOD *tls_method(struct transport *t)
{
	return tls_of(t)->method;
}

/* -- the pre-shared key --------------------------------------------------- */

static SSL_SESSION *make_session(SSL *ssl)
{
	const struct tls_transport *t =
		SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, cipher_id);
	SSL_SESSION *s = SSL_SESSION_new();

	if (s && cipher &&
	    SSL_SESSION_set1_master_key(s, t->key->tls, AUTH_KEY_LENGTH) &&
	    SSL_SESSION_set_cipher(s, cipher) &&
	    SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION))
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

static int use_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id,
                   size_t *id_length, SSL_SESSION **out)
{
	(void)md; /* of the one cipher that there is */
	*out = make_session(ssl);
	*id = identity;
	*id_length = IDENTITY_LENGTH;
	return *out != NULL;
}

static int find_psk(SSL *ssl, const unsigned char *id, size_t id_length,
                    SSL_SESSION **out)
{
	*out = NULL;
	if (id_length != IDENTITY_LENGTH ||
	    memcmp(id, identity, IDENTITY_LENGTH) != 0)
		return 1; /* goes on, without: and fails, for want of a
		           * certificate */
	*out = make_session(ssl);
	return *out != NULL;
}

static int configure(struct tls_transport *t)
{
	SSL_CTX *c = t->ctx;

	SSL_CTX_set_app_data(c, t);
	SSL_CTX_set_psk_use_session_callback(c, use_psk);
	SSL_CTX_set_psk_find_session_callback(c, find_psk);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE |
	                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(c, 1);
	SSL_CTX_set_default_read_buffer_len(c, TLS_READ_AHEAD);
	if (SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(c, cipher_name) != 1 ||
	    SSL_CTX_set1_groups_list(c, "X25519:P-256") != 1 ||
	    SSL_CTX_set_num_tickets(c, 0) != 1)
		return -EIO;
	return 0;
}

/* -- the transport -------------------------------------------------------- */

static struct lane *make_lane(struct transport *t, struct reactor *r,
                              struct stream *below, bool dialled)
{
	struct stream *s = tls_stream_create(t, r, below, dialled);
	struct lane *lane;

	if (!s || frame_lane_create(r, s, true, &lane))
		return NULL;
	return lane;
}

static int dial(struct transport *t, struct reactor *r,
                const struct fabric_address *to, struct lane **out,
                struct err *e)
{
	struct stream *below;
	int err = tcp_stream_dial(r, to, &below, e);

	if (err)
		return err;
	*out = make_lane(t, r, below, true);
	if (!*out)
		return err_set(e, -ENOMEM, "no memory for a connection");
	return 0;
}

static struct lane *wrap(struct transport *t, struct reactor *r, int fd)
{
	struct stream *below = tcp_stream_create(r, fd);

	return below ? make_lane(t, r, below, false) : NULL;
}

static int listen_at(struct transport *t, struct reactor *r,
                     const struct fabric_address *at,
                     struct transport_listener **out, struct err *e)
{
	return tcp_listen(t, r, at, wrap, out, e);
}

int tls_transport_create(const struct auth_key *key, struct transport **out,
                         struct err *e)
{
	struct tls_transport *t = calloc(1, sizeof(*t));

	if (!t)
		return err_set(e, -ENOMEM, "no memory for TLS");
	t->transport = (struct transport){ .scheme = FABRIC_TLS,
		                           .ctx = t,
		                           .dial = dial,
		                           .listen = listen_at,
		                           .unlisten = tcp_unlisten };
	t->key = key;
	t->ctx = SSL_CTX_new(TLS_method());
	t->method = tls_stream_method();
	if (!t->ctx || !t->method || configure(t)) {
		tls_transport_destroy(&t->transport);
		return err_set(e, -EIO,
		               "OpenSSL cannot do TLS 1.3; is its "
		               "configuration in order?");
	}
	*out = &t->transport;
	return 0;
}

void tls_transport_destroy(struct transport *transport)
{
	struct tls_transport *t;

	if (!transport)
		return;
	t = tls_of(transport);
	SSL_CTX_free(t->ctx);
	BIO_meth_free(t->method);
	free(t);
}
