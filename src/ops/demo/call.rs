//! A webhook call of the story, with the body that PHP's encoder would make.

use chrono::{DateTime, Utc};
use chrono_tz::Europe::Amsterdam;

use super::cast::{DATABASE, ORDERS};
use crate::event::ProfileKey;

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The moment of receipt in Unix microseconds.
    pub received: i64,
    /// The label in the webhook's address.
    pub label: &'static str,
    /// The form.
    pub body: String,
}

/// The content of a call.
pub(super) struct Content<'a> {
    pub event_type: &'static str,
    pub key: ProfileKey,
    pub time: i64,
    pub parameters: &'a [(&'static str, String)],
    pub fields: &'a [(&'static str, String)],
    pub interests: &'a [(&'static str, bool)],
    pub created: i64,
}

impl Content<'_> {
    /// The content as a form.
    pub fn body(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let Self { key, time, .. } = self;
        form.append_pair("type", self.event_type)
            .append_pair("profile", &key.profile.to_string());
        if let Some(subprofile) = key.subprofile {
            form.append_pair("subprofile", &subprofile.to_string())
                .append_pair("collection", &ORDERS.to_string());
        }
        form.append_pair("database", &DATABASE.to_string());
        for (name, value) in self.parameters {
            form.append_pair(&format!("parameters[{name}]"), value);
        }
        form.append_pair("time", &time.to_string());
        for (name, value) in self.fields {
            form.append_pair(&format!("fields[{name}]"), value);
        }
        for (name, held) in self.interests {
            let held = if *held { "1" } else { "0" };
            form.append_pair(&format!("interests[{name}]"), held);
        }
        if self.event_type != "delete" {
            form.append_pair("created", &local(self.created))
                .append_pair("modified", &local(*time));
        }
        form.finish()
    }
}

/// A moment as Copernica writes it.
pub(super) fn local(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).map_or_else(String::new, |time| {
        let local = time.with_timezone(&Amsterdam);
        local.format("%Y-%m-%d %H:%M:%S").to_string()
    })
}
