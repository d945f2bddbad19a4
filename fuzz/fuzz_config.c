/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feed bytes to the readers of the configuration and of the state file.
 * Property: a configuration is read into calls that their tables allow, or
 * refused with words; a state that is read is written and read the same.
 */
#include "base/base.h"
#include "control/config.h"
#include "control/state.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_config(const char *text, size_t n)
{
	struct config c;
	struct err e = { 0 };

	if (config_parse(text, n, &c, &e) != 0) {
		if (!e.text[0])
			abort();
		return;
	}
	for (size_t i = 0; i < c.n_calls; i++)
		if (rpc_check(c.calls[i].method->params,
		              c.calls[i].method->n_params, c.calls[i].params,
		              NULL, NULL) != 0)
			abort();
	config_fini(&c);
}

static void try_state(const char *text, size_t n)
{
	struct state s, again;
	char *first, *second;

	state_init(&s);
	if (state_parse(text, n, &s, NULL) == 0) {
		first = state_format(&s);
		state_init(&again);
		if (state_parse(first, strlen(first), &again, NULL) != 0)
			abort();
		second = state_format(&again);
		if (strcmp(first, second) != 0)
			abort();
		state_fini(&again);
		free(first);
		free(second);
	}
	state_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* An exact-sized copy, so that ASan sees one byte too many. */
	char *text = malloc(size + !size);

	memcpy(text, data, size);
	try_config(text, size);
	try_state(text, size);
	free(text);
	return 0;
}
