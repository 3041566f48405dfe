//! Written text to words that can be spoken: times, dates, money, units, addresses, numbers, and no markup.

use std::sync::LazyLock;

use regex::{Captures, Regex};

type Rule = (Regex, fn(&Captures<'_>) -> String);

macro_rules! rule {
    ($pattern:literal, $to:expr) => {
        (pattern($pattern), $to)
    };
}

/// In this order: each rule sees what those before it have left.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    vec![
        // Markup that a model writes although it is told not to.
        rule!(r"```[a-z]*", |_| " ".into()),
        rule!(r"\[([^\]]+)\]\(([^)]+)\)", |c| c[1].into()),
        rule!(r"(?m)^\s*(?:#{1,6}|[-*•]|\d{1,2}[.)])\s+", |_| String::new()),
        rule!(r"[*_`~#|]+", |_| " ".into()),
        // Addresses.
        rule!(r"\b(?:https?://|www\.)(\S*[\w/])", |c| address(&c[1])),
        rule!(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b", |c| address(&c[0])),
        rule!(
            r"\b(?:[A-Za-z][\w-]*\.)+(?:com|org|net|io|dev|gov|edu|co|uk|de|fr|app|ai|tv|me|info)\b(?:/[\w/.-]*\w)?",
            |c| { address(&c[0]) }
        ),
        // Times and dates.
        rule!(r"\b(\d{1,2}):(\d{2})(?::\d{2})?(?:\s?([AaPp])\.?[Mm]\b\.?)?", |c| {
            time(&c[1], &c[2], c.get(3).map(|m| m.as_str()))
        }),
        rule!(r"\b(\d{1,2})\s?([AaPp])\.?[Mm]\b\.?", |c| time(&c[1], "00", Some(&c[2]))),
        rule!(r"\b(\d{4})-(\d{2})-(\d{2})\b", |c| date(&c[2], &c[3], &c[1]).unwrap_or_else(|| c[0].into())),
        rule!(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b", |c| date(&c[1], &c[2], &c[3]).unwrap_or_else(|| c[0].into())),
        rule!(
            r"\b(January|February|March|April|May|June|July|August|September|October|November|December) (\d{1,2})(?:st|nd|rd|th)?\b",
            |c| format!("{} {}", &c[1], ordinal(number(&c[2])))
        ),
        rule!(r"\b(1[1-9]|20)(\d)0s\b", |c| format!("{} {}", cardinal(number(&c[1])), decade(number(&c[2])))),
        // Money.
        rule!(r"([$£€])\s?(\d[\d,]*(?:\.\d+)?)(?:\s?(hundred|thousand|million|billion|trillion)\b)?", |c| {
            money(&c[1], &c[2], c.get(3).map(|m| m.as_str()))
        }),
        // Measures.
        rule!(r"(-?\d[\d,]*(?:\.\d+)?)\s?°\s?([CF])?\b?", |c| {
            let scale = match c.get(2).map(|m| m.as_str()) {
                Some("C") => " Celsius",
                Some("F") => " Fahrenheit",
                _ => "",
            };
            format!("{} {}{scale}", &c[1], plural(&c[1], "degree", "degrees"))
        }),
        rule!(
            r"(\d[\d,]*(?:\.\d+)?)\s?(km/h|km|cm|mm|kg|mg|lbs?|oz|mi|ml|mph|kHz|MHz|GHz|Hz|KB|MB|GB|TB|kWh|kW|MW|ms|hrs?|mins?|secs?)\b",
            |c| format!("{} {}", &c[1], unit(&c[1], &c[2]))
        ),
        rule!(r"(\d)\s?%", |c| format!("{} percent", &c[1])),
        // Shapes of numbers.
        rule!(r"\b(\d{1,3}(?:,\d{3})*|\d+)(?:st|nd|rd|th)\b", |c| ordinal(number(&c[1]))),
        rule!(r"\b(\d{1,2})/(\d{1,2})\b", |c| fraction(number(&c[1]), number(&c[2]))),
        rule!(r"\b(\d+)\s?[-–]\s?(\d+)\b", |c| format!("{} to {}", &c[1], &c[2])),
        rule!(r"(^|[\s(])[-−](\d)", |c| format!("{}minus {}", &c[1], &c[2])),
        rule!(r"\b(\d[\d,]*)\.(\d+)\b", |c| format!("{} point {}", cardinal(number(&c[1])), digits(&c[2]))),
        rule!(r"\b(1[1-9]|20)(\d{2})\b", |c| year(number(&c[1]), number(&c[2]))),
        rule!(r"\d{1,3}(?:,\d{3})+", |c| cardinal(number(&c[0]))),
        // Letters and digits that touch, then whatever digits are left.
        rule!(r"([A-Za-z])-?(\d)", |c| format!("{} {}", &c[1], &c[2])),
        rule!(r"(\d)([A-Za-z])", |c| format!("{} {}", &c[1], &c[2])),
        rule!(r"\d+", |c| if c[0].len() > 15 { digits(&c[0]) } else { cardinal(number(&c[0])) }),
        // Signs and short forms.
        rule!(r"\s?&\s?", |_| " and ".into()),
        rule!(r"\s?\+\s?", |_| " plus ".into()),
        rule!(r"\s?=\s?", |_| " equals ".into()),
        rule!(r"\s?×\s?", |_| " times ".into()),
        rule!(r"\s?[→>]\s?", |_| " to ".into()),
        rule!(r"\be\.g\.,?", |_| "for example".into()),
        rule!(r"\bi\.e\.,?", |_| "that is".into()),
        rule!(r"\betc\.", |_| "and so on.".into()),
        rule!(r"\bvs\.?\s", |_| "versus ".into()),
        rule!(r"(\w)/(\w)", |c| format!("{} {}", &c[1], &c[2])),
        rule!(r"[—–]", |_| ", ".into()),
        rule!(r"[^\w\s.,;:!?'’\x22“”()-]", |_| " ".into()),
        rule!(r"\s+", |_| " ".into()),
        rule!(r"\s([.,;:!?])", |c| c[1].into()),
    ]
});

/// Returns `text` as it is to be spoken; empty where there is nothing to say.
pub fn spoken(text: &str) -> String {
    let mut text = text.replace('\u{a0}', " ").replace('’', "'");
    for (pattern, to) in RULES.iter() {
        text = pattern.replace_all(&text, *to).into_owned();
    }
    let text = text.trim();
    if text.chars().any(char::is_alphanumeric) { text.to_owned() } else { String::new() }
}

#[expect(clippy::expect_used, reason = "the patterns stand in this file and a test compiles them all")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this file")
}

fn number(text: &str) -> u64 {
    text.replace(',', "").parse().unwrap_or(0)
}

fn plural<'a>(amount: &str, one: &'a str, many: &'a str) -> &'a str {
    if matches!(amount, "1" | "-1") { one } else { many }
}

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const SCALES: [(u64, &str); 5] = [
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1000, "thousand"),
    (100, "hundred"),
];

fn cardinal(n: u64) -> String {
    for (size, name) in SCALES {
        if n >= size {
            let rest = n % size;
            let joint = if rest == 0 {
                String::new()
            } else if size == 100 || rest < 100 {
                format!(" and {}", cardinal(rest))
            } else {
                format!(" {}", cardinal(rest))
            };
            return format!("{} {name}{joint}", cardinal(n / size));
        }
    }
    match (n / 10, n % 10) {
        (0 | 1, _) => ONES[n as usize].into(),
        (tens, 0) => TENS[tens as usize].into(),
        (tens, ones) => format!("{}-{}", TENS[tens as usize], ONES[ones as usize]),
    }
}

fn ordinal(n: u64) -> String {
    let words = cardinal(n);
    let at = words.rfind([' ', '-']).map_or(0, |i| i + 1);
    let (head, last) = words.split_at(at);
    let last = match last {
        "one" => "first".into(),
        "two" => "second".into(),
        "three" => "third".into(),
        "five" => "fifth".into(),
        "eight" => "eighth".into(),
        "nine" => "ninth".into(),
        "twelve" => "twelfth".into(),
        tens if tens.ends_with('y') => format!("{}ieth", &tens[..tens.len() - 1]),
        other => format!("{other}th"),
    };
    format!("{head}{last}")
}

fn digits(text: &str) -> String {
    let words: Vec<&str> = text.chars().filter_map(|c| c.to_digit(10)).map(|d| ONES[d as usize]).collect();
    words.join(" ")
}

fn decade(tens: u64) -> String {
    match tens {
        0 => "hundreds".into(),
        1 => "tens".into(),
        n => format!("{}ies", TENS[n as usize].trim_end_matches('y')),
    }
}

fn year(century: u64, rest: u64) -> String {
    match (century, rest) {
        (20, 0..=9) => cardinal(2000 + rest),
        (_, 0) => format!("{} hundred", cardinal(century)),
        (_, 1..=9) => format!("{} oh {}", cardinal(century), cardinal(rest)),
        _ => format!("{} {}", cardinal(century), cardinal(rest)),
    }
}

fn time(hour: &str, minute: &str, half: Option<&str>) -> String {
    let (h, m) = (number(hour), number(minute));
    if h > 24 || m > 59 {
        return format!("{} {}", cardinal(h), cardinal(m));
    }
    let minutes = match (m, half) {
        (0, None) => " o'clock".into(),
        (0, Some(_)) => String::new(),
        (1..=9, _) => format!(" oh {}", cardinal(m)),
        _ => format!(" {}", cardinal(m)),
    };
    let half = match half {
        Some("a" | "A") => " A M",
        Some(_) => " P M",
        None => "",
    };
    format!("{}{minutes}{half}", cardinal(h))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn date(month: &str, day: &str, of: &str) -> Option<String> {
    let name = MONTHS.get((number(month) as usize).checked_sub(1)?)?;
    let day = number(day);
    let of = number(of);
    (1..=31).contains(&day).then(|| format!("{name} {}, {}", ordinal(day), year(of / 100, of % 100)))
}

fn money(sign: &str, amount: &str, size: Option<&str>) -> String {
    let (one, many, cent, cents) = match sign {
        "£" => ("pound", "pounds", "penny", "pence"),
        "€" => ("euro", "euros", "cent", "cents"),
        _ => ("dollar", "dollars", "cent", "cents"),
    };
    if let Some(size) = size {
        return format!("{amount} {size} {many}");
    }
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    let main = format!("{} {}", cardinal(number(whole)), plural(whole, one, many));
    match (part.len(), number(part)) {
        (2, n) if n > 0 => format!("{main} and {} {}", cardinal(n), if n == 1 { cent } else { cents }),
        _ => main,
    }
}

fn unit(amount: &str, unit: &str) -> String {
    let (one, many) = match unit {
        "km/h" => ("kilometer an hour", "kilometers an hour"),
        "km" => ("kilometer", "kilometers"),
        "cm" => ("centimeter", "centimeters"),
        "mm" => ("millimeter", "millimeters"),
        "kg" => ("kilogram", "kilograms"),
        "mg" => ("milligram", "milligrams"),
        "lb" | "lbs" => ("pound", "pounds"),
        "oz" => ("ounce", "ounces"),
        "mi" => ("mile", "miles"),
        "ml" => ("milliliter", "milliliters"),
        "mph" => ("mile an hour", "miles an hour"),
        "Hz" => ("hertz", "hertz"),
        "kHz" => ("kilohertz", "kilohertz"),
        "MHz" => ("megahertz", "megahertz"),
        "GHz" => ("gigahertz", "gigahertz"),
        "KB" => ("kilobyte", "kilobytes"),
        "MB" => ("megabyte", "megabytes"),
        "GB" => ("gigabyte", "gigabytes"),
        "TB" => ("terabyte", "terabytes"),
        "kWh" => ("kilowatt hour", "kilowatt hours"),
        "kW" => ("kilowatt", "kilowatts"),
        "MW" => ("megawatt", "megawatts"),
        "ms" => ("millisecond", "milliseconds"),
        "hr" | "hrs" => ("hour", "hours"),
        "min" | "mins" => ("minute", "minutes"),
        "sec" | "secs" => ("second", "seconds"),
        other => return other.into(),
    };
    plural(amount, one, many).into()
}

fn fraction(a: u64, b: u64) -> String {
    match (a, b) {
        (1, 2) => "one half".into(),
        (1, 4) => "one quarter".into(),
        (_, 4) if a < b => format!("{} quarters", cardinal(a)),
        (1, 3..=12) => format!("one {}", ordinal(b)),
        (_, 3..=12) if a < b => format!("{} {}s", cardinal(a), ordinal(b)),
        _ => format!("{} slash {}", cardinal(a), cardinal(b)),
    }
}

fn address(text: &str) -> String {
    let mut words = String::new();
    for c in text.trim_end_matches('/').chars() {
        match c {
            '.' => words.push_str(" dot "),
            '/' => words.push_str(" slash "),
            '@' => words.push_str(" at "),
            '-' => words.push_str(" dash "),
            '_' => words.push_str(" underscore "),
            c if c.is_alphanumeric() => words.push(c),
            _ => words.push(' '),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::spoken;

    #[test]
    fn writes_out_what_a_voice_cannot_read() {
        for (written, said) in [
            ("Meet me at 4:30 pm.", "Meet me at four thirty P M"),
            ("It is 16:00 now.", "It is sixteen o'clock now."),
            ("At 10am", "At ten A M"),
            ("Born on 2019-10-12.", "Born on October twelfth, twenty nineteen."),
            ("On July 4th, 1776 it began.", "On July fourth, seventeen seventy-six it began."),
            ("The 1980s were loud.", "The nineteen eighties were loud."),
            (
                "It costs $3.50, not $3.2 billion.",
                "It costs three dollars and fifty cents, not three point two billion dollars.",
            ),
            ("It is 20°C and 5 km away.", "It is twenty degrees Celsius and five kilometers away."),
            ("Water covers 71% of it.", "Water covers seventy-one percent of it."),
            (
                "Jupiter is 142,984 km wide.",
                "Jupiter is one hundred and forty-two thousand nine hundred and eighty-four kilometers wide.",
            ),
            ("See https://example.com/help for it", "See example dot com slash help for it"),
            ("Write to me@example.org please", "Write to me at example dot org please"),
            ("Pi is 3.14159.", "Pi is three point one four one five nine."),
            ("The 23rd of 100", "The twenty-third of one hundred"),
            ("**Bold** and `code`", "Bold and code"),
            ("1. First\n2. Second", "First Second"),
            ("Use 1/2 cup, 10-15 min.", "Use one half cup, ten to fifteen minutes."),
            ("COVID-19 and MP3", "COVID nineteen and MP three"),
            ("It was -5 outside", "It was minus five outside"),
            ("Fish & chips \u{1f41f}!", "Fish and chips!"),
            ("In 2007 and 2024.", "In two thousand and seven and twenty twenty-four."),
        ] {
            assert_eq!(spoken(written), said, "{written}");
        }
    }

    #[test]
    fn nothing_to_say_is_nothing() {
        for nothing in ["", "  ", "***", "...", "\u{1f600}"] {
            assert_eq!(spoken(nothing), "");
        }
    }
}
