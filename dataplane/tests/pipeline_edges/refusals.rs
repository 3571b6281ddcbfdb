//! What an encoder is told: credentials, types, sizes, methods.

use crate::pipeline_support::{Client, Response, Running, bytes, chunk, config, put_head, stream};

fn put(encoder: &mut Client, path: &str, fields: &str, body: &[u8]) -> Response {
    let length = body.len();
    encoder.send(
        format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{fields}\r\n")
            .as_bytes(),
    );
    encoder.send(body);
    encoder.response()
}

const BEARER: &str = "Authorization: Bearer secret\r\n";
/// `any:secret` and `any:wrong`.
const BASIC: &str = "Authorization: Basic YW55OnNlY3JldA==\r\n";
const BASIC_WRONG: &str = "Authorization: Basic YW55Ondyb25n\r\n";

/// Each way to give a token, right, wrong and not at all, on one kept connection.
#[test]
fn tokens() {
    let mut config = config();
    config.streams = vec![stream("mine")];
    config.ingest.open_token = None;
    let running = Running::start(config);
    let mut encoder = running.encoder();
    let none = put(&mut encoder, "/live/mine/a.ts", "", b"body");
    assert_eq!(none.status, 401);
    assert!(none.field("WWW-Authenticate").unwrap().starts_with("Basic"));
    for (fields, status) in [
        ("Authorization: Bearer wrong\r\n", 403),
        (BASIC_WRONG, 403),
        (BEARER, 201),
        (BASIC, 204),
    ] {
        let got = put(&mut encoder, "/live/mine/a.ts", fields, b"body");
        assert_eq!(got.status, status, "{fields}");
    }
    let by_path = |encoder: &mut Client, token| {
        let path = format!("/ingest/{token}/mine/b.ts");
        put(encoder, &path, "", b"body").status
    };
    assert_eq!(by_path(&mut encoder, "wrong"), 403);
    assert_eq!(by_path(&mut encoder, "secret"), 201);
    // No such stream: it is not said whether it exists.
    assert_eq!(
        put(&mut encoder, "/live/other/a.ts", BEARER, b"b").status,
        403
    );
    // An encoder may read its own, with its token; a viewer cannot use the token's path.
    assert_eq!(encoder.get("/live/mine/a.ts", "").status, 401);
    assert_eq!(encoder.get("/live/mine/a.ts", BEARER).body, b"body");
    assert_eq!(running.get("/ingest/secret/mine/a.ts").status, 404);
    let status = running.dataplane.streams().remove(0);
    assert!(
        status
            .refusals
            .iter()
            .any(|(r, n)| r == "unauthorised" && *n == 5),
        "{status:?}"
    );
    running.stop();
}

/// 100-continue: the word comes before the body, or the refusal does.
#[test]
fn expect_continue() {
    let running = Running::start(config());
    let head = |token: &str| {
        format!(
            "PUT /live/a/x.ts HTTP/1.1\r\nHost: x\r\n{token}Expect: 100-continue\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        )
    };
    let mut encoder = running.encoder();
    encoder.send(head(BEARER).as_bytes());
    assert!(encoder.head().starts_with("HTTP/1.1 100 "));
    encoder.send(&chunk(b"body"));
    encoder.send(b"0\r\n\r\n");
    assert_eq!(encoder.response().status, 201);
    encoder.send(head("").as_bytes());
    let refused = encoder.response();
    assert_eq!(
        (refused.status, refused.field("Connection")),
        (401, Some("close"))
    );
    assert!(encoder.is_ended());
    assert_eq!(running.get("/live/a/x.ts").body, b"body");
    running.stop();
}

/// Types, sizes and methods; the connection goes on after a refusal that took its body.
#[test]
fn types_sizes_methods() {
    let mut config = config();
    config.limits.pinned_bytes_max = 10_000;
    config.limits.object_bytes_max = 100_000;
    let running = Running::start(config);
    let mut encoder = running.encoder();
    let typed = format!("{BEARER}Content-Type: text/html\r\n");
    assert_eq!(
        put(&mut encoder, "/live/a/x.ts", &typed, b"body").status,
        415
    );
    let typed = format!("{BEARER}Content-Type: video/mp2t\r\n");
    assert_eq!(
        put(&mut encoder, "/live/a/x.ts", &typed, b"body").status,
        201
    );
    // By its length, before a byte is taken.
    let large = put(&mut encoder, "/live/a/y.ts", BEARER, &bytes(1, 100_001));
    assert_eq!(large.status, 413);
    assert_eq!(
        put(&mut encoder, "/live/a/z.ts", BEARER, &bytes(1, 100_000)).status,
        201
    );
    // By what comes.
    for (path, len) in [("/live/a/live.m3u8", 10_001), ("/live/a/y.ts", 100_001)] {
        let mut encoder = running.encoder();
        encoder.send(&put_head(path, "Transfer-Encoding: chunked\r\n"));
        encoder.send(&chunk(&bytes(1, len)));
        encoder.send(&chunk(&bytes(2, 50_000)));
        encoder.send(b"0\r\n\r\n");
        let large = encoder.response();
        assert_eq!(
            (large.status, large.field("Connection")),
            (413, Some("close")),
            "{path}"
        );
    }
    assert_eq!(running.get("/live/a/y.ts").status, 404);
    for method in ["PATCH", "BREW"] {
        let mut encoder = running.encoder();
        assert_eq!(encoder.request(method, "/live/a/x.ts", BEARER).status, 501);
        assert!(encoder.is_ended());
    }
    let options = running.encoder().request("OPTIONS", "/live/a/x.ts", "");
    assert!(options.field("Allow").unwrap().contains("PUT"));
    running.stop();
}

/// A segment before its init segment is taken, and the encoder is told; after it, all is well.
#[test]
fn init_segments() {
    let running = Running::start(config());
    assert_eq!(running.put("/live/a/seg0.m4s", &bytes(1, 5000)), 412);
    let init = [&[0, 0, 0, 24][..], b"ftypiso5", &bytes(2, 900)].concat();
    assert_eq!(running.put("/live/a/init.mp4", &init), 201);
    assert_eq!(running.put("/live/a/seg1.m4s", &bytes(3, 5000)), 201);
    assert_eq!(running.get("/live/a/init.mp4").body, init);
    assert!(running.get("/live/a/seg0.m4s").body == bytes(1, 5000));
    let status = running.dataplane.streams().remove(0);
    assert_eq!(status.pinned, ["init.mp4"]);
    assert!(
        status.refusals.contains(&("no_init".to_owned(), 1)),
        "{status:?}"
    );
    running.stop();
}

/// One stream, track or pinned object too many.
#[test]
fn too_many() {
    let mut config = config();
    config.ingest.streams_max = 2;
    config.limits.pinned_max = 2;
    config.streams = vec![zonecast_dataplane::StreamConfig {
        tracks_max: 2,
        ..stream("s")
    }];
    let running = Running::start(config);
    assert_eq!(running.put("/live/made/x.ts", b"body"), 201);
    assert_eq!(running.put("/live/more/x.ts", b"body"), 503);
    for (n, status) in [201, 201, 503].into_iter().enumerate() {
        assert_eq!(running.put(&format!("/live/s/{n}/x.ts"), b"body"), status);
        assert_eq!(running.put(&format!("/live/s/{n}.m3u8"), b"body"), status);
    }
    running.stop();
}
