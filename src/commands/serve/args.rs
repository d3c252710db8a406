//! What `zerotcp serve` takes from the command line.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;

use zerotcp::device::{Impairment, TunConfig};
use zerotcp::stack::{Listen, Network};

use crate::commands::Failure;
use crate::commands::serve::server::Service;

/// The smallest MTU that IPv4 works with (RFC 791, section 3.2).
const MTU_MIN: u16 = 68;

/// Connections that may wait for the server to accept them, per listener. It accepts them at
/// once: this is for a burst within one turn.
const BACKLOG: usize = 1024;

/// Be a host on a network interface: echo, discard, chargen and HTTP
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true, after_help = HELP)]
pub struct Args {
    /// Name of the interface
    #[arg(long, value_name = "NAME", default_value = "tun0")]
    pub tun: String,
    /// The server's own address
    #[arg(long, value_name = "IP", default_value = "192.168.0.2", value_parser = address)]
    pub address: Ipv4Addr,
    /// This machine's address on the interface, and the network that is behind it
    #[arg(long, value_name = "IP/BITS", default_value = "192.168.0.1/24")]
    pub host_address: Subnet,
    /// The longest IP packet, in bytes
    #[arg(long, value_name = "BYTES", default_value = "1500", value_parser = mtu)]
    pub mtu: u16,
    /// Port that sends back what it gets (RFC 862)
    #[arg(long, value_name = "PORT", default_value = "7", value_parser = port)]
    pub echo: u16,
    /// Port that takes all and sends nothing (RFC 863)
    #[arg(long, value_name = "PORT", default_value = "9", value_parser = port)]
    pub discard: u16,
    /// Port that sends characters without end (RFC 864)
    #[arg(long, value_name = "PORT", default_value = "19", value_parser = port)]
    pub chargen: u16,
    /// Port of the web server
    #[arg(long, value_name = "PORT", default_value = "80", value_parser = port)]
    pub http: u16,
    /// Echo on every other port too
    #[arg(long)]
    pub any_port: bool,
    /// Write all packets to this file, for Wireshark
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
    /// Do this to packets, in both directions:
    /// loss=1%,reorder=1%,duplicate=1%,corrupt=0.1%,delay=10ms,rate=100mbit,queue=1000,seed=1
    /// and burst=4 (losses in runs), jitter=2ms, reorder-delay=5ms
    #[arg(long, value_name = "SETTINGS")]
    pub impair: Option<Impairment>,
    /// Print a line for each segment and each change of state
    #[arg(long)]
    pub trace: bool,
}

const HELP: &str = "\
Examples:
  zerotcp serve --trace
  zerotcp serve --impair loss=2%,reorder=2%,delay=10ms --capture trace.pcap
  zerotcp serve --tun tun1 --host-address 10.7.0.1/24 --address 10.7.0.2

It creates the TUN interface and configures it, which takes root or the capability cap_net_admin:
./run.sh sees to that. Ctrl-C closes the connections, within a second, and prints what was counted;
a second Ctrl-C ends it at once. RUST_LOG=debug logs to standard error when connections begin and
why they end, RUST_LOG=trace what is dropped, too.";

impl Args {
    /// Checks what one value alone can't tell.
    ///
    /// # Errors
    /// Two values that don't go together.
    pub fn check(&self) -> Result<(), Failure> {
        self.check_addresses()?;
        self.check_ports()
    }

    fn check_addresses(&self) -> Result<(), Failure> {
        let Args {
            address,
            host_address,
            ..
        } = self;
        let problem = if *address == host_address.address {
            format!(
                "--address and --host-address are both {address}: the server needs one of its own"
            )
        } else if !host_address.contains(*address) {
            format!(
                "--address {address} is not in the network of --host-address {host_address}: \
                 choose two addresses of one network"
            )
        } else if host_address.is_reserved(*address) {
            format!(
                "--address {address} is no host's: a network's first and last address are its own"
            )
        } else {
            return Ok(());
        };
        Err(Failure(problem))
    }

    fn check_ports(&self) -> Result<(), Failure> {
        let ports = self.ports();
        for (i, (one, port)) in ports.iter().enumerate() {
            if let Some((other, _)) = ports[..i].iter().find(|(_, earlier)| earlier == port) {
                return Err(Failure(format!(
                    "--{other} and --{one} are both port {port}: give one of them another"
                )));
            }
        }
        Ok(())
    }

    fn ports(&self) -> [(Service, u16); 4] {
        [
            (Service::Echo, self.echo),
            (Service::Discard, self.discard),
            (Service::Chargen, self.chargen),
            (Service::Http, self.http),
        ]
    }

    /// What to listen on, and who serves it.
    pub fn services(&self) -> impl Iterator<Item = (Listen, Service)> {
        let everywhere = self.any_port.then(|| (Listen::any_port(), Service::Echo));
        self.ports()
            .map(|(service, port)| (Listen::port(port), service))
            .into_iter()
            .chain(everywhere)
            .map(|(listen, service)| (listen.backlog(BACKLOG), service))
    }

    /// The interface to make.
    pub fn tun_config(&self) -> TunConfig {
        TunConfig {
            name: self.tun.clone(),
            host_address: self.host_address.address,
            prefix: self.host_address.prefix,
            mtu: self.mtu,
        }
    }

    /// The network that the server is on.
    pub fn network(&self) -> Network {
        Network::new(self.host_address.address, self.host_address.prefix)
    }

    /// Where the server is and how to talk to it.
    pub fn introduction(&self) -> String {
        let Args {
            tun,
            address,
            host_address,
            mtu,
            ..
        } = self;
        let mut text =
            format!("zerotcp is {address} on {tun}, this machine is {host_address}, MTU {mtu}\n\n");
        text += &format!("  {:<22}ping {address}\n", "ping");
        for (service, port) in self.ports() {
            let how = match service {
                Service::Echo => format!("nc -N {address} {port}"),
                Service::Discard => format!("nc -N {address} {port} < FILE"),
                Service::Chargen => format!("nc {address} {port} | head"),
                Service::Http if port == 80 => format!("curl http://{address}/"),
                Service::Http => format!("curl http://{address}:{port}/"),
            };
            let label = format!("{service}, port {port}");
            // Writing to a string can't fail.
            let _ = writeln!(text, "  {label:<22}{how}");
        }
        if self.any_port {
            text += "  echo, any other port\n";
        }
        text += "\nCtrl-C ends it.";
        text
    }
}

/// An address and the network it is in: `192.168.0.1/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The host's own address.
    pub address: Ipv4Addr,
    /// How many leading bits are the network's, 32 at most.
    pub prefix: u8,
}

impl Subnet {
    /// A one for each bit of the host's part.
    fn host_mask(&self) -> u32 {
        u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0)
    }

    fn contains(&self, address: Ipv4Addr) -> bool {
        (self.address.to_bits() ^ address.to_bits()) & !self.host_mask() == 0
    }

    /// Whether the two networks have an address in common.
    pub fn overlaps(&self, other: Subnet) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// Whether it is the network's own or the broadcast address. A network of two has neither
    /// (RFC 3021).
    fn is_reserved(&self, address: Ipv4Addr) -> bool {
        let host = address.to_bits() & self.host_mask();
        self.prefix < 31 && (host == 0 || host == self.host_mask())
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Subnet, &'static str> {
        let shape = "an address with the length of its network's prefix is 192.168.0.1/24";
        let (address, prefix) = text.split_once('/').ok_or(shape)?;
        let subnet = Subnet {
            address: address.parse().map_err(|_| shape)?,
            prefix: prefix.parse().map_err(|_| shape)?,
        };
        if !(1..=31).contains(&subnet.prefix) {
            return Err("a network's prefix is from 1 to 31 bits");
        }
        if subnet.is_reserved(subnet.address) {
            return Err("no host's address: a network's first and last address are its own");
        }
        Ok(subnet)
    }
}

fn address(text: &str) -> Result<Ipv4Addr, &'static str> {
    text.parse()
        .map_err(|_| "an IPv4 address is four numbers, as in 192.168.0.2")
}

fn port(text: &str) -> Result<u16, &'static str> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("a port is a number from 1 to 65535"),
    }
}

fn mtu(text: &str) -> Result<u16, &'static str> {
    match text.parse() {
        Ok(mtu) if mtu >= MTU_MIN => Ok(mtu),
        _ => Err("an MTU is a number of bytes from 68 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Result<Args, String> {
        let words = std::iter::once("serve").chain(line.split_whitespace());
        let args = Line::try_parse_from(words)
            .map_err(|error| error.to_string())?
            .args;
        args.check().map_err(|failure| failure.0)?;
        Ok(args)
    }

    #[test]
    fn without_arguments_all_is_as_documented() {
        let args = parse("").unwrap();
        assert_eq!(
            args.tun_config(),
            TunConfig {
                name: "tun0".into(),
                host_address: Ipv4Addr::new(192, 168, 0, 1),
                prefix: 24,
                mtu: 1500,
            }
        );
        assert_eq!(args.address, Ipv4Addr::new(192, 168, 0, 2));
        assert_eq!(args.ports().map(|(_, port)| port), [7, 9, 19, 80]);
        assert_eq!(args.services().count(), 4);
        assert!(!args.trace && args.capture.is_none() && args.impair.is_none());
    }

    #[test]
    fn every_argument_arrives() {
        let args = parse(
            "--tun zt1 --address 10.1.2.6 --host-address 10.1.2.5/30 --mtu 9000 --echo 1007 \
             --discard 1009 --chargen 1019 --http 8080 --any-port --capture a.pcap \
             --impair loss=1%,seed=3 --trace",
        )
        .unwrap();
        assert_eq!(
            args.tun_config(),
            TunConfig {
                name: "zt1".into(),
                host_address: Ipv4Addr::new(10, 1, 2, 5),
                prefix: 30,
                mtu: 9000,
            }
        );
        assert_eq!(args.address, Ipv4Addr::new(10, 1, 2, 6));
        assert_eq!(args.ports().map(|(_, port)| port), [1007, 1009, 1019, 8080]);
        assert_eq!(args.services().count(), 5);
        assert_eq!(args.capture, Some("a.pcap".into()));
        assert_eq!(args.impair.unwrap().loss, 0.01);
        assert!(args.trace);
        let introduction = args.introduction();
        for how in [
            "nc -N 10.1.2.6 1007",
            "curl http://10.1.2.6:8080/",
            "any other port",
        ] {
            assert!(introduction.contains(how), "{introduction}");
        }
    }

    #[test]
    fn an_error_says_what_would_be_right() {
        let shape = "an address with the length of its network's prefix is 192.168.0.1/24";
        let table = [
            ("--address nonsense", "four numbers, as in 192.168.0.2"),
            ("--address 1.2.3.4.5", "four numbers"),
            ("--host-address 192.168.0.1", shape),
            ("--host-address x/24", shape),
            ("--host-address 10.0.0.1/", shape),
            ("--host-address 10.0.0.1/0", "from 1 to 31 bits"),
            ("--host-address 10.0.0.1/32", "from 1 to 31 bits"),
            ("--host-address 10.0.0.255/24", "first and last address"),
            ("--address 192.168.0.1", "both 192.168.0.1"),
            (
                "--address 192.168.1.2",
                "choose two addresses of one network",
            ),
            ("--address 192.168.0.255", "first and last address"),
            ("--address 192.168.0.0", "first and last address"),
            ("--mtu 67", "from 68 to 65535"),
            ("--mtu 65536", "from 68 to 65535"),
            ("--mtu many", "from 68 to 65535"),
            ("--echo 0", "a port is a number from 1 to 65535"),
            ("--http 65536", "a port is a number from 1 to 65535"),
            ("--chargen -1", "port"),
            ("--echo 80", "--echo and --http are both port 80"),
            (
                "--discard 5 --chargen 5",
                "--discard and --chargen are both port 5",
            ),
            ("--impair loss=200%", "a probability is between 0% and 100%"),
            ("--impair speed=1", "an unknown setting"),
        ];
        for (line, right) in table {
            let error = parse(line).unwrap_err();
            assert!(error.contains(right), "{line}: {error}");
        }
    }

    #[test]
    fn two_addresses_may_fill_a_network_of_two() {
        assert!(parse("--host-address 10.0.0.0/31 --address 10.0.0.1").is_ok());
        assert!(parse("--host-address 10.0.0.1/31 --address 10.0.0.0").is_ok());
    }
}
