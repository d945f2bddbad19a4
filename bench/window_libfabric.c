/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libfabric's tcp provider: a MSG endpoint, fi_read of a region whose key the
 * server chose.  The server polls its completion queue, without which the
 * provider makes no progress.
 */
#include "window_load.h"

#include "base/base.h"

#include <arpa/inet.h>
#include <poll.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#include <string.h>

#define KEY 1u

static struct fid_fabric *fabric;
static struct fid_domain *domain;
static struct fid_eq *eq;
static struct fid_cq *cq;
static struct fid_ep *ep;
static struct fid_mr *mr[LOAD_SLOTS];
static int wait_fd = -1;
static void *const *buffers;
static struct fi_context contexts[LOAD_SLOTS];

/* Reads that wait for room in the endpoint. */
static struct waiting {
	unsigned slot;
	uint32_t length;
	uint64_t offset;
} queue[LOAD_SLOTS];
static unsigned head, n_queued;

static void ok(const char *what, long err)
{
	if (err < 0)
		load_die("%s: %s", what, fi_strerror((int)-err));
}

static struct fi_info *describe(const char *host, const char *port,
                                uint64_t flags)
{
	struct fi_info *hints = fi_allocinfo(), *info = NULL;

	hints->caps = FI_MSG | FI_RMA;
	hints->ep_attr->type = FI_EP_MSG;
	hints->domain_attr->mr_mode = 0;
	hints->domain_attr->threading = FI_THREAD_DOMAIN;
	hints->fabric_attr->prov_name = strdup("tcp");
	hints->addr_format = FI_SOCKADDR_IN;
	ok("fi_getinfo",
	   fi_getinfo(FI_VERSION(1, 17), host, port, flags, hints, &info));
	hints->fabric_attr->prov_name = NULL; /* left to the end */
	return info;
}

static void open_fabric(struct fi_info *info)
{
	struct fi_eq_attr attr = { .wait_obj = FI_WAIT_UNSPEC };

	ok("fi_fabric", fi_fabric(info->fabric_attr, &fabric, NULL));
	ok("fi_eq_open", fi_eq_open(fabric, &attr, &eq, NULL));
}

static void open_endpoint(struct fi_info *info, bool block)
{
	struct fi_cq_attr attr = {
		.size = 2 * LOAD_SLOTS,
		.format = FI_CQ_FORMAT_CONTEXT,
		.wait_obj = block ? FI_WAIT_FD : FI_WAIT_NONE,
	};

	ok("fi_domain", fi_domain(fabric, info, &domain, NULL));
	ok("fi_cq_open", fi_cq_open(domain, &attr, &cq, NULL));
	if (block)
		ok("fi_control", fi_control(&cq->fid, FI_GETWAIT, &wait_fd));
	ok("fi_endpoint", fi_endpoint(domain, info, &ep, NULL));
	ok("fi_ep_bind", fi_ep_bind(ep, &eq->fid, 0));
	ok("fi_ep_bind", fi_ep_bind(ep, &cq->fid, FI_TRANSMIT | FI_RECV));
	ok("fi_enable", fi_enable(ep));
}

static struct fi_info *await(uint32_t wanted)
{
	struct fi_eq_cm_entry entry;
	uint32_t event = 0;

	ok("fi_eq_sread",
	   fi_eq_sread(eq, &event, &entry, sizeof(entry), -1, 0));
	if (event != wanted)
		load_die("event %u came instead of %u", event, wanted);
	return entry.info;
}

/* @return completions, their contexts in `done`; sleeps if it may. */
static long poll_queue(struct fi_cq_entry *done, size_t max)
{
	struct fid *fids[] = { &cq->fid };
	long n = fi_cq_read(cq, done, max);

	if (n == -FI_EAGAIN && wait_fd >= 0 &&
	    fi_trywait(fabric, fids, 1) == FI_SUCCESS) {
		struct pollfd p = { .fd = wait_fd, .events = POLLIN };

		poll(&p, 1, -1);
	}
	if (n < 0 && n != -FI_EAGAIN)
		ok("fi_cq_read", n);
	return n;
}

static void serve(const struct load_opts *o)
{
	void *region = load_memory(LOAD_REGION);
	struct fi_info *info = describe(o->host[0], "0", FI_SOURCE);
	struct fid_pep *pep;
	struct sockaddr_in a = { 0 };
	size_t length = sizeof(a);
	struct fi_cq_entry done[8];

	open_fabric(info);
	ok("fi_passive_ep", fi_passive_ep(fabric, info, &pep, NULL));
	ok("fi_pep_bind", fi_pep_bind(pep, &eq->fid, 0));
	ok("fi_listen", fi_listen(pep));
	ok("fi_getname", fi_getname(&pep->fid, &a, &length));
	load_serving(ntohs(a.sin_port));
	info = await(FI_CONNREQ);
	open_endpoint(info, o->block);
	ok("fi_mr_reg", fi_mr_reg(domain, region, LOAD_REGION, FI_REMOTE_READ,
	                          0, KEY, 0, &mr[0], NULL));
	ok("fi_accept", fi_accept(ep, NULL, 0));
	await(FI_CONNECTED);
	for (;;)
		poll_queue(done, ARRAY_LEN(done));
}

static void connect_to(const struct load_opts *o, void *const buffer[],
                       const uint32_t length[])
{
	struct fi_info *info = describe(o->host[0], o->port, 0);

	buffers = buffer;
	open_fabric(info);
	open_endpoint(info, o->block);
	for (unsigned i = 0; i < LOAD_SLOTS; i++)
		if (length[i])
			ok("fi_mr_reg",
			   fi_mr_reg(domain, buffer[i], length[i], FI_READ, 0,
			             KEY + i, 0, &mr[i], NULL));
	ok("fi_connect", fi_connect(ep, info->dest_addr, NULL, 0));
	await(FI_CONNECTED);
}

static void post(unsigned slot, uint64_t offset, uint32_t length)
{
	queue[(head + n_queued++) % LOAD_SLOTS] =
		(struct waiting){ slot, length, offset };
}

static void start_waiting(void)
{
	while (n_queued) {
		const struct waiting *w = &queue[head];
		long err = fi_read(ep, buffers[w->slot], w->length,
		                   fi_mr_desc(mr[w->slot]), 0, w->offset, KEY,
		                   &contexts[w->slot]);

		if (err == -FI_EAGAIN)
			return;
		ok("fi_read", err);
		head = (head + 1) % LOAD_SLOTS;
		n_queued--;
	}
}

static void run(void)
{
	struct fi_cq_entry done[LOAD_SLOTS];

	while (!load_over()) {
		long n;

		start_waiting();
		n = poll_queue(done, ARRAY_LEN(done));
		for (long i = 0; i < n; i++) {
			struct fi_context *c = done[i].op_context;

			load_done((unsigned)(c - contexts));
		}
	}
}

int main(int argc, char **argv)
{
	static const struct load_way libfabric = { serve, connect_to, post,
		                                   run };

	return load_main(argc, argv, &libfabric);
}
