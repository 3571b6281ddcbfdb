//! Pairs of a name and a value as a map of JSON, in their order both ways: tables show figures
//! in the order in which a scenario adds them. For `#[serde(with = "pairs")]`.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes them.
///
/// # Errors
/// As the serializer.
pub fn serialize<V: Serialize, S: Serializer>(
    pairs: &[(String, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// Reads them.
///
/// # Errors
/// It is no map, or a value is not what it should be.
pub fn deserialize<'d, V: Deserialize<'d>, D: Deserializer<'d>>(
    deserializer: D,
) -> Result<Vec<(String, V)>, D::Error> {
    deserializer.deserialize_map(InOrder(PhantomData))
}

struct InOrder<V>(PhantomData<V>);

impl<'d, V: Deserialize<'d>> Visitor<'d> for InOrder<V> {
    type Value = Vec<(String, V)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map of figures")
    }

    fn visit_map<M: MapAccess<'d>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}
