//! Tests the metrics of the certificate and of handshakes.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};
use std::{fs, io};

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio_rustls::rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};

use super::super::{Pair, ServerTls};
use super::{NOT_AFTER, REFUSED, reason};

fn write(pair: &Pair, year: i32) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    fs::write(&pair.key, key.serialize_pem()).unwrap();
    fs::write(&pair.certificate, certificate.pem()).unwrap();
}

#[test]
fn a_refused_certificate_and_the_end_of_the_one_in_force_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem"), clients: None };
    write(&pair, 2040);
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let gauges = || {
        let all = snapshots.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
            let DebugValue::Gauge(value) = value else { panic!("{key:?} is not a gauge") };
            (key.key().name().to_owned(), value.into_inner())
        });
        all.collect::<BTreeMap<_, _>>()
    };
    let expected = |refused, end: f64| BTreeMap::from([(NOT_AFTER.to_owned(), end), (REFUSED.to_owned(), refused)]);
    metrics::with_local_recorder(&recorder, || {
        let tls = ServerTls::watch(&pair.certificate, &pair.key, None).unwrap();
        assert_eq!(gauges(), expected(0.0, 2_208_988_800.0));
        fs::write(&pair.certificate, "none").unwrap();
        tls.reload();
        assert_eq!(gauges()[REFUSED], 1.0);
        let status = tls.status();
        assert_eq!(status.not_after, Some(UNIX_EPOCH + Duration::from_secs(2_208_988_800)));
        assert!(status.rejection.is_some_and(|why| why.contains("no certificate can be read")));
        write(&pair, 2041);
        tls.reload();
        assert_eq!(gauges(), expected(0.0, 2_240_611_200.0));
        assert_eq!(tls.status().not_after, Some(UNIX_EPOCH + Duration::from_secs(2_240_611_200)));
        assert_eq!(tls.status().rejection, None);
    });
}

#[test]
fn a_handshake_fails_for_a_reason() {
    for (error, why) in [
        (io::Error::other(Error::AlertReceived(AlertDescription::UnknownCA)), "alert"),
        (io::Error::other(Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon)), "incompatible"),
        (io::Error::other(Error::InvalidMessage(InvalidMessage::InvalidContentType)), "no_tls"),
        (io::Error::other(Error::HandshakeNotComplete), "other"),
        (io::ErrorKind::UnexpectedEof.into(), "gone"),
    ] {
        assert_eq!(reason(&error), why, "{error}");
    }
}
