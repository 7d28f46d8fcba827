//! From text to the raw shape: the file and the environment are merged into one tree, and the
//! tree is read piece by piece, so that every setting that cannot be read is named, not only the
//! first.

use config::{ConfigError, FileFormat, Source};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::complaint::{Complaint, Complaints, ConfigErrors};
use super::environment::Environment;
use super::file::File;

/// Merges a file's text with the environment's overrides and reads every setting it can.
///
/// A setting that is unknown or of the wrong kind is complained about and left out.
pub(super) fn read(
    text: &str,
    environment: &Environment,
    complaints: &mut Complaints,
) -> Result<File, ConfigErrors> {
    let mut tree = merge(text, environment, complaints)?;
    refuse_non_numbers(&mut tree, complaints);
    loop {
        match serde_path_to_error::deserialize::<_, File>(&tree) {
            Ok(file) => return Ok(file),
            Err(error) => {
                let path = error.path().clone();
                let unread = unread(&tree, &path, &error.into_inner().to_string());
                if let Some(meant) = unread.meant {
                    complaints.also_unread(meant);
                }
                complaints.unread(unread.complaint);
                // Each turn takes a piece out of the tree, so this ends.
                if !remove(&mut tree, &path) {
                    return Ok(File::default());
                }
            }
        }
    }
}

/// The file as it stands, and the overrides put in where their paths lead. The builder of the reader takes
/// a file's outermost names for paths too: `"team[4000000000]"` has it make room for as many teams. So would
/// a variable of that name.
fn merge(
    text: &str,
    environment: &Environment,
    complaints: &mut Complaints,
) -> Result<Value, ConfigErrors> {
    let (of_items, variables): (Vec<_>, Vec<_>) = environment
        .overrides()
        .partition(|(name, _)| name.contains('['));
    for (name, _) in of_items {
        complaints.unread(Complaint {
            path: Environment::path_of(name),
            what: "is no setting".to_owned(),
            hint: "no variable stands for an item of a list: write it in the file".to_owned(),
        });
    }
    let variables = variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let overrides = config::Environment::with_prefix("GUARD")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .source(Some(variables));
    let merged = || {
        let file = config::File::from_str(text, FileFormat::Toml).collect()?;
        let mut merged = config::Value::from(file);
        overrides.collect_to(&mut merged)?;
        merged.try_deserialize()
    };
    merged().map_err(|error| ConfigErrors::one(syntax(&error)))
}

/// What the TOML reader says, without the line it shows: a secret may stand there.
fn syntax(error: &ConfigError) -> Complaint {
    let lines: Vec<String> = error
        .to_string()
        .lines()
        .filter(|line| !line.contains('|'))
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    Complaint {
        path: String::new(),
        what: lines.join(": "),
        hint: "nothing else was looked at".to_owned(),
    }
}

/// TOML can say `nan` and `inf`, which have no place in the tree and arrive as nothing: without
/// this they would silently mean the default.
fn refuse_non_numbers(tree: &mut Value, complaints: &mut Complaints) {
    let mut found = Vec::new();
    find_nulls(tree, &mut Vec::new(), &mut found);
    for steps in found.iter().rev() {
        let path = path_text(tree, steps);
        complaints.unread(Complaint {
            path,
            what: "is not a finite number".to_owned(),
            hint: "write digits".to_owned(),
        });
        take(tree, steps);
    }
}

/// One step down the tree.
#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

fn find_nulls(tree: &Value, here: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    match tree {
        Value::Null => found.push(here.clone()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                here.push(Step::Index(index));
                find_nulls(item, here, found);
                here.pop();
            }
        }
        Value::Object(entries) => {
            for (key, item) in entries {
                here.push(Step::Key(key.clone()));
                find_nulls(item, here, found);
                here.pop();
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn steps(path: &Path) -> Vec<Step> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// A setting that could not be read.
struct Unread {
    complaint: Complaint,
    /// The path of the setting that was probably meant, where the name is unknown.
    meant: Option<String>,
}

fn unread(tree: &Value, path: &Path, message: &str) -> Unread {
    let steps = steps(path);
    let path = path_text(tree, &steps);
    let last = match steps.last() {
        Some(Step::Key(key)) => key.as_str(),
        _ => "",
    };
    if let Some(known) = message.strip_prefix("unknown field ") {
        let (hint, meant) = unknown_hint(&path, last, known);
        let place = path.len() - last.len();
        return Unread {
            meant: meant.map(|name| format!("{}{name}", &path[..place])),
            complaint: Complaint {
                path,
                what: "is no setting".to_owned(),
                hint,
            },
        };
    }
    let (what, hint) = if message.contains("expected struct") {
        // The reader would repeat the value, and name a type of ours.
        let hint = if last == "webhook" {
            "write webhook = { url = \"…\" }".to_owned()
        } else {
            format!("write [{path}], and its settings below")
        };
        ("is not a table of settings", hint)
    } else if may_be_secret(last) {
        ("is not a text", String::new())
    } else {
        (message, String::new())
    };
    Unread {
        complaint: Complaint {
            what: what.to_owned(),
            path,
            hint,
        },
        meant: None,
    }
}

/// Whether a value under this name is kept out of messages. Tokens and secrets have no setting of
/// their own, and a person may still try to write one.
fn may_be_secret(name: &str) -> bool {
    // The address of a webhook often is one.
    name == "url"
        || ["token", "secret", "sha256", "proxy", "password"]
            .iter()
            .any(|word| name.contains(word))
}

/// What to write instead of an unknown name, and the name that was probably meant.
fn unknown_hint<'a>(path: &str, name: &str, known: &'a str) -> (String, Option<&'a str>) {
    if path == "upstream.token" {
        let hint = "the token is never written here: name its variable in token_env or its file \
                    in token_file";
        return (hint.to_owned(), Some("token_env"));
    }
    if path.starts_with("alert.") && path.ends_with(".webhook.secret") {
        let hint = "a secret is never written here: name its variable in secret_env or its file \
                    in secret_file";
        return (hint.to_owned(), Some("secret_env"));
    }
    if path.starts_with("key.") && matches!(name, "secret" | "token" | "key") {
        let hint = "a secret is never written here: write its sha256, as `generect-guard key \
                    new` prints it";
        return (hint.to_owned(), Some("sha256"));
    }
    // The reader's message quotes the unknown name first and the known ones after it.
    let known: Vec<&str> = known.split('`').skip(3).step_by(2).collect();
    match nearest(name, known.iter().copied()) {
        Some(candidate) => (format!("did you mean {candidate}?"), Some(candidate)),
        None => (format!("known here: {}", known.join(", ")), None),
    }
}

/// The known name that was probably meant: at most a third of its letters differ.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (distance(name, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, dropped or changed to turn one text into the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other_letter) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other_letter);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

/// `team.growth.priority`: a list's item is named by its id, or by its place counted from one.
fn path_text(tree: &Value, steps: &[Step]) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut node = Some(tree);
    for (depth, step) in steps.iter().enumerate() {
        match step {
            Step::Key(key) => {
                node = node.and_then(|node| node.get(key));
                names.push(key.clone());
            }
            Step::Index(index) => {
                node = node.and_then(|node| node.get(index));
                // Only the lists at the top have items with names; a list of texts has none.
                if depth == 1 {
                    let id = node.and_then(|item| item.get("id")).and_then(Value::as_str);
                    names.push(item_name(id, *index));
                }
            }
        }
    }
    names.join(".")
}

/// How the item of a list is called in complaints: by its id, or by its place counted from one.
pub(super) fn item_name(id: Option<&str>, index: usize) -> String {
    match id {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("#{}", index + 1),
    }
}

/// Takes what a path points to out of the tree, or as much of the path as there is.
fn remove(tree: &mut Value, path: &Path) -> bool {
    take(tree, &steps(path))
}

fn take(tree: &mut Value, steps: &[Step]) -> bool {
    let Some((last, above)) = steps.split_last() else {
        return false;
    };
    let mut node = tree;
    for step in above {
        let below = match step {
            Step::Key(key) => node.get_mut(key),
            Step::Index(index) => node.get_mut(*index),
        };
        match below {
            Some(below) => node = below,
            None => return false,
        }
    }
    match (last, node) {
        (Step::Key(key), Value::Object(entries)) => entries.remove(key).is_some(),
        (Step::Index(index), Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_counts_letters() {
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("listn", "listen"), 1);
        assert_eq!(distance("", "per"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn an_outermost_name_is_no_path() {
        for name in [
            "server.listen",
            "team[4000000000]",
            "team[-1]",
            "team[9223372036854775807]",
        ] {
            let text = format!("\"{name}\" = \"127.0.0.1:1\"");
            let mut complaints = Complaints::default();
            let file = read(&text, &Environment::default(), &mut complaints).unwrap();
            assert!(file.server.listen.is_none() && file.team.is_empty());
            let errors = complaints.finish().unwrap_err();
            let paths: Vec<&str> = errors.complaints().iter().map(|c| &*c.path).collect();
            assert_eq!(paths, [name]);
        }
    }

    #[test]
    fn no_variable_stands_for_an_item_of_a_list() {
        for (name, path) in [
            ("GUARD__TEAM[4000000000]", "team[4000000000]"),
            ("GUARD__TEAM[-4000000000]__ID", "team[-4000000000].id"),
            ("GUARD__TEAM[0]__ID", "team[0].id"),
            ("GUARD__SERVER__TRUSTED[9]", "server.trusted[9]"),
        ] {
            let variables = Environment::from_iter([(name, "x"), ("GUARD__SERVER__LISTEN", "y")]);
            let mut complaints = Complaints::default();
            let file = read("[[team]]\nid = \"growth\"", &variables, &mut complaints).unwrap();
            assert_eq!(file.team.len(), 1);
            assert_eq!(file.team[0].id.as_deref(), Some("growth"));
            assert_eq!(
                file.server.listen.as_deref(),
                Some("y"),
                "the others are read"
            );
            let errors = complaints.finish().unwrap_err();
            let paths: Vec<&str> = errors.complaints().iter().map(|c| &*c.path).collect();
            assert_eq!(paths, [path]);
        }
    }

    #[test]
    fn every_setting_that_cannot_be_read_is_named() {
        let text = r#"
            [server]
            listn = "127.0.0.1:1"
            connections_max = "many"
            drain_timeout = 5
            [[team]]
            id = "growth"
            priority = 3
            [[budget]]
            limit = nan
            per = { roling = "1h" }
        "#;
        let mut complaints = Complaints::default();
        read(text, &Environment::default(), &mut complaints).unwrap();
        let errors = complaints.finish().unwrap_err();
        let mut paths: Vec<&str> = errors.complaints().iter().map(|c| &*c.path).collect();
        paths.sort_unstable();
        assert_eq!(
            paths,
            [
                "budget.#1.limit",
                "budget.#1.per.roling",
                "server.connections_max",
                "server.drain_timeout",
                "server.listn",
                "team.growth.priority",
            ]
        );
        assert!(errors.to_string().contains("did you mean listen?"));
        assert!(errors.to_string().contains("did you mean rolling?"));
    }
}
