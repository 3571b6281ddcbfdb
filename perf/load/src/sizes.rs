//! How many bytes on the wire a response takes: measured where one is compared, and what the
//! counted ones are held to.
//!
//! Each object has a size of its own, since a head may name a generation or a date of
//! modification, with as many digits as that takes.

use crate::Spec;

/// The sizes that are known.
#[derive(Debug)]
pub(crate) struct Sizes {
    /// One for each object; only one where it does not matter which object comes.
    known: Vec<Option<u64>>,
    /// How many are not known yet.
    missing: usize,
    /// Each response has a size of its own: so many there were, of so many bytes in all.
    differing: Option<(u64, u64)>,
}

impl Sizes {
    /// For so many objects; `any` where the server chooses the object.
    pub(crate) fn new(objects: usize, any: bool) -> Sizes {
        let missing = if any { 1 } else { objects.max(1) };
        Sizes {
            known: vec![None; missing],
            missing,
            differing: None,
        }
    }

    /// What a load's responses take.
    pub(crate) fn of_load(spec: &Spec) -> Sizes {
        let sizes = Sizes::new(spec.objects.count(), spec.any_object);
        Sizes {
            differing: (!spec.same_sizes).then_some((0, 0)),
            ..sizes
        }
    }

    /// What a response with this object takes.
    pub(crate) fn of(&self, object: usize) -> Option<u64> {
        self.known[object % self.known.len()]
    }

    /// Every size is known. A viewer may begin to count then and not before: once it has thrown
    /// away a record it can open none any more, so an object without a size must not follow.
    pub(crate) fn are_complete(&self) -> bool {
        self.missing == 0
    }

    /// A response with this object took `bytes`; an error if others took more or less.
    pub(crate) fn measured(&mut self, object: usize, bytes: u64) -> Result<(), String> {
        if let Some((count, sum)) = &mut self.differing {
            *count += 1;
            *sum += bytes;
            return Ok(());
        }
        let index = object % self.known.len();
        let due = *self.known[index].get_or_insert_with(|| {
            self.missing -= 1;
            bytes
        });
        if due == bytes {
            return Ok(());
        }
        Err(format!(
            "a response with object {object} took {bytes} bytes on the wire, another {due}"
        ))
    }

    /// Of all that are known, the mean.
    pub(crate) fn mean(&self) -> Option<f64> {
        if let Some((count, sum)) = self.differing {
            return (count > 0).then(|| sum as f64 / count as f64);
        }
        let known = self.known.iter().flatten();
        let count = known.clone().count();
        (count > 0).then(|| known.sum::<u64>() as f64 / count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each object is held to its own size, or all to one.
    #[test]
    fn sizes_are_held() {
        let mut sizes = Sizes::new(3, false);
        assert_eq!((sizes.of(1), sizes.mean()), (None, None));
        assert_eq!(sizes.measured(1, 100), Ok(()));
        assert_eq!(sizes.measured(2, 102), Ok(()));
        assert_eq!(sizes.measured(4, 100), Ok(()));
        assert!(sizes.measured(4, 101).is_err());
        assert_eq!((sizes.of(4), sizes.of(0)), (Some(100), None));
        assert_eq!(sizes.mean(), Some(101.0));
        assert!(!sizes.are_complete());
        assert_eq!(sizes.measured(0, 100), Ok(()));
        assert!(sizes.are_complete());
        let mut differing = Sizes::new(1, false);
        differing.differing = Some((0, 0));
        assert_eq!(differing.measured(0, 100), Ok(()));
        assert_eq!(differing.measured(0, 110), Ok(()));
        assert_eq!(
            (differing.mean(), differing.are_complete()),
            (Some(105.0), false)
        );
        let mut same = Sizes::new(3, true);
        assert_eq!(same.measured(1, 100), Ok(()));
        assert!(same.are_complete());
        assert!(same.measured(2, 102).is_err());
    }
}
