//! The questions about the story.

use super::shop::local;
use super::story::Story;

/// A question, and the commands that answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The question.
    pub question: String,
    /// The words of each command, between the program's name and `--data`.
    pub commands: Vec<Vec<String>>,
    /// The answer, or another thing to look at.
    pub hint: String,
}

/// The five questions.
pub fn questions(story: &Story) -> [Asked; 5] {
    let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
    let Story {
        import,
        fight,
        mind,
        vanished,
        ..
    } = story;
    let day: String = local(import.began).chars().take(10).collect();
    [
        Asked {
            question: format!(
                "On {day} an import overwrote cities. Whose, and how can it be undone?"
            ),
            commands: vec![
                words("incidents"),
                words(&format!(
                    "incidents undo {}-{} --out fix.csv",
                    import.field, import.first_seq
                )),
            ],
            hint: "The second writes a file for Copernica's import. It skips customers who have another city by \
                   now, or are gone."
                .to_owned(),
        },
        Asked {
            question: format!(
                "The {} of profile {} keeps changing. Which systems fight over it?",
                fight.field, fight.profile
            ),
            commands: vec![
                words("loops"),
                words(&format!(
                    "history {} --field {} --reverse --limit 4",
                    fight.profile, fight.field
                )),
            ],
            hint: "The second shows the last changes.".to_owned(),
        },
        Asked {
            question: "Some calls never came. Which hour is missing?".to_owned(),
            commands: vec![words("gaps")],
            hint: "Changes that no call explains may have happened in that hour.".to_owned(),
        },
        Asked {
            question: format!(
                "Since when has Emma ({}) agreed to the newsletter, and how did she say so?",
                mind.mail
            ),
            commands: vec![
                words(&format!("history {} --field {}", mind.profile, mind.field)),
                words(&format!("blame {}", mind.profile)),
            ],
            hint: "She changed her mind three times. The second shows the last change of every field.".to_owned(),
        },
        Asked {
            question: format!(
                "{} cannot be found any more. Who had that address, and what happened?",
                vanished.mail
            ),
            commands: vec![
                words(&format!("find mail={} --ever", vanished.mail)),
                words(&format!(
                    "history {} --subprofiles --reverse --limit 5",
                    vanished.profile
                )),
            ],
            hint: "No call reported the end of the orders: they ended with their profile.".to_owned(),
        },
    ]
}
