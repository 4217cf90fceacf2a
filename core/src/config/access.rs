//! Who may reach the server: where it listens, hosts, origins, and proxies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::reader::Reader;
use super::{AllowedOrigins, HostPattern};

/// The prefix of IPv4 addresses that are written as IPv6 ones (RFC 4291 §2.5.5.2), in bits.
const MAPPED_PREFIX: u8 = 96;

impl Reader<'_> {
    /// `HOST`: a name or an address without a port; an IPv6 address with or without brackets.
    pub(super) fn listen_host(&mut self) -> String {
        const NAME: &str = "HOST";
        let text = self.text(NAME);
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(&text).parse::<Ipv6Addr>() {
            return address.to_string();
        }
        let problem = if text == "*" {
            Some("is *; give 0.0.0.0 for every interface".to_owned())
        } else if text.contains("://") {
            Some(format!(
                "is {text:?}; give an address such as 0.0.0.0, without http://"
            ))
        } else if text.contains(':') {
            Some(format!(
                "is {text:?}; give the address here and the port in PORT"
            ))
        } else if text.contains(|c: char| c.is_whitespace() || "/,".contains(c)) {
            Some(format!("is {text:?}; give one address such as 127.0.0.1"))
        } else {
            None
        };
        if let Some(problem) = problem {
            self.problem(NAME, problem);
        }
        text
    }

    /// `ALLOWED_HOSTS`.
    pub(super) fn hosts(&mut self) -> Vec<HostPattern> {
        const NAME: &str = "ALLOWED_HOSTS";
        let mut hosts = Vec::new();
        let items = self.items(NAME);
        if items.is_empty() {
            self.problem(NAME, "names no host; give hosts such as example.com, or *");
        }
        for item in items {
            match HostPattern::parse(&item) {
                Ok(host) => hosts.push(host),
                Err(instead) => self.problem(NAME, format_args!("names {item:?}; {instead}")),
            }
        }
        hosts
    }

    /// `TRUSTED_PROXIES`.
    pub(super) fn proxies(&mut self) -> Vec<IpNet> {
        const NAME: &str = "TRUSTED_PROXIES";
        let mut networks = Vec::new();
        for item in self.items(NAME) {
            match network(&item) {
                Ok(network) => {
                    if network.prefix_len() == 0 {
                        self.warning(NAME, format_args!("names {item}: every client can choose the address it is known by; name the proxies only"));
                    }
                    networks.push(network);
                }
                Err(instead) => self.problem(NAME, format_args!("names {item:?}; {instead}")),
            }
        }
        networks
    }

    /// `CORS_ALLOWED_ORIGINS`.
    pub(super) fn origins(&mut self) -> AllowedOrigins {
        const NAME: &str = "CORS_ALLOWED_ORIGINS";
        let items = self.items(NAME);
        if items.iter().any(|item| item == "*") {
            return AllowedOrigins::Any;
        }
        let mut origins = Vec::new();
        for item in items {
            match origin(&item) {
                Ok(origin) => origins.push(origin),
                Err(instead) => self.problem(NAME, format_args!("names {item:?}; {instead}")),
            }
        }
        AllowedOrigins::These(origins)
    }
}

impl HostPattern {
    /// Parses one entry. A port is dropped, because hosts are compared without it.
    ///
    /// # Errors
    /// What to write instead.
    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some((_, rest)) = text.split_once("://") {
            let host = rest.split('/').next().unwrap_or_default();
            return Err(format!("give the host only: {host}"));
        }
        if let Some(domain) = text.strip_prefix("*.") {
            return Err(format!("give .{domain}, which includes every subdomain"));
        }
        let domain = text.strip_prefix('.');
        let host = host_without_port(domain.unwrap_or(text)).ok_or_else(|| not_a_host(text))?;
        match domain {
            None => Ok(Self::Exact(host)),
            // An address has no subdomains.
            Some(_) if host.starts_with('[') => Err(not_a_host(text)),
            Some(_) => Ok(Self::Domain(format!(".{host}"))),
        }
    }
}

/// The host of `host`, `host:port`, `address` or `[address]:port`, as a `Host` header has it: in
/// lower case, without a dot at the end, an IPv6 address in brackets.
fn host_without_port(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(format!("[{address}]"));
    }
    let (host, port) = split_port(text)?;
    port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok())
        .then_some(host)
}

/// The normalised host and, after a colon, the port. `None` when the host is none.
fn split_port(text: &str) -> Option<(String, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = match rest.strip_prefix(':') {
            None if !rest.is_empty() => return None,
            port => port,
        };
        return Some((format!("[{address}]"), port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    host.split('.').all(is_label).then_some((host, port))
}

fn not_a_host(text: &str) -> String {
    if text.is_ascii() {
        "give hosts such as example.com or .example.com".to_owned()
    } else {
        "give the ASCII form of the name, which starts with xn--".to_owned()
    }
}

/// An address or a network.
fn network(text: &str) -> Result<IpNet, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let parsed: Option<IpNet> = bare
        .parse()
        .ok()
        .or_else(|| bare.parse().map(|address: IpAddr| address.into()).ok());
    let network = parsed.ok_or("give addresses such as 10.0.0.1 or networks such as 10.0.0.0/8")?;
    let truncated = network.trunc();
    if truncated != network {
        let address = network.addr();
        return Err(format!(
            "give {truncated} for the network or {address} for one address"
        ));
    }
    Ok(unmapped(network))
}

/// Addresses of clients are compared in their IPv4 form, if they have one.
fn unmapped(network: IpNet) -> IpNet {
    let mapped: Option<Ipv4Addr> = match network.addr() {
        IpAddr::V6(address) => address.to_ipv4_mapped(),
        IpAddr::V4(_) => None,
    };
    let prefix = network.prefix_len().checked_sub(MAPPED_PREFIX);
    mapped
        .zip(prefix)
        .and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
        .map_or(network, IpNet::V4)
}

/// An origin as a browser sends it (RFC 6454 §6.2): in lower case, without a default port.
fn origin(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/').to_ascii_lowercase();
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("give origins such as https://chat.example.com".to_owned());
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme {
        return Err("give origins such as https://chat.example.com".to_owned());
    }
    if let Some(page) = ["ws", "wss"].iter().position(|socket| *socket == scheme) {
        let scheme = ["http", "https"].get(page).copied().unwrap_or_default();
        return Err(format!("give the origin of the page: {scheme}://{rest}"));
    }
    if rest.contains('*') {
        return Err("list every origin, or give * for all of them".to_owned());
    }
    if rest.contains(['/', '?', '#', '@', '\\']) {
        return Err(
            "give origins such as https://chat.example.com, without a path or a user".to_owned(),
        );
    }
    let (host, port) = split_port(rest).ok_or_else(|| not_a_host(rest))?;
    match port.unwrap_or_default() {
        "" => Ok(format!("{scheme}://{host}")),
        port => match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(with_port(scheme, &host, port)),
            _ => Err("give a port from 1 to 65535, or none".to_owned()),
        },
    }
}

fn with_port(scheme: &str, host: &str, port: u16) -> String {
    if [("http", 80), ("https", 443)].contains(&(scheme, port)) {
        format!("{scheme}://{host}")
    } else {
        format!("{scheme}://{host}:{port}")
    }
}
