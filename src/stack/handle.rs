/// A connection's handle: dead once its user has closed it, and never another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// First, so that handles are in the order of their connections' beginning.
    pub(super) generation: u32,
    pub(super) index: u32,
}

/// A listener's handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId {
    pub(super) index: u32,
    pub(super) generation: u32,
}
