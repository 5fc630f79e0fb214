//! Tests a service with a host name that stops resolving while the gateway runs.

use super::*;

const NAME: &str = "named.example.test";

/// The host names that a process can resolve. The process has its own `/etc/hosts`, and no name server.
struct Hosts(TempDir);

impl Hosts {
    fn with(line: &str) -> Self {
        let hosts = Self(tempfile::tempdir().unwrap());
        fs::write(hosts.0.path().join("nsswitch.conf"), "hosts: files\n").unwrap();
        fs::write(hosts.0.path().join("resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").unwrap();
        hosts.become_of(line);
        hosts
    }

    /// Writes a new line to `hosts`. The file is not replaced, because it is mounted.
    fn become_of(&self, line: &str) {
        fs::write(self.0.path().join("hosts"), format!("{line}\n")).unwrap();
    }

    /// Returns a command that runs in a separate mount namespace with these host names. Some systems do not allow this.
    fn command_inside(&self, command: &Command) -> Command {
        const SCRIPT: &str = r#"for name in hosts nsswitch.conf resolv.conf; do
            [ ! -e "/etc/$name" ] || mount --bind "$0/$name" "/etc/$name" || exit 1
        done
        exec "$@""#;
        let mut inside = Command::new("unshare");
        inside.args(["--map-root-user", "--mount", "sh", "-c", SCRIPT]).arg(self.0.path());
        inside.arg(command.get_program()).args(command.get_args());
        inside.current_dir(command.get_current_dir().unwrap());
        inside
    }
}

#[test]
#[ignore = "needs `unshare` to mount files, which `.ci/run` may"]
fn f7_a_name_that_stops_resolving_keeps_its_connections_and_nothing_of_another_s() {
    let known = format!("127.0.0.1 {NAME}");
    let hosts = Hosts::with(&known);
    let (named, third) = (Service::start("named"), Service::start("third"));
    let port = named.url.rsplit_once(':').unwrap().1;
    let by_name = format!("[scope]\nprefix = \"/named\"\nupstream = \"http://{NAME}:{port}\"\n");
    let files = [("named.toml", &*by_name), ("third.toml", &scope("prefix = \"/third\"", &third))];
    let gateway =
        Gateway::start_by(MAIN, &files, &["--upstream-idle-timeout", "1h"], |command| hosts.command_inside(&command));
    let is_named = |path: &str| assert_eq!(gateway.says(path), (200, format!("named {path}")));
    is_named("/named/1");

    hosts.become_of("");
    is_named("/named/2");
    named.hold(true);
    let held = gateway.in_flight("/named/3");
    wait_for("the service has it", || named.requests() == 3);
    for round in 0..20 {
        let (status, body) = gateway.says("/named/4");
        assert!(status == 502 && body.contains(r#""code":"other""#), "{round}: {body}");
        assert_eq!(gateway.says("/third"), (200, "third /third".to_owned()), "{round}");
    }

    hosts.become_of(&known);
    let again = gateway.in_flight("/named/5");
    wait_for("the service has that, too", || named.requests() == 4);
    named.hold(false);
    assert_eq!([held, again].map(|it| it.join().unwrap().0), [200, 200]);
    assert_eq!(named.connections(), 2);
}
