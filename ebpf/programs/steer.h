/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0 */
/* The decision: from a connection's two ends to one loop's listening socket. */
#ifndef ZONECAST_STEER_H
#define ZONECAST_STEER_H

#include "maps.h"

/* What is known of a connection by its first packet. */
struct arrival {
	__u32 client[4];
	__u32 address[4];
	__u32 interface;         /* 0: not known */
	__u16 port;
};

/* Where it is to go. */
struct choice {
	__u32 zone;
	__u32 rule;
	__u32 socket;            /* index into sockets */
};

/*
 * A word of a context. What it is read into is fixed at once: else the compiler joins the reads of two
 * branches into one through a computed pointer, which the verifier refuses.
 */
#define CONTEXT_WORD(from)                             \
	({                                             \
		__u32 word = (from);                   \
		asm volatile("" : "+r"(word));         \
		word;                                  \
	})

#define COPY_IPV6(to, from)                            \
	do {                                           \
		(to)[0] = CONTEXT_WORD((from)[0]);     \
		(to)[1] = CONTEXT_WORD((from)[1]);     \
		(to)[2] = CONTEXT_WORD((from)[2]);     \
		(to)[3] = CONTEXT_WORD((from)[3]);     \
	} while (0)

#define COPY_IPV4(to, from)                            \
	do {                                           \
		(to)[0] = 0;                           \
		(to)[1] = 0;                           \
		(to)[2] = bpf_htonl(0xffff);           \
		(to)[3] = CONTEXT_WORD(from);          \
	} while (0)

static __always_inline bool is_mapped(const __u32 address[4])
{
	return !address[0] && !address[1] && address[2] == bpf_htonl(0xffff);
}

/* The listener at this very address, else the one at any. */
static __always_inline const struct listener *listener_of(const struct arrival *arrival)
{
	struct listener_key key = { .port = arrival->port };
	__u32 number = arrival->port;
	const struct port *port = bpf_map_lookup_elem(&ports, &number);
	const struct listener *exact = 0;

	if (!port)
		return 0;
	if (port->flags & PORT_SOME) {
		__builtin_memcpy(key.address, arrival->address, sizeof(key.address));
		exact = bpf_map_lookup_elem(&listeners, &key);
	}
	if (exact)
		return exact->index == LISTENER_NONE ? 0 : exact;
	if (port->flags & PORT_ANY_IPV4 && is_mapped(arrival->address))
		return &port->any_ipv4;
	return port->flags & PORT_ANY ? &port->any : 0;
}

/* The zone that the client was taught to go to, unless that was too long ago. */
static __always_inline bool zone_by_affinity(const struct arrival *arrival, __u32 *zone)
{
	struct affinity_key key = { .port = arrival->port };
	const struct affinity *affinity;

	if (is_mapped(arrival->client)) {
		key.client[0] = arrival->client[2];
		key.client[1] = arrival->client[3];
	} else {
		key.client[0] = arrival->client[0];
		key.client[1] = arrival->client[1];
	}
	__builtin_memcpy(key.address, arrival->address, sizeof(key.address));
	affinity = bpf_map_lookup_elem(&affinities, &key);
	if (!affinity || bpf_ktime_get_coarse_ns() - affinity->taught_ns >= affinity_ns)
		return false;
	*zone = affinity->zone;
	/* Of a time when there were more. */
	return affinity->zone < zones_count;
}

/* The first rule that knows the zone; RULE_ANY where none does. */
static __always_inline __u32 zone_of(const struct arrival *arrival,
				     const struct listener *listener, __u32 *zone)
{
	const struct destination *destination;
	const __u32 *near;

	if (listener->zone != ZONE_NONE) {
		*zone = listener->zone;
		return RULE_LISTENER;
	}
	destination = bpf_map_lookup_elem(&destinations, arrival->address);
	if (destination) {
		*zone = destination->zone;
		return destination->rule == RULE_STREAM ? RULE_STREAM : RULE_ZONE;
	}
	if (zone_by_affinity(arrival, zone))
		return RULE_AFFINITY;
	near = arrival->interface ? bpf_map_lookup_elem(&interfaces, &arrival->interface) : 0;
	if (near) {
		*zone = *near;
		return RULE_INTERFACE;
	}
	return RULE_ANY;
}

/* Of two loops taken at random from count, the one with fewer connections. */
static __always_inline const struct loop_word *less_loaded(__u32 first, __u32 count, __u32 *loop)
{
	const struct loop_word *left, *right;
	__u32 one = first, other = first + 1, random;

	if (count == 1) {
		*loop = one;
		return bpf_map_lookup_elem(&loop_words, &one);
	}
	random = bpf_get_prandom_u32();
	if (count > 2) {
		one = first + (random & 0xffff) % count;
		other = first + (random >> 16) % count;
	} else if (random & 1) {
		/* Of two equal ones now the one, now the other. */
		one = first + 1;
		other = first;
	}
	left = bpf_map_lookup_elem(&loop_words, &one);
	right = bpf_map_lookup_elem(&loop_words, &other);
	if (left && right && right->connections < left->connections) {
		*loop = other;
		return right;
	}
	*loop = one;
	return left;
}

/* Decides; false, and a count of why, where there is no loop. False without a count: not ours. */
static __always_inline bool choose(const struct arrival *arrival, struct choice *choice)
{
	const struct listener *listener = listener_of(arrival);
	const struct zone_loops *loops;
	const struct loop_word *word;
	struct zone_counters *counters;
	__u32 zone = ZONE_NONE, loop;

	if (!listener)
		return false;
	choice->rule = zone_of(arrival, listener, &zone);
	if (choice->rule == RULE_ANY) {
		word = less_loaded(0, loops_count, &loop);
	} else {
		loops = bpf_map_lookup_elem(&zones, &zone);
		word = loops && loops->count ? less_loaded(loops->first, loops->count, &loop) : 0;
	}
	if (!word) {
		counters = counters_of(zone);
		if (counters)
			counters->missed[MISS_NO_LOOP]++;
		return false;
	}
	choice->zone = word->zone;
	choice->socket = listener->index * loops_count + loop;
	return true;
}

static __always_inline void count_steered(const struct choice *choice)
{
	struct zone_counters *counters = counters_of(choice->zone);
	__u32 rule = choice->rule;

	if (counters && rule < RULES)
		counters->steered[rule]++;
}

static __always_inline void count_missed(const struct choice *choice, enum steer_miss why)
{
	struct zone_counters *counters = counters_of(choice->zone);

	if (counters)
		counters->missed[why]++;
}

#endif
