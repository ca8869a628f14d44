//! Where a webhook may lead: out of this machine and its network, never into it.

use reqwest::Url;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest address of a receiver.
pub const URL_LEN_MAX: usize = 500;

/// Addresses looked at of one name.
const ADDRESSES_MAX: usize = 16;

/// A receiver's address, well formed.
#[derive(Clone, Debug)]
pub struct Target {
    pub url: Url,
    allows_loopback: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("not an http:// or https:// address with a host and without user, password and fragment")]
    Malformed,
    #[error("an address inside a machine or a private network")]
    Internal,
    #[error("the name does not resolve")]
    NameUnknown,
}

impl Target {
    /// Reads an address. A sandbox may send to its own machine, nobody else.
    ///
    /// # Errors
    /// It is malformed, or names an internal address outright. A name is looked at each time it is used.
    pub fn parse(text: &str, allows_loopback: bool) -> Result<Target, TargetError> {
        let url = Url::parse(text).map_err(|_| TargetError::Malformed)?;
        let is_plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if text.len() > URL_LEN_MAX || !is_plain || url.host_str().is_none_or(str::is_empty) || url.port_or_known_default().is_none_or(|port| port == 0) {
            return Err(TargetError::Malformed);
        }
        let target = Target { url, allows_loopback };
        match target.literal() {
            Some(ip) if !target.permits(ip) => Err(TargetError::Internal),
            _ => Ok(target),
        }
    }

    pub fn host(&self) -> &str {
        self.url.host_str().expect("a target has a host").trim_start_matches('[').trim_end_matches(']')
    }

    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host where it is an address. However it was written (`0x7f.1`, `2130706433`), the parser has made it plain.
    fn literal(&self) -> Option<IpAddr> {
        self.host().parse().ok()
    }

    /// The addresses to connect to, looked up once: whoever connects uses these and asks nobody again, so that the answer cannot change in between.
    ///
    /// # Errors
    /// The name does not resolve, or any of its addresses is internal: such a name is not to be trusted with the others.
    pub async fn addresses(&self) -> Result<Vec<SocketAddr>, TargetError> {
        let port = self.url.port_or_known_default().expect("a target has a port");
        let found = match self.literal() {
            Some(ip) => vec![SocketAddr::new(ip, port)],
            None => tokio::net::lookup_host((self.host(), port)).await.map_err(|_| TargetError::NameUnknown)?.take(ADDRESSES_MAX).collect(),
        };
        self.permitted(found)
    }

    fn permitted(&self, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, TargetError> {
        match found.iter().all(|address| self.permits(address.ip())) {
            _ if found.is_empty() => Err(TargetError::NameUnknown),
            true => Ok(found),
            false => Err(TargetError::Internal),
        }
    }

    fn permits(&self, ip: IpAddr) -> bool {
        is_public(ip) || (self.allows_loopback && ip.is_loopback())
    }
}

/// Whether an address is somebody else's on the open network. 依据：IANA's registries of special-purpose addresses (RFC 6890, RFC 8190).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [first, second, third, _] = ip.octets();
    let is_special = match first {
        0 | 10 | 127 | 224..=255 => true,
        // Carrier-grade NAT.
        100 => (64..128).contains(&second),
        169 => second == 254,
        172 => (16..32).contains(&second),
        192 => second == 168 || (second == 0 && (third == 0 || third == 2)) || (second == 88 && third == 99),
        // Benchmarks and documentation.
        198 => second == 18 || second == 19 || (second == 51 && third == 100),
        203 => second == 0 && third == 113,
        _ => false,
    };
    !is_special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Mapped and translated IPv4: as good as what is inside.
        [0, 0, 0, 0, 0, 0xFFFF, high, low] | [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => embedded(high, low),
        // 6to4.
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, ORCHID, benchmarks and other assignments to protocols; documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xDB8 => false,
        [0x3FFF, second, ..] if second < 0x1000 => false,
        // Only 2000::/3 is given out to the open network.
        [first, ..] => first & 0xE000 == 0x2000,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, allows_loopback: bool, error: Option<TargetError>) {
        assert_eq!(Target::parse(text, allows_loopback).err(), error, "{text}");
    }

    #[test]
    fn internal_addresses_are_refused_however_they_are_written() {
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1:8080/x",
            "http://[::1]/",
            "http://10.1.2.3/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1/",
            "http://0.0.0.0/",
            "http://255.255.255.255/",
            "http://224.0.0.1/",
            "http://198.18.0.1/",
            "http://[::]/",
            "http://[fc00::1]/",
            "http://[fe80::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:a00:1]/",
            "http://[64:ff9b::a00:1]/",
            "http://[2002:a00:1::]/",
            "http://[2001::1]/",
            "http://[2001:db8::1]/",
            "http://[ff02::1]/",
            "http://[::7f00:1]/",
            "https://127.0.0.1/",
            "https://[fd00::1]:8443/",
        ] {
            check(text, false, Some(TargetError::Internal));
        }
        for text in [
            "http://8.8.8.8/",
            "http://[2400:3200::1]:8080/gongji",
            "http://172.32.0.1/",
            "http://100.128.0.1/",
            "http://hook.example:8443/a?b=c",
            "https://hook.example/a",
        ] {
            check(text, false, None);
        }
        // A sandbox reaches its own machine, and nothing else inside.
        check("http://127.0.0.1:9000/", true, None);
        check("http://[::1]:9000/", true, None);
        check("http://192.168.1.1/", true, Some(TargetError::Internal));
    }

    #[test]
    fn odd_addresses_are_refused() {
        for text in [
            "",
            "hook.example",
            "ftp://hook.example/",
            "file:///etc/passwd",
            "http://user@hook.example/",
            "https://user@hook.example/",
            "http://u:p@hook.example/",
            "http://hook.example/#part",
            "http://",
            "http://hook.example:0/",
            &format!("http://hook.example/{}", "x".repeat(URL_LEN_MAX)),
        ] {
            check(text, true, Some(TargetError::Malformed));
        }
    }

    #[test]
    fn a_name_with_one_internal_address_is_refused_whole() {
        let target = Target::parse("http://hook.example/", false).unwrap();
        let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
        assert_eq!(target.permitted(vec![address("8.8.8.8:80")]).unwrap().len(), 1);
        assert_eq!(target.permitted(vec![address("8.8.8.8:80"), address("10.0.0.1:80")]), Err(TargetError::Internal));
        assert_eq!(target.permitted(vec![address("[::ffff:127.0.0.1]:80")]), Err(TargetError::Internal));
        assert_eq!(target.permitted(Vec::new()), Err(TargetError::NameUnknown));
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_once_it_is_looked_up() {
        let target = Target::parse("http://localhost:9000/", false).unwrap();
        assert_eq!(target.addresses().await, Err(TargetError::Internal));
        assert!(Target::parse("http://localhost:9000/", true).unwrap().addresses().await.is_ok());
    }
}
