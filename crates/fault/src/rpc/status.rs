//! The statuses of gRPC, in one table. The protocol does not allow other statuses.
//!
//! A row defines the constant of a status, its number, its names in gRPC and Connect, and its HTTP status. Connect uses
//! the HTTP status for its responses. google.rpc.Code defines the same HTTP status, so the row also classifies the
//! status of an inner service.

use std::fmt;

use http::StatusCode;

use crate::code::ErrorCode;

macro_rules! statuses {
    ($($constant:ident $number:literal $connect:literal $http:literal)*) => {
        impl Status {
            $(pub const $constant: Self = Self($number);)*

            pub const ALL: [Self; 17] = [$(Self::$constant,)*];
        }

        static ROWS: [Row; 17] = [$(Row {
            digits: stringify!($number),
            name: stringify!($constant),
            connect: $connect,
            http: $http,
        },)*];
    };
}

/// A status of gRPC (0–16).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Status(u8);

struct Row {
    digits: &'static str,
    name: &'static str,
    connect: &'static str,
    http: u16,
}

statuses! {
    // Connect has no name for a success. An error with this status is treated as unknown.
    OK 0 "unknown" 200
    CANCELLED 1 "canceled" 499
    UNKNOWN 2 "unknown" 500
    INVALID_ARGUMENT 3 "invalid_argument" 400
    DEADLINE_EXCEEDED 4 "deadline_exceeded" 504
    NOT_FOUND 5 "not_found" 404
    ALREADY_EXISTS 6 "already_exists" 409
    PERMISSION_DENIED 7 "permission_denied" 403
    RESOURCE_EXHAUSTED 8 "resource_exhausted" 429
    FAILED_PRECONDITION 9 "failed_precondition" 400
    ABORTED 10 "aborted" 409
    OUT_OF_RANGE 11 "out_of_range" 400
    UNIMPLEMENTED 12 "unimplemented" 501
    INTERNAL 13 "internal" 500
    UNAVAILABLE 14 "unavailable" 503
    DATA_LOSS 15 "data_loss" 500
    UNAUTHENTICATED 16 "unauthenticated" 401
}

impl Status {
    /// Returns the status with that number, or `UNKNOWN` if no status has it.
    pub const fn new(number: u8) -> Self {
        if number > 16 { Self::UNKNOWN } else { Self(number) }
    }

    /// Returns the status of an error, which is never `OK`.
    pub fn from_code(code: &ErrorCode) -> Self {
        match Self::new(code.grpc()) {
            Self::OK => Self::UNKNOWN,
            status => status,
        }
    }

    /// Returns the gRPC status for an error that is sent with this HTTP status. If only the name of its code is known,
    /// the HTTP status decides.
    pub fn of_error(code: &ErrorCode, http: StatusCode) -> Self {
        if code.is_foreign() { Self::from_code(&ErrorCode::of_status(http)) } else { Self::from_code(code) }
    }

    /// Returns the gRPC status for an HTTP status, by gRPC's own table (P1).
    pub fn of_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 | 405 => Self::UNIMPLEMENTED,
            429 | 502 | 503 | 504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }

    /// Returns the status with this name in Connect.
    pub fn of_connect_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status != Self::OK && status.connect_name() == name)
    }

    pub const fn number(self) -> u8 {
        self.0
    }

    /// Returns the number in digits, as in `grpc-status`.
    pub fn digits(self) -> &'static str {
        self.row().digits
    }

    /// Returns the name in gRPC, such as `NOT_FOUND`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the name in Connect, such as `not_found`.
    pub fn connect_name(self) -> &'static str {
        self.row().connect
    }

    /// Returns the HTTP status of Connect's response.
    pub fn connect_http(self) -> StatusCode {
        if self == Self::OK { StatusCode::INTERNAL_SERVER_ERROR } else { self.http() }
    }

    /// Returns the HTTP status that google.rpc.Code defines for this status.
    pub fn http(self) -> StatusCode {
        StatusCode::from_u16(self.row().http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn row(self) -> &'static Row {
        &ROWS[usize::from(self.0)]
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p1_a_status_is_read_as_it_is_written() {
        for (number, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!((usize::from(status.number()), status.digits()), (number, number.to_string().as_str()));
            assert_eq!(Status::new(status.number()), status);
        }
        assert_eq!((Status::NOT_FOUND.name(), Status::CANCELLED.name()), ("NOT_FOUND", "CANCELLED"));
    }

    #[test]
    fn p1_what_grpc_does_not_know_is_unknown() {
        for unknown in [17, 200, 255] {
            assert_eq!(Status::new(unknown), Status::UNKNOWN, "{unknown}");
        }
    }

    #[test]
    fn p1_no_error_is_a_success() {
        let own = |grpc| ErrorCode::custom("seat_taken", 409).with_grpc(grpc);
        assert_eq!(
            [0, 17, 6].map(|grpc| Status::from_code(&own(grpc)).name()),
            ["UNKNOWN", "UNKNOWN", "ALREADY_EXISTS"]
        );
        assert!(ErrorCode::ALL.iter().all(|code| Status::from_code(code).number() == code.grpc()));
    }

    #[test]
    fn p1_https_statuses_follow_grpcs_table() {
        for (http, grpc) in [
            (400, 13),
            (401, 16),
            (403, 7),
            (404, 12),
            (405, 12),
            (429, 14),
            (502, 14),
            (503, 14),
            (504, 14),
            (409, 2),
            (422, 2),
            (500, 2),
            (501, 2),
        ] {
            assert_eq!(Status::of_http(StatusCode::from_u16(http).unwrap()).number(), grpc, "{http}");
        }
    }

    #[test]
    fn p3_connects_names_stand_for_each_error() {
        for status in &Status::ALL[1..] {
            assert_eq!(Status::of_connect_name(status.connect_name()), Some(*status));
            assert!(status.connect_http().is_client_error() || status.connect_http().is_server_error());
        }
        assert_eq!(Status::of_connect_name("canceled"), Some(Status::CANCELLED));
        for other in ["ok", "cancelled", "NOT_FOUND", ""] {
            assert_eq!(Status::of_connect_name(other), None, "{other}");
        }
    }

    #[test]
    fn p3_a_success_is_no_answer_of_connects() {
        assert_eq!((Status::OK.http(), Status::OK.connect_http().as_u16()), (StatusCode::OK, 500));
        assert_eq!(Status::CANCELLED.connect_http().as_u16(), 499);
    }

    /// Prints the table to put between the manual's markers if the catalogue differs.
    #[test]
    fn p1_p3_the_manual_lists_the_statuses_of_the_catalogue() {
        let page = include_str!("../../../../manual/rpc.md");
        let behind = page.split("makes of the catalogue -->\n").nth(1).unwrap();
        let shown = behind.split("<!-- the end of the table -->").next().unwrap();
        let is_used = |status: &&Status| ErrorCode::ALL.iter().any(|code| Status::from_code(code) == **status);
        let rows: String = Status::ALL.iter().filter(is_used).map(manual_row).collect();
        let table = format!("| gRPC | Connect, its HTTP status |\n| --- | --- |\n{rows}");
        assert!(shown == table, "manual/rpc.md shows another table than\n{table}");
    }

    fn manual_row(status: &Status) -> String {
        let connect = format!("`{}`, {}", status.connect_name(), status.connect_http().as_u16());
        format!("| {} `{status:?}` | {connect} |\n", status.digits())
    }
}
