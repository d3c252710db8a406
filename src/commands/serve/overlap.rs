//! Whether the server's network is in use already.

use std::net::Ipv4Addr;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

use crate::commands::Failure;
use crate::commands::serve::args::{Args, Subnet};

/// Addresses that are seldom in use.
pub const ELSEWHERE: &str = "--host-address 10.7.0.1/24 --address 10.7.0.2";

/// Refuses a network that another interface of this machine is in: the new interface would take
/// over the way to the hosts there, and the way out with them if the router is one.
///
/// # Errors
/// There is such an interface.
pub fn check(args: &Args) -> Result<(), Failure> {
    // An interface that can't be looked at is none to be afraid of.
    let interfaces = getifaddrs().into_iter().flatten();
    let others = interfaces.filter_map(|interface| {
        let network = network(interface.address, interface.netmask)?;
        Some((interface.interface_name, network))
    });
    match find(args.host_address, &args.tun, others) {
        None => Ok(()),
        Some((name, network)) => Err(Failure(format!(
            "{} overlaps the network of {name}, {network}: choose another, as with {ELSEWHERE}",
            args.host_address
        ))),
    }
}

/// The first of `others` that shares addresses with `ours`. The interface `own` is left out:
/// it may have been made beforehand.
fn find(
    ours: Subnet,
    own: &str,
    mut others: impl Iterator<Item = (String, Subnet)>,
) -> Option<(String, Subnet)> {
    others.find(|(name, network)| name != own && ours.overlaps(*network))
}

fn network(address: Option<SockaddrStorage>, mask: Option<SockaddrStorage>) -> Option<Subnet> {
    let ip = |address: SockaddrStorage| Some(address.as_sockaddr_in()?.ip());
    let mask: Ipv4Addr = ip(mask?)?;
    Some(Subnet {
        address: ip(address?)?,
        // At most 32.
        prefix: mask.to_bits().leading_ones() as u8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        let (address, prefix) = text.split_once('/').unwrap();
        Subnet {
            address: address.parse().unwrap(),
            prefix: prefix.parse().unwrap(),
        }
    }

    #[test]
    fn networks_that_share_an_address_overlap() {
        let table = [
            ("192.168.0.1/24", "192.168.0.23/24", true),
            ("192.168.0.1/24", "192.168.1.23/24", false),
            ("192.168.0.1/24", "192.168.7.7/16", true),
            ("192.168.7.7/16", "192.168.0.1/24", true),
            ("192.168.0.1/24", "192.168.0.9/32", true),
            ("192.168.0.1/24", "192.168.1.9/32", false),
            ("192.168.0.1/24", "10.0.0.1/8", false),
            ("192.168.0.1/24", "10.0.0.1/0", true),
            ("0.0.0.1/1", "127.0.0.1/8", true),
            ("128.0.0.1/1", "127.0.0.1/8", false),
        ];
        for (one, other, overlap) in table {
            assert_eq!(
                subnet(one).overlaps(subnet(other)),
                overlap,
                "{one} {other}"
            );
        }
    }

    #[test]
    fn the_interface_itself_is_not_in_its_own_way() {
        let others = || {
            [
                ("lo", "127.0.0.1/8"),
                ("tun0", "10.0.0.1/24"),
                ("eth0", "10.1.0.1/16"),
            ]
            .map(|(name, network)| (name.to_owned(), subnet(network)))
            .into_iter()
        };
        assert_eq!(find(subnet("10.0.0.1/24"), "tun0", others()), None);
        assert_eq!(
            find(subnet("10.0.0.1/24"), "tun1", others()),
            Some(("tun0".to_owned(), subnet("10.0.0.1/24")))
        );
        assert_eq!(
            find(subnet("10.1.2.1/24"), "tun0", others()),
            Some(("eth0".to_owned(), subnet("10.1.0.1/16")))
        );
    }
}
