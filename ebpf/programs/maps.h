/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0 */
/*
 * The maps. The daemon pins them: counters for anybody to read, what decides where viewers go for root
 * alone. Sizes here are limits: the daemon sets those that depend on zones, loops and listeners.
 */
#ifndef ZONECAST_MAPS_H
#define ZONECAST_MAPS_H

#include "zonecast.h"

/* How many loops there are: the listening socket of loop l of listener i is at i * loops + l. */
const volatile __u32 loops_count = 1;
const volatile __u32 zones_count = 1;
/* How long what a client has watched counts. */
const volatile __u64 affinity_ns = 600000000000ULL;
/* Whether connections' ends are noted. */
const volatile bool peers_wanted = true;

/* One more than the zones: the last counts what was given to none. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ZONES_MAX + 1);
	__type(key, __u32);
	__type(value, struct zone_counters);
} zone_counters SEC(".maps");

/* By port; an array, which takes no call to look up. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct port);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * LISTENERS_MAX);
	__type(key, struct listener_key);
	__type(value, struct listener);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct destination_key);
	__type(value, struct destination);
} destinations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct affinity_key);
	__type(value, struct affinity);
} affinities SEC(".maps");

/* By the interface's index: its zone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ZONES_MAX);
	__type(key, __u32);
	__type(value, struct zone_loops);
} zones SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOOPS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct loop_word);
} loop_words SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, LISTENERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct socket_tag);
} socket_tags SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct peer);
} peers SEC(".maps");

/* Puts the iterator's record into the generated code, which has only what maps and globals reach. */
const volatile struct live live_record = {};

static __always_inline struct zone_counters *counters_of(__u32 zone)
{
	if (zone > zones_count)
		zone = zones_count;
	return bpf_map_lookup_elem(&zone_counters, &zone);
}

#endif
