/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0 */
/*
 * Steering of a whole network namespace: runs for the first packet of a connection, and for strays
 * that belong to none, before the kernel looks for a listening socket.
 */
#ifndef ZONECAST_LOOKUP_H
#define ZONECAST_LOOKUP_H

#include "steer.h"

SEC("sk_lookup")
int steer_lookup(struct bpf_sk_lookup *ctx)
{
	struct arrival arrival = { .interface = ctx->ingress_ifindex, .port = ctx->local_port };
	struct choice choice = {};
	struct bpf_sock *socket;
	long refused;

	if (ctx->protocol != IPPROTO_TCP)
		return SK_PASS;
	if (ctx->family == AF_INET6) {
		COPY_IPV6(arrival.client, ctx->remote_ip6);
		COPY_IPV6(arrival.address, ctx->local_ip6);
	} else {
		COPY_IPV4(arrival.client, ctx->remote_ip4);
		COPY_IPV4(arrival.address, ctx->local_ip4);
	}
	if (!choose(&arrival, &choice))
		return SK_PASS;
	socket = bpf_map_lookup_elem(&sockets, &choice.socket);
	if (!socket) {
		count_missed(&choice, MISS_NO_SOCKET);
		return SK_PASS;
	}
	/* The loop is chosen: not once more by the kernel among those that share the address. */
	refused = bpf_sk_assign(ctx, socket, BPF_SK_LOOKUP_F_NO_REUSEPORT);
	bpf_sk_release(socket);
	if (refused)
		count_missed(&choice, MISS_REFUSED);
	else
		count_steered(&choice);
	return SK_PASS;
}

#endif
