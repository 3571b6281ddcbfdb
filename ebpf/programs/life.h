/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0 */
/* The life of accepted connections, counted by the zone that their listening socket is tagged with. */
#ifndef ZONECAST_LIFE_H
#define ZONECAST_LIFE_H

#include "steer.h"

static __always_inline void note_ends(struct bpf_sock_ops *ctx, const struct socket_tag *tag)
{
	struct peer peer = {
		.client_port = bpf_ntohl(ctx->remote_port),
		.port = ctx->local_port,
		.tag = *tag,
	};
	__u64 cookie = bpf_get_socket_cookie(ctx);

	if (ctx->family == AF_INET6) {
		COPY_IPV6(peer.client, ctx->remote_ip6);
		COPY_IPV6(peer.address, ctx->local_ip6);
	} else {
		COPY_IPV4(peer.client, ctx->remote_ip4);
		COPY_IPV4(peer.address, ctx->local_ip4);
	}
	bpf_map_update_elem(&peers, &cookie, &peer, BPF_ANY);
}

static __always_inline void count_closed(struct bpf_sock_ops *ctx, struct zone_counters *counters)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);

	counters->closed++;
	counters->bytes_acked += ctx->bytes_acked;
	counters->rtt_us_sum += ctx->srtt_us >> 3;
	counters->rtt_samples++;
	/* It may be noted from a time when they were wanted. */
	bpf_map_delete_elem(&peers, &cookie);
}

SEC("sockops")
int count_life(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *socket = ctx->sk;
	struct zone_counters *counters;
	const struct socket_tag *tag;

	if (ctx->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB &&
	    ctx->op != BPF_SOCK_OPS_RETRANS_CB && ctx->op != BPF_SOCK_OPS_STATE_CB)
		return 1;
	tag = socket ? bpf_sk_storage_get(&socket_tags, socket, 0, 0) : 0;
	counters = tag ? counters_of(tag->zone) : 0;
	if (!counters)
		return 1;
	switch (ctx->op) {
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		counters->established++;
		bpf_sock_ops_cb_flags_set(ctx, BPF_SOCK_OPS_STATE_CB_FLAG |
						       BPF_SOCK_OPS_RETRANS_CB_FLAG);
		if (peers_wanted)
			note_ends(ctx, tag);
		break;
	case BPF_SOCK_OPS_RETRANS_CB:
		counters->retransmits += ctx->args[1];
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[1] == BPF_TCP_CLOSE)
			count_closed(ctx, counters);
		break;
	}
	return 1;
}

#endif
