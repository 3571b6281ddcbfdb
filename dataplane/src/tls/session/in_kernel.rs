//! The sending side in the kernel: when it is handed over, and what a session still does for it.

use rustls::AlertDescription;
use zonecast_io::{KernelKey, TlsCipher, TlsVersion};

use super::{Sending, Session};
use crate::tls::TlsError;
use crate::tls::kernel::{self, KernelSealer};

impl Session {
    /// What the kernel would seal; `None` where it has no such cipher.
    pub fn kernel_kind(&self) -> Option<(TlsVersion, TlsCipher)> {
        kernel::kind(self.agreed.version, self.agreed.suite)
    }

    /// The sending key for the kernel, once, and only as long as nothing was sealed here.
    pub fn take_kernel_key(&mut self) -> Option<Box<KernelKey>> {
        self.kernel_key.take()
    }

    /// The kernel has taken the key: it seals from here on, and nothing can be sealed here any more.
    /// `rekeys`: it would take another key too.
    pub fn kernel_seals(&mut self, rekeys: bool) {
        if let Sending::Ours(sealer) = &self.sending {
            self.sending = Sending::Kernel(KernelSealer::new(sealer.records_max(), rekeys));
        }
    }

    /// Whether the kernel seals.
    pub fn is_sealed_by_kernel(&self) -> bool {
        matches!(self.sending, Sending::Kernel(_))
    }

    /// So many bytes were given to the kernel with one call.
    pub fn add_kernel_bytes(&mut self, bytes: u64) {
        if let Sending::Kernel(kernel) = &mut self.sending {
            kernel.add_bytes(bytes);
        }
    }

    /// A KeyUpdate is to be sent, and then the kernel to be given [`Self::next_kernel_key`].
    pub fn kernel_key_update_due(&self) -> bool {
        match &self.sending {
            Sending::Ours(_) => false,
            Sending::Kernel(kernel) => {
                let can = self.rekey.is_some() && kernel.rekeys();
                can && (self.answer_due || kernel.key_is_worn())
            }
        }
    }

    /// The key after the kernel's present one (TLS 1.3). It is in use from this call on.
    ///
    /// # Errors
    /// [`TlsError::NotInThisVersion`] in TLS 1.2; [`TlsError::Crypto`].
    pub fn next_kernel_key(&mut self) -> Result<Box<KernelKey>, TlsError> {
        let (sequence, secrets) = self.next_sending_secrets()?;
        let key = kernel::key(self.agreed.version, self.agreed.suite, sequence, &secrets);
        if let Sending::Kernel(kernel) = &mut self.sending {
            kernel.key_changed();
        }
        self.answer_due = false;
        key.ok_or(TlsError::Crypto("the kernel has no such key"))
    }

    /// An alert's message, to be sent as a record of its own. All but warnings end the sending side.
    ///
    /// # Errors
    /// [`TlsError::Ended`] when it has ended already.
    pub fn kernel_alert(&mut self, alert: AlertDescription) -> Result<[u8; 2], TlsError> {
        match &mut self.sending {
            Sending::Kernel(kernel) => kernel.alert(alert),
            Sending::Ours(_) => Err(TlsError::Unexpected("an alert for the kernel")),
        }
    }
}
