//! Form variables: names with brackets, as PHP reads them.

use std::borrow::Cow;

use super::error::DecodeError;

/// The most pairs that one body may hold.
pub(super) const MAX_PAIRS: usize = 10_000;

/// One decoded `name=value` or `name[key]=value` pair.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variable<'a> {
    /// The name up to the first `[`, or whole where no bracket closes.
    pub name: Cow<'a, str>,
    /// What stands in the first pair of brackets, deeper brackets included.
    pub key: Option<Cow<'a, str>>,
    /// The name as it was sent, brackets included.
    pub full_name: Cow<'a, str>,
    /// The value, never trimmed.
    pub value: Cow<'a, str>,
}

impl<'a> Variable<'a> {
    /// A variable by its full name.
    pub fn new(full_name: Cow<'a, str>, value: Cow<'a, str>) -> Self {
        let (name, key) = match split_name(&full_name) {
            Some((name, key)) => (Cow::Owned(name.to_owned()), Some(Cow::Owned(key))),
            None => (full_name.clone(), None),
        };
        Self {
            name,
            key,
            full_name,
            value,
        }
    }
}

/// Cuts a decoded variable name into its name and its key.
///
/// The first pair of brackets is matched by depth, so that a field whose own
/// name holds brackets comes back as it was: `fields[a[b]]` is the field
/// `a[b]`, as is `fields[a][b]`. Brackets that do not balance end at the first
/// `]`; a name in which none closes is left whole.
fn split_name(full: &str) -> Option<(&str, String)> {
    let (name, rest) = full.split_once('[')?;
    let end = matching_bracket(rest).or_else(|| rest.find(']'))?;
    let (inside, after) = rest.split_at(end);
    let mut key = String::with_capacity(rest.len());
    key.push_str(inside);
    key.push_str(after.get(1..).unwrap_or_default());
    Some((name, key))
}

/// The position of the `]` that closes the bracket opened before `rest`.
fn matching_bracket(rest: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (position, byte) in rest.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(position);
        }
    }
    None
}

/// Calls `each` with every pair of a form body, in the order sent.
pub(super) fn each_form_variable<'a>(
    body: &'a [u8],
    mut each: impl FnMut(Variable<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    for (number, (full, value)) in form_urlencoded::parse(body).enumerate() {
        if number >= MAX_PAIRS {
            return Err(too_many_pairs());
        }
        each(Variable::new(full, value))?;
    }
    Ok(())
}

/// The error for a body with more pairs than are read.
pub(super) fn too_many_pairs() -> DecodeError {
    DecodeError::new(
        format!("more than {MAX_PAIRS} variables"),
        format!("pair {}", MAX_PAIRS + 1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(full: &str) -> (String, Option<String>) {
        let variable = Variable::new(Cow::Borrowed(full), Cow::Borrowed(""));
        assert_eq!(variable.full_name, full);
        (
            variable.name.into_owned(),
            variable.key.map(Cow::into_owned),
        )
    }

    #[test]
    fn keys_stand_in_the_first_pair_of_brackets() {
        for (full, name, key) in [
            ("type", "type", None),
            ("fields[mail]", "fields", Some("mail")),
            ("fields[a][b]", "fields", Some("a[b]")),
            ("fields[a[b]]", "fields", Some("a[b]")),
            ("fields[a[b]c]", "fields", Some("a[b]c")),
            ("fields[x]]", "fields", Some("x]")),
            ("fields[[x]", "fields", Some("[x")),
            ("interests[]", "interests", Some("")),
            ("fields[open", "fields[open", None),
            ("[x]", "", Some("x")),
            ("a]b", "a]b", None),
        ] {
            assert_eq!(
                split(full),
                (name.to_owned(), key.map(str::to_owned)),
                "{full}"
            );
        }
    }
}
