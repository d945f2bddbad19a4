/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "fabric/auth_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char folder[64], path[96];

static void put(size_t length, const char *end, mode_t mode)
{
	FILE *f;

	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	for (size_t i = 0; i < length; i++)
		fputc('k', f);
	fputs(end, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void only_a_private_file_is_a_key(void **state)
{
	static const struct {
		const char *what;
		size_t length;
		const char *end;
		mode_t mode;
		int err;
		const char *words;
	} rows[] = {
		{ "usual", 64, "\n", 0600, 0, "" },
		{ "read only", 32, "", 0400, 0, "" },
		{ "longest", 4096, "\r\n", 0600, 0, "" },
		{ "group reads", 64, "\n", 0640, -EPERM, "chmod 0600" },
		{ "others read", 64, "\n", 0604, -EPERM, "chmod 0600" },
		{ "group writes", 64, "\n", 0620, -EPERM, "chmod 0600" },
		{ "others run", 64, "\n", 0601, -EPERM, "chmod 0600" },
		{ "empty", 0, "", 0600, -EINVAL, "openssl rand" },
		{ "short", 31, "", 0600, -EINVAL, "openssl rand" },
		{ "short and white", 31, " \t\n\n", 0600, -EINVAL, "32" },
		{ "long", 4097, "", 0600, -EINVAL, "4096" },
		{ "very long", 1 << 20, "", 0600, -EINVAL, "4096" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_key k, before;
		struct err e = { 0 };

		memset(&k, 0x5a, sizeof(k));
		before = k;
		put(rows[i].length, rows[i].end, rows[i].mode);
		print_message("# %s\n", rows[i].what);
		assert_int_equal(auth_key_load(path, &k, &e), rows[i].err);
		assert_non_null(strstr(e.text, rows[i].words));
		assert_int_equal(memcmp(&k, &before, sizeof(k)) == 0,
		                 rows[i].err != 0);
		if (rows[i].err)
			assert_non_null(strstr(e.text, path));
	}
}

static void not_every_path_is_a_file(void **state)
{
	struct auth_key k;
	struct err e = { 0 };

	(void)state;
	unlink(path);
	assert_int_equal(auth_key_load(path, &k, &e), -ENOENT);
	assert_non_null(strstr(e.text, path));
	e = (struct err){ 0 };
	assert_int_equal(mkfifo(path, 0600), 0); /* nor does it wait */
	assert_int_equal(auth_key_load(path, &k, &e), -EINVAL);
	assert_int_equal(auth_key_load(folder, &k, NULL), -EINVAL);
	if (geteuid() == 0) {
		put(64, "\n", 0600);
		assert_int_equal(chown(path, 12345, 0), 0);
		assert_int_equal(auth_key_load(path, &k, NULL), -EPERM);
	}
}

/* docs/wire-auth.md has these values, made with `openssl dgst`. */
static void keys_are_derived_as_documented(void **state)
{
	static const uint8_t proof[] = { 0xb9, 0xe5, 0xbb, 0x88, 0x79, 0x0b,
		                         0x50, 0xf0, 0x30, 0x1a, 0xa9, 0x67,
		                         0x2b, 0x80, 0xdd, 0x0c, 0x87, 0x2b,
		                         0xc3, 0x64, 0x45, 0x63, 0xd2, 0x1a,
		                         0xbc, 0x92, 0x4b, 0xcf, 0x1e, 0xb7,
		                         0x10, 0xad };
	static const uint8_t tls[] = { 0x60, 0xf9, 0xa0, 0x0c, 0x64, 0x59, 0xf3,
		                       0xd6, 0xd9, 0xdf, 0x5e, 0x00, 0x4e, 0x70,
		                       0xd0, 0xef, 0xed, 0x1b, 0x75, 0xab, 0x2d,
		                       0xda, 0xf9, 0xdc, 0x07, 0x7d, 0x29, 0xd9,
		                       0xcf, 0x05, 0x8a, 0x6d };
	struct auth_key k;

	(void)state;
	assert_int_equal(
		auth_key_derive("0123456789abcdef0123456789abcdef\n", 33, &k),
		0);
	assert_memory_equal(k.proof, proof, sizeof(proof));
	assert_memory_equal(k.tls, tls, sizeof(tls));
	auth_key_wipe(&k);
	for (size_t i = 0; i < sizeof(k); i++)
		assert_int_equal(((uint8_t *)&k)[i], 0);
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/causeway-key-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/key", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_private_file_is_a_key),
		cmocka_unit_test(not_every_path_is_a_file),
		cmocka_unit_test(keys_are_derived_as_documented),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
