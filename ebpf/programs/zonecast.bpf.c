// SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0
/* All programs in one object, since they share their maps. */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define AF_INET6 10

#include "steer.h"
#include "lookup.h"
#include "reuseport.h"
#include "life.h"
#include "live.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
