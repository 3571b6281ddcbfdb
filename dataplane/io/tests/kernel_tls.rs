//! Handing the sending side over: the kernel takes it, or says why not and nothing has changed.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Read;

use common::{Bench, SEND, config};
use zonecast_io::{
    Descriptors, Driver, Event, KernelKey, KernelTls, Outgoing, TlsCipher, TlsVersion, Token,
};

const HANDOVER: Token = Token(60);
const RECORD: Token = Token(61);
const ALERT: u8 = 21;
const APPLICATION_DATA: u8 = 23;

/// Shows that the answer is the same as a probe's; that a connection which the kernel has refused goes
/// on as it was; and that one which it has taken turns bytes and alerts into records of their types.
#[test]
fn the_kernel_takes_a_connection_or_leaves_it() {
    let (version, cipher) = (TlsVersion::Tls13, TlsCipher::Aes128Gcm);
    let seals = KernelTls::probe().seals(version, cipher);
    if !seals {
        println!("SKIP the records: {:?}", KernelTls::probe().refusal());
    }
    for descriptors in [Descriptors::Direct, Descriptors::Plain] {
        let mut bench = Bench::<()>::new(config());
        let (_, address) = bench.listen("127.0.0.1", descriptors);
        let (mut client, conn) = bench.connect(address);
        let key = KernelKey::new(version, cipher, &[7; 16], &[1; 12], 0);
        bench.driver.seal_in_kernel(conn, Box::new(key), HANDOVER);
        let Event::SealedByKernel(result) = bench.wait(HANDOVER) else {
            panic!("a hand-over ends as one");
        };
        assert_eq!(result.is_ok(), seals, "{descriptors:?}: {result:?}");
        let buffer = bench.filled(b"hello");
        bench
            .driver
            .send(conn, Outgoing::Buffer(buffer), false, SEND);
        assert!(matches!(
            bench.wait(SEND),
            Event::Sent { result: Ok(5), .. }
        ));
        if !seals {
            let mut came = [0; 5];
            client.read_exact(&mut came).unwrap();
            assert_eq!(came, *b"hello");
            continue;
        }
        bench.driver.send_record(conn, ALERT, &[1, 0], RECORD);
        assert!(matches!(bench.wait(RECORD), Event::RecordSent(Ok(()))));
        for length in [5, 2] {
            let mut header = [0; 5];
            client.read_exact(&mut header).unwrap();
            let sealed = length + 1 + 16;
            assert_eq!(header, [APPLICATION_DATA, 3, 3, 0, sealed]);
            client.read_exact(&mut vec![0; sealed.into()]).unwrap();
        }
    }
}
