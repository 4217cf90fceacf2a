//! The pages and their files: every host answers the bytes of `web/dist` with the headers that
//! `web/dist/_headers` gives to their path.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use colloquy_blackbox::Server;
use colloquy_web_dist::{BUILD_RECORD, File, HEADERS, IGNORED_BY_PLATFORM};
use flate2::read::GzDecoder;
use reqwest::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH,
    LOCATION,
};
use reqwest::{Client, Method, Response};

const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/dist");

/// Names and values, names in lower case.
type Headers = BTreeMap<String, String>;

fn files() -> Vec<File> {
    let files = colloquy_web_dist::read(Path::new(DIST)).expect("web/dist");
    assert!(files.iter().any(|file| file.path == "/"), "no start page");
    files
}

/// The headers of a path, by the rules of Workers static assets: a rule is a path with at most one
/// `*` at its end, all that match apply in order, `! name` removes a header.
fn expected_headers(path: &str) -> Headers {
    let text = fs::read_to_string(Path::new(DIST).join(HEADERS)).expect(HEADERS);
    let (mut headers, mut applies) = (Headers::new(), false);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix("  ") {
            if !applies {
                continue;
            }
            if let Some(removed) = header.strip_prefix("! ") {
                headers.remove(removed);
            } else {
                let (name, value) = header.split_once(": ").expect("a header");
                headers.insert(name.to_owned(), value.to_owned());
            }
        } else {
            applies = match line.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == line,
            };
        }
    }
    assert!(headers.len() >= 6, "{path}: {headers:?}");
    headers
}

#[track_caller]
fn check_headers(path: &str, headers: &HeaderMap) {
    for (name, value) in expected_headers(path) {
        let received = headers.get(&name).map(|value| value.to_str().unwrap());
        assert_eq!(received, Some(value.as_str()), "{name} of {path}");
    }
}

/// A client that follows no redirect and decodes nothing.
fn client() -> Client {
    let client = Client::builder().no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none());
    client.build().expect("an HTTP client")
}

async fn get(path: &str, headers: &[(reqwest::header::HeaderName, &str)]) -> Response {
    request(Method::GET, path, headers).await
}

async fn request(
    method: Method,
    path: &str,
    headers: &[(reqwest::header::HeaderName, &str)],
) -> Response {
    let mut request = client().request(method, Server::under_test().url(path));
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.send().await.expect("a response")
}

#[tokio::test]
async fn every_file_is_served_with_its_bytes_and_headers() {
    for File {
        source,
        path,
        media_type,
    } in files()
    {
        let response = get(&path, &[]).await;
        assert_eq!(response.status(), 200, "{path}");
        check_headers(&path, response.headers());
        assert_eq!(response.headers()[CONTENT_TYPE], media_type, "{path}");
        assert!(!response.headers().contains_key(CONTENT_ENCODING), "{path}");
        let body = response.bytes().await.expect("a body");
        assert!(body == fs::read(source).unwrap(), "the bytes of {path}");
    }
}

#[tokio::test]
async fn file_the_client_has_is_not_sent_again() {
    for File { path, .. } in files() {
        let head = request(Method::HEAD, &path, &[]).await;
        assert_eq!(head.status(), 200, "HEAD {path}");
        check_headers(&path, head.headers());
        let etag = head.headers()[ETAG].to_str().unwrap();
        let response = get(&path, &[(IF_NONE_MATCH, etag)]).await;
        assert_eq!(response.status(), 304, "{path}");
        check_headers(&path, response.headers());
        assert_eq!(response.headers()[ETAG], etag, "{path}");
        assert!(response.bytes().await.unwrap().is_empty(), "{path}");
        let response = get(&path, &[(IF_NONE_MATCH, "\"another\"")]).await;
        assert_eq!(response.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn pages_scripts_and_documents_are_compressed() {
    let texts = files().into_iter().filter(|file| {
        let kind = file.media_type.split(';').next().unwrap_or_default();
        ["text/html", "text/css", "text/javascript"].contains(&kind)
    });
    let paths: Vec<_> = texts.map(|file| file.path).collect();
    assert!(paths.len() >= 3, "page, style and script: {paths:?}");
    for path in paths
        .iter()
        .map(String::as_str)
        .chain(["/api/openapi.json"])
    {
        let plain = get(path, &[]).await.bytes().await.expect("a body");
        // Compression can make a file of a few lines longer.
        if plain.len() < 1_024 {
            continue;
        }
        let response = get(path, &[(ACCEPT_ENCODING, "gzip")]).await;
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip", "{path}");
        let sent = response.bytes().await.expect("a body");
        assert!(sent.len() < plain.len(), "{path}: {} bytes", sent.len());
        let mut decoded = Vec::new();
        GzDecoder::new(&sent[..]).read_to_end(&mut decoded).unwrap();
        assert!(decoded == plain, "{path}");
    }
}

#[tokio::test]
async fn another_spelling_of_a_page_is_redirected() {
    let pages = files();
    let pages = pages.iter().filter(|file| file.path.ends_with('/'));
    for path in pages.map(|page| page.path.as_str()) {
        let mut spellings = vec![format!("{path}index.html")];
        if path != "/" {
            spellings.push(path.trim_end_matches('/').to_owned());
        }
        for spelling in spellings {
            let response = get(&format!("{spelling}?a=1"), &[]).await;
            assert_eq!(response.status(), 307, "{spelling}");
            assert_eq!(response.headers()[LOCATION], format!("{path}?a=1"));
            check_headers(&spelling, response.headers());
        }
    }
}

#[tokio::test]
async fn files_that_describe_the_build_are_not_served() {
    for name in [HEADERS, IGNORED_BY_PLATFORM, BUILD_RECORD, "assets/none.js"] {
        let response = get(&format!("/{name}"), &[]).await;
        assert_eq!(response.status(), 404, "{name}");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    }
}

#[tokio::test]
async fn files_are_only_read() {
    let response = request(Method::POST, "/favicon.svg", &[]).await;
    assert_eq!(response.status(), 405);
    // The platform of the edge sends none.
    if let Some(allowed) = response.headers().get(ALLOW) {
        assert_eq!(allowed, "GET, HEAD");
    }
}

#[tokio::test]
async fn pages_run_no_foreign_or_inline_code() {
    let headers = expected_headers("/");
    let policy = &headers["content-security-policy"];
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
    for weak in ["unsafe", "http", "*"] {
        assert!(!policy.contains(weak), "{policy}");
    }
    assert!(policy.contains("require-trusted-types-for 'script'"));
}

#[tokio::test]
async fn robots_txt_disallows_crawlers() {
    let text = get("/robots.txt", &[]).await.text().await.unwrap();
    assert!(text.contains("User-agent: *\nDisallow: /\n"), "{text}");
}
