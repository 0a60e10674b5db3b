//! A user, as the API shows it.

use std::error::Error;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use tokio_postgres::types::{FromSql, Type, accepts};
use uuid::Uuid;

use crate::pg::Failure;

/// Its text stays where it was received. All may be NULL: the table's constraints are not this program's to trust.
#[derive(Clone, Debug, Serialize)]
pub struct User<'row> {
    pub id: Option<Uuid>,
    pub email: Option<&'row str>,
    pub full_name: Option<&'row str>,
    pub age: Option<i32>,
    pub country_code: Option<&'row str>,
    pub is_active: Option<bool>,
    pub created_at: Option<Timestamp>,
}

#[derive(Serialize)]
pub struct Page<'row> {
    pub items: Vec<User<'row>>,
    pub limit: i64,
    pub offset: i64,
    pub total: i64,
}

/// A row that has a user in it.
pub trait Record {
    fn user(&self) -> Result<User<'_>, Failure>;
    /// Of a page: the number of all users.
    fn total(&self) -> Result<i64, Failure>;
}

/// PostgreSQL's timestamptz: microseconds from 2000-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(pub i64);

const POSTGRES_EPOCH: DateTime = jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0);

impl<'a> FromSql<'a> for Timestamp {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?)))
    }
    accepts!(TIMESTAMPTZ);
}

impl Timestamp {
    /// In UTC. None for the two infinities, and where RFC 3339 ends, at the year 9999. (jiff::Timestamp ends a day
    /// earlier: it leaves room for every time zone.)
    fn moment(self) -> Option<DateTime> {
        POSTGRES_EPOCH.checked_add(SignedDuration::from_micros(self.0)).ok()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0, self.moment()) {
            (i64::MAX, _) => serializer.serialize_str("infinity"),
            (i64::MIN, _) => serializer.serialize_str("-infinity"),
            (micros, Some(moment)) if micros % 1_000_000 == 0 => serializer.collect_str(&format_args!("{moment:.0}Z")),
            (_, Some(moment)) => serializer.collect_str(&format_args!("{moment:.6}Z")),
            (_, None) => Err(S::Error::custom("created_at is beyond the year 9999, where RFC 3339 ends")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_six_digits_or_none() {
        for (micros, text) in [
            (0, "2000-01-01T00:00:00Z"),
            (1, "2000-01-01T00:00:00.000001Z"),
            (500_000, "2000-01-01T00:00:00.500000Z"),
            (-1, "1999-12-31T23:59:59.999999Z"),
            (-1_000_000, "1999-12-31T23:59:59Z"),
            (252_455_616_000_000_000 - 1, "9999-12-31T23:59:59.999999Z"),
            (823_161_600_000_000, "2026-01-31T08:00:00Z"),
            (i64::MAX, "infinity"),
            (i64::MIN, "-infinity"),
        ] {
            assert_eq!(serde_json::to_string(&Timestamp(micros)).unwrap(), format!("\"{text}\""));
        }
    }

    #[test]
    fn refuses_years_that_have_no_text() {
        assert!(serde_json::to_string(&Timestamp(i64::MAX - 1)).is_err());
    }

    #[test]
    fn escapes_what_rfc_8259_needs() {
        let user = User {
            id: None,
            email: Some("<&>\u{2028}\u{7f}é😀"),
            full_name: Some("\"\\\u{8}\u{c}\n\r\t\u{1}"),
            age: None,
            country_code: None,
            is_active: None,
            created_at: None,
        };
        assert_eq!(
            serde_json::to_string(&user).unwrap(),
            "{\"id\":null,\"email\":\"<&>\u{2028}\u{7f}é😀\",\"full_name\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\",\
             \"age\":null,\"country_code\":null,\"is_active\":null,\"created_at\":null}"
        );
    }
}
