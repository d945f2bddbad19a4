/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "core/log.h"

#include <regex.h>
#include <string.h>
#include <unistd.h>

/* What `stderr` receives while it is redirected into a pipe. */
struct capture {
	int saved;
	int pipe[2];
};

static void capture_start(struct capture *c)
{
	assert_int_equal(pipe(c->pipe), 0);
	c->saved = dup(STDERR_FILENO);
	assert_int_equal(dup2(c->pipe[1], STDERR_FILENO), STDERR_FILENO);
	close(c->pipe[1]);
}

static void capture_end(struct capture *c, char *out, size_t room)
{
	ssize_t n;

	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	n = read(c->pipe[0], out, room - 1);
	out[n > 0 ? n : 0] = '\0';
	close(c->pipe[0]);
}

static void an_event_is_one_line_of_pairs(void **state)
{
	struct capture c;
	char line[2048];
	regex_t re;

	(void)state;
	capture_start(&c);
	log_set_role("fast");
	log_event(LOG_LEVEL_WARN, "drive failed", "drive=%s errors=%d", "d3",
	          7);
	capture_end(&c, line, sizeof(line));
	assert_int_equal(
		regcomp(&re,
	                "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
	                "\\.[0-9]{3}Z level=warn role=fast what=\"drive "
	                "failed\" drive=d3 errors=7\n$",
	                REG_EXTENDED | REG_NOSUB),
		0);
	if (regexec(&re, line, 0, NULL, 0))
		fail_msg("unexpected line: %s", line);
	regfree(&re);
}

static void a_line_stays_one_line_whatever_it_is_given(void **state)
{
	static char huge[5000];
	struct capture c;
	char line[8192];

	(void)state;
	memset(huge, 'x', sizeof(huge) - 1);
	capture_start(&c);
	log_event(LOG_LEVEL_ERROR, "a", "value=%s", "one\ntwo\r\033[2J");
	capture_end(&c, line, sizeof(line));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_null(strchr(line, '\033'));

	capture_start(&c);
	log_event(LOG_LEVEL_ERROR, huge, "value=%s", huge);
	capture_end(&c, line, sizeof(line));
	assert_in_range(strlen(line), 500, 1024);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void events_above_the_level_are_not_written(void **state)
{
	struct capture c;
	char line[1024];

	(void)state;
	capture_start(&c);
	log_event(LOG_LEVEL_DEBUG, "quiet", NULL);
	capture_end(&c, line, sizeof(line));
	assert_string_equal(line, "");
	log_set_level(LOG_LEVEL_DEBUG);
	capture_start(&c);
	log_event(LOG_LEVEL_DEBUG, "loud", NULL);
	capture_end(&c, line, sizeof(line));
	assert_non_null(strstr(line, "level=debug"));
	log_set_level(LOG_LEVEL_INFO);
}

static void quoting_escapes_and_cuts(void **state)
{
	static const struct {
		const char *value;
		unsigned room;
		const char *want;
	} rows[] = {
		{ "plain", 64, "\"plain\"" },
		{ "", 64, "\"\"" },
		{ "a\"b\\c", 64, "\"a\\\"b\\\\c\"" },
		{ "a\nb\tc", 64, "\"a\\nb\\tc\"" },
		{ "\x1b\xff", 64, "\"\\x1b\\xff\"" },
		{ "abcdef", 6, "\"abc\"" },
		{ "ab\ncd", 6, "\"ab\"" },
		{ "abc", 3, "\"\"" },
		{ "abc", 2, "" },
		{ "abc", 1, "" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[64];

		memset(out, '#', sizeof(out));
		assert_string_equal(log_quote(out, rows[i].room, rows[i].value),
		                    rows[i].want);
		if (rows[i].room < sizeof(out))
			assert_int_equal(out[rows[i].room], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_one_line_of_pairs),
		cmocka_unit_test(a_line_stays_one_line_whatever_it_is_given),
		cmocka_unit_test(events_above_the_level_are_not_written),
		cmocka_unit_test(quoting_escapes_and_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
