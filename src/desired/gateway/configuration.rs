//! nginx.conf of the gateway. Pure.
//!
//! Upstreams are the API pods themselves: the headless Service is resolved every 2 s (nginx 1.27.3
//! or newer), so pods come and go without a reload.

use super::nginx::{Directive, render as render_directives};
use crate::names::{GATEWAY_PORT, GATEWAY_STATUS_PORT};
use crate::plan::Plan;

/// File name in the ConfigMap.
pub const FILE: &str = "nginx.conf";
/// Folder of [`FILE`] in the pod.
pub const FOLDER: &str = "/eaiser/configuration";
/// Scratch folder: pid, temporary files and the generated resolver line.
pub const SCRATCH: &str = "/tmp";
/// File with the `resolver` line, written at pod start from /etc/resolv.conf.
pub const RESOLVER_FILE: &str = "/tmp/resolver.conf";
/// Path of the gateway's own health check on the status port.
pub const HEALTH_PATH: &str = "/healthz";
/// Name of the upstream group.
const UPSTREAM: &str = "api";
/// Idle upstream connections each worker keeps open.
const KEEPALIVE: i64 = 64;

/// Renders the file.
pub fn render(plan: &Plan) -> String {
    let gateway = &plan.gateway;
    render_directives(&[
        Directive::new("worker_processes", &gateway.worker_processes.to_string()),
        Directive::new("pid", &format!("{SCRATCH}/nginx.pid")),
        Directive::new("error_log", "/dev/stderr warn"),
        Directive::new("events", "")
            .block(vec![Directive::new("worker_connections", &gateway.worker_connections.to_string())]),
        Directive::new("http", "").block(http(plan)),
    ])
}

fn http(plan: &Plan) -> Vec<Directive> {
    let mut directives = Vec::new();
    for folder in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        directives.push(Directive::new(
            match folder {
                "client_body" => "client_body_temp_path",
                "proxy" => "proxy_temp_path",
                "fastcgi" => "fastcgi_temp_path",
                "uwsgi" => "uwsgi_temp_path",
                _ => "scgi_temp_path",
            },
            &format!("{SCRATCH}/{folder}"),
        ));
    }
    directives.extend([
        Directive::new("include", RESOLVER_FILE),
        Directive::new("log_format", "json escape=json").expression(LOG_FORMAT),
        Directive::new("access_log", "/dev/stdout json"),
        Directive::new("default_type", "application/octet-stream"),
        Directive::new("server_tokens", "off"),
        Directive::new("tcp_nodelay", "on"),
        Directive::new("keepalive_timeout", "65s"),
        Directive::new("gzip", "on"),
        Directive::new("gzip_proxied", "any"),
        Directive::new("gzip_min_length", "1024"),
        Directive::new("gzip_vary", "on"),
        Directive::new(
            "gzip_types",
            "application/json application/javascript text/css text/plain image/svg+xml",
        ),
        upstream(plan),
        verdict(),
        front(),
        status(),
    ]);
    directives
}

/// What is logged of each request; never a query string, which may hold secrets.
const LOG_FORMAT: &str = r#"{"time":"$time_iso8601","remote":"$remote_addr","method":"$request_method","path":"$uri","status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,"upstream":"$upstream_addr","upstream_status":"$upstream_status","upstream_seconds":"$upstream_response_time"}"#;

fn upstream(plan: &Plan) -> Directive {
    let identity = &plan.identity;
    let host = format!(
        "{}.{}.svc.{}:{}",
        identity.api_pods(),
        identity.namespace,
        plan.cluster_domain,
        plan.api.port
    );
    Directive::new("upstream", UPSTREAM).block(vec![
        // Shared by all workers, so that max_conns and failures are counted once per pod.
        Directive::new("zone", "api 1m"),
        Directive::new("least_conn", ""),
        Directive::new("server", "")
            .literal(host)
            .expression("resolve")
            .expression(format!("max_conns={}", plan.gateway.max_connections_per_instance))
            .expression("max_fails=3")
            .expression("fail_timeout=5s"),
        Directive::new("keepalive", &KEEPALIVE.to_string()),
    ])
}

/// What becomes of a request that no pod answered. A pod is found out to be gone within a second, and a
/// request that waits for it when names are resolved anew is given up: nginx looks for no other pod in a
/// list that has changed meanwhile. Reads that were never sent to a pod start over, once.
fn verdict() -> Directive {
    let tried = "$request_method|$upstream_connect_time|$upstream_status";
    Directive::new("map", "").expression(tried).expression("$verdict").block(vec![
        Directive::new("default", "bad_gateway"),
        Directive::new(r"~^(?:GET|HEAD|OPTIONS)\|(?:.*[,:]\s)?-\|", "again"),
        Directive::new("~504$", "timeout"),
    ])
}

fn front() -> Directive {
    let pass = || Directive::new("proxy_pass", &format!("http://{UPSTREAM}"));
    let when = |verdict: &str, status: &str| {
        Directive::new("if", &format!("($verdict = {verdict})")).block(vec![Directive::new("return", status)])
    };
    Directive::new("server", "").block(vec![
        Directive::new("listen", &format!("{GATEWAY_PORT} reuseport")),
        Directive::new("add_header", "X-Content-Type-Options nosniff always"),
        Directive::new("add_header", "X-Frame-Options DENY always"),
        Directive::new("add_header", "Referrer-Policy no-referrer always"),
        Directive::new("proxy_http_version", "1.1"),
        Directive::new("proxy_set_header", "Connection").expression(""),
        Directive::new("proxy_set_header", "Host $host"),
        Directive::new("proxy_set_header", "X-Real-IP $remote_addr"),
        Directive::new("proxy_set_header", "X-Forwarded-For $proxy_add_x_forwarded_for"),
        Directive::new("proxy_set_header", "X-Forwarded-Proto $scheme"),
        Directive::new("proxy_set_header", "X-Request-Id $request_id"),
        // A vanished pod must cost one short wait, not the client's patience.
        Directive::new("proxy_connect_timeout", "1s"),
        Directive::new("proxy_read_timeout", "60s"),
        // Idempotent methods only: `non_idempotent` is left out on purpose.
        Directive::new("proxy_next_upstream", "error timeout http_502 http_503"),
        Directive::new("proxy_next_upstream_tries", "3"),
        Directive::new("proxy_next_upstream_timeout", "10s"),
        Directive::new("error_page", "502 504 = @again"),
        Directive::new("location", "/").block(vec![pass()]),
        Directive::new("location", "@again").block(vec![
            when("bad_gateway", "502"),
            when("timeout", "504"),
            pass(),
        ]),
    ])
}

/// Private: the Service does not publish this port.
fn status() -> Directive {
    Directive::new("server", "").block(vec![
        Directive::new("listen", &GATEWAY_STATUS_PORT.to_string()),
        Directive::new("access_log", "off"),
        Directive::new("location", &format!("= {HEALTH_PATH}")).block(vec![Directive::new("return", "204")]),
        Directive::new("location", "= /status").block(vec![Directive::new("stub_status", "")]),
    ])
}
