//! A stand-in for the daemon with its command line, for tests of the demo without the
//! daemon: `standin serve --config FILE` does everything in memory, and does it wrong where
//! the variable `STANDIN_FAULT` says so (`flip:index1`).
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

#[path = "../tests/origin/mod.rs"]
mod origin;

use origin::{Fault, Origin, Role};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    assert_eq!(&arguments[1..3], ["serve", "--config"]);
    let config: toml::Table = std::fs::read_to_string(&arguments[3])
        .unwrap()
        .parse()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(serve(&config));
}

async fn serve(config: &toml::Table) {
    let fault = std::env::var("STANDIN_FAULT").map_or(Fault::None, |text| Fault::parse(&text));
    let token = config["streams"][0]["token_sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    let origin = Origin::new(fault, Some(token));
    let certificate = &config["certificates"][0];
    let file = |name: &str| Path::new(certificate[name].as_str().unwrap()).to_owned();
    let tls = origin::acceptor(&file("chain_file"), &file("key_file"));
    let bind = |table: &toml::Value| {
        let address: SocketAddr = table["listen"].as_str().unwrap().parse().unwrap();
        TcpListener::bind(address).unwrap()
    };
    for listener in config["listeners"].as_array().unwrap() {
        let tls = listener["tls"].as_bool().unwrap().then(|| tls.clone());
        origin.listen(bind(listener), Role::Viewers, tls);
    }
    origin.listen(bind(&config["ingest"]), Role::Ingest, None);
    origin.listen(bind(&config["admin"]), Role::Admin, None);
    let terminate = tokio::signal::unix::SignalKind::terminate();
    tokio::signal::unix::signal(terminate).unwrap().recv().await;
}
