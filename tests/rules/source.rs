//! What a source file names: every path, with its line, from `use` trees and from the code between.
//!
//! A tokeniser of a hundred lines instead of a parser: comments, strings and characters are skipped, everything else is
//! a word, `::` or a sign. That is enough to see paths, also those in macros, which a parser would leave unread.

/// A path as it stands in a file, taken out of its `use` group.
#[derive(Debug, PartialEq)]
pub(crate) struct Named {
    pub(crate) line: usize,
    pub(crate) path: Vec<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    PathSep,
    Sign(char),
}
use Token::{PathSep, Sign, Word};

/// Keywords that may stand before a path that begins with `::`.
const BEFORE_A_PATH: [&str; 9] = ["use", "as", "in", "return", "dyn", "impl", "for", "mut", "else"];

/// Every path in `text`, the file of the module `module` (its path from the crate's root). `crate`, `self` and `super`
/// are resolved and show as `crate`; a path that begins with anything else is given as it stands.
pub(crate) fn named(text: &str, module: &[String]) -> Vec<Named> {
    let tokens = tokens(text);
    let mut reader = Reader {
        tokens: &tokens,
        module,
        inline: Vec::new(),
        found: Vec::new(),
    };
    reader.read();
    reader.found
}

struct Reader<'t> {
    tokens: &'t [(usize, Token<'t>)],
    module: &'t [String],
    /// Modules within the file that are open, with the depth of their braces.
    inline: Vec<(usize, &'t str)>,
    found: Vec<Named>,
}

impl<'t> Reader<'t> {
    fn at(&self, index: usize) -> Option<Token<'t>> {
        self.tokens.get(index).map(|&(_, token)| token)
    }

    /// The token `back` places before `index`.
    fn before(&self, index: usize, back: usize) -> Option<Token<'t>> {
        self.at(index.checked_sub(back)?)
    }

    fn read(&mut self) {
        let (mut index, mut depth) = (0, 0);
        while let Some(token) = self.at(index) {
            match token {
                Sign('{') => {
                    depth += 1;
                    if let (Some(Word("mod")), Some(Word(name))) = (self.before(index, 2), self.before(index, 1)) {
                        self.inline.push((depth, name));
                    }
                }
                Sign('}') => {
                    self.inline.retain(|&(opened, _)| opened < depth);
                    depth = depth.saturating_sub(1);
                }
                Word(word) if self.begins_path(index) => {
                    let start = self.resolve(word);
                    index = self.tree(index, start);
                    continue;
                }
                _ => {}
            }
            index += 1;
        }
    }

    fn begins_path(&self, index: usize) -> bool {
        let is_continued = self.before(index, 1) == Some(PathSep)
            && match self.before(index, 2) {
                Some(Word(word)) => !BEFORE_A_PATH.contains(&word),
                before => before == Some(Sign('>')),
            };
        let is_visibility =
            [3, 2, 1].map(|back| self.before(index, back)) == [Some(Word("pub")), Some(Sign('(')), Some(Word("in"))];
        let is_used_alone = matches!(self.before(index, 1), Some(Word("use" | "crate")))
            && matches!(self.at(index + 1), Some(Sign(';') | Word("as")));
        let is_keyword = matches!(self.at(index), Some(Word(word)) if BEFORE_A_PATH.contains(&word));
        !is_keyword && !is_continued && !is_visibility && (self.at(index + 1) == Some(PathSep) || is_used_alone)
    }

    fn resolve(&self, word: &str) -> Vec<String> {
        let here = || {
            let inline = self.inline.iter().map(|&(_, name)| name.to_owned());
            let module = self.module.iter().cloned().chain(inline);
            std::iter::once("crate".to_owned()).chain(module)
        };
        match word {
            "self" => here().collect(),
            "super" => up(here().collect()),
            word => vec![word.to_owned()],
        }
    }

    /// Reads on from the last word of `path` at `index`; gives the place after the path or group.
    fn tree(&mut self, mut index: usize, mut path: Vec<String>) -> usize {
        let line = self.tokens[index].0;
        while self.at(index + 1) == Some(PathSep) {
            match self.at(index + 2) {
                Some(Word("super")) => path = up(path),
                Some(Word(word)) => path.push(word.to_owned()),
                Some(Sign('*')) => path.push("*".to_owned()),
                Some(Sign('{')) => return self.group(index + 3, &path),
                _ => break,
            }
            index += 2;
        }
        self.found.push(Named { line, path });
        index + 1
    }

    /// Reads the elements of a group up to its closing brace; gives the place after it.
    fn group(&mut self, mut index: usize, prefix: &[String]) -> usize {
        while let Some(token) = self.at(index) {
            let path = |word: &str| prefix.iter().cloned().chain([word.to_owned()]).collect();
            index = match token {
                Sign('}') => return index + 1,
                Word("self") => self.tree(index, prefix.to_vec()),
                Word("as") => index + 2,
                Word(word) => self.tree(index, path(word)),
                Sign('*') => self.tree(index, path("*")),
                _ => index + 1,
            };
        }
        index
    }
}

fn up(mut path: Vec<String>) -> Vec<String> {
    if path.len() > 1 {
        path.pop();
    }
    path
}

fn tokens(text: &str) -> Vec<(usize, Token<'_>)> {
    let (mut rest, mut line, mut tokens) = (text, 1, Vec::new());
    while let Some(first) = rest.chars().next() {
        let word = rest
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or("");
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if matches!(word, "r" | "br" | "cr") && rest[word.len()..].starts_with(['"', '#']) {
            raw_string(rest, word)
        } else if !word.is_empty() {
            tokens.push((line, Word(word)));
            word.len()
        } else if first == '"' {
            string(rest)
        } else if first == '\'' {
            character(rest)
        } else if rest.starts_with("::") {
            tokens.push((line, PathSep));
            2
        } else {
            if !first.is_whitespace() {
                tokens.push((line, Sign(first)));
            }
            first.len_utf8()
        };
        line += rest[..skipped].matches('\n').count();
        rest = &rest[skipped..];
    }
    tokens
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest[at..].chars().next().map_or(0, char::len_utf8);
        }
        if depth == 0 || at >= rest.len() {
            return at;
        }
    }
}

fn string(rest: &str) -> usize {
    let mut is_escaped = true; // the opening quote
    for (at, c) in rest.char_indices() {
        match c {
            '"' if !is_escaped => return at + 1,
            '\\' if !is_escaped => is_escaped = true,
            _ => is_escaped = false,
        }
    }
    rest.len()
}

fn raw_string(rest: &str, prefix: &str) -> usize {
    let body = &rest[prefix.len()..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    if !body[hashes..].starts_with('"') {
        return prefix.len() + hashes; // a raw identifier: its name follows
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = prefix.len() + hashes + 1;
    rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len())
}

/// A character's literal, or the quote of a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let after = at + escaped.len_utf8();
            rest[after..].find('\'').map_or(rest.len(), |quote| after + quote + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}
