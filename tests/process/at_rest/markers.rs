//! Marks: texts that stand nowhere by chance, and every form in which one could still be read.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use sealgate::{crypto::system_entropy::SystemEntropy, domain::entropy::make_bytes};

/// A form that a mark may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Letters in whichever case: anything but base64.
    is_any_case: bool,
}

/// What somebody told the service, or it told them.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) what: String,
    pub(crate) bytes: Vec<u8>,
    /// Six digits stand in many numbers; they count where no letter or digit is beside them.
    is_word: bool,
}

impl Mark {
    pub(crate) fn new(what: &str, text: impl AsRef<[u8]>) -> Self {
        let bytes = text.as_ref().to_vec();
        assert!(bytes.len() >= 8, "{what} is too short to be told from chance");
        Self {
            what: what.to_owned(),
            bytes,
            is_word: false,
        }
    }

    /// A code of six digits.
    pub(crate) fn code(what: &str, digits: &str) -> Self {
        Self {
            what: what.to_owned(),
            bytes: digits.into(),
            is_word: true,
        }
    }

    /// Every form, each once.
    pub(crate) fn forms(&self) -> Vec<Form> {
        let bytes = self.bytes.as_slice();
        let mut forms = Vec::<Form>::new();
        let mut add = |name: &str, bytes: Vec<u8>, is_any_case| {
            // A code's alignments are too short to mean anything.
            let is_known = forms.iter().any(|form| form.bytes == bytes);
            if !is_known && bytes.len() >= self.bytes.len().min(8) {
                forms.push(Form {
                    name: name.to_owned(),
                    bytes,
                    is_any_case,
                });
            }
        };
        add("plain", bytes.to_vec(), true);
        add("hex, lower", HEXLOWER.encode(bytes).into(), true);
        add("hex, upper", HEXUPPER.encode(bytes).into(), true);
        for (name, encoding) in [("base64", &BASE64_NOPAD), ("base64url", &BASE64URL_NOPAD)] {
            for before in 0..3 {
                add(
                    &format!("{name} after {before}"),
                    aligned(encoding, bytes, before),
                    false,
                );
            }
        }
        add("URL", percent_encode(bytes, NON_ALPHANUMERIC).to_string().into(), true);
        let form = url::form_urlencoded::byte_serialize(bytes).collect::<String>();
        add("form", form.into(), true);
        add("escaped bytes", bytes.escape_ascii().to_string().into(), true);
        let numbers: Vec<String> = bytes.iter().map(ToString::to_string).collect();
        add("list of numbers", numbers.join(", ").into(), true);
        add("list of numbers, close", numbers.join(",").into(), true);
        if let Ok(text) = std::str::from_utf8(bytes) {
            let json = serde_json::to_string(text).expect("a text");
            add("JSON", json[1..json.len() - 1].into(), true);
            add("JSON, ASCII", json_in_ascii(&json[1..json.len() - 1]).into(), true);
            add("Rust", text.escape_debug().to_string().into(), true);
            add("Rust, ASCII", text.escape_default().to_string().into(), true);
            add("HTML", minijinja::HtmlEscape(text).to_string().into(), true);
        }
        forms
    }
}

/// The characters of `bytes` in base64 that do not depend on what stands around them, `before` bytes after a group began.
fn aligned(encoding: &Encoding, bytes: &[u8], before: usize) -> Vec<u8> {
    let text = encoding.encode(&[&[0; 2][..before], bytes].concat());
    let (first, last) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
    text.as_bytes()[first..last].to_vec()
}

fn json_in_ascii(json: &str) -> String {
    let escape = |unit: u16| format!("\\u{unit:04x}");
    json.chars()
        .map(|c| {
            if c.is_ascii() {
                return c.to_string();
            }
            c.encode_utf16(&mut [0; 2]).iter().copied().map(escape).collect()
        })
        .collect()
}

/// Letters that stand nowhere else.
pub(crate) fn unique() -> String {
    let bytes: [u8; 14] = make_bytes(&SystemEntropy);
    bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect()
}

/// Digits, the same.
pub(crate) fn digits<const N: usize>() -> String {
    let bytes: [u8; N] = make_bytes(&SystemEntropy);
    bytes.iter().map(|byte| char::from(b'0' + byte % 10)).collect()
}

/// What was found where it should not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    pub(crate) place: String,
    pub(crate) what: String,
    pub(crate) form: String,
    /// What stands around it, so that whoever reads it finds the line.
    pub(crate) around: String,
}

/// Looks for every form of every mark.
#[derive(Debug)]
pub(crate) struct Searcher {
    needles: Vec<(Mark, Form)>,
    /// Those of any case, and those that are case-sensitive.
    automata: [(AhoCorasick, Vec<usize>); 2],
}

impl Searcher {
    pub(crate) fn new(marks: &[Mark]) -> Self {
        let needles: Vec<(Mark, Form)> = marks
            .iter()
            .flat_map(|mark| mark.forms().into_iter().map(|form| (mark.clone(), form)))
            .collect();
        let automata = [true, false].map(|is_any_case| {
            let mine = needles.iter().enumerate();
            let mine: Vec<usize> = mine
                .filter(|(_, (_, form))| form.is_any_case == is_any_case)
                .map(|(index, _)| index)
                .collect();
            let automaton = AhoCorasickBuilder::new()
                .ascii_case_insensitive(is_any_case)
                .build(mine.iter().map(|&index| &needles[index].1.bytes));
            (automaton.expect("an automaton"), mine)
        });
        Self { needles, automata }
    }

    /// What stands in `hay`, each once.
    pub(crate) fn search(&self, place: &str, hay: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::<Hit>::new();
        for (automaton, indices) in &self.automata {
            for found in automaton.find_overlapping_iter(hay) {
                let (mark, form) = &self.needles[indices[found.pattern().as_usize()]];
                let is_known = |hit: &Hit| hit.what == mark.what && hit.form == form.name;
                if mark.is_word && !is_alone(hay, found.start(), found.end()) || hits.iter().any(is_known) {
                    continue;
                }
                let around = found.start().saturating_sub(120)..hay.len().min(found.end() + 60);
                hits.push(Hit {
                    place: place.to_owned(),
                    what: mark.what.clone(),
                    form: form.name.clone(),
                    around: hay[around].escape_ascii().to_string(),
                });
            }
        }
        hits
    }
}

fn is_alone(hay: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| hay.get(at));
    let is_part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    // After a point they are a fraction: of a second, in every line of a log.
    !is_part(before) && !is_part(hay.get(end)) && before != Some(&b'.')
}
