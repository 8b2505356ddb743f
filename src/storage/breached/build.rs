//! Makes the file from a list: `HASH` or `HASH:COUNT` a line, in either case, in any order.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _, Stdin},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::{
    crypto::breached_hash::BreachedHash,
    storage::breached::{Bits, FALSE_POSITIVE_RATE, Header, Item, SEED, file::write},
};

/// No line of a list is longer.
const LONGEST_LINE: u64 = 128;
/// Lines between two words of progress.
const STRIDE: u64 = 1 << 20;

/// Where the list is.
#[derive(Debug)]
pub enum Input {
    /// A file, which is counted first where nobody says how many lines it has.
    File(PathBuf),
    /// What another program writes.
    Stdin,
}

/// Why no file was made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file can't be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// A line is something else than its first ones. What it is is not shown.
    #[error("line {0} is not `HASH` or `HASH:COUNT`, with the 40 digits of SHA-1 or the 32 of NTLM, as the first line")]
    Line(u64),
    /// There is nothing in it.
    #[error("the list is empty")]
    Empty,
    /// Nobody knows how much is to come.
    #[error("say how many lines there are (--count): a pipe can be read once only")]
    CountNeeded,
    /// More came than was said; with those, more good passwords would be refused than is promised.
    #[error("the list has more lines than the {0} of --count")]
    TooMany(u64),
    /// No machine has so much memory.
    #[error("a filter of {0} passwords is too large for this machine")]
    TooLarge(u64),
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// The list's hash.
    pub hash: BreachedHash,
    /// Lines of the list.
    pub items: u64,
    /// Size of the bitmap, which was in memory meanwhile.
    pub bytes: u64,
}

/// Makes the file at `output` from the list, sized for `count` lines, and tells `progress` how many it has read of how
/// many. Takes as much memory as the file has bytes: 3.6 for each password.
pub fn build(
    input: &Input,
    output: &Path,
    count: Option<u64>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Built, BuildError> {
    let count = match (count, input) {
        (Some(count), _) => count,
        (None, Input::File(path)) => count_lines(path).map_err(|error| BuildError::File(path.clone(), error))?,
        (None, Input::Stdin) => return Err(BuildError::CountNeeded),
    };
    if count == 0 {
        return Err(BuildError::Empty);
    }
    let (bits, hash, items) = match input {
        Input::File(path) => {
            let file = File::open(path).map_err(|error| BuildError::File(path.clone(), error))?;
            read(&mut BufReader::with_capacity(1 << 20, file), path, count, progress)?
        }
        Input::Stdin => {
            let stdin: Stdin = io::stdin();
            read(&mut stdin.lock(), Path::new("standard input"), count, progress)?
        }
    };
    let bytes = bits.len() / 8;
    let header = Header {
        hash,
        hashes: u8::try_from(bits.number_of_hash_functions()).map_err(|_| BuildError::TooLarge(count))?,
        items,
        bytes,
    };
    let whole = bits.as_slice();
    let bitmap = usize::try_from(bytes).map_or(whole, |bytes| &whole[whole.len() - bytes..]);
    write(output, header, bitmap).map_err(|error| BuildError::File(output.to_owned(), error))?;
    Ok(Built { hash, items, bytes })
}

fn count_lines(path: &Path) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut lines, mut is_open) = (0, false);
    loop {
        let part = reader.fill_buf()?;
        let Some(last) = part.last() else {
            return Ok(lines + u64::from(is_open));
        };
        is_open = *last != b'\n';
        lines += part.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        let length = part.len();
        reader.consume(length);
    }
}

fn read(
    reader: &mut dyn BufRead,
    name: &Path,
    count: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Bits, BreachedHash, u64), BuildError> {
    let size = usize::try_from(count).map_err(|_| BuildError::TooLarge(count))?;
    let bitmap = Bits::compute_bitmap_size(size, FALSE_POSITIVE_RATE);
    let mut filter: Option<(Bits, BreachedHash)> = None;
    let (mut line, mut number, mut items) = (Vec::new(), 0_u64, 0_u64);
    loop {
        line.clear();
        let read = reader.take(LONGEST_LINE).read_until(b'\n', &mut line);
        if read.map_err(|error| BuildError::File(name.to_owned(), error))? == 0 {
            break;
        }
        number += 1;
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let (hash, bytes) = parse(text).ok_or(BuildError::Line(number))?;
        let (bits, first) = match &mut filter {
            Some(filter) => (&mut filter.0, filter.1),
            None => {
                let bits = Bits::new_with_seed(bitmap, size, SEED).map_err(|_| BuildError::TooLarge(count))?;
                let filter = filter.insert((bits, hash));
                (&mut filter.0, filter.1)
            }
        };
        if hash != first {
            return Err(BuildError::Line(number));
        }
        items += 1;
        if items > count {
            return Err(BuildError::TooMany(count));
        }
        bits.set(&Item::of(&bytes[..hash.length()]));
        if items.is_multiple_of(STRIDE) {
            progress(items, count);
        }
    }
    let (bits, hash) = filter.ok_or(BuildError::Empty)?;
    Ok((bits, hash, items))
}

/// The hash of one line.
fn parse(line: &[u8]) -> Option<(BreachedHash, [u8; 20])> {
    let (hex, times) = match line.iter().position(|byte| *byte == b':') {
        Some(at) => (&line[..at], Some(&line[at + 1..])),
        None => (line, None),
    };
    let is_number = |times: &[u8]| !times.is_empty() && times.iter().all(u8::is_ascii_digit);
    let hash = [BreachedHash::Sha1, BreachedHash::Ntlm]
        .into_iter()
        .find(|hash| hex.len() == 2 * hash.length())?;
    let mut bytes = [0; 20];
    let decoded = HEXLOWER_PERMISSIVE.decode_mut(hex, &mut bytes[..hash.length()]);
    (decoded.is_ok() && times.is_none_or(is_number)).then_some((hash, bytes))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
