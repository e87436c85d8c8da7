//! Reads forms out of our pages, so that a test presses buttons instead of guessing field names.
//!
//! It understands the HTML that Portico writes (quoted attributes, no nesting of forms), which is all it is for.

/// A form as a browser would submit it.
#[derive(Debug, Clone)]
pub struct Form {
    /// The `action`, empty when the page posts to itself.
    pub action: String,
    /// `GET` or `POST`.
    pub method: String,
    /// Every control with a name, in document order.
    pub fields: Vec<Field>,
}

/// One control of a form.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its tag: `input`, `button`, `textarea`, `select`.
    pub tag: String,
    /// Its `type`, in lower case.
    pub kind: String,
    /// Its `name`.
    pub name: String,
    /// Its `value`.
    pub value: String,
    /// Whether a checkbox stands checked.
    pub is_checked: bool,
}

impl Form {
    /// Whether a person is asked for a password here.
    pub fn asks_password(&self) -> bool {
        self.fields.iter().any(|field| field.kind == "password")
    }

    /// The buttons that carry a name and a value.
    pub fn buttons(&self) -> Vec<&Field> {
        self.fields.iter().filter(|field| field.is_button() && !field.name.is_empty()).collect()
    }

    /// What the browser sends by itself: hidden and prefilled fields, checked boxes, no button.
    pub fn resting_values(&self) -> Vec<(String, String)> {
        self.fields
            .iter()
            .filter(|field| !field.is_button() && !field.name.is_empty())
            .filter(|field| field.is_checked || !matches!(field.kind.as_str(), "checkbox" | "radio"))
            .map(|field| (field.name.clone(), field.value.clone()))
            .collect()
    }
}

impl Field {
    fn is_button(&self) -> bool {
        (self.tag == "button" && self.kind != "button") || self.kind == "submit"
    }
}

/// All forms of a page.
pub fn forms(page: &str) -> Vec<Form> {
    let mut found: Vec<Form> = Vec::new();
    let mut is_inside = false;
    for tag in tags(page) {
        match tag.name.as_str() {
            "form" => {
                is_inside = true;
                found.push(Form {
                    action: tag.attribute("action"),
                    method: if tag.attribute("method").eq_ignore_ascii_case("post") { "POST".into() } else { "GET".into() },
                    fields: Vec::new(),
                });
            }
            "/form" => is_inside = false,
            "input" | "button" | "textarea" | "select" if is_inside => {
                let field = Field {
                    kind: tag.attribute("type").to_ascii_lowercase(),
                    name: tag.attribute("name"),
                    value: tag.attribute("value"),
                    is_checked: tag.has("checked"),
                    tag: tag.name,
                };
                found.last_mut().expect("inside a form").fields.push(field);
            }
            _ => {}
        }
    }
    found
}

/// A tag with its attributes; entities in values are decoded.
#[derive(Debug, Clone)]
pub struct Tag {
    /// Its name in lower case, with a leading slash when it closes.
    pub name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The value of an attribute, empty when absent.
    pub fn attribute(&self, name: &str) -> String {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// Whether the attribute stands there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|(known, _)| known == name)
    }

    /// The names of all attributes.
    pub fn attribute_names(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|(name, _)| name.as_str())
    }
}

/// Every tag of a page, comments and the doctype left out.
pub fn tags(page: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if rest.starts_with("!--") {
            rest = rest.find("-->").map_or("", |end| &rest[end + 3..]);
        } else if rest.starts_with('/') || rest.starts_with(|first: char| first.is_ascii_alphabetic()) {
            let end = end_of_tag(rest);
            found.push(tag(&rest[..end]));
            rest = &rest[end..];
        }
    }
    found
}

/// The index of the `>` that ends the tag; a `>` inside quotes does not.
fn end_of_tag(text: &str) -> usize {
    let mut quote = None;
    for (index, letter) in text.char_indices() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            (None, '>') => return index,
            _ => {}
        }
    }
    text.len()
}

fn tag(text: &str) -> Tag {
    let text = text.trim_end_matches('/');
    let (name, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Tag { name: name.to_ascii_lowercase(), attributes };
        }
        let end = rest.find(|letter: char| letter.is_whitespace() || letter == '=').unwrap_or(rest.len());
        let key = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|letter| matches!(letter, '"' | '\''));
            let (raw, remaining) = match quote {
                Some(quote) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            value = decoded(raw);
            rest = remaining;
        }
        if !key.is_empty() {
            attributes.push((key, value));
        } else if rest.is_empty() {
            return Tag { name: name.to_ascii_lowercase(), attributes };
        }
    }
}

/// A text as a person reads it: the entities that escaping produces, decoded.
pub fn decoded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(';').unwrap_or(0);
        let letter = match &rest[..end.max(1)] {
            "&amp" => Some('&'),
            "&lt" => Some('<'),
            "&gt" => Some('>'),
            "&quot" => Some('"'),
            "&apos" => Some('\''),
            entity => numbered(entity),
        };
        match letter {
            Some(letter) => {
                plain.push(letter);
                rest = &rest[end + 1..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain + rest
}

fn numbered(entity: &str) -> Option<char> {
    let digits = entity.strip_prefix("&#")?;
    let number = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(number)
}

/// The words of a page: tags and scripts taken out, entities decoded.
pub fn words(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        text.push(' ');
        rest = &rest[start + 1..];
        rest = rest.get(end_of_tag(rest) + 1..).unwrap_or("");
    }
    text.push_str(rest);
    decoded(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{decoded, forms, words};

    #[test]
    fn a_form_is_read_as_a_browser_would_submit_it() {
        let page = r#"<p>a<form method=post action="/consent/x?a=1&amp;b=2"><input type="hidden" name="csrf" value="a&#x26;b>c">
            <input type=checkbox name=keep value=yes checked><input type=checkbox name=other value=no>
            <input name="password" type="password" required><button name="decision" value="allow">Go</button></form>"#;
        let form = &forms(page)[0];
        assert_eq!((form.method.as_str(), form.action.as_str()), ("POST", "/consent/x?a=1&b=2"));
        assert!(form.asks_password());
        assert_eq!(form.buttons()[0].value, "allow");
        let resting = [("csrf", "a&b>c"), ("keep", "yes"), ("password", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form.resting_values(), resting);
    }

    #[test]
    fn words_are_what_a_person_reads() {
        assert_eq!(words("<p title='a>b'>one <b>&lt;two&gt;</b></p>three"), "one <two> three");
        assert_eq!(decoded("a & b &unknown; &#39;"), "a & b &unknown; '");
    }
}
