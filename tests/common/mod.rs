//! What the integration tests share.

// Each test target uses a part of it.
#![allow(dead_code)]

pub mod packets;
pub mod script;
