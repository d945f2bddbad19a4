/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queries to subnet administration, as any host can send them.  The manager is
 * a real one, on a small fabric in this process.  Property: there is an answer
 * or none, and nothing else happens that a sanitizer would see.
 */
#include "../tests/unit/subnet/sm_rig.h"

#include "subnet/admin.h"
#include "subnet/subnet_priv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sm_rig rig;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool up;
	struct mad_datagram d = { .peer.qpn = 1 };
	const uint8_t *asked;
	size_t n_asked;
	struct mad out;
	uint8_t *records;
	size_t length;

	if (!up) {
		sm_rig_init(&rig, "clos:hosts=8,ports=2,radix=8");
		sm_rig_start(&rig, 0, "H00000:1");
		if (sm_rig_settle(&rig, 0, 5000) < 0)
			abort();
		up = true;
	}
	if (size < 3)
		return 0;
	d.peer.lid = (uint16_t)(data[0] | data[1] << 8) % 64;
	memcpy(&d.mad, data + 2, size - 2 < MAD_LENGTH ? size - 2 : MAD_LENGTH);
	d.mad.header.mgmt_class = MAD_CLASS_SA;
	/* Of several segments, if there is that much. */
	asked = mad_sa(&d.mad)->data;
	n_asked = SA_DATA_LENGTH;
	if (size - 2 > MAD_LENGTH) {
		asked = data + 2 + MAD_LENGTH - SA_DATA_LENGTH;
		n_asked = size - 2 - MAD_LENGTH + SA_DATA_LENGTH;
	}
	if (admin_answer(rig.sm[0].s->admin, &d, asked, n_asked, &out, &records,
	                 &length))
		free(records);
	return 0;
}
