//! Accounts from a file of JSON, one object a line. A line is held only as long as it is judged, and one that is too long is
//! passed over without being held.

use std::io::{self, BufRead, Read as _};

use zeroize::Zeroizing;

use crate::{
    domain::{
        ids::AccountId,
        import::{FieldNote, ImportedAccount, LONGEST_LINE},
        user_type::UserType,
    },
    service::import_run::{Place, Prepared},
};

/// What some editors put before the first line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads lines.
pub struct ImportLines<R> {
    input: R,
    number: u64,
    user_types: Vec<UserType>,
    default: Option<UserType>,
}

impl<R> std::fmt::Debug for ImportLines<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ImportLines(at {})", self.number)
    }
}

impl<R: BufRead> ImportLines<R> {
    /// Of accounts of `user_types`; where a line names none, of `default`.
    #[must_use]
    pub fn new(input: R, user_types: Vec<UserType>, default: Option<UserType>) -> Self {
        Self {
            input,
            number: 0,
            user_types,
            default,
        }
    }

    /// The next line that is not blank; none at the end.
    pub fn next_account(&mut self) -> io::Result<Option<Prepared>> {
        loop {
            let Some(line) = self.next_line()? else {
                return Ok(None);
            };
            let mut text = line.as_slice();
            if self.number == 1 {
                text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
            }
            if !text.trim_ascii().is_empty() {
                return Ok(Some(self.judge(text)));
            }
        }
    }

    /// At most one byte more than a line may have, and its end.
    fn next_line(&mut self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let mut line = Zeroizing::new(Vec::new());
        let most = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX).saturating_add(2);
        if self.input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else {
            self.pass_over()?;
        }
        Ok(Some(line))
    }

    /// To the end of the line.
    fn pass_over(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (passed, is_over) = match end {
                Some(end) => (end + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.input.consume(passed);
            if is_over {
                return Ok(());
            }
        }
    }

    fn judge(&self, line: &[u8]) -> Prepared {
        let mut account = ImportedAccount::parse_line(line);
        let named = account.as_ref().ok().and_then(|account| account.user_type.clone());
        let id = account.as_ref().ok().map(|account| AccountId::to_string(&account.id));
        let user_type = named.or_else(|| self.default.clone());
        let is_known = user_type.as_ref().map(|user_type| self.user_types.contains(user_type));
        match is_known {
            Some(true) => {}
            _ if account.is_err() => {}
            Some(false) => account = Err(vec![FieldNote::new("user_type", "user_type_unknown")]),
            None => account = Err(vec![FieldNote::new("user_type", "missing")]),
        }
        Prepared {
            place: Place {
                number: self.number,
                id,
            },
            user_type: user_type.filter(|_| is_known == Some(true)),
            account,
            notes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each line its number, the user type and the id, or why it is refused.
    type Read = Vec<(u64, Option<String>, Result<String, Vec<FieldNote>>)>;

    fn read(text: &[u8], default: Option<&str>) -> Read {
        let user_types = ["User1", "User2"].map(|name| name.parse().expect("valid")).into();
        let default = default.map(|name| name.parse().expect("valid"));
        let mut lines = ImportLines::new(io::BufReader::with_capacity(7, text), user_types, default);
        let mut all = Vec::new();
        while let Some(prepared) = lines.next_account().expect("readable") {
            let user_type = prepared.user_type.as_ref().map_or("-", UserType::as_str).to_owned();
            all.push((
                prepared.place.number,
                prepared.place.id,
                prepared.account.map(|_| user_type),
            ));
        }
        all
    }

    fn line(id: &str, more: &str) -> String {
        format!(r#"{{"id":"{id}","email":"{id}@b.example","first_name":"A","last_name":"B"{more}}}"#)
    }

    #[test]
    fn lines_are_counted_and_blank_ones_passed_over() {
        let text = format!(
            "\u{feff}{}\r\n\n  \n{}",
            line("a", ""),
            line("b", r#","user_type":"User2""#)
        );
        let of = |number, id: &str, user_type: &str| (number, Some(id.to_owned()), Ok(user_type.to_owned()));
        assert_eq!(
            read(text.as_bytes(), Some("User1")),
            [of(1, "a", "User1"), of(4, "b", "User2")]
        );
        assert_eq!(read(b"", None), []);
    }

    #[test]
    fn a_user_type_must_be_named_and_known() {
        let unknown = line("a", r#","user_type":"User3""#);
        let text = format!("{}\n{unknown}\n", line("a", ""));
        let code = |code| Err(vec![FieldNote::new("user_type", code)]);
        let of = |number, account| (number, Some("a".to_owned()), account);
        assert_eq!(
            read(text.as_bytes(), None),
            [of(1, code("missing")), of(2, code("user_type_unknown"))]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_and_the_next_one_read() {
        let long = "x".repeat(3 * LONGEST_LINE);
        let text = format!("{long}\n{}\n{long}", line("a", ""));
        let too_long = || Err(vec![FieldNote::new("line", "too_long")]);
        assert_eq!(
            read(text.as_bytes(), Some("User1")),
            [
                (1, None, too_long()),
                (2, Some("a".to_owned()), Ok("User1".to_owned())),
                (3, None, too_long())
            ]
        );
        let fits = format!("{}{}", line("a", ""), " ".repeat(LONGEST_LINE - line("a", "").len()));
        assert_eq!(read(format!("{fits}\n").as_bytes(), Some("User1"))[0].0, 1);
        assert!(read(fits.as_bytes(), Some("User1"))[0].2.is_ok());
        assert!(read(format!("{fits} ").as_bytes(), Some("User1"))[0].2.is_err());
    }
}
