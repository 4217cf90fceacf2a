//! Arrays as text, in PostgreSQL's own syntax:
//! <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>.

/// An array of numbers.
pub(super) fn numbers(values: impl Iterator<Item = impl ToString>) -> String {
    let mut array = ArrayText::default();
    for value in values {
        array.push(Some(value));
    }
    array.finish()
}

/// An array with one element for each row, which `add` appends.
pub(super) fn array<T>(rows: &[T], add: impl Fn(&mut ArrayText, &T)) -> String {
    let mut array = ArrayText::default();
    for row in rows {
        add(&mut array, row);
    }
    array.finish()
}

/// An array being written.
#[derive(Default)]
pub(super) struct ArrayText {
    /// Each with a comma before it.
    elements: String,
    /// Whether an element is not null.
    has_values: bool,
}

impl ArrayText {
    /// Appends a number or a boolean.
    pub(super) fn push(&mut self, value: Option<impl ToString>) {
        self.elements.push(',');
        match value {
            Some(value) => self.elements.push_str(&value.to_string()),
            None => return self.elements.push_str("null"),
        }
        self.has_values = true;
    }

    /// Appends a text in quotes, where only quotes and backslashes are escaped.
    pub(super) fn quote(&mut self, value: Option<&str>) {
        let Some(mut rest) = value else {
            return self.push(None::<i64>);
        };
        self.elements.push_str(",\"");
        while let Some(index) = rest.find(['"', '\\']) {
            let (plain, special) = rest.split_at(index);
            let (special, after) = special.split_at(1);
            self.elements.push_str(plain);
            self.elements.push('\\');
            self.elements.push_str(special);
            rest = after;
        }
        self.elements.push_str(rest);
        self.elements.push('"');
        self.has_values = true;
    }

    /// The text. An array of nulls only is empty: `unnest` pads a shorter array with nulls.
    fn finish(self) -> String {
        match self.elements.strip_prefix(',') {
            Some(elements) if self.has_values => format!("{{{elements}}}"),
            _ => "{}".to_owned(),
        }
    }
}
