//! What came of a load in some span of time.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Microseconds that a histogram tells apart at most: ten minutes.
const LATENCY_US_MAX: u64 = 600_000_000;

/// Sums since the last time that they were taken.
#[derive(Debug, Clone)]
pub struct Counts {
    /// Responses that came to their end.
    pub responses: u64,
    /// Of these, compared byte by byte.
    pub verified: u64,
    /// Bytes that sockets gave out: sealed ones, where there is TLS.
    pub wire_bytes: u64,
    /// Requests that were asked late, since the viewer still waited for the one before.
    pub behind: u64,
    /// Requests that were left out, since even the late one was late.
    pub missed: u64,
    /// Connections that broke.
    pub broken: u64,
    /// How one of them broke.
    pub broken_how: Option<String>,
    /// From when a request was due to the first byte of its response, in microseconds.
    pub first_byte: Histogram<u64>,
    /// From when a request was due to the last byte of its response, in microseconds.
    pub last_byte: Histogram<u64>,
}

impl Default for Counts {
    fn default() -> Counts {
        let histogram = || {
            Histogram::new_with_max(LATENCY_US_MAX, 3)
                .expect("the bounds are constants that a histogram accepts (tested)")
        };
        Counts {
            responses: 0,
            verified: 0,
            wire_bytes: 0,
            behind: 0,
            missed: 0,
            broken: 0,
            broken_how: None,
            first_byte: histogram(),
            last_byte: histogram(),
        }
    }
}

impl Counts {
    pub(crate) fn note(histogram: &mut Histogram<u64>, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        histogram.saturating_record(micros);
    }
}

/// Quantiles of a delay, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half were faster.
    pub p50_ms: f64,
    /// 1 % were slower.
    pub p99_ms: f64,
    /// 0.1 % were slower.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// How many there were.
    pub count: u64,
}

impl Latency {
    /// Reads a histogram of microseconds.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Latency {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Latency {
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: histogram.max() as f64 / 1000.0,
            count: histogram.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles come out in milliseconds, within the histogram's 0.1 %.
    #[test]
    fn reads_quantiles() {
        let mut counts = Counts::default();
        for millis in 1..=1000 {
            Counts::note(&mut counts.first_byte, Duration::from_millis(millis));
        }
        let latency = Latency::of(&counts.first_byte);
        assert!((latency.p50_ms - 500.0).abs() < 1.0, "{latency:?}");
        assert!((latency.p99_ms - 990.0).abs() < 2.0, "{latency:?}");
        assert_eq!(latency.count, 1000);
    }
}
