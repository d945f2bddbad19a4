/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/ibnet_file.h"

#include "base/base.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int ibnet_file_read(const char *path, struct ibnet_topo **out, struct err *e)
{
	struct err inner = { 0 };
	size_t room = 1 << 16, n = 0;
	char *text = NULL;
	FILE *f = fopen(path, "re");
	int err = 0;

	if (!f)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	while (!feof(f) && n <= IBNET_FILE_MAX) {
		char *more = realloc(text, room);

		if (!more) {
			err = err_set(e, -ENOMEM, "%s: no memory", path);
			goto out;
		}
		text = more;
		n += fread(text + n, 1, room - n, f);
		if (ferror(f)) {
			err = err_set(e, -EIO, "%s: cannot be read", path);
			goto out;
		}
		room *= 2;
	}
	err = ibnet_file_decode(text, n, out, &inner);
	if (err)
		err_set(e, err, "%s: %s", path, inner.text);
out:
	free(text);
	fclose(f);
	return err;
}

static void write_ports(const struct ibnet_topo *t, uint32_t node, FILE *f)
{
	for (unsigned i = 1; i <= t->nodes[node].n_ports; i++) {
		const struct ibnet_topo_port *p = ibnet_topo_port(t, node, i);

		if (p->peer.node == IBNET_NO_NODE)
			continue;
		fprintf(f, "[%u]\t\"%s\"[%u]\tw=%u s=%u\n", i,
		        t->nodes[p->peer.node].name, p->peer.port, p->widths,
		        p->speeds);
	}
}

void ibnet_file_write(const struct ibnet_topo *t, FILE *f)
{
	for (uint32_t i = 0; i < t->n_nodes; i++) {
		const struct ibnet_topo_node *n = &t->nodes[i];
		bool is_switch = n->kind == IBNET_SWITCH;

		fprintf(f,
		        "vendid=0x%x\ndevid=0x%x\nsysimgguid=0x%" PRIx64
		        "\n%sguid=0x%" PRIx64 "\n%s\t%u \"%s\"\t# \"%s\"\n",
		        n->vendor, n->device, n->system_guid,
		        is_switch ? "switch" : "ca", n->guid,
		        is_switch ? "Switch" : "Hca", n->n_ports, n->name,
		        n->description);
		write_ports(t, i, f);
		fputc('\n', f);
	}
}
