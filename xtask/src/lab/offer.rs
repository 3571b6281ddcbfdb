//! A package that a mirror offers.

use crate::Result;

/// A package as `apt-get download --print-uris` names it.
#[derive(Debug, PartialEq)]
pub(super) struct Offer {
    pub(super) name: String,
    pub(super) file_name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Offer {
    /// Reads `'URI' NAME_VERSION_ARCH.deb BYTES SHA256:HEX`.
    pub(super) fn read(line: &str) -> Result<Offer> {
        let strange = || format!("apt-get download: {line}");
        let mut words = line.split(' ').skip(1);
        let file_name = words.next().ok_or_else(strange)?;
        let bytes = words.next().and_then(|w| w.parse().ok());
        let sha256 = words.next().and_then(|w| w.strip_prefix("SHA256:"));
        Ok(Offer {
            name: String::from(file_name.split('_').next().unwrap_or_default()),
            file_name: file_name.to_owned(),
            bytes: bytes.ok_or_else(strange)?,
            sha256: sha256.ok_or_else(strange)?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of apt's is a name, a size and a checksum; one without is an error.
    #[test]
    fn reads_offers() {
        let line = "'http://m/x/linux-kbuild-7%2bd_7-1_amd64.deb' linux-kbuild-7+d_7-1_amd64.deb 12 SHA256:ab";
        let offer = Offer::read(line).unwrap();
        assert_eq!((offer.name.as_str(), offer.bytes), ("linux-kbuild-7+d", 12));
        assert_eq!(offer.sha256, "ab");
        assert!(Offer::read("'http://m/x.deb' x.deb 12 MD5Sum:ab").is_err());
    }
}
