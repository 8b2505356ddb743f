//! Private text can't be multiplied.

use sealgate::domain::private::Private;

fn leak(text: &Private) -> Private {
    text.clone()
}

fn main() {}
