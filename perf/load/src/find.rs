//! The largest count that passes: doubled until one fails, then halved in between.

/// Looks for the largest count of at most `max` that passes, to within `precision` (a share of
/// it), beginning with `start`. `None`: not even the smallest passes. More is taken to be never
/// easier.
///
/// # Errors
/// As `passes`.
pub fn largest<E>(
    start: u32,
    max: u32,
    precision: f64,
    mut passes: impl FnMut(u32) -> Result<bool, E>,
) -> Result<Option<u32>, E> {
    let (mut good, mut bad) = (None, None);
    let mut next = start.clamp(1, max.max(1));
    loop {
        if passes(next)? {
            good = Some(next);
        } else {
            bad = Some(next);
        }
        let within = |good: u32, bad: u32| {
            let room = f64::from(bad - good);
            bad - good <= 1 || room <= f64::from(good) * precision
        };
        next = match (good, bad) {
            (Some(good), _) if good >= max => return Ok(Some(good)),
            (Some(good), None) => good.saturating_mul(2).min(max),
            (Some(good), Some(bad)) if within(good, bad) => return Ok(Some(good)),
            (Some(good), Some(bad)) => good + (bad - good) / 2,
            (None, Some(1)) => return Ok(None),
            (None, Some(bad)) => bad / 2,
            (None, None) => return Ok(None),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn find(limit: u32, start: u32, max: u32, precision: f64) -> (Option<u32>, usize) {
        let mut tries = 0;
        let found = largest(start, max, precision, |count| {
            tries += 1;
            Ok::<_, ()>(count <= limit)
        });
        (found.unwrap(), tries)
    }

    /// From below and from above, to the count itself or close to it, in few tries.
    #[test]
    fn finds_the_limit() {
        for limit in [1, 2, 3, 999, 1000, 1001, 4999] {
            for start in [1, 100, 5000] {
                assert_eq!(find(limit, start, 5000, 0.0).0, Some(limit), "{start}");
                let (found, tries) = find(limit, start, 5000, 0.02);
                let found = found.unwrap();
                assert!(found <= limit && f64::from(limit) <= f64::from(found) * 1.02 + 1.0);
                assert!(tries <= 25, "{tries}");
            }
        }
        assert_eq!(find(9000, 10, 5000, 0.02).0, Some(5000));
        assert_eq!(find(0, 10, 5000, 0.02).0, None);
    }

    /// An error of a try ends the search.
    #[test]
    fn an_error_ends_it() {
        assert_eq!(largest(1, 9, 0.0, |_| Err("no")), Err("no"));
    }
}
