//! The real programs read what the typed builders write: each hostile text comes back as it was.
//! They come from the lab's images (`tests/lab/lab image exec`); no cluster is needed.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eaiser_operator::desired::gateway::nginx::{self, Directive};
use eaiser_operator::desired::{monitoring, redis};
use eaiser_operator::password::Password;
use serde_json::json;

use super::{complete, hostile, rendered};

/// A folder that the program sees as `/x`.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("eaiser-hostile-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn command(&self, image: &str, words: &[&str]) -> Command {
        let mut command = Command::new("tests/lab/lab");
        command
            .args(["image", "exec", "--mount", &format!("{}:/x", self.0.display()), image, "--"])
            .args(words);
        command
    }

    /// A server in a process group of its own, waited for until its socket answers.
    fn serve(&self, image: &str, words: &[&str]) -> Server {
        let log = fs::File::create(self.0.join("log")).unwrap();
        let mut command = self.command(image, words);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        let server = Server(command.spawn().unwrap());
        let begin = Instant::now();
        while UnixStream::connect(self.0.join("socket")).is_err() {
            let log = fs::read_to_string(self.0.join("log")).unwrap();
            assert!(begin.elapsed() < Duration::from_secs(60), "{image} does not answer: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// What comes back for `request`, until the server closes or says nothing more.
    fn ask(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(self.0.join("socket")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

/// Nginx takes no argument above 4 KiB; no text of the spec that could become one is that long.
fn literals() -> Vec<String> {
    hostile().into_iter().filter(|text| text.len() < 4096).collect()
}

#[test]
#[ignore = "needs the lab's images: tests/run.sh hostile"]
fn nginx_reads_every_literal_as_it_was() {
    let folder = Folder::new("nginx");
    let mut server = vec![Directive::new("listen", "unix:/x/socket")];
    for (index, text) in literals().iter().enumerate() {
        let answer = Directive::new("return", "200").literal(text);
        server.push(Directive::new("location", &format!("= /{index}")).block(vec![answer]));
    }
    let mut http = vec![nginx::dollar(), Directive::new("access_log", "off")];
    for name in
        ["client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path"]
    {
        http.push(Directive::new(name, &format!("/x/{name}")));
    }
    http.push(Directive::new("server", "").block(server));
    let file = nginx::render(&[
        Directive::new("user", "root"),
        Directive::new("daemon", "off"),
        Directive::new("pid", "/x/pid"),
        Directive::new("events", "").block(vec![]),
        Directive::new("http", "").block(http),
    ]);
    folder.write("nginx.conf", &file);
    let _server = folder.serve("nginx", &["nginx", "-e", "/dev/stderr", "-c", "/x/nginx.conf"]);
    for (index, text) in literals().iter().enumerate() {
        let answer = folder.ask(format!("GET /{index} HTTP/1.0\r\n\r\n").as_bytes());
        let start = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(String::from_utf8_lossy(&answer[start..]), *text);
    }
    println!("nginx: {} texts came back as they were", literals().len());
}

#[test]
#[ignore = "needs the lab's images: tests/run.sh hostile"]
fn redis_reads_every_password_as_it_was() {
    let mut read = 0;
    for text in hostile().iter().filter(|text| !text.is_empty()) {
        let folder = Folder::new("redis");
        let authentication = redis::authentication(&Password::new(text));
        folder.write(
            "redis.conf",
            &format!("port 0\nunixsocket /x/socket\ndir /x\nsave \"\"\n{authentication}"),
        );
        let _server = folder.serve("redis", &["redis-server", "/x/redis.conf"]);
        let length = text.len();
        let login = format!("*2\r\n$4\r\nAUTH\r\n${length}\r\n{text}\r\n");
        let ask = "*4\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$11\r\nrequirepass\r\n$10\r\nmasterauth\r\n*1\r\n$4\r\nQUIT\r\n";
        let answer = String::from_utf8(folder.ask(format!("{login}{ask}").as_bytes())).unwrap();
        assert!(answer.starts_with("+OK"), "{text:?}: {answer}");
        assert_eq!(answer.matches(&format!("${length}\r\n{text}\r\n")).count(), 2, "{text:?}: {answer}");
        read += 1;
    }
    println!("redis: {read} passwords came back as they were");
}

#[test]
#[ignore = "needs the lab's images: tests/run.sh hostile"]
fn promtool_reads_every_admitted_runbook_address_as_it_was() {
    let folder = Folder::new("promtool");
    let mut files = Vec::new();
    for (index, text) in hostile().iter().chain([&"a".repeat(400), &"%7B%7B".to_owned()]).enumerate() {
        let mut document = complete();
        document["spec"]["monitoring"]["runbookBaseUrl"] = json!(format!("https://h/{text}"));
        let Some(desired) = rendered(&document) else { continue };
        let mut maps = desired.config_maps.iter().filter_map(|map| map.data.as_ref());
        let rules = maps.find_map(|data| data.get(monitoring::RULES_FILE)).unwrap();
        assert!(rules.contains(text.trim_end_matches('/')), "{text:?}");
        let name = format!("{index}.yaml");
        folder.write(&name, rules);
        files.push(format!("/x/{name}"));
    }
    let mut words = vec!["promtool", "check", "rules"];
    words.extend(files.iter().map(String::as_str));
    let output = folder.command("prometheus", &words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("SUCCESS").count(), files.len(), "{said}");
    assert!(Path::new("tests/lab/lab").exists() && files.len() > 5, "{files:?}");
    println!("promtool: {} rule files with hostile addresses are valid", files.len());
}
