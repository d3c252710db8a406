//! `requirements.tsv`: what there is to show.

/// Everything that is to be shown, in groups: an RFC, or some that belong together.
pub struct Requirements {
    pub groups: Vec<Group>,
}

pub struct Group {
    pub title: &'static str,
    pub requirements: Vec<Requirement>,
}

pub struct Requirement {
    pub id: &'static str,
    /// Section of the RFC; of an attack, where it was reported.
    pub section: &'static str,
    /// The RFC's keyword, or `-` where it has none.
    pub level: &'static str,
    pub what: &'static str,
    pub scope: Scope,
}

/// Whether a requirement is to be shown, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Shown,
    DoesNotApply(&'static str),
    LeftOut(&'static str),
}

impl Requirements {
    pub fn read() -> Requirements {
        let mut groups = Vec::new();
        for line in include_str!("requirements.tsv").lines() {
            if let Some(title) = line.strip_prefix("# ") {
                groups.push(Group {
                    title,
                    requirements: Vec::new(),
                });
            } else if !line.is_empty() {
                let group = groups.last_mut().expect("a title comes first");
                group.requirements.push(Requirement::of(line));
            }
        }
        Requirements { groups }
    }

    pub fn all(&self) -> impl Iterator<Item = &Requirement> {
        self.groups.iter().flat_map(|group| &group.requirements)
    }
}

impl Requirement {
    /// Identifier, section, level, what; and why it is not shown, if it is not.
    fn of(line: &'static str) -> Requirement {
        let columns: Vec<_> = line.split('\t').collect();
        let (&[id, section, level, what], reason) = columns
            .split_first_chunk()
            .unwrap_or_else(|| panic!("four columns at least: {line}"));
        let scope = match reason {
            [] => Scope::Shown,
            [reason] => match reason.split_once(": ") {
                Some(("n/a", reason)) => Scope::DoesNotApply(reason),
                Some(("out", reason)) => Scope::LeftOut(reason),
                _ => panic!("a reason is `n/a: ...` or `out: ...`: {line}"),
            },
            _ => panic!("five columns at most: {line}"),
        };
        Requirement {
            id,
            section,
            level,
            what,
            scope,
        }
    }

    /// How binding it is, by its keyword.
    pub fn binding(&self) -> Binding {
        match self.level {
            "MUST" | "MUST NOT" => Binding::Must,
            "SHOULD" | "SHOULD NOT" => Binding::Should,
            "RECOMMENDED" => Binding::Recommended,
            "MAY" => Binding::May,
            _ => Binding::None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    Must,
    Should,
    Recommended,
    May,
    None,
}
