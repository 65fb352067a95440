//! Who may connect: `private`, `any`, or a list of addresses and networks.
//!
//! Pure comparison of addresses; it must not know sockets or requests, and does not say
//! whether a peer needs a key. Read `config.rs` next for the setting, `server.allow`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize, Serializer};

use super::scalar::Items;

/// Lists the peers that may connect without a key; never empty.
///
/// A list stands for itself alone: `[203.0.113.0/24]` shuts out the machine itself too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Items")]
pub struct Allow(Vec<Rule>);

/// Says which peers one entry of the list lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The machine itself and private networks.
    Private,
    /// Everyone who can reach the port.
    Any,
    /// One network, or one address as a network of its own.
    Network(Network),
}

/// Names a network by an address and the number of its bits that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// The networks that are nobody's on the open internet: loopback, RFC 1918, RFC 3927,
/// carrier-grade NAT of RFC 6598 (VPNs such as Tailscale use it), and for IPv6
/// loopback, RFC 4193 and RFC 4291 link-local.
const PRIVATE: [Network; 9] = [
    v4([127, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v4([169, 254, 0, 0], 16),
    v4([100, 64, 0, 0], 10),
    v6(1, 128),
    v6(0xfc00 << 112, 7),
    v6(0xfe80 << 112, 10),
];

impl Allow {
    /// Makes the list that holds one rule.
    pub fn only(rule: Rule) -> Self {
        Self(vec![rule])
    }

    /// Tells whether a peer is on the list; an IPv4-mapped address counts as IPv4.
    pub fn permits(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|rule| match rule {
            Rule::Private => PRIVATE.iter().any(|network| network.contains(peer)),
            Rule::Any => true,
            Rule::Network(network) => network.contains(peer),
        })
    }
}

impl TryFrom<Items> for Allow {
    type Error = String;

    fn try_from(items: Items) -> Result<Self, String> {
        if items.0.is_empty() {
            return Err("the list is empty: use `private`, `any` or networks".to_owned());
        }
        items.0.iter().map(|item| Rule::parse(&item.text)).collect::<Result<_, _>>().map(Self)
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "private" => Ok(Self::Private),
            "any" => Ok(Self::Any),
            _ => Network::parse(text).map(Self::Network),
        }
    }
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8` or an address alone.
    ///
    /// Bits behind the prefix do not count.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let form = "use `private`, `any`, an address or a network such as `10.0.0.0/8`";
        let wrong = || format!("`{text}` is not a network: {form}");
        let written: IpAddr = address.trim().parse().ok().ok_or_else(wrong)?;
        let address = written.to_canonical();
        let width = if written.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = match prefix {
            Some(prefix) => prefix.trim().parse().ok().ok_or_else(wrong)?,
            None => width,
        };
        if prefix > width {
            return Err(format!("`{text}` is not a network: the prefix is {width} at most"));
        }
        // An IPv4-mapped network loses the 96 bits that its IPv4 form does not have.
        if written.is_ipv6() && address.is_ipv4() {
            let prefix = prefix.checked_sub(96).ok_or_else(wrong)?;
            return Ok(Self { address, prefix });
        }
        Ok(Self { address, prefix })
    }

    fn contains(&self, peer: IpAddr) -> bool {
        match (self.address, peer) {
            (IpAddr::V4(network), IpAddr::V4(peer)) => {
                let shift = 32 - self.prefix;
                let differing = network.to_bits() ^ peer.to_bits();
                differing.checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(peer)) => {
                let shift = 128 - self.prefix;
                let differing = network.to_bits() ^ peer.to_bits();
                differing.checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private => formatter.write_str("private"),
            Self::Any => formatter.write_str("any"),
            Self::Network(network) => write!(formatter, "{}/{}", network.address, network.prefix),
        }
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{rule}")?;
        }
        Ok(())
    }
}

impl Serialize for Allow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const fn v4(address: [u8; 4], prefix: u32) -> Network {
    Network { address: IpAddr::V4(Ipv4Addr::from_octets(address)), prefix }
}

const fn v6(bits: u128, prefix: u32) -> Network {
    Network { address: IpAddr::V6(Ipv6Addr::from_bits(bits)), prefix }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn allow(value: serde_json::Value) -> Allow {
        serde_json::from_value(value).unwrap()
    }

    fn permitted(allow: &Allow, peers: &[&str]) -> Vec<bool> {
        peers.iter().map(|peer| allow.permits(peer.parse().unwrap())).collect()
    }

    #[test]
    fn private_is_every_network_that_is_not_on_the_open_internet() {
        let private = allow(json!("private"));
        let inside = [
            "127.0.0.1",
            "127.255.0.9",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.9",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fe80::1",
            "fd12::1",
            "fc00::",
            "::ffff:192.168.0.9",
        ];
        let outside = [
            "8.8.8.8",
            "11.0.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "::2",
            "2001:db8::1",
            "fec0::1",
            "::ffff:8.8.8.8",
            "0.0.0.0",
        ];
        assert_eq!(permitted(&private, &inside), [true; 14]);
        assert_eq!(permitted(&private, &outside), [false; 12]);
    }

    #[test]
    fn a_list_lets_in_what_it_names_and_nothing_else() {
        let list = allow(json!(["203.0.113.7/24", "2001:db8::/32", "198.51.100.4"]));
        let inside = ["203.0.113.255", "2001:db8:1::", "198.51.100.4", "::ffff:203.0.113.1"];
        let outside = ["203.0.114.0", "2001:db9::", "198.51.100.5", "127.0.0.1", "::1"];
        assert_eq!(permitted(&list, &inside), [true; 4]);
        assert_eq!(permitted(&list, &outside), [false; 5]);
        assert_eq!(list, allow(json!("203.0.113.7/24, 2001:db8::/32,198.51.100.4")));
    }

    #[test]
    fn words_networks_and_the_widest_prefixes_mix() {
        let mixed = allow(json!(["Private", "203.0.113.0/24"]));
        assert_eq!(permitted(&mixed, &["10.0.0.1", "203.0.113.1", "8.8.8.8"]), [true, true, false]);
        assert_eq!(permitted(&allow(json!("0.0.0.0/0")), &["8.8.8.8", "::1"]), [true, false]);
        assert_eq!(permitted(&allow(json!("::/0")), &["8.8.8.8", "::1"]), [false, true]);
        assert_eq!(permitted(&allow(json!("ANY")), &["8.8.8.8", "::1"]), [true, true]);
        let mapped = allow(json!("::ffff:10.0.0.0/104"));
        assert_eq!(permitted(&mapped, &["10.9.9.9", "11.0.0.1"]), [true, false]);
    }

    #[test]
    fn what_is_not_a_network_is_refused_with_what_would_be() {
        for text in ["10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/x", "everyone", "10.0.0.0/-1"] {
            let wrong = serde_json::from_value::<Allow>(json!(text)).unwrap_err().to_string();
            assert!(wrong.starts_with(&format!("`{text}` is not a network: ")), "{wrong}");
        }
        let wrong = serde_json::from_value::<Allow>(json!([])).unwrap_err().to_string();
        assert_eq!(wrong, "the list is empty: use `private`, `any` or networks");
    }

    #[test]
    fn a_list_is_written_so_that_it_can_be_read_back() {
        let list = allow(json!(["private", "203.0.113.7"]));
        assert_eq!(serde_json::to_value(&list).unwrap(), json!("private, 203.0.113.7/32"));
        assert_eq!(allow(serde_json::to_value(&list).unwrap()), list);
    }
}
