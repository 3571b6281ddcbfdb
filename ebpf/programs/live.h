/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0 */
/* A record of every accepted connection as it is now, for whoever reads the pinned iterator. */
#ifndef ZONECAST_LIVE_H
#define ZONECAST_LIVE_H

#include "kernel.h"
#include "maps.h"

SEC("iter/tcp")
int list_live(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct live live = {};
	struct tcp_sock *tcp;
	const struct socket_tag *tag;

	tcp = common ? bpf_skc_to_tcp_sock(common) : 0;
	if (!tcp || common->skc_state == BPF_TCP_LISTEN)
		return 0;
	tag = bpf_sk_storage_get(&socket_tags, tcp, 0, 0);
	if (!tag)
		return 0;
	live.bytes_acked = tcp->bytes_acked;
	live.retransmits = tcp->total_retrans;
	live.rtt_us = tcp->srtt_us >> 3;
	live.state = common->skc_state;
	live.tag = *tag;
	bpf_seq_write(ctx->meta->seq, &live, sizeof(live));
	return 0;
}

#endif
