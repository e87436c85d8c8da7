//! The form of a page, read from its HTML as far as a person without script needs it.

/// Where a form goes and what it carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) hidden: Vec<(String, String)>,
    visible: Vec<String>,
}

impl Form {
    /// The first form that is posted: the one that decides.
    pub(super) fn read(html: &str) -> Option<Self> {
        let mut form: Option<Self> = None;
        for tag in html.split('<').skip(1).filter_map(|piece| piece.split_once('>').map(|(tag, _)| tag)) {
            if tag == "/form" && form.is_some() {
                return form;
            }
            let name = tag.split(|letter: char| letter.is_whitespace() || letter == '/').next().unwrap_or_default();
            match (&mut form, name) {
                (None, "form") if attribute(tag, "method").is_some_and(|method| method.eq_ignore_ascii_case("post")) => {
                    form = Some(Self { action: attribute(tag, "action")?, hidden: Vec::new(), visible: Vec::new() });
                }
                (Some(form), "input") => {
                    let Some(field) = attribute(tag, "name") else {
                        continue;
                    };
                    if attribute(tag, "type").as_deref() == Some("hidden") {
                        form.hidden.push((field, attribute(tag, "value").unwrap_or_default()));
                    } else {
                        form.visible.push(field);
                    }
                }
                _ => {}
            }
        }
        form
    }

    pub(super) fn asks_for(&self, field: &str) -> bool {
        self.visible.iter().any(|name| name == field)
    }
}

/// The value of a double-quoted attribute, unescaped.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    while let Some(at) = rest.find(name) {
        let before = rest[..at].chars().next_back();
        let after = &rest[at + name.len()..];
        if before.is_some_and(char::is_whitespace)
            && let Some(value) = after.strip_prefix("=\"")
        {
            return value.split_once('"').map(|(value, _)| unescaped(value));
        }
        rest = after;
    }
    None
}

fn unescaped(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (entity, letter)| text.replace(entity, letter))
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn the_form_that_decides_is_read_with_its_hidden_fields() {
        let page = r#"<form method="get" action="/lang"><input name="l"></form>
            <form method="post" action="/consent?a=1&amp;b=2"><input type="hidden" name="csrf" value="x&#34;y">
            <input id="n" name="username" autocomplete="username"><button name="decision" value="allow">Allow</button></form>
            <form method="post" action="/other"></form>"#;
        let form = Form::read(page).unwrap();
        assert_eq!(form.action, "/consent?a=1&b=2");
        assert_eq!(form.hidden, [("csrf".to_owned(), "x\"y".to_owned())]);
        assert!(form.asks_for("username"));
        assert!(!form.asks_for("password"));
    }

    #[test]
    fn a_page_without_a_posted_form_has_none() {
        assert_eq!(Form::read("<p>Signed out</p><form method=\"get\" action=\"/\"></form>"), None);
    }
}
