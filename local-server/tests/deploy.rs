//! The files in `deploy` agree with the code and the image.
//!
//! They are parsed; systemd and nginx check their own files where they are installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use colloquy_core::config::Settings;
use serde_json::Value;

const SERVICE: &str = include_str!("../../deploy/systemd/colloquy.service");
const KUBERNETES: &str = include_str!("../../deploy/kubernetes/colloquy.yaml");
const NGINX: &str = include_str!("../../deploy/nginx/colloquy.conf");
const CADDY: &str = include_str!("../../deploy/caddy/Caddyfile");
const PROTOCOL: &str = include_str!("../../docs/protocol.md");

/// The user and group of the image.
const IMAGE_USER: i64 = 10_001;

fn setting(name: &str) -> &'static str {
    let row = Settings::TABLE.iter().find(|row| row.name == name);
    row.unwrap_or_else(|| panic!("{name} is no setting"))
        .default
}

fn shutdown_seconds() -> i64 {
    setting("SHUTDOWN_SECONDS").parse().expect("a number")
}

fn manifest(kind: &str) -> Value {
    let documents = KUBERNETES.split("\n---\n");
    documents
        .map(|text| serde_saphyr::from_str::<Value>(text).expect("YAML"))
        .find(|document| document["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind}"))
}

/// The value of a key of the unit, which occurs once.
fn unit(key: &str) -> &'static str {
    let mut values = SERVICE.lines().filter_map(|line| line.split_once('='));
    let found = values.find(|(name, _)| *name == key);
    found.unwrap_or_else(|| panic!("no {key}")).1
}

#[test]
fn kubernetes_runs_one_server_that_is_not_root() {
    let deployment = manifest("Deployment");
    let spec = &deployment["spec"];
    assert_eq!(spec["replicas"], 1);
    assert_eq!(spec["strategy"]["type"], "Recreate");
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["enableServiceLinks"], false);
    for id in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert_eq!(pod["securityContext"][id], IMAGE_USER, "{id}");
    }
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let grace = pod["terminationGracePeriodSeconds"].as_i64();
    assert!(grace > Some(shutdown_seconds()));
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(
        container["securityContext"]["capabilities"]["drop"][0],
        "ALL"
    );
    assert!(container["resources"]["limits"]["memory"].is_string());
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/data");
    let selector = &manifest("Service")["spec"]["selector"];
    assert_eq!(*selector, spec["template"]["metadata"]["labels"]);
}

#[test]
fn kubernetes_probes_and_variables_exist() {
    let deployment = manifest("Deployment");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let path = container[probe]["httpGet"]["path"]
            .as_str()
            .expect("a path");
        assert!(PROTOCOL.contains(&format!("`GET {path}`")), "{path}");
        // Kubernetes waits one second by default, less than a busy machine may need.
        assert!(container[probe]["timeoutSeconds"].as_i64() >= Some(3));
    }
    for variable in container["env"].as_array().expect("a list") {
        setting(variable["name"].as_str().expect("a name"));
    }
}

#[test]
fn systemd_unit_has_the_settings_and_time_it_needs() {
    let variables = unit("Environment").split(' ');
    let names: BTreeSet<&str> = variables
        .filter_map(|pair| Some(pair.split_once('=')?.0))
        .collect();
    assert_eq!(names, BTreeSet::from(["DATA_DIR", "LOG_DIR"]));
    for name in names {
        setting(name);
    }
    assert!(unit("TimeoutStopSec").parse::<i64>().expect("seconds") > shutdown_seconds());
    assert_eq!(unit("StateDirectoryMode"), "0700");
    assert!(unit("ExecReload").contains("-HUP"));
}

#[test]
fn systemd_accepts_the_unit() {
    let Some(folder) = tools_folder("systemd-analyze") else {
        return;
    };
    let path = folder.path().join("colloquy.service");
    let program = env!("CARGO_BIN_EXE_colloquy-local-server");
    let text = SERVICE.replace("/usr/local/bin/colloquy-local-server", program);
    fs::write(&path, text).expect("written");
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&path)
        .output()
        .expect("it runs");
    let printed = String::from_utf8_lossy(&output.stderr);
    // It also checks the units of this machine.
    let ours: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains("colloquy"))
        .collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn nginx_accepts_its_file() {
    let Some(folder) = tools_folder("nginx") else {
        return;
    };
    let at = folder.path().display();
    // No certificate is read, and nothing outside of the folder is written.
    let site: String = NGINX
        .lines()
        .filter(|line| !line.trim_start().starts_with("ssl_"))
        .map(|line| line.replace("listen 443 ssl", "listen 8443") + "\n")
        .collect();
    let site = site.replace("/var/log/nginx", &at.to_string());
    let main = format!(
        "pid {at}/pid;\nerror_log {at}/error.log;\nevents {{}}\nhttp {{\n\
         client_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\n\
         fastcgi_temp_path {at}/fastcgi;\nuwsgi_temp_path {at}/uwsgi;\nscgi_temp_path {at}/scgi;\n\
         {site}}}\n"
    );
    let path = folder.path().join("nginx.conf");
    fs::write(&path, main).expect("written");
    let output = Command::new("nginx")
        .args(["-t", "-c"])
        .arg(&path)
        .output()
        .expect("it runs");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
}

/// A temporary folder, if the program is installed.
fn tools_folder(program: &str) -> Option<tempfile::TempDir> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .any(|folder: std::path::PathBuf| Path::new(&folder).join(program).exists())
        .then(|| tempfile::tempdir().expect("a folder"))
}

#[test]
fn proxies_log_no_query_and_close_idle_connections_first() {
    let format = NGINX
        .split("log_format colloquy")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .expect("a format");
    for variable in [
        "$request ",
        "$request\"",
        "$request_uri",
        "$args",
        "$query_string",
    ] {
        assert!(!format.contains(variable), "{variable}");
    }
    assert!(NGINX.contains("access_log /var/log/nginx/colloquy.access.log colloquy;"));
    assert!(NGINX.contains("proxy_set_header Upgrade $http_upgrade;"));
    assert!(CADDY.contains("request>uri query {\n\t\t\t\t\tdelete token"));
    assert!(CADDY.contains("request>headers>Sec-Websocket-Protocol delete"));
}
