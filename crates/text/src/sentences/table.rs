//! The table of sentences that the layer reads (R13).

/// The texts to which a row applies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// The text is in a list, and the sentence is one of class-validator. Either the body has NestJS's own form, or the
    /// notation of the place and the words behind it show this.
    InList,
    /// The body that contains the text also has this field.
    Beside(&'static str),
}

pub(super) struct Sentence {
    /// The framework and its version in which the sentence was seen.
    #[cfg_attr(not(test), allow(dead_code, reason = "it is for people who read the table"))]
    pub(super) seen: &'static str,
    pub(super) pattern: &'static str,
    /// The message for the client. The field is empty if the message is the whole sentence.
    pub(super) message: &'static str,
    pub(super) when: When,
    /// The text between two sentences, if a text consists of several sentences of this row.
    pub(super) joined: &'static str,
}

const fn row(seen: &'static str, pattern: &'static str, message: &'static str) -> Sentence {
    Sentence { seen, pattern, message, when: When::Always, joined: "" }
}

impl Sentence {
    const fn joined(self, joined: &'static str) -> Self {
        Self { joined, ..self }
    }

    const fn when(self, when: When) -> Self {
        Self { when, ..self }
    }
}

const AJV: &str = "ajv 8.17, behind Fastify 5.12";
const BEAN: &str = "Hibernate Validator 8.0";
const AXUM: &str = "axum 0.8.9";
const CLASS: &str = "class-validator 0.15";
const DJANGO: &str = "Django REST framework 3.18, Django 5.2";
const GARDE: &str = "garde 0.22";
const GRAPE: &str = "Grape 2.4";
const JACKSON: &str = "Jackson 2.19";
const JOI: &str = "Joi 17.13";
const JSONSCHEMA: &str = "jsonschema 4.24";
const LOOPBACK: &str = "LoopBack 4";
const MICRONAUT: &str = "Micronaut 4.9";
const OF_APPLICATIONS: &str = "custom validators of Mongoose 8.19";
const YUP: &str = "yup 1.7";

// The order matters: if two rows match a text, the more precise one must come first.
pub(super) static SENTENCES: [Sentence; 170] = [
    row(AXUM, "Failed to deserialize the JSON body into the target type: {serde}", ""),
    row(AXUM, "Failed to deserialize query string: {serde}", ""),
    row(AXUM, "Failed to deserialize form body: {serde}", ""),
    row(AXUM, "Failed to deserialize form: {serde}", ""),
    row(AXUM, "Invalid URL: Invalid UTF-8 in `{path}`", "Invalid UTF-8 in `{path}`"),
    row(
        AXUM,
        "Invalid URL: Cannot parse `{path}` with value `{value}` to a `{word}`",
        "Cannot parse `{path}` to a `{word}`",
    ),
    row(
        AXUM,
        "Invalid URL: Cannot parse value at index {index} with value `{value}` to a `{word}`",
        "Cannot parse value at index {index} to a `{word}`",
    ),
    row(AXUM, "Invalid URL: Cannot parse `{path}` with value `{value}`: {serde}", "Cannot parse `{path}`: {serde}"),
    row(AXUM, "Invalid URL: Cannot parse `{path}` with value `{value}", "Cannot parse `{path}`"),
    row("actix-web 4.18.1, ntex 2.17", "Json deserialize error: {serde}", ""),
    row("actix-web 4.18.1", "Query deserialize error: {serde}", ""),
    row("actix-web 4.18.1", "Path deserialize error: {serde}", ""),
    row("actix-web 4.18.1", "Parse error: {serde}.", ""),
    row("warp 0.4.3", "Request body deserialize error: {serde}", ""),
    row("poem 3.1.12, Rocket 0.5.2", "parse error: {serde}", ""),
    row("poem 3.1.12", "url decode: {serde}", ""),
    row("poem-openapi 5.1.16", "failed to parse parameter `{path}`: {text}", "{text}"),
    row("salvo 1.1.0", "serde json error: {serde}", ""),
    row("salvo 1.1.0", "deserialize error: {serde}", ""),
    row("dropshot 0.16", "unable to parse JSON body: {serde}", ""),
    row(GARDE, "{path}: length is lower than {word}", "length is lower than {word}").joined("\n"),
    row(GARDE, "{path}: length is greater than {word}", "length is greater than {word}").joined("\n"),
    row(GARDE, "{path}: lower than {word}", "lower than {word}").joined("\n"),
    row(GARDE, "{path}: greater than {word}", "greater than {word}").joined("\n"),
    row(GARDE, "{path}: not set", "not set").joined("\n"),
    row(GARDE, "{path}: not ascii", "not ascii").joined("\n"),
    row(GARDE, "{path}: not alphanumeric", "not alphanumeric").joined("\n"),
    row(GARDE, "{path}: not a valid {word}", "not a valid {word}").joined("\n"),
    row(GARDE, "{path}: not a valid {word}: {value}", "not a valid {word}").joined("\n"),
    row(GARDE, "{path}: does not match pattern /{text}/", "does not match pattern /{text}/").joined("\n"),
    row(GARDE, "{path}: does not contain \"{text}\"", "does not contain \"{text}\"").joined("\n"),
    row(GARDE, "{path}: value does not begin with \"{text}\"", "value does not begin with \"{text}\"").joined("\n"),
    row(GARDE, "{path}: does not match {path} field", "does not match").joined("\n"),
    row("validator 0.20", "{path}: Validation error: {word} [{value}", "Validation error: {word}").joined("\n"),
    row(
        "encoding/json of Go 1.24",
        "json: cannot unmarshal {kind} into Go struct field {owned} of type {type}",
        "cannot unmarshal {kind} into {type}",
    ),
    row("encoding/json of Go 1.24", "json: unknown field \"{name}\"", "unknown field \"{name}\""),
    row(
        "Echo 4.13",
        "Unmarshal type error: expected={type}, got={kind}, field={path}, offset={word}",
        "expected {type}, got {kind}",
    ),
    row(
        "go-playground/validator 10.26",
        "Key: '{owned}' Error:Field validation for '{value}' failed on the '{word}' tag",
        "failed on the '{word}' tag",
    )
    .joined("\n"),
    row(
        "jsonschema 4.24, Connexion 3.2",
        "'{name}' is a required property - '{path}'",
        "'{name}' is a required property",
    ),
    row(JSONSCHEMA, "'{name}' is a required property", ""),
    row("Connexion 3.2", "{repr} is {text} - '{path}'", "Is {text}"),
    row("Connexion 3.2", "{repr} does not match {text} - '{path}'", "Does not match {text}"),
    row(
        "Connexion 3.3",
        "Wrong type, expected '{word}' for {word} parameter '{path}'",
        "Wrong type, expected '{word}'",
    ),
    row("Connexion 3.3", "Missing {word} parameter '{path}'", ""),
    row("Falcon 4.4", "The \"{path}\" parameter is invalid. {text}", "{text}"),
    row("Falcon 4.4", "The \"{path}\" parameter is required.", ""),
    row(JOI, "\"{path}\" must {text}", "").joined(". "),
    row(JOI, "\"{path}\" is required", "").joined(". "),
    row(JOI, "\"{path}\" is not allowed", "").joined(". "),
    row(JOI, "\"{path}\" is not allowed to be empty", "").joined(". "),
    row(JOI, "\"{path}\" length must {text}", "").joined(". "),
    row(JOI, "\"{path}\" contains {text}", "").joined(". "),
    row(JOI, "\"{path}\" does not {text}", "").joined(". "),
    row(JOI, "\"{path}\" with value \"{value}\" fails to match {text}", "\"{path}\" fails to match {text}")
        .joined(". "),
    row(YUP, "{path} must be a `{word}` type, but the final value was: {value}", "{path} must be a `{word}` type"),
    row(YUP, "{field} is a required field", ""),
    row(YUP, "{field} must be defined", ""),
    row(YUP, "{field} cannot be null", ""),
    row(YUP, "{field} must be at least {text}", ""),
    row(YUP, "{field} must be at most {text}", ""),
    row(YUP, "{field} must be exactly {text}", ""),
    row(YUP, "{field} must be a valid {text}", ""),
    row(YUP, "{field} must match the following: {text}", ""),
    row(YUP, "{field} must be one of the following values: {text}", ""),
    row(YUP, "{field} must be greater than {text}", ""),
    row(YUP, "{field} must be less than {text}", ""),
    row(YUP, "{field} must be a positive number", ""),
    row(YUP, "{field} must be an integer", ""),
    row(YUP, "{field} field must have {text}", ""),
    row(AJV, "{part} must have required property '{name}'", "must have required property '{name}'").joined(", "),
    row(AJV, "{part} must {text}", "must {text}").joined(", "),
    row("ajv 6.12", "{part} should have required property '{name}'", "should have required property '{name}'")
        .joined(", "),
    row("ajv 6.12", "{part} should {text}", "should {text}").joined(", "),
    row(AJV, "must have required property '{name}'", ""),
    row("ajv 6.12", "should have required property '{name}'", ""),
    row("ajv-i18n 4.2, behind Fastify 5.12", "{part} {text}", "{text}").when(When::Beside("statusCode")).joined(", "),
    row(GRAPE, "{field} is missing", "").joined(", "),
    row(GRAPE, "{field} is invalid", "").joined(", "),
    row(GRAPE, "{field} is empty", "").joined(", "),
    row(GRAPE, "{field} does not have a valid value", "").joined(", "),
    row(CLASS, "each value in {field} must {text}", "").when(When::InList),
    row(CLASS, "each value in {field} should {text}", "").when(When::InList),
    row(CLASS, "nested property {field} must {text}", "").when(When::InList),
    row(CLASS, "property {field} should {text}", "").when(When::InList),
    row(CLASS, "{field} must {text}", "").when(When::InList),
    row(CLASS, "{field} should {text}", "").when(When::InList),
    row(LOOPBACK, "Invalid data {value} for parameter \"{path}\".", "Invalid data"),
    row(LOOPBACK, "Required parameter {path} is missing!", ""),
    row(MICRONAUT, "Failed to convert argument [{path}] for value [{value}", "Failed to convert argument [{path}]"),
    row(MICRONAUT, "Failed to convert argument [{path}]{value}", "Failed to convert argument [{path}]"),
    row(MICRONAUT, "Required {word} [{path}] not specified", ""),
    row(MICRONAUT, "{part}: {text}", "{text}").when(When::Beside("_links")),
    row(MICRONAUT, "{argument}: {text}", "{text}").when(When::Beside("_links")),
    row(BEAN, "{field}: {bean}", "{bean}").when(When::InList),
    row(BEAN, "{field} {bean}", "").when(When::InList),
    row(BEAN, "{deep}: {bean}", "{bean}").joined(", "),
    row(
        "Litestar 2.25",
        "Missing required {word} parameter '{path}' for path {value}",
        "Missing required {word} parameter '{path}'",
    ),
    row(
        "msgspec 0.22",
        "Object missing required field `{name}` - at `{path}`",
        "Object missing required field `{name}`",
    ),
    row("Litestar 2.25, msgspec 0.22", "Object missing required field `{name}`", ""),
    row("Litestar 2.25, msgspec 0.22", "Object contains unknown field `{name}`", ""),
    // Values are removed from these sentences, and the text around them stays.
    row(AXUM, "Invalid URL: Cannot parse `{value}` to a `…", "Invalid URL: Cannot parse to a `"),
    row("poem-openapi 5.1.16", "…\", found {value}", "\""),
    row("strconv of Go 1.24", "…parsing \"{value}\": …", "parsing: "),
    row("time of Go 1.24", "…parsing time \"{value}", "parsing time"),
    row("encoding/json of Go 1.24", "…cannot unmarshal number {value} into …", "cannot unmarshal number into "),
    row("encoding/json of Go 1.24", "… into Go value of type {value}", ""),
    row("encoding/json of Go 1.24", "…trying to unmarshal {value} into …", "trying to unmarshal into "),
    row(JSONSCHEMA, "{repr} is not of type …", "Not of type "),
    row(JSONSCHEMA, "{repr} is not one of …", "Not one of "),
    row(JSONSCHEMA, "{repr} is not a '…", "Not a '"),
    row(JSONSCHEMA, "{repr} is not a multiple of …", "Not a multiple of "),
    row(JSONSCHEMA, "{repr} is not valid under …", "Not valid under "),
    row(JSONSCHEMA, "{repr} does not match …", "Does not match "),
    row(JSONSCHEMA, "{repr} is too …", "Too "),
    row(JSONSCHEMA, "{repr} is less than …", "Less than "),
    row(JSONSCHEMA, "{repr} is greater than …", "Greater than "),
    row(JSONSCHEMA, "{repr} is valid under …", "Valid under "),
    row(JSONSCHEMA, "{repr} has non-unique …", "Has non-unique "),
    row(JSONSCHEMA, "{repr} should not be …", "Should not be "),
    row(JOI, "…\" with value \"{value}\" fails to match…", "\" fails to match"),
    row(JOI, "…\" with value \"{value}\" matches the inverted…", "\" matches the inverted"),
    row(YUP, "…, but the final value was: {value}", ""),
    row("yup 1.7", "… (cast from the value {value}", ""),
    row("Zod 3.25", "…, received '{value}'…", ""),
    row("Valibot 1.1", "… but received \"{value}\"…", ""),
    row("Valibot 1.1", "…: Received {quoted}", ""),
    row("Elysia 1.4", "Expected property {text} but found: {value}", "Expected property {text}"),
    row("MySQL 8.4", "…Duplicate entry '{value}' for key …", "Duplicate entry for key "),
    row("MongoDB 8.0", "E11000 {text} dup key: {value}", "E11000 {text}"),
    row("Python 3.11", "…invalid literal for int() with base 10: {value}", "Not a whole number"),
    row("Python 3.11", "…could not convert string to float: {value}", "Not a number"),
    row("Python 3.11", "…Invalid isoformat string: {value}", "Not a date of ISO 8601"),
    row("Python 3.11", "…time data '{value}' does not match format…", "Does not match format"),
    row("Flask-RESTX 1.3", "…Invalid literal for boolean(): {value}", "Not a boolean"),
    row("Ruby 3.1", "…invalid value for Integer(): {value}", "Not a whole number"),
    row("Ruby 3.1", "…invalid value for Float(): {value}", "Not a number"),
    row(DJANGO, "\"{value}\" is not a valid …", "Not a valid "),
    row(DJANGO, "Invalid pk \"{value}\" - …", "Invalid pk - "),
    row(DJANGO, "Object with {value} does not exist.…", "Object does not exist."),
    row(DJANGO, "“{value}” is not a valid …", "Not a valid "),
    row(DJANGO, "“{value}” value …", "Value "),
    row(DJANGO, "Value '{value}' is not a valid choice…", "Not a valid choice"),
    row("schematics 2.1", "Value '{value}' is not …", "Value is not "),
    row("superstruct 2.0", "…, but received: {quoted}", ""),
    row("Effect 3.17", "…, actual {quoted}", ""),
    row("ArkType 2.1", "… (was {quoted})", ""),
    row("Kinto 20.1", "…: {repr} is not of type …", ": not of type "),
    row("routing-controllers 0.11", "…Value (\"{value}\") cannot be parsed…", "Value cannot be parsed"),
    row(JACKSON, "… from String \"{value}\": …", ": "),
    row(JACKSON, "… from String value ('{value}')…", " from a text"),
    row(DJANGO, "Select a valid choice. {value} is not one of the available choices.…", "Select a valid choice."),
    row("msgspec 0.22", "Invalid enum value {quoted}", "Invalid enum value"),
    row("msgspec 0.22", "Invalid value {quoted}", "Invalid value"),
    row("Litestar 2.25", "Validation failed for {text}?{value}", "Validation failed for {text}"),
    row(MICRONAUT, "… for value [{value}", ""),
    row("Spring 6.2", "…; nested exception is {value}", ""),
    row("Spring 6.2", "…; For input string: {value}", ""),
    row("Spring 6.2", "…; No enum constant {value}", ""),
    row("java.lang 21", "…For input string: {value}", "Not a number"),
    row("java.time 21", "…Text '{value}' could not be parsed…", "Text could not be parsed"),
    row("ASP.NET 9", "The value '{value}' is …", "The value is "),
    row("ASP.NET 9", "The JSON value could not be converted to {value}", "The JSON value could not be converted."),
    row(LOOPBACK, "…Invalid data {value} for parameter …", "Invalid data for parameter "),
    row("Mongoose 8.19", "… failed for value \"{value}\" (type …", " failed (type "),
    row("Mongoose 8.19", "`{value}` is not a valid enum value …", "Not a valid enum value "),
    // Sentences of applications, many of which quote the value that the client sent: `${value} is not a valid URL`.
    row(OF_APPLICATIONS, "{subject} is not a …", "Not a "),
    row(OF_APPLICATIONS, "{subject} is not an …", "Not an "),
    row(OF_APPLICATIONS, "{subject} is not valid…", "Not valid"),
    row(OF_APPLICATIONS, "{subject} is not allowed…", "Not allowed"),
    row(OF_APPLICATIONS, "{subject} is invalid…", "Is invalid"),
];

impl Sentence {
    /// Returns true if the row names a field. Otherwise the row only quotes a value.
    pub(super) fn names_field(&self) -> bool {
        const PLACES: [&str; 9] = ["path", "field", "deep", "owned", "argument", "part", "index", "name", "serde"];
        self.pattern.split('{').skip(1).any(|it| PLACES.iter().any(|kind| it.starts_with(kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sentence_was_seen_somewhere() {
        for row in &SENTENCES {
            let version = row.seen.rsplit_once(' ').map(|(_, version)| version).unwrap_or_default();
            assert!(version.starts_with(|digit: char| digit.is_ascii_digit()), "{}", row.seen);
        }
    }

    #[test]
    fn r13_what_is_said_holds_no_value() {
        for row in &SENTENCES {
            assert!(
                !row.message.contains("{value}")
                    && !row.message.contains("{quoted}")
                    && !row.message.contains("{subject}")
                    && !row.message.contains("{repr}"),
                "{}",
                row.pattern
            );
            assert!(
                !row.message.is_empty() || !row.pattern.contains("{value}") || row.pattern.starts_with('…'),
                "{}",
                row.pattern
            );
        }
    }
}
