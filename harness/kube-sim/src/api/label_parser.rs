//! Reading the text of label selectors, with the words of the real server for what cannot be read.
//!
//! Source: the grammar of apimachinery's `labels` package.

use crate::validate::{label_key_problems, label_value_problems};

/// One requirement on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Above(String, i64),
    Below(String, i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Symbol(&'static str),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(text) => text,
            Self::Symbol(text) => text,
            Self::End => "",
        }
    }

    fn ends_requirement(&self) -> bool {
        matches!(self, Self::End | Self::Symbol(","))
    }
}

const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

fn tokens(text: &str) -> Vec<Token> {
    let (mut all, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            all.push(Token::Symbol(symbol));
            rest = rest[symbol.len()..].trim_start();
            continue;
        }
        let special = |letter: char| letter.is_ascii_whitespace() || "=!(),><".contains(letter);
        let end = rest.find(special).unwrap_or(rest.len());
        // White space that is not ASCII begins no word and ends none.
        let end = if end == 0 { rest.chars().next().map_or(1, char::len_utf8) } else { end };
        all.push(Token::Word(rest[..end].to_owned()));
        rest = rest[end..].trim_start();
    }
    all
}

struct Parser {
    tokens: std::vec::IntoIter<Token>,
    next: Token,
}

/// Reads `a=b,c!=d,e in (f,g),h,!i,j>1`.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut tokens = tokens(text).into_iter();
    let next = tokens.next().unwrap_or(Token::End);
    let mut parser = Parser { tokens, next };
    let mut all = Vec::new();
    loop {
        match &parser.next {
            Token::End => return Ok(all),
            Token::Word(_) | Token::Symbol("!") => {
                all.push(parser.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?);
            }
            other => {
                return Err(format!("found '{}', expected: !, identifier, or 'end of string'", other.text()));
            }
        }
        match parser.take() {
            Token::End => return Ok(all),
            Token::Symbol(",") if matches!(parser.next, Token::Word(_) | Token::Symbol("!")) => {}
            Token::Symbol(",") => {
                return Err(format!("found '{}', expected: identifier after ','", parser.next.text()));
            }
            other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.text())),
        }
    }
}

impl Parser {
    fn take(&mut self) -> Token {
        let next = self.tokens.next().unwrap_or(Token::End);
        std::mem::replace(&mut self.next, next)
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.next == Token::Symbol("!");
        if absent {
            self.take();
        }
        let key = match self.take() {
            Token::Word(key) => key,
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        let problems = label_key_problems(&key);
        if !problems.is_empty() {
            return Err(format!("<nil>: Invalid value: {key:?}: {}", problems.join("; ")));
        }
        if absent {
            return Ok(Requirement::Absent(key));
        }
        if self.next.ends_requirement() {
            return Ok(Requirement::Exists(key));
        }
        match self.take() {
            Token::Word(word) if word == "in" => {
                Ok(Requirement::In(key.clone(), checked(&key, self.values()?)?))
            }
            Token::Word(word) if word == "notin" => {
                Ok(Requirement::NotIn(key.clone(), checked(&key, self.values()?)?))
            }
            Token::Symbol("=" | "==") => {
                Ok(Requirement::In(key.clone(), checked(&key, vec![self.value()?])?))
            }
            Token::Symbol("!=") => Ok(Requirement::NotIn(key.clone(), checked(&key, vec![self.value()?])?)),
            Token::Symbol(">") => Ok(Requirement::Above(key, self.number()?)),
            Token::Symbol("<") => Ok(Requirement::Below(key, self.number()?)),
            other => Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", other.text())),
        }
    }

    fn value(&mut self) -> Result<String, String> {
        if self.next.ends_requirement() {
            return Ok(String::new());
        }
        match self.take() {
            Token::Word(value) => Ok(value),
            other => Err(format!("found '{}', expected: identifier", other.text())),
        }
    }

    fn number(&mut self) -> Result<i64, String> {
        let text = self.value()?;
        text.parse().map_err(|_| {
            format!(
                "values[0]: Invalid value: {text:?}: for 'Gt', 'Lt' operators, the value must be an integer"
            )
        })
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        match self.take() {
            Token::Symbol("(") => {}
            other => return Err(format!("found '{}' expected: '('", other.text())),
        }
        let mut values = Vec::new();
        loop {
            let value = match &self.next {
                Token::Word(_) => self.take().text().to_owned(),
                Token::Symbol("," | ")") => String::new(),
                other => return Err(format!("found '{}', expected: ',', ')' or identifier", other.text())),
            };
            values.push(value);
            match self.take() {
                Token::Symbol(",") => {}
                Token::Symbol(")") => break,
                other => return Err(format!("found '{}', expected: ',' or ')'", other.text())),
            }
        }
        values.sort();
        values.dedup();
        Ok(values)
    }
}

fn checked(key: &str, values: Vec<String>) -> Result<Vec<String>, String> {
    for (index, value) in values.iter().enumerate() {
        let problems = label_value_problems(value);
        if !problems.is_empty() {
            return Err(format!("values[{index}][{key}]: Invalid value: {value:?}: {}", problems.join("; ")));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_in_the_real_server_s_words() {
        for (text, why) in [
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("=b", "found '=', expected: !, identifier, or 'end of string'"),
            ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("a,", "found '', expected: identifier after ','"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
        ] {
            assert_eq!(parse(text).unwrap_err(), why);
        }
        assert_eq!(parse("a>5,b in (y,x)").unwrap().len(), 2);
        assert_eq!(parse("a in ()").unwrap(), [Requirement::In("a".into(), vec![String::new()])]);
    }
}
