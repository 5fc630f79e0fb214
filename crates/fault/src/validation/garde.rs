//! garde's report.

use garde::Report;

use super::NamedIssue;
use crate::code::ErrorCode;
use crate::fault::{AsFault, Fault};

/// Each error is an issue, in the words of its rule: `{"path":["items",0,"qty"],"message":"greater than 9"}`.
impl AsFault for Report {
    fn code(&self) -> ErrorCode {
        ErrorCode::INVALID_REQUEST
    }

    fn fault(&self) -> Fault {
        super::fault(self.iter().map(|(path, error)| NamedIssue {
            parameter: path.to_string(),
            message: error.message().into(),
            code: None,
        }))
    }

    fn into_fault(self) -> Fault {
        self.fault()
    }
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
            r#"{"issues":[{"path":["items",0,"qty"],"message":"greater than 9"},"#,
            r#"{"path":["name"],"message":"length is lower than 1"},{"path":[],"message":"the dates overlap"}]}"#
        );
        assert_eq!((fault.status_code().as_u16(), fault.details_json()), (422, Some(issues)));
    }
}
