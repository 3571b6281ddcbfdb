//! When viewers come, and for how long: ramps, steps and crowds, each a line of `COUNT@START+OVER`.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// So many viewers, evenly over a span of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrivals {
    /// How many.
    pub count: u32,
    /// When the first one comes, from the beginning.
    pub start: Duration,
    /// Over how long they are spread.
    pub over: Duration,
    /// Each leaves after so many segments; `None`: they stay.
    pub segments: Option<u32>,
    /// Percent of them that resume a session, as long as there are tickets.
    pub resumed: u8,
}

/// Why text is no arrivals.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not COUNT@START+OVER[/SEGMENTS][~RESUMED%], with times in seconds")]
pub struct ArrivalsError(String);

impl Arrivals {
    /// Viewers that come evenly over a span of time, from the beginning, and stay.
    #[must_use]
    pub fn ramp(count: u32, over: Duration) -> Arrivals {
        Arrivals {
            count,
            start: Duration::ZERO,
            over,
            segments: None,
            resumed: 0,
        }
    }

    /// When one of them comes.
    #[must_use]
    pub fn time_of(&self, index: u32) -> Duration {
        self.start
            + self
                .over
                .mul_f64(f64::from(index) / f64::from(self.count.max(1)))
    }

    /// Whether one of them is to resume: evenly, as many as are to.
    #[must_use]
    pub fn resumes(&self, index: u32) -> bool {
        let share = u64::from(self.resumed);
        let before = u64::from(index) * share / 100;
        (u64::from(index) + 1) * share / 100 > before
    }
}

impl FromStr for Arrivals {
    type Err = ArrivalsError;

    /// `1000@0+10`: a thousand over the first ten seconds. `5000@60+1`: a crowd after a minute.
    /// `50000@10+30/1~90%`: each has one segment and leaves, and nine of ten resume.
    fn from_str(text: &str) -> Result<Arrivals, ArrivalsError> {
        let read = || {
            let (rest, resumed) = match text.split_once('~') {
                Some((rest, share)) => (rest, share.strip_suffix('%')?.parse().ok()?),
                None => (text, 0),
            };
            let (rest, segments) = match rest.split_once('/') {
                Some((rest, segments)) => (rest, Some(segments.parse().ok()?)),
                None => (rest, None),
            };
            let (count, times) = rest.split_once('@')?;
            let (start, over) = times.split_once('+')?;
            let seconds = |text: &str| Duration::try_from_secs_f64(text.parse().ok()?).ok();
            Some(Arrivals {
                count: count.parse().ok()?,
                start: seconds(start)?,
                over: seconds(over)?,
                segments,
                resumed,
            })
        };
        read()
            .filter(|read: &Arrivals| read.resumed <= 100)
            .ok_or_else(|| ArrivalsError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A ramp, a crowd that leaves again, and rubbish.
    #[test]
    fn reads_arrivals() {
        let ramp: Arrivals = "1000@0+10".parse().unwrap();
        assert_eq!(ramp, Arrivals::ramp(1000, Duration::from_secs(10)));
        assert_eq!(ramp.time_of(500), Duration::from_secs(5));
        let crowd: Arrivals = "500@2.5+30/1~90%".parse().unwrap();
        assert_eq!((crowd.segments, crowd.resumed), (Some(1), 90));
        assert_eq!(crowd.start, Duration::from_millis(2500));
        let resumed = (0..500).filter(|index| crowd.resumes(*index)).count();
        assert_eq!(resumed, 450);
        for rubbish in ["", "5", "5@1", "x@1+1", "5@-1+1", "5@1+1~101%", "5@1+1~9"] {
            assert!(rubbish.parse::<Arrivals>().is_err(), "{rubbish}");
        }
    }
}
