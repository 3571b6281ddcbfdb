/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0 */
/*
 * What the programs and the daemon share: the keys and values of every map. The Rust side's
 * structures are generated from these; bpftool prints them by name.
 *
 * An address is four words in network order; an IPv4 one is mapped (::ffff:a.b.c.d).
 */
#ifndef ZONECAST_H
#define ZONECAST_H

/*
 * The version of what is pinned: one more whenever a map that outlives a daemon changes its layout
 * (zone_counters, affinities, socket_tags, peers, live).
 */
#define SCHEMA 1

/* Zones, listeners and loops at most. */
#define ZONES_MAX 64
#define LISTENERS_MAX 64
#define LOOPS_MAX 1024

/* No zone: a listener whose loops are in all of them. */
#define ZONE_NONE 0xffff

/* Why a connection went to its zone, first match first. */
enum steer_rule {
	RULE_LISTENER,  /* the listener belongs to the zone */
	RULE_STREAM,    /* the destination address is the stream's */
	RULE_ZONE,      /* the destination address is the zone's */
	RULE_AFFINITY,  /* this client last watched a stream of the zone here */
	RULE_INTERFACE, /* it came in on an interface of the zone */
	RULE_ANY,       /* nothing is known: the less loaded of two loops */
	RULES
};

/* Why a connection was left to the kernel's own choice of a listening socket. */
enum steer_miss {
	MISS_NO_LOOP,   /* the zone has no loop that accepts here */
	MISS_NO_SOCKET, /* the loop's socket is gone */
	MISS_REFUSED,   /* the kernel would not assign it */
	MISSES
};

/* What is counted of a zone, on each CPU. */
struct zone_counters {
	__u64 steered[RULES];    /* decisions, by enum steer_rule */
	__u64 missed[MISSES];    /* by enum steer_miss */
	__u64 established;       /* connections that were accepted */
	__u64 closed;            /* of these, gone */
	__u64 bytes_acked;       /* by viewers, of closed connections */
	__u64 retransmits;       /* packets sent again */
	__u64 rtt_us_sum;        /* smoothed round trips at close, microseconds */
	__u64 rtt_samples;       /* how many are in the sum */
};

/* A listener at one address. */
struct listener_key {
	__u32 address[4];
	__u16 port;
	__u16 pad;
};

/* Of struct port: a listener at any address, and of IPv4 alone; listeners at some. */
#define PORT_ANY 1
#define PORT_SOME 2
#define PORT_ANY_IPV4 4

/* No listener of ours: the kernel's own choice. */
#define LISTENER_NONE 0xffff

struct listener {
	__u16 index;
	__u16 zone;              /* or ZONE_NONE */
};

/* What there is at a port. */
struct port {
	struct listener any;
	struct listener any_ipv4;
	__u32 flags;
};

/* An address that names a zone, or a stream by its home zone. */
struct destination_key {
	__u32 address[4];
};

struct destination {
	__u16 zone;
	__u16 rule;              /* RULE_STREAM or RULE_ZONE */
};

/* A client's network (an IPv6 /64, an IPv4 address) and where it connected to. */
struct affinity_key {
	__u32 client[2];
	__u32 address[4];
	__u16 port;
	__u16 pad;
};

struct affinity {
	__u64 taught_ns;         /* on the coarse monotonic clock */
	__u32 zone;
	__u32 pad;
};

/* A zone's loops are numbered without a gap. */
struct zone_loops {
	__u32 first;
	__u32 count;
};

/* One cache line a loop, which the loop alone writes. */
struct loop_word {
	__u32 connections;       /* now */
	__u32 zone;
	__u64 accepted;          /* by this daemon, in all */
	__u32 pad[12];
};

/* What an accepted connection inherits from its listening socket. */
struct socket_tag {
	__u16 zone;
	__u16 loop;
	__u16 listener;
	__u16 pad;
};

/* Both ends of a connection, by its socket's cookie. */
struct peer {
	__u32 client[4];
	__u32 address[4];
	__u16 client_port;
	__u16 port;
	struct socket_tag tag;
	__u32 pad;
};

/* A connection as it is now: one record of the iterator. */
struct live {
	__u64 bytes_acked;
	__u32 retransmits;
	__u32 rtt_us;
	__u32 state;             /* as in linux/tcp_states.h */
	struct socket_tag tag;
	__u32 pad;
};

#endif
