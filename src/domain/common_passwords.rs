//! Passwords that everybody tries first (NIST SP 800-63B-4 section 3.1.1.2, ASVS 5.0 6.2.4).
//!
//! A password is common when it stands in the list (`common_passwords/list.txt`, its source beside it), in any case; or
//! when it does once digits and signs at its end are taken off, and the signs that stand for letters are read as
//! these: `P@ssw0rd2024!` is `password`.

use zeroize::Zeroizing;

/// Sorted by bytes.
const LIST: &str = include_str!("common_passwords/list.txt");

/// Whether `text` is one of them.
pub(in crate::domain) fn is_common(text: &str) -> bool {
    let whole = Zeroizing::new(text.to_lowercase());
    let stem = whole.trim_end_matches(|c: char| !c.is_alphabetic());
    let read = Zeroizing::new(whole.chars().map(letter).collect::<String>());
    let read_stem = Zeroizing::new(stem.chars().map(letter).collect::<String>());
    [whole.as_str(), stem, read.as_str(), read_stem.as_str()]
        .iter()
        .any(|candidate| is_listed(candidate))
}

/// The letter that a sign stands for.
const fn letter(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// Binary search over lines of different lengths: a slice's middle is moved to the line it falls into.
fn is_listed(word: &str) -> bool {
    let (bytes, word) = (LIST.as_bytes(), word.as_bytes());
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = bytes[..middle]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let end = bytes[start..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(bytes.len(), |at| start + at);
        match bytes[start..end].cmp(word) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_every_line_is_found() {
        let lines: Vec<&str> = LIST.lines().collect();
        assert!(lines.len() > 15_000);
        assert!(lines.is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()));
        assert!(lines.iter().all(|line| is_listed(line)));
        for absent in ["", "\n", "a", "zzzzzzzzzzzzz", "passwor", "passwordd0"] {
            assert!(!is_listed(absent), "{absent:?}");
        }
    }

    #[test]
    fn dressed_up_ones_are_seen_through_and_others_are_not() {
        for common in [
            "Password1!",
            "P@ssw0rd",
            "P@$$w0rd2024!",
            "QWERTY123456",
            "Iloveyou!!",
            "Welcome1!",
            "Dragon99%",
        ] {
            assert!(is_common(common), "{common}");
        }
        for fine in [
            "SecureP@ssw0rd123!",
            "correct horse battery staple",
            "An0ther-S3cret-of-theirs",
            "Zürich-1848-Bahn",
        ] {
            assert!(!is_common(fine), "{fine}");
        }
    }
}
