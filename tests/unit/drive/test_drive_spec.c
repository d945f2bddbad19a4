/* SPDX-License-Identifier: BSD-2-Clause */
/* shows V29 (its file and RAM part) */
#include "../test.h"

#include "base/base.h"
#include "drive/drive_spec.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *text;
	enum drive_type type;
	uint64_t size;
	const char *path;
	const char *why; /* part of the error; NULL: it is good */
} rows[] = {
	/* clang-format off */
	{ "ram:1M",            DRIVE_RAM,  1 << 20, "", NULL },
	{ "ram:1048576",       DRIVE_RAM,  1 << 20, "", NULL },
	{ "ram:1024T",         DRIVE_RAM,  DRIVE_SPEC_SIZE_MAX, "", NULL },
	{ "file:/d/1",         DRIVE_FILE, 0, "/d/1", NULL },
	{ "file:1",            DRIVE_FILE, 0, "1", NULL },
	{ "file:/d/1,size=4G", DRIVE_FILE, UINT64_C(4) << 30, "/d/1", NULL },
	{ "file:/a,,b",        DRIVE_FILE, 0, "/a,b", NULL },
	{ "file:/a,,,size=1M", DRIVE_FILE, 1 << 20, "/a,", NULL },
	{ "file:ram:1M",       DRIVE_FILE, 0, "ram:1M", NULL },
	{ "remote:beta/spare", DRIVE_REMOTE, 0, "", NULL },
	{ "remote:",           0, 0, "", "write remote:NODE/WINDOW" },
	{ "remote:beta",       0, 0, "", "no window of another node" },
	{ "remote:/spare",     0, 0, "", "no window of another node" },
	{ "remote:beta/",      0, 0, "", "no window of another node" },
	{ "remote:b/s/t",      0, 0, "", "no window of another node" },
	{ "remote:b/-s",       0, 0, "", "no window of another node" },
	{ "",                  0, 0, "", "names no drive: write file:PATH" },
	{ "ram",               0, 0, "", "names no drive" },
	{ "RAM:1M",            0, 0, "", "names no drive" },
	{ "/d/1",              0, 0, "", "\"/d/1\" names no drive" },
	{ "ram:",              0, 0, "", "is not a size" },
	{ "ram:lots",          0, 0, "", "\"lots\" is not a size" },
	{ "ram:-1",            0, 0, "", "is not a size" },
	{ "ram:1M ",           0, 0, "", "is not a size" },
	{ "ram:99999999999E",  0, 0, "", "is not a size" },
	{ "ram:0",             0, 0, "", "too small" },
	{ "ram:1020k",         0, 0, "", "too small: choose" },
	{ "ram:1025T",         0, 0, "", "too large" },
	{ "ram:2097153",       0, 0, "", "multiple of 4096: choose 2097152" },
	{ "file:",             0, 0, "", "needs a path" },
	{ "file:,size=1M",     0, 0, "", "needs a path" },
	{ "file:/d,size",      0, 0, "", "\"size\" is no option" },
	{ "file:/d,Size=1M",   0, 0, "", "is no option" },
	{ "file:/d,",          0, 0, "", "is no option" },
	{ "file:/d,size=",     0, 0, "", "is not a size" },
	{ "file:/d,size=0",    0, 0, "", "too small" },
	{ "file:/d,size=1M,size=1M", 0, 0, "", "is not a size" },
	/* clang-format on */
};

static void parses_or_says_what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct drive_spec s = { .size = 77 };
		struct err e = { 0 };
		int err = drive_spec_parse(rows[i].text, &s, &e);

		if (rows[i].why) {
			assert_int_equal(err, -EINVAL);
			assert_int_equal(s.size, 77);
			if (!strstr(e.text, rows[i].why))
				fail_msg("\"%s\" gives \"%s\"", rows[i].text,
				         e.text);
			continue;
		}
		if (err)
			fail_msg("\"%s\": %s", rows[i].text, e.text);
		assert_int_equal(s.type, rows[i].type);
		assert_int_equal(s.size, rows[i].size);
		assert_string_equal(s.path, rows[i].path);
	}
}

static void a_path_has_a_limit(void **state)
{
	char text[5 + PATH_MAX + 2] = "file:";
	struct drive_spec s;
	struct err e = { 0 };

	(void)state;
	memset(text + 5, 'x', PATH_MAX);
	text[5 + PATH_MAX - 1] = '\0';
	assert_int_equal(drive_spec_parse(text, &s, &e), 0);
	assert_int_equal(strlen(s.path), PATH_MAX - 1);
	text[5 + PATH_MAX - 1] = 'x';
	assert_int_equal(drive_spec_parse(text, &s, &e), -EINVAL);
	assert_non_null(strstr(e.text, "longer than"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_or_says_what_is_wrong),
		cmocka_unit_test(a_path_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
