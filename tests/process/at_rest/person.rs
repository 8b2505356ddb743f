//! Somebody with marks in every field.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::markers::{Mark, digits, unique};

/// The person, and the device that speaks for them.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    /// The one that the account has later.
    pub(crate) other_email: String,
    pub(crate) phone: String,
    pub(crate) username: String,
    /// The user type's own field.
    pub(crate) note: String,
    pub(crate) passwords: [String; 4],
    pub(crate) wrong_password: String,
    pub(crate) devices: [Device; 2],
    pub(crate) marks: Vec<Mark>,
}

/// What a request tells of where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) agent: String,
    pub(crate) address: String,
}

impl Device {
    fn new(marks: &mut Vec<Mark>) -> Self {
        let agent = format!("{}/1.0 (\"{}\"; a=b&c)", unique(), unique());
        // Past the part that is kept, the /48: four groups that no abbreviation shortens.
        let group = || {
            format!(
                "{}{}",
                1 + digits::<1>().parse::<u8>().expect("a digit") % 9,
                digits::<3>()
            )
        };
        let host = format!("{}:{}:{}:{}:{}", group(), group(), group(), group(), group());
        marks.push(Mark::new("user agent", &agent));
        marks.push(Mark::new("user agent's name", agent.split('/').next().expect("a name")));
        marks.push(Mark::new("client's address", &host));
        Self {
            agent,
            address: format!("2001:db8:77:{host}"),
        }
    }

    pub(crate) fn speaks(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .header("user-agent", &self.agent)
            .header("x-forwarded-for", &self.address)
    }
}

impl Person {
    pub(crate) fn new(who: &str) -> Self {
        let mut marks = Vec::new();
        let [first, last, local, host, other, other_host, name, note] = std::array::from_fn(|_| unique());
        let phone = format!("+49151{}", digits::<8>());
        let password = || format!("Pä{}!9Zq\"&x", unique());
        let passwords = std::array::from_fn(|_| password());
        let devices = [Device::new(&mut marks), Device::new(&mut marks)];
        let person = Self {
            first_name: format!("Zoë {first} & d'Été"),
            last_name: format!("{last}-Ångström \"Øst\""),
            email: format!("{local}+Tag'x@{host}.example"),
            other_email: format!("{other}/y@{other_host}.example"),
            username: format!("{name}.Own"),
            note: format!("Ünder \"{note}\" <ß> 漢"),
            wrong_password: password(),
            passwords,
            devices,
            phone,
            marks: Vec::new(),
        };
        let mut text = |what: &str, text: &str| marks.push(Mark::new(what, text));
        text("first name", &person.first_name);
        text("first name, a part", &first);
        text("last name", &person.last_name);
        text("last name, a part", &last);
        text("address", &person.email);
        text("address, the mailbox", &local);
        text("address, the host", &host);
        text("other address", &person.other_email);
        text("other address, the mailbox", &other);
        text("other address, the host", &other_host);
        text("number", &person.phone[1..]);
        text("number, national", &person.phone[3..]);
        text("username", &person.username);
        text("username, a part", &name);
        text("attribute", &person.note);
        text("attribute, a part", &note);
        for password in person.passwords.iter().chain([&person.wrong_password]) {
            text("password", password);
            text("password, a part", &password[3..17]);
        }
        for mark in &mut marks {
            mark.what = format!("{who}: {}", mark.what);
        }
        Self { marks, ..person }
    }

    /// The body of a registration.
    pub(crate) fn registration(&self) -> Value {
        json!({
            "first_name": self.first_name,
            "last_name": self.last_name,
            "email": self.email,
            "phone": self.phone,
            "country_code": "DE",
            "username": self.username,
            "attributes": { "note": self.note },
            "password": self.passwords[0],
        })
    }

    /// One that is wrong in every member.
    pub(crate) fn wrong_registration(&self) -> Value {
        json!({
            "first_name": format!("{}\u{7}", self.first_name),
            "last_name": { "of": self.last_name },
            "email": format!("{}@{}", self.email, self.other_email),
            "phone": format!("{}x", self.phone),
            "country_code": self.username,
            "username": format!("{} {}", self.username, self.note),
            "attributes": { "note": { "not": self.note } },
            "password": self.first_name,
            "nickname": self.note,
        })
    }
}
