//! What the fuzzer runs: a module for each target, whose `run` takes any bytes and panics if
//! something that must hold does not.

pub mod builder;
pub mod captures;
pub mod checksum;
pub mod fragments;
pub mod icmpv4;
pub mod impairment;
mod input;
pub mod ipv4;
pub mod link;
pub mod mutate;
mod naive;
pub mod options;
pub mod packets;
pub mod seeds;
pub mod stack;
pub mod tcp;

/// What takes an input.
pub type Run = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Run); 13] = [
    ("builder", builder::run),
    ("captures", captures::run),
    ("checksum", checksum::run),
    ("fragments", fragments::run),
    ("icmpv4", icmpv4::run),
    ("impairment", impairment::run),
    ("ipv4", ipv4::run),
    ("link", link::run),
    ("mutate", mutate::run),
    ("options", options::run),
    ("packets", packets::run),
    ("stack", stack::run),
    ("tcp", tcp::run),
];
