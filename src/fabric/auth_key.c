/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/auth_key.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>

static bool is_space(char c)
{
	return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

/* One derived key; `use` is part of the format of docs/wire-auth.md. */
static int derive(const void *secret, size_t length, const char *use,
                  uint8_t out[AUTH_KEY_LENGTH])
{
	size_t n = 0;

	if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret, length,
	               (const uint8_t *)use, strlen(use), out, AUTH_KEY_LENGTH,
	               &n) ||
	    n != AUTH_KEY_LENGTH)
		return -EIO;
	return 0;
}

int auth_key_derive(const void *secret, size_t length, struct auth_key *out)
{
	struct auth_key k;
	int err;

	while (length && is_space(((const char *)secret)[length - 1]))
		length--;
	if (length < AUTH_KEY_MIN || length > AUTH_KEY_MAX)
		return -EINVAL;
	err = derive(secret, length, "causeway proof 1", k.proof);
	if (!err)
		err = derive(secret, length, "causeway tls 1", k.tls);
	if (!err)
		*out = k;
	auth_key_wipe(&k);
	return err;
}

void auth_key_wipe(struct auth_key *k)
{
	OPENSSL_cleanse(k, sizeof(*k));
}

static int check_file(const char *path, const struct stat *s, struct err *e)
{
	if (!S_ISREG(s->st_mode))
		return err_set(e, -EINVAL,
		               "%s is not a regular file; "
		               "a cluster key is one",
		               path);
	if (s->st_mode & 077)
		return err_set(e, -EPERM,
		               "%s has mode %04o: others may use "
		               "the cluster key; run `chmod 0600 %s`",
		               path, s->st_mode & 07777u, path);
	if (s->st_uid != geteuid() && s->st_uid != 0)
		return err_set(e, -EPERM,
		               "%s belongs to user %u, who could "
		               "change the cluster key; run `chown %u %s`",
		               path, s->st_uid, geteuid(), path);
	return 0;
}

/* @return bytes read, at most `room`; a negative errno. */
static ssize_t read_all(int fd, char *out, size_t room)
{
	size_t got = 0;

	while (got < room) {
		ssize_t n = read(fd, out + got, room - got);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)got;
}

int auth_key_load(const char *path, struct auth_key *out, struct err *e)
{
	/* Longer than a key by more than a newline: too long either way. */
	char text[AUTH_KEY_MAX + 64];
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat s;
	ssize_t n;
	int err;

	if (fd < 0 || fstat(fd, &s) < 0)
		return err_set(e, -errno, "cannot read the cluster key %s: %s",
		               path, strerror(errno));
	err = check_file(path, &s, e);
	if (err)
		return err;
	n = read_all(fd, text, sizeof(text));
	if (n < 0)
		return err_set(e, (int)n, "cannot read the cluster key %s: %s",
		               path, strerror((int)-n));
	err = auth_key_derive(text, (size_t)n, out);
	OPENSSL_cleanse(text, sizeof(text));
	if (err == -EINVAL)
		return err_set(e, err,
		               "the cluster key %s has to have %u to "
		               "%u bytes; make one with `(umask 077; openssl "
		               "rand -hex 32 >%s)`",
		               path, AUTH_KEY_MIN, AUTH_KEY_MAX, path);
	if (err)
		return err_set(e, err,
		               "OpenSSL cannot compute HMAC-SHA-256; "
		               "is its configuration in order?");
	return 0;
}
