/* SPDX-License-Identifier: BSD-2-Clause */
/* What the agent's files share: one handler for each attribute and method. */
#ifndef SWITCH_SMA_PRIV_H
#define SWITCH_SMA_PRIV_H

#include "switch/ibnet_priv.h"

struct sma_call {
	struct ibnet_node *node;
	struct ibnet_port *at; /* where the SMP came in */
	struct mad *mad;       /* a handler fills in the data */
	uint32_t mod;          /* attribute modifier */
	bool key_fits;         /* M_Key right, or none */
};

/* @return MAD status; nothing has changed unless it is 0. */
typedef uint16_t (*sma_fn)(struct sma_call *c);

/* sma_port.c */
uint16_t sma_get_port_info(struct sma_call *c);
uint16_t sma_set_port_info(struct sma_call *c);
/* sma_table.c */
uint16_t sma_get_guids(struct sma_call *c);
uint16_t sma_set_guids(struct sma_call *c);
uint16_t sma_get_pkeys(struct sma_call *c);
uint16_t sma_set_pkeys(struct sma_call *c);
uint16_t sma_get_sl2vl(struct sma_call *c);
uint16_t sma_set_sl2vl(struct sma_call *c);
uint16_t sma_get_vlarb(struct sma_call *c);
uint16_t sma_set_vlarb(struct sma_call *c);
/* sma_switch.c */
uint16_t sma_get_switch_info(struct sma_call *c);
uint16_t sma_set_switch_info(struct sma_call *c);
uint16_t sma_get_lft(struct sma_call *c);
uint16_t sma_set_lft(struct sma_call *c);
uint16_t sma_get_mft(struct sma_call *c);
uint16_t sma_set_mft(struct sma_call *c);
/* sma_lag.c */
uint16_t sma_get_lag_host(struct sma_call *c);
uint16_t sma_set_lag_host(struct sma_call *c);
uint16_t sma_get_lag_switch(struct sma_call *c);
uint16_t sma_set_lag_switch(struct sma_call *c);
uint16_t sma_get_lag_groups(struct sma_call *c);
uint16_t sma_set_lag_groups(struct sma_call *c);
uint16_t sma_get_lag_lids(struct sma_call *c);
uint16_t sma_set_lag_lids(struct sma_call *c);
uint16_t sma_set_lag_skip(struct sma_call *c);

#endif /* SWITCH_SMA_PRIV_H */
