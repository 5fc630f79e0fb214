//! Converts the report of garde.

use std::borrow::Cow;

use garde::Report;

use super::NamedIssue;
use crate::code::ErrorCode;
use crate::fault::{AsFault, Fault};

/// Converts each error of the report into an issue with the text of its rule, in the order of the report.
///
/// A report only has texts. If a text is one of garde's own texts, the issue's code is the name of garde's rule. Your
/// own texts have no code.
impl AsFault for Report {
    fn code(&self) -> ErrorCode {
        ErrorCode::INVALID_REQUEST
    }

    fn fault(&self) -> Fault {
        super::with_issues(self.iter().map(|(path, error)| NamedIssue {
            parameter: path.to_string(),
            message: error.message().into(),
            code: rule_of(error.message()).map(Cow::Borrowed),
        }))
    }

    fn into_fault(self) -> Fault {
        self.fault()
    }
}

/// Returns the rule that has this text in garde's default language (`garde::i18n::DefaultI18n`).
fn rule_of(text: &str) -> Option<&'static str> {
    const RULES: [(&str, &str); 18] = [
        ("not set", "required"),
        ("not ascii", "ascii"),
        ("not alphanumeric", "alphanumeric"),
        ("length is lower than ", "length"),
        ("length is greater than ", "length"),
        ("lower than ", "range"),
        ("greater than ", "range"),
        ("not a valid email: ", "email"),
        ("not a valid url: ", "url"),
        ("not a valid phone number", "phone_number"),
        ("not a valid credit card number: ", "credit_card"),
        ("not a valid IPv4 address", "ip"),
        ("not a valid IPv6 address", "ip"),
        ("not a valid IP address", "ip"),
        ("does not contain \"", "contains"),
        ("value does not begin with \"", "prefix"),
        ("does not end with \"", "suffix"),
        ("does not match pattern /", "pattern"),
    ];

    let is_mismatch = || text.starts_with("does not match ") && text.ends_with(" field");
    let rule = RULES.iter().find(|(words, _)| text.starts_with(words)).map(|(_, rule)| *rule);
    rule.or_else(|| is_mismatch().then_some("matches"))
}

#[cfg(test)]
mod tests {
    use garde::{Error, Path};

    use super::*;

    #[test]
    fn e8_each_error_of_a_report_is_an_issue() {
        let mut report = Report::new();
        report.append(Path::new("items").join(0).join("qty"), Error::new("greater than 9"));
        report.append(Path::new("name"), Error::new("length is lower than 1"));
        report.append(Path::empty(), Error::new("the dates overlap"));
        let fault = Fault::from(report);
        let issues = concat!(
            r#"{"issues":[{"path":["items",0,"qty"],"message":"greater than 9","code":"range"},"#,
            r#"{"path":["name"],"message":"length is lower than 1","code":"length"},"#,
            r#"{"path":[],"message":"the dates overlap"}]}"#
        );
        assert_eq!((fault.status().as_u16(), fault.details_json()), (422, Some(issues)));
    }

    #[test]
    fn e8_a_text_of_gardes_has_its_rule_as_the_code() {
        use garde::i18n::{DefaultI18n, I18n, InvalidCreditCard, InvalidEmail, InvalidPhoneNumber, InvalidUrl, IpKind};

        let it = DefaultI18n;
        for (text, rule) in [
            (it.length_lower_than(1), "length"),
            (it.length_greater_than(9), "length"),
            (it.range_lower_than(&1), "range"),
            (it.range_greater_than(&-0.5), "range"),
            (it.credit_card_invalid(InvalidCreditCard::InvalidLuhn), "credit_card"),
            (it.pattern_no_match(&"[a-z]+"), "pattern"),
            (it.contains_missing(&"@"), "contains"),
            (it.url_invalid(InvalidUrl::EmptyHost), "url"),
            (it.prefix_missing(&"x-"), "prefix"),
            (it.suffix_missing(&".com"), "suffix"),
            (it.phone_number_invalid(InvalidPhoneNumber::Invalid), "phone_number"),
            (it.phone_number_invalid(InvalidPhoneNumber::TooLong), "phone_number"),
            (it.ip_invalid(IpKind::Any), "ip"),
            (it.ip_invalid(IpKind::V4), "ip"),
            (it.ip_invalid(IpKind::V6), "ip"),
            (it.matches_field_mismatch(&"password"), "matches"),
            (it.email_invalid(InvalidEmail::MissingAt), "email"),
            (it.ascii_invalid(), "ascii"),
            (it.alphanumeric_invalid(), "alphanumeric"),
            (it.required_not_set(), "required"),
        ] {
            assert_eq!(rule_of(&text), Some(rule), "{text}");
        }
        assert_eq!(rule_of("the dates overlap"), None);
    }
}
