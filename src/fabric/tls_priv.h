/* SPDX-License-Identifier: BSD-2-Clause */
/* What fabric/tls.c and fabric/tls_stream.c share. */
#ifndef FABRIC_TLS_PRIV_H
#define FABRIC_TLS_PRIV_H

#include "fabric/tls.h"

#include <openssl/ssl.h>

#define TLS_READ_AHEAD 65536u /* bytes asked of the stream below at once */

SSL_CTX *tls_context(struct transport *t);
BIO_METHOD *tls_method(struct transport *t);

/* How OpenSSL uses a stream below; NULL: no memory. */
BIO_METHOD *tls_stream_method(void);

#endif /* FABRIC_TLS_PRIV_H */
