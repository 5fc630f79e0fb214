//! Products whose clients understand only the form of the product (R10). A header identifies a product only if the body
//! has the form of that product's row.

use super::super::json::{self, Object};
use super::super::parsed_error::Body;
use super::super::readable::Readable;
use super::soap::root_tag;

/// A product that has its own SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    Aws,
    Azure,
    Docker,
    Elasticsearch,
    Kubernetes,
    Oci,
}

/// The properties by which the errors of a product are recognised.
struct Row {
    product: Product,
    /// Returns true if a JSON body has the form of the product's errors.
    json: fn(&Body<'_, '_>, &Readable<'_>) -> bool,
    /// The headers that a product sends with its XML, and the possible root elements of that XML.
    xml: (&'static [&'static str], &'static [&'static str]),
}

const fn json_alone(product: Product, json: fn(&Body<'_, '_>, &Readable<'_>) -> bool) -> Row {
    Row { product, json, xml: (&[], &[]) }
}

const ROWS: [Row; 6] = [
    Row {
        product: Product::Aws,
        json: |body, head| {
            head.has(&["x-amzn-errortype"])
                || head.has(&["x-amzn-requestid", "x-amz-request-id"]) && body.object.string("__type").is_some()
        },
        xml: (&["x-amzn-errortype", "x-amzn-requestid", "x-amz-request-id"], &["Error", "ErrorResponse", "Response"]),
    },
    Row {
        product: Product::Azure,
        json: |body, head| {
            let is_error = |error: &Object<'_>| error.string("code").is_some() && error.string("message").is_some();
            head.has(&["x-ms-error-code", "x-ms-request-id"])
                && (body.error.as_ref().is_some_and(is_error) || body.object.object("odata.error").is_some())
        },
        xml: (&["x-ms-error-code", "x-ms-request-id"], &["Error"]),
    },
    json_alone(Product::Kubernetes, |body, _| {
        let is = |name, value| body.object.string(name).is_some_and(|it| it == value);
        is("kind", "Status") && is("apiVersion", "v1")
    }),
    json_alone(Product::Elasticsearch, |body, head| {
        let causes = || json::array(body.error.as_ref()?.raw("root_cause")?.get());
        head.has(&["x-elastic-product"]) || causes().is_some() && body.object.number("status").is_some()
    }),
    json_alone(Product::Oci, |body, head| {
        let is_api = || {
            head.has(&["docker-distribution-api-version"])
                || head.target.as_str().is_some_and(|path| path.starts_with("/v2/"))
        };
        let errors = || json::array(body.object.raw("errors")?.get()).filter(|errors| !errors.is_empty());
        body.object.has("errors") && is_api() && errors().is_some_and(|errors| errors.iter().all(|it| is_oci(it.get())))
    }),
    json_alone(Product::Docker, |body, head| {
        head.has(&["docker-experimental", "ostype"]) && body.object.string("message").is_some()
    }),
];

/// The codes of the OCI distribution specification, and two codes that registries use.
const OCI_CODES: [&str; 16] = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNAVAILABLE",
    "UNKNOWN",
    "UNSUPPORTED",
];

impl Readable<'_> {
    /// Returns true if the head has one of these headers.
    fn has(&self, names: &[&str]) -> bool {
        self.headers.keys().any(|name| names.contains(&name.as_str()))
    }

    /// Returns true if a product may have sent one of these headers. The check is quick, because most heads have none
    /// of them.
    fn names_product(&self) -> bool {
        self.headers.keys().any(|name| {
            let name = name.as_str();
            name.starts_with("x-a")
                || name.starts_with("x-ms-")
                || name.starts_with("x-e")
                || name.starts_with("docker-")
                || name == "ostype"
        })
    }
}

/// Returns the product of a JSON object.
pub(super) fn of_json(body: &Body<'_, '_>, head: &Readable<'_>) -> Option<Product> {
    // The bodies of products without such a header have one of these members.
    let may_be = head.names_product() || ["kind", "errors", "status"].iter().any(|name| body.object.has(name));
    if may_be { ROWS.iter().find(|row| (row.json)(body, head)).map(|row| row.product) } else { None }
}

/// Returns the product of an XML document.
pub(super) fn of_xml(text: &str, head: &Readable<'_>) -> Option<Product> {
    let root = root_tag(text.trim_start_matches('\u{feff}'))?.split(|it: char| !it.is_ascii_alphanumeric()).next()?;
    ROWS.iter().find(|row| row.xml.1.contains(&root) && head.has(row.xml.0)).map(|row| row.product)
}

fn is_oci(error: &str) -> bool {
    Object::parse(error).is_some_and(|error| error.string("code").is_some_and(|code| OCI_CODES.contains(&&*code)))
}
