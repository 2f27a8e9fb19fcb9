//! Which series a PromQL query reads: enough of its grammar for dashboards and alerts, and an error for the rest.
//!
//! Nothing is evaluated here.

use std::collections::BTreeSet;

use regex::Regex;

/// One series selector of a query.
#[derive(Debug, Clone)]
pub struct Selector {
    /// The metric, with its suffix (`_bucket`, `_total`).
    pub metric: String,
    /// What its labels must look like.
    pub matchers: Vec<Matcher>,
    /// Labels that the aggregations around it group by: without them all series fall into one nameless group.
    pub grouped_by: BTreeSet<String>,
}

/// A condition on one label.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The label.
    pub label: String,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Equal(String),
    NotEqual(String),
    Matches(Regex),
    DoesNotMatch(Regex),
}

impl Matcher {
    /// Whether the label's value (empty when the label is absent, as in Prometheus) satisfies the condition.
    pub fn accepts(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(wanted) => value == wanted,
            Test::NotEqual(unwanted) => value != unwanted,
            Test::Matches(pattern) => pattern.is_match(value),
            Test::DoesNotMatch(pattern) => !pattern.is_match(value),
        }
    }
}

/// Why a query was not understood.
#[derive(Debug, thiserror::Error)]
pub enum PromqlError {
    /// A character that begins no token.
    #[error("unexpected character {0:?} in `{1}`")]
    Character(char, String),
    /// The query went on, or ended, where something else was expected.
    #[error("expected {expected}, found {found} in `{query}`")]
    Expected {
        /// What could have stood there.
        expected: &'static str,
        /// What stands there.
        found: String,
        /// The query.
        query: String,
    },
    /// A regular expression of a matcher.
    #[error("a matcher's pattern is not a regular expression")]
    Pattern(#[from] regex::Error),
}

const AGGREGATIONS: [&str; 9] =
    ["sum", "avg", "min", "max", "count", "stddev", "stdvar", "group", "quantile"];
const SET_OPERATORS: [&str; 3] = ["and", "or", "unless"];

/// The selectors of `query`, in the order in which they stand.
pub fn selectors(query: &str) -> Result<Vec<Selector>, PromqlError> {
    let mut parser = Parser { tokens: tokens(query)?, position: 0, query, selectors: Vec::new() };
    parser.expression(&BTreeSet::new())?;
    match parser.peek() {
        None => Ok(parser.selectors),
        Some(_) => Err(parser.expected("the end")),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Number,
    Text(String),
    /// `[5m]`, `[$__rate_interval]`: ranges do not change which series are read.
    Range,
    Symbol(&'static str),
}

const SYMBOLS: [&str; 22] = [
    "==", "!=", ">=", "<=", "=~", "!~", "(", ")", "{", "}", ",", "=", "+", "-", "*", "/", "%", "^", ">", "<",
    "@", ":",
];

fn tokens(query: &str) -> Result<Vec<Token>, PromqlError> {
    let mut tokens = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_alphabetic() || first == '_' {
            let length = prefix(rest, |c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
            tokens.push(Token::Name(rest[..length].to_owned()));
            length
        } else if first.is_ascii_digit() {
            tokens.push(Token::Number);
            prefix(rest, |c| c.is_ascii_alphanumeric() || c == '.')
        } else if first == '"' || first == '\'' {
            let end = rest[1..].find(first).ok_or_else(|| PromqlError::Character(first, query.to_owned()))?;
            // Label values of our dashboards hold no escapes but the doubled backslash of a pattern.
            tokens.push(Token::Text(rest[1..=end].replace("\\\\", "\\")));
            end + 2
        } else if first == '[' {
            let end = rest.find(']').ok_or_else(|| PromqlError::Character(first, query.to_owned()))?;
            tokens.push(Token::Range);
            end + 1
        } else {
            let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
            let symbol = symbol.ok_or_else(|| PromqlError::Character(first, query.to_owned()))?;
            tokens.push(Token::Symbol(symbol));
            symbol.len()
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn prefix(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

struct Parser<'a> {
    tokens: Vec<Token>,
    position: usize,
    query: &'a str,
    selectors: Vec<Selector>,
}

impl Parser<'_> {
    /// Operands joined by operators; precedence does not matter for what is read.
    fn expression(&mut self, grouped_by: &BTreeSet<String>) -> Result<(), PromqlError> {
        loop {
            self.operand(grouped_by)?;
            if !self.operator()? {
                return Ok(());
            }
        }
    }

    fn operand(&mut self, grouped_by: &BTreeSet<String>) -> Result<(), PromqlError> {
        while self.takes("-") || self.takes("+") {}
        if self.takes("(") {
            self.expression(grouped_by)?;
            self.needs(")")?;
            self.range();
            return Ok(());
        }
        match self.next() {
            Some(Token::Number | Token::Text(_)) => Ok(()),
            Some(Token::Name(name)) if AGGREGATIONS.contains(&name.as_str()) => self.aggregation(grouped_by),
            Some(Token::Name(_)) if self.peek() == Some(&Token::Symbol("(")) => self.arguments(grouped_by),
            Some(Token::Name(metric)) => self.selector(metric, grouped_by),
            _ => {
                self.position = self.position.saturating_sub(1);
                Err(self.expected("a value"))
            }
        }
    }

    /// After `sum` and the like: `by (...)`, which our dashboards write first, then the argument.
    fn aggregation(&mut self, outer: &BTreeSet<String>) -> Result<(), PromqlError> {
        let mut grouped_by = outer.clone();
        if self.takes_name("by") {
            grouped_by.extend(self.labels()?);
        }
        self.arguments(&grouped_by)
    }

    fn arguments(&mut self, grouped_by: &BTreeSet<String>) -> Result<(), PromqlError> {
        self.needs("(")?;
        while !self.takes(")") {
            self.expression(grouped_by)?;
            if !self.takes(",") {
                self.needs(")")?;
                break;
            }
        }
        self.range();
        Ok(())
    }

    fn selector(&mut self, metric: String, grouped_by: &BTreeSet<String>) -> Result<(), PromqlError> {
        let mut matchers = Vec::new();
        if self.takes("{") {
            while !self.takes("}") {
                matchers.push(self.matcher()?);
                if !self.takes(",") {
                    self.needs("}")?;
                    break;
                }
            }
        }
        self.range();
        if self.takes_name("offset") {
            self.next();
        }
        self.selectors.push(Selector { metric, matchers, grouped_by: grouped_by.clone() });
        Ok(())
    }

    fn matcher(&mut self) -> Result<Matcher, PromqlError> {
        let Some(Token::Name(label)) = self.next() else { return Err(self.expected("a label")) };
        let operator = self.next();
        let Some(Token::Text(value)) = self.next() else { return Err(self.expected("a quoted value")) };
        let pattern = || Regex::new(&format!("^(?:{value})$"));
        let test = match operator {
            Some(Token::Symbol("=")) => Test::Equal(value),
            Some(Token::Symbol("!=")) => Test::NotEqual(value),
            Some(Token::Symbol("=~")) => Test::Matches(pattern()?),
            Some(Token::Symbol("!~")) => Test::DoesNotMatch(pattern()?),
            _ => return Err(self.expected("a comparison of a label")),
        };
        Ok(Matcher { label, test })
    }

    /// Takes a binary operator with its modifiers, if there is one.
    fn operator(&mut self) -> Result<bool, PromqlError> {
        let found = match self.peek() {
            Some(Token::Symbol(symbol)) => {
                ["+", "-", "*", "/", "%", "^", "==", "!=", ">=", "<=", ">", "<"].contains(symbol)
            }
            Some(Token::Name(name)) => SET_OPERATORS.contains(&name.as_str()),
            _ => false,
        };
        if !found {
            return Ok(false);
        }
        self.next();
        self.takes_name("bool");
        for modifier in ["on", "ignoring", "group_left", "group_right"] {
            if self.takes_name(modifier) && self.peek() == Some(&Token::Symbol("(")) {
                self.labels()?;
            }
        }
        Ok(true)
    }

    fn labels(&mut self) -> Result<Vec<String>, PromqlError> {
        self.needs("(")?;
        let mut labels = Vec::new();
        while let Some(Token::Name(label)) = self.peek().cloned() {
            self.next();
            labels.push(label);
            self.takes(",");
        }
        self.needs(")")?;
        Ok(labels)
    }

    fn range(&mut self) {
        if self.peek() == Some(&Token::Range) {
            self.next();
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.position).cloned();
        self.position += 1;
        token
    }

    fn takes(&mut self, symbol: &'static str) -> bool {
        let found = self.peek() == Some(&Token::Symbol(symbol));
        self.position += usize::from(found);
        found
    }

    fn takes_name(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name == wanted);
        self.position += usize::from(found);
        found
    }

    fn needs(&mut self, symbol: &'static str) -> Result<(), PromqlError> {
        if self.takes(symbol) { Ok(()) } else { Err(self.expected(symbol)) }
    }

    fn expected(&self, expected: &'static str) -> PromqlError {
        let found = self.peek().map_or_else(|| "the end".to_owned(), |token| format!("{token:?}"));
        PromqlError::Expected { expected, found, query: self.query.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_selector_is_found_with_its_matchers_and_groups() {
        let query = r#"histogram_quantile(0.99, sum by (le, route) (rate(a_bucket{route=~"/api/.+",x!="1"}[$__rate_interval]))) / on (route) group_left () max by (pod) (b_total offset 5m) * 2"#;
        let found = selectors(query).unwrap();
        let names: Vec<_> = found.iter().map(|one| one.metric.as_str()).collect();
        assert_eq!(names, ["a_bucket", "b_total"]);
        assert_eq!(found[0].grouped_by, BTreeSet::from(["le".to_owned(), "route".to_owned()]));
        assert_eq!(found[1].grouped_by, BTreeSet::from(["pod".to_owned()]));
        assert!(found[0].matchers[0].accepts("/api/facts") && !found[0].matchers[0].accepts("/x/api/facts"));
        assert!(found[0].matchers[1].accepts("") && !found[0].matchers[1].accepts("1"));
    }

    #[test]
    fn what_is_not_understood_is_an_error_and_not_an_empty_list() {
        for query in
            ["", "sum(", "a b", "sum(a) by (x)", "a{b}", "a{b=1}", "a ? b", "rate(a[5m)", "a{b=~\"(\"}"]
        {
            assert!(selectors(query).is_err(), "{query}");
        }
    }
}
