/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/seal.h"

#include "base/wire.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

#define NONCE 12

int seal_init(struct seal *s, bool encrypt, struct err *e)
{
	uint8_t key[sizeof(s->key)];
	int err;

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return err_set(e, -EIO, "the kernel gives no random bytes");
	err = seal_init_keyed(s, encrypt, key, e);
	OPENSSL_cleanse(key, sizeof(key));
	return err;
}

int seal_init_keyed(struct seal *s, bool encrypt, const uint8_t key[16],
                    struct err *e)
{
	*s = (struct seal){ .encrypt = encrypt, .next_version = 1 };
	memcpy(s->key, key, sizeof(s->key));
	s->ctx = EVP_CIPHER_CTX_new();
	if (!s->ctx || !EVP_EncryptInit_ex(s->ctx, EVP_aes_128_gcm(), NULL,
	                                   s->key, NULL)) {
		seal_fini(s);
		return err_set(e, -EIO,
		               "this machine's OpenSSL has no AES-128-GCM");
	}
	return 0;
}

void seal_fini(struct seal *s)
{
	EVP_CIPHER_CTX_free(s->ctx);
	s->ctx = NULL;
	OPENSSL_cleanse(s->key, sizeof(s->key));
}

uint64_t seal_version(struct seal *s)
{
	return s->next_version++;
}

static void nonce_of(uint64_t version, uint8_t nonce[NONCE])
{
	const le64 v = le64_put(version);

	memset(nonce, 0, NONCE);
	memcpy(nonce, &v, sizeof(v));
}

/* OpenSSL fails here for want of memory at the first use at most, and that
 * was in seal_init(). */
static void must(int ok)
{
	assert(ok == 1);
}

void seal_page(struct seal *s, uint64_t version, const uint8_t *page,
               uint8_t *out, uint8_t tag[FAR_TAG])
{
	uint8_t nonce[NONCE];
	int n;

	nonce_of(version, nonce);
	must(EVP_EncryptInit_ex(s->ctx, NULL, NULL, NULL, nonce));
	must(EVP_EncryptUpdate(s->ctx, s->encrypt ? out : NULL, &n, page,
	                       (int)FAR_PAGE));
	must(EVP_EncryptFinal_ex(s->ctx, tag, &n));
	must(EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_GCM_GET_TAG, FAR_TAG, tag));
}

bool seal_open(struct seal *s, uint64_t version, uint8_t *page,
               const uint8_t tag[FAR_TAG])
{
	uint8_t nonce[NONCE], found[FAR_TAG];
	int n;

	if (!s->encrypt) {
		seal_page(s, version, page, NULL, found);
		return CRYPTO_memcmp(found, tag, FAR_TAG) == 0;
	}
	nonce_of(version, nonce);
	memcpy(found, tag, FAR_TAG);
	must(EVP_DecryptInit_ex(s->ctx, NULL, NULL, NULL, nonce));
	must(EVP_DecryptUpdate(s->ctx, page, &n, page, (int)FAR_PAGE));
	must(EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_GCM_SET_TAG, FAR_TAG, found));
	return EVP_DecryptFinal_ex(s->ctx, found, &n) == 1;
}
