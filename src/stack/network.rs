use std::net::Ipv4Addr;

/// A network that the host is on: the addresses that share their first bits with its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: Ipv4Addr,
    prefix: u8,
}

impl Network {
    /// The network of `address`, of which the first `prefix` bits are the network's: 0 to 32,
    /// more is taken as 32.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use zerotcp::stack::Network;
    ///
    /// let network = Network::new(Ipv4Addr::new(10, 0, 0, 2), 24);
    /// assert!(network.is_broadcast(Ipv4Addr::new(10, 0, 0, 255)));
    /// assert!(!network.is_broadcast(Ipv4Addr::new(10, 0, 1, 255)));
    /// ```
    pub const fn new(address: Ipv4Addr, prefix: u8) -> Network {
        let prefix = if prefix > 32 { 32 } else { prefix };
        Network { address, prefix }
    }

    /// Whether `address` stands for all hosts of the network, or for the network itself: all
    /// bits of the host are ones or zeros (RFC 1122 section 3.2.1.3). Networks of one address
    /// or two have none of these (RFC 3021).
    pub fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        if self.prefix > 30 {
            return false;
        }
        let host_bits = u32::MAX >> self.prefix;
        let is_inside = (address.to_bits() ^ self.address.to_bits()) & !host_bits == 0;
        let host = address.to_bits() & host_bits;
        is_inside && (host == 0 || host == host_bits)
    }
}

/// Whether an address can be one host's: not this network's or this host's, not
/// multicast, reserved or broadcast (RFC 1122 section 3.2.1.3).
pub(super) fn is_unicast(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first != 0 && first != 127 && first < 224
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_address_of_a_network_are_no_hosts() {
        let is_broadcast = |prefix, address: [u8; 4]| {
            Network::new(Ipv4Addr::new(192, 168, 5, 9), prefix).is_broadcast(address.into())
        };
        assert!(is_broadcast(24, [192, 168, 5, 0]) && is_broadcast(24, [192, 168, 5, 255]));
        assert!(!is_broadcast(24, [192, 168, 4, 255]) && !is_broadcast(24, [192, 168, 5, 9]));
        assert!(is_broadcast(30, [192, 168, 5, 11]) && !is_broadcast(30, [192, 168, 5, 15]));
        for prefix in [31, 32, 255] {
            assert!((0..=255).all(|last| !is_broadcast(prefix, [192, 168, 5, last])));
        }
        assert!(is_broadcast(0, [255; 4]) && is_broadcast(0, [0; 4]));
    }
}
