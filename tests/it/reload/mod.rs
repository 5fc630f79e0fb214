//! Tests a watched policy (M2, M3): files change in every way that files change, and requests see the change.
//!
//! Each policy here has another text for 404, so that a response shows its policy. A change of a file takes effect
//! after a while. [`Served::until_it_says`] waits for that and for nothing else.

mod changes;
mod ended;
mod kept;
mod nested;
mod refused;
mod unread;

use std::convert::Infallible;
use std::fs;
use std::future::{Ready, ready};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::util::ServiceFn;
use tower::{ServiceExt, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::ErrorEnvelopeService;
use tower_error_envelope::middleware::RequestBody;
use tower_layer::Layer;

use crate::wait::{until, when};

type Inner = ServiceFn<fn(Request<RequestBody<Full<Bytes>>>) -> Ready<Result<Response<Full<Bytes>>, Infallible>>>;

/// A service under a watched policy. It never has what a request names.
struct Served {
    layer: ErrorEnvelopeLayer,
    service: ErrorEnvelopeService<Inner>,
}

/// A folder of policies, which is removed when dropped.
struct Folder(PathBuf);

/// Returns a policy with this text for 404.
fn saying(text: &str) -> String {
    format!("version = 1\n{}", rule(text))
}

fn rule(text: &str) -> String {
    format!("[[map]]\nstatus = 404\nto = \"not_found\"\nsay = \"{text}\"\n")
}

/// Returns a part of a policy for a team whose paths begin with this prefix.
fn part(prefix: &str, text: &str) -> String {
    format!("version = 1\nscope.prefix = \"{prefix}\"\n{}", rule(text))
}

/// Returns a policy that includes these files.
fn including(pattern: &str) -> String {
    format!("version = 1\ninclude = [\"{pattern}\"]\n")
}

/// The path of a request, which belongs to a team.
const PATH: &str = "/team/a/b/x";

/// The default text of a 404.
const UNSAID: &str = "Not found.";

impl Served {
    fn watch(path: impl AsRef<Path>) -> Self {
        Self::new(ErrorEnvelopeLayer::watch(path).unwrap())
    }

    fn new(layer: ErrorEnvelopeLayer) -> Self {
        let inner: Inner = service_fn(|_| ready(Ok(Response::builder().status(404).body(Full::default()).unwrap())));
        Self { service: layer.layer(inner), layer }
    }

    /// Returns the text of its 404.
    fn says(&self) -> String {
        says(&self.service)
    }

    /// Returns the code for a request with this token.
    fn code_with(&self, token: &str) -> String {
        let request = Request::builder().uri(PATH).header("authorization", format!("Bearer {token}"));
        error(&self.service, request.body(Full::default()).unwrap())["code"].as_str().unwrap().to_owned()
    }

    /// Returns what a browser sees of its 404.
    fn page(&self) -> String {
        let request = Request::builder().uri(PATH).header("accept", "text/html").body(Full::default()).unwrap();
        String::from_utf8_lossy(&body(&self.service, request)).into_owned()
    }

    #[track_caller]
    fn until_it_says(&self, text: &str) {
        until(&format!("it says {text:?}"), || {
            let says = self.says();
            when(says == text, says)
        });
    }
}

fn says(service: &ErrorEnvelopeService<Inner>) -> String {
    let request = Request::builder().uri(PATH).body(Full::default()).unwrap();
    error(service, request)["message"].as_str().unwrap().to_owned()
}

fn error(service: &ErrorEnvelopeService<Inner>, request: Request<Full<Bytes>>) -> Value {
    serde_json::from_slice::<Value>(&body(service, request)).unwrap()["error"].take()
}

fn body(service: &ErrorEnvelopeService<Inner>, request: Request<Full<Bytes>>) -> Bytes {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Ok(response) = service.clone().oneshot(request).await;
        response.into_body().collect().await.unwrap().to_bytes()
    })
}

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("envelope-reload-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder.canonicalize().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes in place, and makes the necessary folders.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes another file, and renames it to this name, as editors and deployments do.
    fn replace(&self, name: &str, text: &str) {
        fs::rename(self.write(&format!("{name}.new"), text), self.path(name)).unwrap();
    }

    /// Makes a second name for a file. A watcher of the file's folder is not notified of writes under that name.
    fn unheard(&self, name: &str) -> PathBuf {
        let second = self.write("unheard/as-well", "");
        fs::remove_file(&second).unwrap();
        fs::hard_link(self.path(name), &second).unwrap();
        second
    }

    fn link(&self, name: &str, to: &str) {
        symlink(to, self.path(name)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
