//! The customers of the story, with their names, places and goods.

use std::collections::HashSet;

use crate::dice::Dice;

/// The shop's database.
pub(super) const DATABASE: u64 = 1;

/// The collection of orders in it.
pub(super) const ORDERS: u64 = 5;

/// The first profile. Profiles up to [`FIRST_NEW`] exist when the story begins.
pub(super) const FIRST: u64 = 1001;

/// The first profile that is created in the story.
pub(super) const FIRST_NEW: u64 = 1211;

/// The number after the last profile.
pub(super) const END: u64 = 1301;

/// The number of the first order.
pub(super) const FIRST_ORDER: u64 = 50_001;

/// The customer who changes her mind.
pub(super) const EMMA: u64 = 1042;

/// The customer whose telephone number two systems overwrite.
pub(super) const FOUGHT_OVER: u64 = 1088;

/// The customer who vanishes.
pub(super) const VANISHED: u64 = 1187;

/// The value that the import writes into every city.
pub(super) const COUNTRY: &str = "Nederland";

pub(super) const CITIES: [&str; 14] = [
    "Amsterdam",
    "Rotterdam",
    "Utrecht",
    "'s-Hertogenbosch",
    "Groningen",
    "Haarlem",
    "Leiden",
    "Nijmegen",
    "Zwolle",
    "Sint-Michielsgestel",
    "Den Haag",
    "IJsselstein",
    "Súdwest-Fryslân",
    "Maastricht",
];

const FIRST_NAMES: [&str; 24] = [
    "Daan", "Sophie", "Lucas", "Julia", "Levi", "Mila", "Finn", "Zoë", "Noah", "Tess", "Sem",
    "Lotte", "Luuk", "Nora", "Bram", "Fenna", "Jesse", "Anna", "Thijs", "Eva", "Milan", "Noor",
    "Hugo", "Saar",
];

const LAST_NAMES: [&str; 20] = [
    "de Jong",
    "Jansen",
    "van Dijk",
    "Bakker",
    "Visser",
    "Smit",
    "Meijer",
    "de Boer",
    "Mulder",
    "de Groot",
    "Bos",
    "Vos",
    "Peters",
    "Hendriks",
    "Dekker",
    "Brouwer",
    "van Leeuwen",
    "Koning",
    "Öztürk",
    "Kuiper",
];

const GOODS: [&str; 10] = [
    "Watering can",
    "Teapot \"Delft\"",
    "Garden hose 25 m",
    "Bread knife",
    "Café chair",
    "Wool & linen blanket",
    "Lamp 40%",
    "Flower pot",
    "Picnic basket",
    "Bird house",
];

/// A customer.
pub(super) struct Customer {
    pub number: u64,
    pub fields: Vec<(&'static str, String)>,
    pub interests: Vec<(&'static str, bool)>,
}

/// All customers, sorted by number.
pub(super) fn customers(dice: &mut Dice) -> Vec<Customer> {
    let mut taken = HashSet::new();
    let mut all = Vec::new();
    for number in FIRST..END {
        let (first, last) = match number {
            EMMA => ("Emma", "de Vries"),
            VANISHED => ("Sanne", "Bakker"),
            FOUGHT_OVER => ("Joris", "van den Berg"),
            _ => (dice.one(&FIRST_NAMES), dice.one(&LAST_NAMES)),
        };
        let plain = |text: &str| -> String {
            let folded = text
                .to_lowercase()
                .replace(['ë', 'ö'], "e")
                .replace('ü', "u");
            folded.chars().filter(char::is_ascii_alphanumeric).collect()
        };
        let name = format!("{}.{}", plain(first), plain(last));
        let mail = match taken.insert(name.clone()) {
            true => format!("{name}@example.com"),
            false => format!("{name}{number}@example.com"),
        };
        let phone = match number {
            FOUGHT_OVER => "06-12345678".to_owned(),
            _ => format!("06-{:08}", dice.below(100_000_000)),
        };
        let newsletter = match number {
            EMMA => "Nee",
            _ => dice.one(&["Ja", "Ja", "Nee"]),
        };
        all.push(Customer {
            number,
            fields: vec![
                ("firstname", first.to_owned()),
                ("lastname", last.to_owned()),
                ("mail", mail),
                ("phone", phone),
                ("city", dice.one(&CITIES).to_owned()),
                ("newsletter", newsletter.to_owned()),
                ("points", (dice.below(40) * 5).to_string()),
                ("last_order", String::new()),
                ("last_visit", String::new()),
            ],
            interests: vec![
                ("garden", dice.below(2) == 0),
                ("kitchen", dice.below(3) == 0),
                ("sale", dice.below(2) == 0),
            ],
        });
    }
    all
}

/// The fields of an order.
pub(super) fn order(dice: &mut Dice, number: u64) -> Vec<(&'static str, String)> {
    let cents = 495 + dice.below(180) * 50;
    vec![
        ("number", format!("O-{number}")),
        ("product", dice.one(&GOODS).to_owned()),
        ("amount", format!("{},{:02}", cents / 100, cents % 100)),
        ("status", "placed".to_owned()),
    ]
}
