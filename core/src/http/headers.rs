//! Header fields that have one value.
//!
//! Natively a repeated field arrives as several lines. The edge runtime and many proxies join the
//! lines with `, ` (RFC 9110 §5.3). A repeated field must mean the same on every host, and a proxy in
//! front must not read another value than the server, so both forms are rejected.

use axum::http::{HeaderMap, HeaderName};
use thiserror::Error;

/// A field that must have one value is repeated, holds a list, or is not ASCII text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the header field has no single value")]
pub(super) struct NotSingle;

/// The value of a field that may occur once; `None` when it is absent.
pub(super) fn single_value<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, NotSingle> {
    let mut lines = headers.get_all(name).into_iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    let value = line.to_str().map_err(|_| NotSingle)?;
    if lines.next().is_some() || value.contains(',') {
        return Err(NotSingle);
    }
    Ok(Some(value))
}

/// The elements of a field that is a comma-separated list, over all its lines.
pub(super) fn list<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let lines = headers
        .get_all(name)
        .into_iter()
        .filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use axum::http::header::AUTHORIZATION;

    use super::*;

    fn value(lines: &[&str]) -> Result<Option<String>, NotSingle> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, line.parse().unwrap());
        }
        Ok(single_value(&headers, &AUTHORIZATION)?.map(str::to_owned))
    }

    #[test]
    fn repeated_and_joined_lines_have_no_single_value() {
        assert_eq!(value(&[]), Ok(None));
        assert_eq!(value(&["Bearer a"]), Ok(Some("Bearer a".to_owned())));
        for lines in [
            ["Bearer a", "Bearer a"].as_slice(),
            &["Bearer a, Bearer a"],
            &["Bearer a", ""],
            &["Bearer é"],
        ] {
            assert_eq!(value(lines), Err(NotSingle), "{lines:?}");
        }
    }
}
