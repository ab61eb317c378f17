//! The names of profiles: the present values of the fields of `serve --title`.

use super::ask::first;
use super::pages::Site;
use crate::event::ProfileKey;
use crate::query::lines::ShowLine;
use crate::query::{Query, StateQuery};
use crate::web::Titles;

/// The most profiles of a page whose names are looked up, each of which reads an event.
const MOST: usize = 300;

impl Titles for Site<'_> {
    fn title(&self, key: ProfileKey) -> Option<String> {
        if self.parts.pages.title.is_empty() {
            return None;
        }
        let mut known = self.names.borrow_mut();
        if let Some(name) = known.get(&key) {
            return name.clone();
        }
        if known.len() >= MOST {
            return None;
        }
        let name = look_up(self, key);
        known.insert(key, name.clone());
        name
    }
}

/// A subprofile without such fields has the name of its profile.
fn look_up(site: &Site<'_>, key: ProfileKey) -> Option<String> {
    let query = Query::Show(StateQuery {
        key,
        at: None,
        cascade: false,
    });
    let (line, _) = first::<ShowLine<'static>>(&site.parts.trail, &query).ok()?;
    let own = line.and_then(|line| {
        let wanted = site.parts.pages.title.iter();
        let values = wanted.filter_map(|name| line.fields.get(name.as_str()));
        let values: Vec<&str> = values
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
            .collect();
        (!values.is_empty()).then(|| values.join(" "))
    });
    match (own, key.subprofile) {
        (None, Some(_)) => look_up(site, ProfileKey::profile(key.profile)),
        (own, _) => own,
    }
}
