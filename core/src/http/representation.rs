//! Content that is the same for every caller: a file or a document, with its encodings.
//!
//! Owns content negotiation (RFC 9110 §12.5.3) and revalidation (§13.1.2). Deliberately serves no
//! ranges: the files are small.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::headers::list;
use crate::ports::{Asset, Assets};

/// How many bytes of the digest an entity tag has.
const ETAG_BYTES: usize = 16;

/// Content with its metadata; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Representation {
    media_type: &'static str,
    /// The entity tag without quotes.
    etag: String,
    identity: Bytes,
    gzip: Option<Bytes>,
    brotli: Option<Bytes>,
    cache_control: &'static str,
}

impl Representation {
    /// A file of the pages.
    pub(super) fn of_asset(asset: &Asset, cache_control: &'static str) -> Self {
        Self {
            media_type: asset.media_type,
            etag: asset.etag.to_owned(),
            identity: Bytes::from_static(asset.identity),
            gzip: asset.gzip.map(Bytes::from_static),
            brotli: asset.brotli.map(Bytes::from_static),
            cache_control,
        }
    }

    /// A JSON document made when the router is built.
    pub(super) fn of_json(json: Bytes, assets: &dyn Assets, cache_control: &'static str) -> Self {
        let digest = Sha256::digest(&json);
        Self {
            media_type: "application/json",
            etag: BASE64_URL_SAFE_NO_PAD
                .encode(digest.as_slice().get(..ETAG_BYTES).unwrap_or_default()),
            gzip: assets.gzip(&json).map(Bytes::from),
            identity: json,
            brotli: None,
            cache_control,
        }
    }

    /// The response to a GET or HEAD request with these headers: the content in the best encoding the
    /// client accepts, or 304 if the client has it.
    pub(super) fn respond(&self, request: &HeaderMap) -> Response {
        let (coding, content) = self.negotiate(request);
        let mut response = Response::new(Body::empty());
        if self.is_cached_by(request) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *response.body_mut() = Body::from(content.clone());
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
            if let Some(coding) = coding {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
        }
        self.add_validators(response.headers_mut(), coding.is_some());
        response
    }

    /// The headers that a 304 has too (RFC 9110 §15.4.5).
    fn add_validators(&self, headers: &mut HeaderMap, encoded: bool) {
        // A strong tag names exact bytes, so an encoded form has a weak one (RFC 9110 §8.8.1).
        let weak = if encoded { "W/" } else { "" };
        if let Ok(etag) = HeaderValue::from_str(&format!("{weak}\"{}\"", self.etag)) {
            headers.insert(ETAG, etag);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(self.cache_control));
        if self.gzip.is_some() || self.brotli.is_some() {
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
    }

    /// The coding the client gives the highest weight, and the content in it. Of equal ones the
    /// smallest content, which Brotli makes.
    fn negotiate(&self, request: &HeaderMap) -> (Option<&'static str>, &Bytes) {
        let codings = [("br", &self.brotli), ("gzip", &self.gzip)];
        let mut best = (None, &self.identity);
        let mut best_weight = 0;
        for (coding, content) in codings {
            let weight = weight(request, coding);
            if let Some(content) = content
                && weight > best_weight
            {
                best = (Some(coding), content);
                best_weight = weight;
            }
        }
        best
    }

    fn is_cached_by(&self, request: &HeaderMap) -> bool {
        list(request, &IF_NONE_MATCH).any(|tag| {
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            let opaque = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            tag == "*" || opaque == Some(self.etag.as_str())
        })
    }
}

/// The weight of a coding in `Accept-Encoding`, in thousandths; 0 if it is not accepted. `*` is
/// for every coding that is not named.
fn weight(request: &HeaderMap, coding: &str) -> u16 {
    let mut of_any = 0;
    for element in list(request, &ACCEPT_ENCODING) {
        let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
        let weight = parameters
            .trim()
            .strip_prefix("q=")
            .map_or(1_000, thousandths);
        let name = name.trim();
        if name.eq_ignore_ascii_case(coding) {
            return weight;
        }
        if name == "*" {
            of_any = weight;
        }
    }
    of_any
}

/// A weight of RFC 9110 §12.4.2, at most 1 with three decimals; 0 if it is malformed.
fn thousandths(text: &str) -> u16 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_number = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" if is_number => 1_000,
        "0" if is_number => format!("{decimals:0<3}").parse().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSET: Asset = Asset {
        media_type: "text/css; charset=utf-8",
        etag: "abc",
        identity: b"plain",
        gzip: Some(b"gzip"),
        brotli: Some(b"brotli"),
    };

    fn response(asset: &Asset, request: &[(axum::http::HeaderName, &str)]) -> Response {
        let mut headers = HeaderMap::new();
        for (name, value) in request {
            headers.append(name, value.parse().unwrap());
        }
        Representation::of_asset(asset, "no-cache").respond(&headers)
    }

    fn header(response: &Response, name: axum::http::HeaderName) -> &str {
        let value = response.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn encoding_is_the_best_one_the_client_accepts() {
        for (accepted, coding) in [
            ("gzip, deflate, br", "br"),
            ("gzip", "gzip"),
            ("GZIP", "gzip"),
            ("br;q=0.5, gzip;q=0.75", "gzip"),
            ("br;q=0, *", "gzip"),
            ("*", "br"),
            ("*;q=0", ""),
            ("br;q=0,gzip;q=0.000", ""),
            ("br;q=x", ""),
            ("identity", ""),
            ("", ""),
        ] {
            let response = response(&ASSET, &[(ACCEPT_ENCODING, accepted)]);
            assert_eq!(header(&response, CONTENT_ENCODING), coding, "{accepted:?}");
            assert_eq!(header(&response, VARY), "accept-encoding");
            let etag = if coding.is_empty() {
                "\"abc\""
            } else {
                "W/\"abc\""
            };
            assert_eq!(header(&response, ETAG), etag);
        }
    }

    #[test]
    fn content_without_encodings_does_not_vary() {
        let asset = Asset {
            gzip: None,
            brotli: None,
            ..ASSET
        };
        let response = response(&asset, &[(ACCEPT_ENCODING, "br")]);
        assert_eq!(header(&response, CONTENT_ENCODING), "");
        assert_eq!(header(&response, VARY), "");
    }

    #[test]
    fn cached_content_is_not_sent_again() {
        for (tags, status) in [
            ("\"abc\"", 304),
            ("W/\"abc\"", 304),
            ("\"old\", W/\"abc\"", 304),
            ("*", 304),
            ("\"old\"", 200),
            ("abc", 200),
        ] {
            let response = response(&ASSET, &[(IF_NONE_MATCH, tags), (ACCEPT_ENCODING, "br")]);
            assert_eq!(response.status(), status, "{tags}");
            assert_eq!(header(&response, ETAG), "W/\"abc\"");
            assert_eq!(header(&response, CACHE_CONTROL), "no-cache");
            assert_eq!(header(&response, CONTENT_TYPE).is_empty(), status == 304);
        }
    }
}
