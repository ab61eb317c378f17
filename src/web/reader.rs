//! The context of a page's reader: the clock, the names of profiles, and the flags with
//! which a command sees the same data.

use std::ops::Deref;

use maud::{Markup, html};

use super::links;
use super::text::Text;
use super::time_format::Clock;
use crate::event::ProfileKey;
use crate::format::plain;

/// The most characters of a profile's name.
const TITLE: usize = 60;

/// Gives the names of profiles.
pub trait Titles {
    /// The name that is shown next to a (sub)profile's number, if any.
    fn title(&self, key: ProfileKey) -> Option<String>;
}

/// Only numbers.
impl Titles for () {
    fn title(&self, _: ProfileKey) -> Option<String> {
        None
    }
}

#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The zone and the present moment.
    pub clock: Clock,
    /// The flags that a command must repeat, with a leading space.
    pub flags: &'a str,
    pub titles: &'a dyn Titles,
}

impl Deref for Reader<'_> {
    type Target = Clock;

    fn deref(&self) -> &Clock {
        &self.clock
    }
}

impl Reader<'_> {
    /// A (sub)profile's number as a link, with its name.
    pub fn profile(&self, key: ProfileKey) -> Markup {
        html! { a href=(links::profile(key)) { (key) } (self.title(key)) }
    }

    /// A (sub)profile's name, if it has one.
    pub fn title(&self, key: ProfileKey) -> Markup {
        html! {
            @if let Some(title) = self.titles.title(key) { " " span.title { (Text::new(&title, TITLE)) } }
        }
    }

    /// A command with the same answer on a terminal.
    pub fn command(&self, text: &str) -> Markup {
        html! { pre.command { code { (plain(text)) (plain(self.flags)) } } }
    }

    /// The same within a sentence.
    pub fn code(&self, text: &str) -> Markup {
        html! { code { (plain(text)) (plain(self.flags)) } }
    }
}
