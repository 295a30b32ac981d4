//! Bytes on their way to a worker: small ones copied, large ones kept where they are.
use std::sync::Arc;

/// Anything that holds bytes still, wherever they came from.
pub type Shared = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Above this a payload is sent from where it lies, in a frame of its own.
pub const LARGE: usize = 64 * 1024;

/// The payload of a task or the blob of a definition; cheap to clone when large.
#[derive(Clone)]
pub enum Payload {
    /// Copied.
    Small(Box<[u8]>),
    /// Shared.
    Large(Shared),
}

impl Payload {
    /// Wraps bytes that are at hand anyway.
    pub fn from_vec(bytes: Vec<u8>) -> Payload {
        if bytes.len() > LARGE {
            Payload::Large(Arc::new(bytes))
        } else {
            Payload::Small(bytes.into())
        }
    }

    /// Copies small bytes, and shares the owner of large ones.
    pub fn new<T: AsRef<[u8]> + Send + Sync + 'static>(owner: T) -> Payload {
        if owner.as_ref().len() > LARGE {
            Payload::Large(Arc::new(owner))
        } else {
            Payload::Small(owner.as_ref().into())
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Payload::Small(bytes) => bytes,
            Payload::Large(shared) => (**shared).as_ref(),
        }
    }
}
