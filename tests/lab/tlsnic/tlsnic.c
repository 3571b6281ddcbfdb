// SPDX-License-Identifier: GPL-2.0
/*
 * tlsnic: pairs of virtual network cards whose transmit side seals kTLS records.
 *
 * tlsnicN and tlsnicNp are the two ends of a cable, as with veth. Each end says that it offloads
 * TLS (NETIF_F_HW_TLS_TX), and seals records on their way out by the kernel's own fallback,
 * tls_encrypt_skb(). Above the driver all is as with a real card: tls_device.c makes the records
 * and finds them again for retransmissions, and the plain bytes wait in the socket's pages until
 * they are acknowledged.
 *
 * Each end has a parent device on a NUMA node (parameter "nodes"), so that sysfs and hwloc place
 * it like a real card.
 *
 * Switches are parameters, all in /sys/module/tlsnic/parameters; N is always "every Nth segment
 * with sealed payload", and 0 is off. Counters of each end are in /sys/kernel/debug/tlsnic/NAME.
 */
#include <linux/debugfs.h>
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/platform_device.h>
#include <linux/seq_file.h>
#include <linux/tcp.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/tls.h>

#define PAIRS_MAX 8
#define HELD_MAX 4096

static int pairs = 1;
module_param(pairs, int, 0444);
MODULE_PARM_DESC(pairs, "pairs of cards");
static int nodes[PAIRS_MAX];
static int nodes_given;
module_param_array(nodes, int, &nodes_given, 0444);
MODULE_PARM_DESC(nodes, "NUMA node of each pair");
static int drop_nth;
module_param(drop_nth, int, 0644);
MODULE_PARM_DESC(drop_nth, "drop every Nth segment");
static int reorder_nth;
module_param(reorder_nth, int, 0644);
MODULE_PARM_DESC(reorder_nth, "send every Nth segment after the one that follows it");
static int hold_nth;
module_param(hold_nth, int, 0644);
MODULE_PARM_DESC(hold_nth, "keep every Nth segment in the card after it was sent");
static int hold_ms = 1000;
module_param(hold_ms, int, 0644);
MODULE_PARM_DESC(hold_ms, "how long, in milliseconds");
static int resync_nth;
module_param(resync_nth, int, 0644);
MODULE_PARM_DESC(resync_nth, "ask for a resync at every Nth segment");
static int contexts_max = -1;
module_param(contexts_max, int, 0644);
MODULE_PARM_DESC(contexts_max, "places in the table of contexts of each end; -1 is no limit");
static int ideal;
module_param(ideal, int, 0644);
MODULE_PARM_DESC(ideal, "1: send payload as it is, for measuring all that is not encryption");

#define COUNTERS(X)                                                                              \
	X(packets)		/* handed to the card, of all kinds */                           \
	X(bytes)		/* of them, with headers */                                      \
	X(sealed_segments)	/* with payload of an offloaded socket */                        \
	X(sealed_bytes)		/* record bytes seen for the first time, headers and tags too */ \
	X(again_bytes)		/* record bytes that were sent before */                         \
	X(seal_failures)	/* segments for which the kernel had no record or memory */      \
	X(contexts)		/* taken over, ever */                                           \
	X(contexts_now)                                                                          \
	X(refused)		/* contexts that had no place in the table */                    \
	X(unsupported)		/* contexts of a version or direction that is not offloaded */   \
	X(dropped)                                                                               \
	X(reordered)                                                                             \
	X(held)			/* kept after sending */                                         \
	X(held_now)                                                                              \
	X(held_changed)		/* whose bytes were no longer the same when let go */            \
	X(resyncs_asked)                                                                         \
	X(resyncs)		/* answered by the kernel */

struct counters {
#define FIELD(name) atomic64_t name;
	COUNTERS(FIELD)
#undef FIELD
};

/* One end of a cable. */
struct end {
	struct net_device *dev;
	struct end *peer;
	struct platform_device *parent;
	struct counters count;
	/* Waits for the segment after it; under the one queue's lock. */
	struct sk_buff *late;
	struct sk_buff_head held;
	struct delayed_work let_go;
};

/* What a held segment's control block keeps. */
struct held {
	unsigned long until;
	__wsum sum;
};

/* The driver's part of an offloaded socket; lives in the kernel's context. */
struct context {
	u32 next;
};

static struct end *ends[2 * PAIRS_MAX];
static struct dentry *debug;

static bool is_nth(const struct end *end, int nth)
{
	return nth > 0 && atomic64_read(&end->count.sealed_segments) % nth == 0;
}

/* --- contexts --------------------------------------------------------------------------- */

static int tls_add(struct net_device *dev, struct sock *sk, enum tls_offload_ctx_dir direction,
		   struct tls_crypto_info *info, u32 seq)
{
	struct end *end = netdev_priv(dev);
	struct context *context;

	if (direction != TLS_OFFLOAD_CTX_DIR_TX || info->version != TLS_1_2_VERSION) {
		atomic64_inc(&end->count.unsupported);
		return -EOPNOTSUPP;
	}
	if (contexts_max >= 0 && atomic64_read(&end->count.contexts_now) >= contexts_max) {
		atomic64_inc(&end->count.refused);
		return -ENOSPC;
	}
	context = tls_driver_ctx(sk, TLS_OFFLOAD_CTX_DIR_TX);
	context->next = seq;
	atomic64_inc(&end->count.contexts);
	atomic64_inc(&end->count.contexts_now);
	return 0;
}

static void tls_del(struct net_device *dev, struct tls_context *context,
		    enum tls_offload_ctx_dir direction)
{
	struct end *end = netdev_priv(dev);

	atomic64_dec(&end->count.contexts_now);
}

static int tls_resync(struct net_device *dev, struct sock *sk, u32 seq, u8 *record,
		      enum tls_offload_ctx_dir direction)
{
	struct end *end = netdev_priv(dev);

	atomic64_inc(&end->count.resyncs);
	return 0;
}

static const struct tlsdev_ops tls_ops = {
	.tls_dev_add = tls_add,
	.tls_dev_del = tls_del,
	.tls_dev_resync = tls_resync,
};

/* --- held segments ---------------------------------------------------------------------- */

/* What lies in the segment's pages now; changes if they are written again. */
static __wsum payload_sum(const struct sk_buff *skb, int offset)
{
	return skb_checksum(skb, offset, skb->len - offset, 0);
}

/*
 * Keeps a clone, which holds the pages but no right that they stay as they are, beyond what the
 * receiver acknowledges: as a card does that has not reported the segment as sent.
 */
static void hold(struct end *end, struct sk_buff *skb)
{
	struct sk_buff *clone;
	struct held *held;

	if (skb_queue_len(&end->held) >= HELD_MAX)
		return;
	clone = skb_clone(skb, GFP_ATOMIC);
	if (!clone)
		return;
	skb_set_owner_w(clone, skb->sk);
	BUILD_BUG_ON(sizeof(*held) > sizeof(clone->cb));
	held = (struct held *)clone->cb;
	held->until = jiffies + msecs_to_jiffies(hold_ms);
	held->sum = payload_sum(clone, skb_tcp_all_headers(clone));
	atomic64_inc(&end->count.held);
	atomic64_inc(&end->count.held_now);
	skb_queue_tail(&end->held, clone);
	schedule_delayed_work(&end->let_go, msecs_to_jiffies(hold_ms));
}

static void let_go_one(struct end *end, struct sk_buff *skb)
{
	struct held *held = (struct held *)skb->cb;

	if (payload_sum(skb, skb_tcp_all_headers(skb)) != held->sum)
		atomic64_inc(&end->count.held_changed);
	atomic64_dec(&end->count.held_now);
	kfree_skb(skb);
}

static void let_go(struct work_struct *work)
{
	struct end *end = container_of(to_delayed_work(work), struct end, let_go);
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&end->held))) {
		unsigned long until = ((struct held *)skb->cb)->until;

		if (time_before(jiffies, until)) {
			skb_queue_head(&end->held, skb);
			schedule_delayed_work(&end->let_go, until - jiffies);
			return;
		}
		let_go_one(end, skb);
	}
}

/* --- sending ---------------------------------------------------------------------------- */

static void forward(struct end *end, struct sk_buff *skb)
{
	struct net_device *dev = end->dev;
	unsigned int length = skb->len;

	skb_orphan(skb);
	if (dev_forward_skb(end->peer->dev, skb) == NET_RX_SUCCESS) {
		dev->stats.tx_packets++;
		dev->stats.tx_bytes += length;
	} else {
		dev->stats.tx_dropped++;
	}
}

/* Counts what is new and what was sent before, and moves the context on. */
static void account(struct end *end, struct sk_buff *skb, int payload)
{
	struct context *context = tls_driver_ctx(skb->sk, TLS_OFFLOAD_CTX_DIR_TX);
	u32 end_seq = ntohl(tcp_hdr(skb)->seq) + payload;
	int fresh = 0;

	if (after(end_seq, context->next)) {
		fresh = min_t(int, payload, end_seq - context->next);
		context->next = end_seq;
	}
	atomic64_inc(&end->count.sealed_segments);
	atomic64_add(fresh, &end->count.sealed_bytes);
	atomic64_add(payload - fresh, &end->count.again_bytes);
}

static void ask_for_resync(struct end *end, struct sk_buff *skb)
{
	u32 seq = ntohl(tcp_hdr(skb)->seq);

	if (tls_offload_tx_resync_pending(skb->sk))
		return;
	tls_offload_tx_resync_request(skb->sk, seq, seq);
	atomic64_inc(&end->count.resyncs_asked);
}

/* Seals one segment with payload; none comes back if it goes no further. */
static struct sk_buff *seal(struct end *end, struct sk_buff *skb, int payload)
{
	account(end, skb, payload);
	if (is_nth(end, resync_nth))
		ask_for_resync(end, skb);
	if (is_nth(end, drop_nth)) {
		atomic64_inc(&end->count.dropped);
		dev_kfree_skb_any(skb);
		return NULL;
	}
	if (is_nth(end, hold_nth))
		hold(end, skb);
	if (ideal)
		return skb;
	skb = tls_encrypt_skb(skb);
	if (!skb)
		atomic64_inc(&end->count.seal_failures);
	return skb;
}

/* Whether the packet is this card's to seal. That of a socket which another card was given leaves by
 * this one after a change of routes, and the kernel has sealed it already. */
static bool is_ours(struct sk_buff *skb, struct net_device *dev)
{
	if (!tls_is_skb_tx_device_offloaded(skb))
		return false;
	return rcu_access_pointer(tls_get_ctx(skb->sk)->netdev) == dev;
}

static netdev_tx_t transmit(struct sk_buff *skb, struct net_device *dev)
{
	struct end *end = netdev_priv(dev);
	struct sk_buff *late;
	bool nth = false;

	atomic64_inc(&end->count.packets);
	atomic64_add(skb->len, &end->count.bytes);
	if (is_ours(skb, dev)) {
		int payload = skb->len - skb_tcp_all_headers(skb);

		if (payload > 0) {
			skb = seal(end, skb, payload);
			if (!skb)
				return NETDEV_TX_OK;
			nth = is_nth(end, reorder_nth);
		}
	}
	late = end->late;
	end->late = NULL;
	if (nth && !late) {
		atomic64_inc(&end->count.reordered);
		skb_orphan(skb);
		end->late = skb;
		return NETDEV_TX_OK;
	}
	forward(end, skb);
	if (late)
		forward(end, late);
	return NETDEV_TX_OK;
}

/* --- devices ---------------------------------------------------------------------------- */

static int end_open(struct net_device *dev)
{
	netif_tx_start_all_queues(dev);
	netif_carrier_on(dev);
	return 0;
}

/* Nothing transmits any more when this is called. */
static int end_stop(struct net_device *dev)
{
	struct end *end = netdev_priv(dev);

	netif_tx_stop_all_queues(dev);
	kfree_skb(end->late);
	end->late = NULL;
	return 0;
}

static const struct net_device_ops end_ops = {
	.ndo_open = end_open,
	.ndo_stop = end_stop,
	.ndo_start_xmit = transmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static void set_up(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &end_ops;
	dev->tlsdev_ops = &tls_ops;
	dev->hw_features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM | NETIF_F_TSO |
			   NETIF_F_TSO6 | NETIF_F_HIGHDMA | NETIF_F_HW_TLS_TX;
	dev->features |= dev->hw_features;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->max_mtu = 65535;
	netif_set_tso_max_size(dev, 65536);
	eth_hw_addr_random(dev);
}

static int counters_show(struct seq_file *file, void *unused)
{
	struct end *end = file->private;

#define SHOW(name) seq_printf(file, #name " %lld\n", atomic64_read(&end->count.name));
	COUNTERS(SHOW)
#undef SHOW
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

static struct end *make_end(int number)
{
	int pair = number / 2, node = pair < nodes_given ? nodes[pair] : 0;
	struct platform_device *parent;
	struct net_device *dev;
	struct end *end;
	int error;

	parent = platform_device_alloc("tlsnic", number);
	if (!parent)
		return ERR_PTR(-ENOMEM);
	set_dev_node(&parent->dev, node_possible(node) ? node : NUMA_NO_NODE);
	error = platform_device_add(parent);
	if (error) {
		platform_device_put(parent);
		return ERR_PTR(error);
	}
	dev = alloc_netdev(sizeof(*end), "tlsnic%d", NET_NAME_ENUM, set_up);
	if (!dev) {
		platform_device_unregister(parent);
		return ERR_PTR(-ENOMEM);
	}
	snprintf(dev->name, IFNAMSIZ, number & 1 ? "tlsnic%dp" : "tlsnic%d", pair);
	SET_NETDEV_DEV(dev, &parent->dev);
	end = netdev_priv(dev);
	end->dev = dev;
	end->parent = parent;
	skb_queue_head_init(&end->held);
	INIT_DELAYED_WORK(&end->let_go, let_go);
	return end;
}

/* Both ends must know each other before either can be brought up. */
static int register_end(struct end *end)
{
	int error = register_netdev(end->dev);

	if (!error)
		debugfs_create_file(end->dev->name, 0444, debug, end, &counters_fops);
	return error;
}

static void remove_all(void)
{
	int number;

	debugfs_remove(debug);
	for (number = 0; number < 2 * PAIRS_MAX; number++)
		if (ends[number] && ends[number]->dev->reg_state == NETREG_REGISTERED)
			unregister_netdev(ends[number]->dev);
	for (number = 0; number < 2 * PAIRS_MAX; number++) {
		struct end *end = ends[number];
		struct platform_device *parent;
		struct sk_buff *skb;

		if (!end)
			continue;
		cancel_delayed_work_sync(&end->let_go);
		while ((skb = skb_dequeue(&end->held)))
			let_go_one(end, skb);
		parent = end->parent;
		free_netdev(end->dev);
		platform_device_unregister(parent);
		ends[number] = NULL;
	}
}

static int __init start(void)
{
	int number, error;

	if (pairs < 1 || pairs > PAIRS_MAX)
		return -EINVAL;
	debug = debugfs_create_dir("tlsnic", NULL);
	for (number = 0; number < 2 * pairs; number++) {
		struct end *end = make_end(number);

		if (IS_ERR(end)) {
			error = PTR_ERR(end);
			goto failed;
		}
		ends[number] = end;
		if (number & 1) {
			end->peer = ends[number - 1];
			end->peer->peer = end;
		}
	}
	for (number = 0; number < 2 * pairs; number++) {
		error = register_end(ends[number]);
		if (error)
			goto failed;
	}
	return 0;
failed:
	remove_all();
	return error;
}

static void __exit stop(void)
{
	remove_all();
}

module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("pairs of virtual network cards that offload kTLS transmission");
