//! That counters add up: what was counted is what went over the wire, or was in flight at a cut.

use zonecast_dataplane::CounterSnapshot;
use zonecast_dataplane::counters::BytePath;
use zonecast_dataplane::simulation::{Door, Simulation};

use super::book::Book;

/// Bytes that one send has at most: it counts when it is over, and not at all when it is cut off.
const SEND_BYTES_MAX: u64 = 256 << 10;

/// What one kind of viewers' connections got.
struct Sum {
    connections: u64,
    bytes: u64,
    /// Of these connections, those that were cut off, or that nobody saw the end of.
    cut: u64,
}

/// What was counted against what was sent, received and uploaded.
///
/// # Errors
/// What does not add up.
pub(crate) fn audit(simulation: &Simulation, book: &Book, vandalism: usize) -> Result<(), String> {
    let counters = simulation.counters();
    let plain = sum(simulation, Door::Viewer);
    let counted = counted(&counters, BytePath::Plain);
    if counted > plain.bytes || counted + plain.cut * SEND_BYTES_MAX < plain.bytes {
        return Err(format!(
            "{counted} bytes are counted, {} went to {} plain viewers, {} of them cut off",
            plain.bytes, plain.connections, plain.cut
        ));
    }
    let sealed = sum(simulation, Door::ViewerTls);
    let counted = self::counted(&counters, BytePath::UserspaceTls);
    if counted > sealed.bytes || counted + sealed.cut * SEND_BYTES_MAX < book.opened {
        return Err(format!(
            "{counted} bytes are counted, {} viewers opened {} of {} sealed ones, {} were cut off",
            sealed.connections, book.opened, sealed.bytes, sealed.cut
        ));
    }
    audit_statuses(&counters, book)?;
    audit_ingest(&counters, book, vandalism)
}

/// Every answer that somebody heard is counted, by its status; one that nobody heard may be, too.
fn audit_statuses(counters: &[CounterSnapshot], book: &Book) -> Result<(), String> {
    let mut heard = book.answers.clone();
    for (status, count) in &book.told {
        *heard.entry(*status).or_default() += count;
    }
    let counted = |wanted: &dyn Fn(u16) -> bool| -> u64 {
        let zones = counters.iter().flat_map(|life| &life.zones);
        let responses = zones.flat_map(|zone| &zone.responses);
        let wanted = responses.filter(|(status, _)| wanted(*status));
        wanted.map(|(_, count)| count).sum()
    };
    let (all, all_counted) = (heard.values().sum::<u64>(), counted(&|_| true));
    if all_counted < all {
        return Err(format!(
            "{all} answers were heard, {all_counted} are counted"
        ));
    }
    for (status, heard) in heard {
        let counted = counted(&|of| of == status);
        if counted < heard {
            return Err(format!(
                "{status} was heard {heard} times, {counted} are counted"
            ));
        }
    }
    Ok(())
}

fn audit_ingest(counters: &[CounterSnapshot], book: &Book, vandalism: usize) -> Result<(), String> {
    let zones = counters.iter().flat_map(|life| &life.zones);
    let counted: u64 = zones.map(|zone| zone.ingest_bytes).sum();
    let of = |taken: bool| {
        let uploads = book
            .uploads
            .iter()
            .filter(|upload| !taken || upload.taken().is_some());
        uploads.map(|upload| upload.bytes.len() as u64).sum::<u64>()
    };
    let (taken, sent) = (of(true), of(false));
    if counted < taken || (vandalism == 0 && counted > sent) {
        return Err(format!(
            "{counted} bytes of uploads are counted, {taken} were taken and {sent} sent"
        ));
    }
    let no_init: u64 = counters
        .iter()
        .flat_map(|life| &life.ingest_errors)
        .filter(|(reason, _)| *reason == "no_init")
        .map(|(_, count)| count)
        .sum();
    let told = book.told.get(&412).copied().unwrap_or(0);
    if no_init < told {
        return Err(format!("412 was heard {told} times, {no_init} are counted"));
    }
    Ok(())
}

fn counted(counters: &[CounterSnapshot], path: BytePath) -> u64 {
    let rows = counters.iter().flat_map(|life| &life.bytes);
    rows.filter(|row| row.path == path)
        .map(|row| row.bytes)
        .sum()
}

fn sum(simulation: &Simulation, wanted: Door) -> Sum {
    let all = simulation.carried().into_iter();
    let of_door = all.filter(|(door, _)| *door == wanted);
    let mut sum = Sum {
        connections: 0,
        bytes: 0,
        cut: 0,
    };
    for (_, carried) in of_door {
        sum.connections += 1;
        sum.bytes += carried.bytes;
        sum.cut += u64::from(!carried.orderly);
    }
    sum
}
