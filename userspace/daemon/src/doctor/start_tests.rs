//! The lines of a start.

use zonecast_dataplane::BytePath;
use zonecast_numa::ZoneId;

use super::*;
use crate::doctor::listeners::Card;
use crate::doctor::path::Choice;

fn zone(id: u16, node: Option<u32>) -> Zone {
    Zone {
        id: ZoneId(id),
        node,
        is_virtual: false,
        loop_cpus: vec![id.into()],
        control_cpus: vec![id.into()],
        nics: Vec::new(),
        warnings: Vec::new(),
    }
}

fn way(name: &str, zones: &[u16], path: BytePath, change: Option<&str>) -> Way {
    Way {
        device: Some(Card {
            name: name.to_owned(),
            node: zones.first().map(|zone| u32::from(*zone)),
            zones: zones.to_vec(),
            is_up: true,
            is_virtual: false,
            tls_hw_tx_offload: "on".to_owned(),
        }),
        choice: Choice {
            path,
            why: format!("because of {}", path.as_str()),
            change: change.map(str::to_owned),
        },
    }
}

fn listener(zone: Option<u16>, egress: Vec<Way>) -> Listener {
    Listener {
        name: "https".to_owned(),
        address: "[::]:8443".to_owned(),
        tls: true,
        zone,
        egress,
    }
}

/// Shows a line for each zone whose way is its own, with what would better it, and one for all zones
/// that have the same way.
#[test]
fn zones_alike_share_a_line() {
    let zones: Vec<Zone> = (0..4).map(|id| zone(id, Some(id.into()))).collect();
    let lo = way("lo", &[], BytePath::Ktls, None);
    let eth0 = way("eth0", &[2], BytePath::Ktls, Some("buy another"));
    let said = of_listener(&listener(None, vec![lo, eth0]), &zones);
    let because = "because of ktls (to change it: buy another)";
    assert_eq!(
        said,
        [
            format!(
                "byte path of zones 0-1,3, listener https: ktls by eth0 (of another zone): {because}"
            ),
            format!("byte path of zone 2, listener https: ktls by eth0 (its own): {because}"),
        ]
    );
}

/// Shows that devices alike are named together, many by their number, and others apart.
#[test]
fn devices_alike_are_named_together() {
    let zones = [zone(0, Some(0)), zone(1, Some(1))];
    let mut ways: Vec<Way> = (0..5)
        .map(|n| way(&format!("veth{n}"), &[], BytePath::Ktls, None))
        .collect();
    ways.push(way("eth1", &[1], BytePath::NicKtls, None));
    let said = of_listener(&listener(Some(1), ways), &zones);
    assert_eq!(
        said,
        [
            "byte path of zone 1, listener https: ktls by veth0 and 4 more (of no zone): because of ktls; \
          nic_ktls by eth1 (its own): because of nic_ktls"
        ]
    );
}

/// Shows that on one node places do not matter, that loopback counts where it is all there is, and that
/// a socket has no device.
#[test]
fn one_node_has_no_places() {
    let zones = [zone(0, Some(0)), zone(1, Some(0))];
    let lo = way("lo", &[], BytePath::Ktls, None);
    let said = of_listener(&listener(None, vec![lo]), &zones);
    assert_eq!(
        said,
        ["byte path of zones 0-1, listener https: ktls by lo: because of ktls"]
    );
    let mut socket = way("", &[], BytePath::Plain, None);
    socket.device = None;
    let said = of_listener(&listener(None, vec![socket]), &zones);
    assert_eq!(
        said,
        ["byte path of zones 0-1, listener https: plain: because of plain"]
    );
}
