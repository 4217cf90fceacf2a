//! Hosts, origins, proxies and the address to listen on.

use super::*;

#[test]
fn origins_are_normalised_to_the_form_that_browsers_send() {
    for (value, origin) in [
        ("https://Chat.example.com/", "https://chat.example.com"),
        ("https://chat.example.com:443", "https://chat.example.com"),
        ("http://localhost:080", "http://localhost"),
        ("http://localhost:03000", "http://localhost:3000"),
        ("https://chat.example.com:80", "https://chat.example.com:80"),
        ("http://[0:0::1]:3000", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("ionic://localhost", "ionic://localhost"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ] {
        let settings = read(&[("CORS_ALLOWED_ORIGINS", value)]).unwrap();
        assert_eq!(
            settings.cors_allowed_origins,
            AllowedOrigins::These(vec![origin.to_owned()]),
            "{value}"
        );
    }
    assert_rejected(
        "CORS_ALLOWED_ORIGINS",
        &[
            ("chat.example.com", "https://chat.example.com"),
            ("https://*.example.com", "list every origin"),
            ("https://example.com/app", "without a path"),
            ("https://user@example.com", "without a path or a user"),
            ("wss://chat.example.com", "https://chat.example.com"),
            ("https://bücher.example", "xn--"),
            ("https://example.com:0", "port from 1"),
            ("https://", "such as"),
            ("null", "such as"),
            ("https://a.example https://b.example", "such as"),
        ],
    );
}

#[test]
fn allowed_hosts_are_normalised_to_the_form_that_is_compared() {
    for (value, host) in [
        ("Chat.example.com:8000", "chat.example.com"),
        ("chat.example.com.", "chat.example.com"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("::1", "[::1]"),
        ("[0::1]:8000", "[::1]"),
        (".example.com:8000", "example.com"),
    ] {
        let hosts = read(&[("ALLOWED_HOSTS", value)]).unwrap().allowed_hosts;
        assert!(hosts.iter().any(|pattern| pattern.allows(host)), "{value}");
    }
    assert_rejected(
        "ALLOWED_HOSTS",
        &[
            ("https://chat.example.com/", "host only: chat.example.com"),
            ("*.example.com", "give .example.com"),
            ("chat.example.com/app", "such as"),
            ("a..example.com", "such as"),
            (".[::1]", "such as"),
            ("bücher.example", "xn--"),
            (",", "names no host"),
            ("a b", "such as"),
        ],
    );
}

#[test]
fn proxies_with_bits_beyond_the_prefix_are_rejected() {
    let proxies = |value: &str| read(&[("TRUSTED_PROXIES", value)]).unwrap().trusted_proxies;
    assert_eq!(proxies("::ffff:10.0.0.0/104"), proxies("10.0.0.0/8"));
    assert_eq!(proxies("[::1]"), proxies("::1/128"));
    assert_rejected(
        "TRUSTED_PROXIES",
        &[
            ("10.0.0.5/8", "10.0.0.0/8 for the network or 10.0.0.5"),
            ("nginx", "such as"),
            ("10.0.0.1:80", "such as"),
            ("*", "such as"),
        ],
    );
    let warnings = read(&[("TRUSTED_PROXIES", "0.0.0.0/0")]).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn addresses_to_listen_on_have_no_port_or_scheme() {
    for (value, host) in [
        ("[::1]", "::1"),
        ("0::1", "::1"),
        ("localhost", "localhost"),
    ] {
        assert_eq!(read(&[("HOST", value)]).unwrap().host, host);
    }
    assert_rejected(
        "HOST",
        &[
            ("*", "0.0.0.0"),
            ("http://0.0.0.0", "without http://"),
            ("0.0.0.0:8000", "PORT"),
            ("a, b", "one address"),
        ],
    );
    assert_rejected(
        "PORT",
        &[
            (":8000", "whole number"),
            ("8 000", "whole number"),
            ("70000", "65535"),
        ],
    );
}
