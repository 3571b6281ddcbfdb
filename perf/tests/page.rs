//! Shows that the page is served with its streams and its player, and that the player is
//! the file that `demo/README.md` names.
#![allow(clippy::unwrap_used, missing_docs)]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use zonecast_perf::client::{Connection, Target, Want};
use zonecast_perf::ledger::hex;
use zonecast_perf::page::Page;

/// Both files come over IPv4 (and IPv6 where there is one); other paths and methods do not.
#[tokio::test]
async fn serves_page_and_player() {
    let url = "http://localhost:1/live/a</script>/live.m3u8";
    let page = Page::start(&[("a".to_owned(), url.to_owned())])
        .await
        .unwrap();
    let port: u16 = page
        .url()
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let mut addresses: Vec<SocketAddr> = vec![(Ipv4Addr::LOCALHOST, port).into()];
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        addresses.push((Ipv6Addr::LOCALHOST, port).into());
    }
    for address in addresses {
        let get = async |method: &str, path: &str| {
            let mut connection = Connection::open(&Target::plain(address)).await.unwrap();
            connection
                .request(method, path, &[], Want::BODY)
                .await
                .unwrap()
        };
        let html = get("GET", "/?x").await;
        assert_eq!(html.status(), 200);
        let text = String::from_utf8(html.body).unwrap();
        assert!(text.contains("http://localhost:1/live/a<\\/script>/live.m3u8"));
        assert!(!text.contains("/*STREAMS*/"));
        let player = get("GET", "/hls.min.js").await;
        assert_eq!(
            player.field("content-type"),
            Some("text/javascript; charset=utf-8")
        );
        assert!(include_str!("../demo/README.md").contains(&hex(&player.sha256)));
        assert_eq!(get("GET", "/../Cargo.toml").await.status(), 404);
        assert_eq!(get("POST", "/").await.status(), 400);
    }
}
