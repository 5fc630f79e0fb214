//! Tests that the client sees bytes after a response, and how a connection ends.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use super::super::load;
use super::{End, Exchanged, exchanges};

/// Runs a case of `times` requests. The server answers each with these bytes, and sends its last words when the client
/// has no more requests.
fn run_exchanges(times: usize, answer: &'static str, last_words: &'static [u8]) -> Vec<Exchanged> {
    let case = format!("[[case]]\nname = \"self\"\n[case.request]\ntimes = {times}\n");
    let case = load::parse(&case, Path::new(".")).expect("a case").remove(0);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::scope(|scope| {
        scope.spawn(move || {
            let (mut stream, _) = listener.accept().expect("the client connects");
            let mut request = [0; 4096];
            while stream.read(&mut request).expect("a socket") > 0 {
                stream.write_all(answer.as_bytes()).expect("the client reads");
                if answer.contains("connection: close") {
                    break;
                }
            }
            stream.write_all(last_words).expect("the client reads to the end");
        });
        exchanges(address, &case)
    })
}

const KEPT: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno";
const CLOSED: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";

fn ends(exchanged: &[Exchanged]) -> Vec<&End> {
    exchanged.iter().map(|it| &it.response.as_ref().expect("a response").end).collect()
}

#[test]
fn a_response_ends_where_nothing_comes_behind_it() {
    assert_eq!(ends(&run_exchanges(2, KEPT, b"")), [&End::Whole, &End::Whole]);
    assert_eq!(ends(&run_exchanges(1, CLOSED, b"")), [&End::Whole]);
}

#[test]
fn what_comes_behind_the_last_response_is_seen_however_late() {
    for (times, answer) in [(1, KEPT), (2, KEPT), (1, CLOSED)] {
        let exchanged = run_exchanges(times, answer, b"0\r\n\r\n");
        let ends = ends(&exchanged);
        assert_eq!(
            ends.last(),
            Some(&&End::Aborted("after the response: \"0\\r\\n\\r\\n\"".to_owned())),
            "{times} {answer}"
        );
    }
}
