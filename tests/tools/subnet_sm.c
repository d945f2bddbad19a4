/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet_sm SPEC [cut NAME[PORT]]...: a manager and a software fabric in one
 * process; times of the first pass and of each cut.
 */
#include "../unit/subnet/sm_rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static void report(struct sm_rig *r, const char *what)
{
	struct subnet_status st;
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	subnet_status(r->sm[0].s, &st);
	printf("%-16s %8.1f ms %8lu SMPs; all: %lu SMPs, %.0f MB; %u nodes "
	       "%u links %u lags, not sent %lu\n",
	       what, (double)st.last_pass_ns / 1e6, st.last_pass_smps,
	       st.smps_sent, (double)u.ru_maxrss / 1024, st.nodes, st.links,
	       st.lags, st.not_sent);
}

int main(int argc, char **argv)
{
	static struct sm_rig r;

	if (argc < 2)
		return 2;
	sm_rig_init(&r, argv[1]);
	sm_rig_start(&r, 0, "H00000:1");
	if (sm_rig_settle(&r, 0, 60000) < 0)
		printf("not settled\n");
	report(&r, "first pass");
	for (int i = 2; i < argc; i++) {
		struct ibnet_port *p = ibnet_find(r.net, argv[i]);

		if (!p)
			return 2;
		ibnet_cut(p);
		sm_rig_run(&r, 1);
		sm_rig_settle(&r, 0, 60000);
		report(&r, argv[i]);
		ibnet_restore(p);
		sm_rig_run(&r, 1);
		sm_rig_settle(&r, 0, 60000);
		report(&r, "restored");
	}
	sm_rig_fini(&r);
	return 0;
}
