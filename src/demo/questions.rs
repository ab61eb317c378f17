//! What to ask of the story.

use super::call::local;
use super::story::Story;

/// A question, and the command that answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What somebody wants to know.
    pub question: String,
    /// The command's words, after the program's name and before `--data`.
    pub command: Vec<String>,
    /// What else to type, or to look at.
    pub hint: String,
}

/// The five questions.
pub fn questions(story: &Story) -> [Asked; 5] {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let Story {
        import,
        fight,
        mind,
        vanished,
        ..
    } = story;
    let day = |time| local(time).chars().take(10).collect::<String>();
    let (emma, gone) = (mind.profile.to_string(), vanished.profile.to_string());
    [
        Asked {
            question: format!(
                "On {} an import has overwritten cities. Who was harmed, and how is it undone?",
                day(import.began)
            ),
            command: words(&["incidents"]),
            hint: "incidents undo ID --out fix.csv, with the number of the incident, writes a file for Copernica's \
                   import, which leaves alone who was put right since"
                .to_owned(),
        },
        Asked {
            question: format!(
                "The {} of profile {} never stays. Which systems fight?",
                fight.field, fight.profile
            ),
            command: words(&["loops"]),
            hint: format!("history {} --field {} shows every blow", fight.profile, fight.field),
        },
        Asked {
            question: "Some calls never came. Which hour is missing?".to_owned(),
            command: words(&["gaps"]),
            hint: "changes --cause unexplained shows each field that changed unseen".to_owned(),
        },
        Asked {
            question: format!(
                "Since when does Emma ({}) agree to the newsletter, and by which way did she say so?",
                mind.mail
            ),
            command: words(&["history", &emma, "--field", mind.field]),
            hint: format!("show {emma} --at '3 days ago' shows all that was known of her then"),
        },
        Asked {
            question: format!("{} is not there any more. What happened?", vanished.mail),
            command: words(&["history", &gone, "--subprofiles", "--reverse", "--limit", "5"]),
            hint: format!("diff {gone} --from '1 week ago' shows what went with it"),
        },
    ]
}
