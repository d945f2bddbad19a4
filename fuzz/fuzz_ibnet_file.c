/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A net file that anybody may have written.  Property: what decodes is
 * written as text that decodes to the same, and becomes a network.
 */
#include "switch/ibnet.h"
#include "switch/ibnet_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct ibnet_topo *t)
{
	struct ibnet_topo *second;
	struct err e = { 0 };
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	ibnet_file_write(t, f);
	fclose(f);
	if (ibnet_file_decode(text, n, &second, &e) ||
	    second->n_nodes != t->n_nodes || second->n_ports != t->n_ports ||
	    second->n_links != t->n_links)
		abort();
	ibnet_topo_destroy(second);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ibnet_opts o = { 0 };
	struct ibnet_topo *t;
	struct ibnet *net;
	struct err e = { 0 };

	if (ibnet_file_decode((const char *)data, size, &t, &e)) {
		if (!e.text[0])
			abort();
		return 0;
	}
	again(t);
	if (ibnet_create(t, &o, &net, &e))
		abort();
	ibnet_destroy(net);
	ibnet_topo_destroy(t);
	return 0;
}
