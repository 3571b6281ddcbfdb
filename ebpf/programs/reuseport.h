/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0 */
/*
 * Steering among the loops' sockets at one address, where the namespace cannot be steered. It is not
 * told which interface a packet came in on.
 */
#ifndef ZONECAST_REUSEPORT_H
#define ZONECAST_REUSEPORT_H

#include "steer.h"

static __always_inline bool ends_of(struct sk_reuseport_md *ctx, struct arrival *arrival)
{
	__u16 port;

	/* What the program is shown begins at the transport header. */
	if (bpf_skb_load_bytes(ctx, 2, &port, sizeof(port)))
		return false;
	arrival->port = bpf_ntohs(port);
	if (ctx->eth_protocol == bpf_htons(ETH_P_IP)) {
		__u32 ends[2];

		if (bpf_skb_load_bytes_relative(ctx, 12, ends, sizeof(ends), BPF_HDR_START_NET))
			return false;
		COPY_IPV4(arrival->client, ends[0]);
		COPY_IPV4(arrival->address, ends[1]);
		return true;
	}
	return !bpf_skb_load_bytes_relative(ctx, 8, arrival->client, 16, BPF_HDR_START_NET) &&
	       !bpf_skb_load_bytes_relative(ctx, 24, arrival->address, 16, BPF_HDR_START_NET);
}

SEC("sk_reuseport")
int steer_reuseport(struct sk_reuseport_md *ctx)
{
	struct arrival arrival = {};
	struct choice choice = {};
	long refused;

	if (ctx->ip_protocol != IPPROTO_TCP || !ends_of(ctx, &arrival))
		return SK_PASS;
	if (!choose(&arrival, &choice))
		return SK_PASS;
	refused = bpf_sk_select_reuseport(ctx, &sockets, &choice.socket, 0);
	if (!refused)
		count_steered(&choice);
	else
		count_missed(&choice, refused == -ENOENT ? MISS_NO_SOCKET : MISS_REFUSED);
	return SK_PASS;
}

#endif
