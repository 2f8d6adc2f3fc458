//! Python literals: what `repr()` makes of dicts, tuples, lists, strings, numbers, `True`, `False` and `None`. Nothing is ever
//! evaluated.

use serde_json::{Map, Value};

/// Deeper than any description of a type.
const DEPTH_MAX: usize = 32;

/// Reads a literal, and only that. Keys of dicts that are no strings become strings.
///
/// # Errors
/// Where it is none.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, rest: text };
    let value = reader.value(0)?;
    reader.skip();
    if reader.rest.is_empty() { Ok(value) } else { Err(reader.wrong()) }
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
}

impl Reader<'_> {
    fn wrong(&self) -> String {
        format!("its header is no Python literal at byte {}", self.text.len() - self.rest.len())
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        self.skip();
        if depth > DEPTH_MAX {
            return Err(self.wrong());
        }
        if self.eat('{') {
            return self.dict(depth);
        }
        if self.eat('[') {
            return self.items(']', depth).map(|(items, _)| items.into());
        }
        if self.eat('(') {
            let (mut items, comma) = self.items(')', depth)?;
            // (3) is no tuple.
            return Ok(match items.pop() {
                Some(one) if items.is_empty() && !comma => one,
                last => items.into_iter().chain(last).collect(),
            });
        }
        match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => self.string(quote).map(Value::from),
            _ => self.word(),
        }
    }

    fn dict(&mut self, depth: usize) -> Result<Value, String> {
        let mut entries = Map::new();
        while !self.eat('}') {
            let key = match self.value(depth + 1)? {
                Value::String(text) => text,
                other => other.to_string(),
            };
            if !self.eat(':') {
                return Err(self.wrong());
            }
            entries.insert(key, self.value(depth + 1)?);
            if !self.eat(',') {
                if self.eat('}') {
                    break;
                }
                return Err(self.wrong());
            }
        }
        Ok(entries.into())
    }

    /// The items up to `end`, and whether the last one is followed by a comma.
    fn items(&mut self, end: char, depth: usize) -> Result<(Vec<Value>, bool), String> {
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.eat(end) {
            items.push(self.value(depth + 1)?);
            comma = self.eat(',');
            if !comma {
                if self.eat(end) {
                    break;
                }
                return Err(self.wrong());
            }
        }
        Ok((items, comma))
    }

    fn string(&mut self, quote: char) -> Result<String, String> {
        let wrong = self.wrong();
        let mut text = String::new();
        let mut chars = self.rest.chars();
        chars.next();
        loop {
            match chars.next().ok_or_else(|| wrong.clone())? {
                char if char == quote => break,
                '\n' => return Err(wrong),
                '\\' => match chars.next().ok_or_else(|| wrong.clone())? {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    char @ ('\\' | '\'' | '"') => text.push(char),
                    char @ ('x' | 'u' | 'U') => {
                        let digits = match char {
                            'x' => 2,
                            'u' => 4,
                            _ => 8,
                        };
                        let hex: String = chars.by_ref().take(digits).collect();
                        let is_hex = hex.len() == digits && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
                        let code = u32::from_str_radix(&hex, 16).ok().filter(|_| is_hex);
                        text.push(code.and_then(char::from_u32).ok_or_else(|| wrong.clone())?);
                    }
                    char => text.extend(['\\', char]),
                },
                char => text.push(char),
            }
        }
        self.rest = chars.as_str();
        Ok(text)
    }

    fn word(&mut self) -> Result<Value, String> {
        let end = self.rest.find(|char: char| !char.is_ascii_alphanumeric() && !"_.+-".contains(char));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let value = match word {
            "True" => true.into(),
            "False" => false.into(),
            "None" => Value::Null,
            _ => {
                // Python 2 wrote an L behind whole numbers. Rust reads "inf" and "nan", which are no literals.
                let digits = word.strip_suffix('L').unwrap_or(word);
                let is_number = digits.bytes().any(|byte| byte.is_ascii_digit());
                let whole = digits.parse::<i64>().map(Value::from).ok();
                let number =
                    || digits.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from);
                whole.or_else(number).filter(|_| is_number).ok_or_else(|| self.wrong())?
            }
        };
        self.rest = rest;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(text: &str) -> Option<String> {
        parse(text).ok().map(|value| value.to_string())
    }

    #[test]
    fn literals_are_read_as_python_reads_them() {
        for (text, expected) in [
            ("[('a', '<f8'), ('b', [('c', '<i4', (2,))]),]", r#"[["a","<f8"],["b",[["c","<i4",[2]]]]]"#),
            ("{'a': 1, \"b\" : -2.5,3:None}", r#"{"3":null,"a":1,"b":-2.5}"#),
            ("(3)", "3"),
            ("(3,)", "[3]"),
            ("( )", "[]"),
            ("3L", "3"),
            (r#"'\x41\u00e9\U0001f600\n\'\"\q'"#, "\"Aé😀\\n'\\\"\\\\q\""),
            ("  True\n", "true"),
        ] {
            assert_eq!(json(text).as_deref(), Some(expected), "{text}");
        }
        for wrong in [
            "",
            "{",
            "{1}",
            "[1 2]",
            "'a",
            "'a\nb'",
            r"'\x4'",
            r"'\U00110000'",
            "nan",
            "x",
            "1 1",
            "__import__('os')",
            "{,}",
        ] {
            assert_eq!(json(wrong), None, "{wrong}");
        }
        assert!(json(&format!("{}1{}", "[".repeat(32), "]".repeat(32))).is_some());
        assert_eq!(json(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_literal_or_none(text in "[-{}'\"(),:\\[\\]\\\\a-zA-Z0-9 é]{0,200}") {
            let _ = parse(&text);
        }
    }
}
