/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/donors.h"

#include "cli/request.h"

#include <stdlib.h>
#include <string.h>

static int take_names(struct cli *cli, struct donors *d, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (d->n == STORE_DONORS_MAX)
			return cli_usage(cli, "more than %u donors",
			                 STORE_DONORS_MAX);
		if (!memchr(list, '/', n))
			return cli_usage(cli,
			                 "'%.*s' is no window: write "
			                 "NODE/WINDOW",
			                 (int)n, list);
		d->names[d->n++] = strndup(list, n);
		list += n + (list[n] == ',');
	}
	return 0;
}

int donors_copies(struct cli *cli, const char *what, unsigned n_donors,
                  unsigned *out)
{
	uint64_t copies = 2;
	int status = request_number_option(cli, "copies", &copies);

	if (status)
		return status;
	if (copies < 1 || copies > 2)
		return cli_usage(cli, "--copies is 1 or 2");
	if (n_donors < copies)
		return cli_usage(cli,
		                 "one donor keeps one copy, and %s is lost if "
		                 "it dies: name a second one, or say "
		                 "--copies 1",
		                 what);
	if (copies == 1)
		fprintf(cli->err,
		        "causeway: one copy: %s is lost if a donor "
		        "dies\n",
		        what);
	*out = (unsigned)copies;
	return 0;
}

int donors_take(struct cli *cli, const char *what, struct donors *d)
{
	const char *list = cli_option(cli, "donor");
	uint64_t unused;
	int status;

	*d = (struct donors){ .store = cli_option(cli, "store"), .copies = 1 };
	if (!list == !d->store)
		return cli_usage(cli, "either --donor or --store says where "
		                      "the rest goes");
	if (d->store)
		return request_number_option(cli, "copies", &unused);
	status = take_names(cli, d, list);
	return status ? status : donors_copies(cli, what, d->n, &d->copies);
}

void donors_free(struct donors *d)
{
	for (unsigned i = 0; i < d->n; i++)
		free(d->names[i]);
}
