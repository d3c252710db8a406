//! What the benches have printed; `benches/common` says what the lines mean.

use std::str::SplitWhitespace;

use crate::svg::shorten;

/// Everything a run has to say.
#[derive(Debug, Default, PartialEq)]
pub struct Results {
    pub machine: Option<String>,
    /// In the order of their first lines.
    pub cases: Vec<Case>,
}

/// One piece of work and how long it takes everyone.
#[derive(Debug, PartialEq)]
pub struct Case {
    pub bench: String,
    pub name: String,
    pub bytes: Option<u64>,
    /// Nanoseconds; ours first.
    pub times: Vec<(String, f64)>,
    pub ratios: Vec<(String, f64)>,
    /// Lines of code.
    pub lines: Vec<(String, u64)>,
}

/// Ours, other ways of ours, peers, and physical limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Ours,
    Variant,
    Peer,
    Limit,
}

impl Results {
    /// Reads the lines that are ours out of what a bench has printed.
    ///
    /// The error is one line that says where and what was expected.
    pub fn read(output: &str) -> Result<Results, String> {
        let mut results = Results::default();
        for (line, number) in output.lines().zip(1..) {
            results
                .line(line)
                .map_err(|error| format!("line {number}: {error}: {:?}", shorten(line, 80)))?;
        }
        for case in &results.cases {
            let id = case.id();
            if case.times.is_empty() {
                return Err(format!("{id} has no line \"TIME {id} <who> <ns>\""));
            }
        }
        Ok(results)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        // Criterion's lines start otherwise.
        let Some((tag, rest)) = line.split_once(' ') else {
            return Ok(());
        };
        let words = rest.split_whitespace();
        match tag {
            "MACHINE" => {
                self.machine = Some(rest.trim().to_owned());
                Ok(())
            }
            "BYTES" => self.bytes(words),
            "TIME" => {
                let shape = "TIME <bench>/<case> <who> <nanoseconds, above 0>";
                let (case, who, nanos) = self.value(words, shape)?;
                // Below a femtosecond and above a day something else is wrong.
                if !(1e-6..1e14).contains(&nanos) {
                    return Err(expected(shape));
                }
                enter(&mut case.times, who, nanos)
            }
            "RATIO" => {
                let shape = "RATIO <bench>/<case> <against> <number>";
                let (case, who, ratio) = self.value(words, shape)?;
                if !(0.0..1e9).contains(&ratio) {
                    return Err(expected(shape));
                }
                enter(&mut case.ratios, who, ratio)
            }
            "LINES" => {
                let shape = "LINES <bench>/<case> <who> <whole number>";
                let (case, who, lines) = self.value(words, shape)?;
                enter(&mut case.lines, who, lines)
            }
            _ => Ok(()),
        }
    }

    fn bytes(&mut self, mut words: SplitWhitespace<'_>) -> Result<(), String> {
        let shape = "BYTES <bench>/<case> <whole number, above 0>";
        let (Some(id), Some(bytes), None) = (words.next(), words.next(), words.next()) else {
            return Err(expected(shape));
        };
        let bytes = bytes.parse().map_err(|_| expected(shape))?;
        let case = self.case(id).ok_or_else(|| expected(shape))?;
        if bytes == 0 {
            return Err(expected(shape));
        }
        match case.bytes.replace(bytes) {
            None => Ok(()),
            Some(_) => Err("said before".to_owned()),
        }
    }

    /// The case, the name and the number of a line of that `shape`.
    fn value<'a, N: std::str::FromStr>(
        &mut self,
        mut words: SplitWhitespace<'a>,
        shape: &str,
    ) -> Result<(&mut Case, &'a str, N), String> {
        let line = (words.next(), words.next(), words.next(), words.next());
        let (Some(id), Some(who), Some(number), None) = line else {
            return Err(expected(shape));
        };
        let number = number.parse().map_err(|_| expected(shape))?;
        let case = self.case(id).ok_or_else(|| expected(shape))?;
        Ok((case, who, number))
    }

    /// The case called `id`, a new one where it was not heard of.
    fn case(&mut self, id: &str) -> Option<&mut Case> {
        let (bench, name) = id.split_once('/')?;
        if bench.is_empty() || name.is_empty() {
            return None;
        }
        let found = self.cases.iter().position(|case| case.id() == id);
        let index = found.unwrap_or_else(|| {
            self.cases.push(Case {
                bench: bench.to_owned(),
                name: name.to_owned(),
                bytes: None,
                times: Vec::new(),
                ratios: Vec::new(),
                lines: Vec::new(),
            });
            self.cases.len() - 1
        });
        self.cases.get_mut(index)
    }

    pub fn of<'a>(&'a self, bench: &'a str) -> impl Iterator<Item = &'a Case> {
        self.cases.iter().filter(move |case| case.bench == bench)
    }
}

impl Case {
    pub fn id(&self) -> String {
        format!("{}/{}", self.bench, self.name)
    }

    /// Whether it is one of a series over lengths: it has no name but its length.
    pub fn is_length(&self) -> bool {
        self.bytes
            .is_some_and(|bytes| self.name == bytes.to_string())
    }

    /// Ours is who was timed first.
    pub fn ours(&self) -> Option<&str> {
        self.times.first().map(|(who, _)| who.as_str())
    }

    pub fn kind(&self, who: &str) -> Kind {
        let ours = self.ours().unwrap_or_default();
        match who.strip_prefix(ours) {
            Some("") => Kind::Ours,
            Some(rest) if rest.starts_with('-') => Kind::Variant,
            _ if who == "limit" || who.starts_with("limit-") => Kind::Limit,
            _ => Kind::Peer,
        }
    }

    pub fn time(&self, who: &str) -> Option<f64> {
        find(&self.times, who)
    }

    pub fn ratio(&self, who: &str) -> Option<f64> {
        find(&self.ratios, who)
    }

    pub fn lines(&self, who: &str) -> Option<u64> {
        find(&self.lines, who)
    }
}

fn find<N: Copy>(list: &[(String, N)], who: &str) -> Option<N> {
    let found = list.iter().find(|(name, _)| name == who);
    found.map(|(_, value)| *value)
}

fn enter<N: Copy>(list: &mut Vec<(String, N)>, who: &str, value: N) -> Result<(), String> {
    if find(list, who).is_some() {
        return Err("said before".to_owned());
    }
    list.push((who.to_owned(), value));
    Ok(())
}

fn expected(shape: &str) -> String {
    format!("expected \"{shape}\"")
}
