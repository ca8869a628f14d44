//! How the program is run.

use super::Rates;
use crate::trust::Policy;
use std::net::IpAddr;

/// What differs between sandbox, production and bench at the edge.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Names by which people reach the service, as `wallet.example.cn` or `wallet.example.cn:8443`. Numeric addresses and
    /// `localhost` are let in beside them unless the profile is secure: no foreign site can take those names.
    pub hosts: Vec<String>,
    /// TLS stands in front: browsers are told to insist on it.
    pub is_secure: bool,
    /// Serves the echo route that transfers are measured against.
    pub is_bench: bool,
    pub rates: Rates,
    /// What institutions must show.
    pub policy: Policy,
}

impl Profile {
    /// Plain HTTP on this machine, generous limits.
    pub fn sandbox() -> Profile {
        Profile { hosts: Vec::new(), is_secure: false, is_bench: false, rates: Rates::GENEROUS, policy: Policy::sandbox() }
    }

    pub fn production(hosts: Vec<String>) -> Profile {
        Profile { hosts, is_secure: true, is_bench: false, rates: Rates::PUBLIC, policy: Policy::production() }
    }

    /// As the sandbox, without limits, with the echo route.
    pub fn bench() -> Profile {
        Profile { is_bench: true, rates: Rates::NONE, ..Profile::sandbox() }
    }

    /// Whether a request may use this host name. Foreign names are how other sites reach local services (DNS rebinding).
    pub(super) fn knows_host(&self, host: Option<&str>) -> bool {
        let Some(host) = host else { return false };
        if self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            return true;
        }
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        !self.is_secure && (name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_names_are_answered() {
        let sandbox = Profile::sandbox();
        for host in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.1.7"] {
            assert!(sandbox.knows_host(Some(host)), "{host}");
        }
        for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""] {
            assert!(!sandbox.knows_host(Some(host)), "{host}");
        }
        let public = Profile::production(vec!["wallet.example.cn".to_owned()]);
        assert!(public.knows_host(Some("Wallet.example.cn")) && !public.knows_host(Some("127.0.0.1")) && !public.knows_host(None));
    }
}
