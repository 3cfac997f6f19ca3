//! Commit messages against recorded answers of Go's text/template with Sprig: `testdata/messages/answers.jsonl`.
//! `UPDATE=1` on the test of `tests/oracle/messages.rs` that asks Go records them anew.

use std::collections::BTreeMap;

use imageauto::controllers::message::{
    DEFAULT_MESSAGE, MessageError, MessageInput, Rules, UpdatedImage, render,
};
use imageauto::controllers::setters::changes::{
    Change, FileChanges, ObjectChanges, ObjectIdentifier,
};
use serde_json::Value;

const ANSWERS: &str = include_str!("../testdata/messages/answers.jsonl");

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_string()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// A recorded question.
struct Question {
    template: String,
    namespace: String,
    name: String,
    values: BTreeMap<String, String>,
    changed: Vec<FileChanges>,
    updated_images: Vec<UpdatedImage>,
    rules: Rules,
}

impl Question {
    fn read(line: &Value) -> Question {
        let mut updated_images = Vec::new();
        let mut changed = Vec::new();
        for file in list(line, "Changed") {
            let path = text(file, "Path");
            let mut objects = Vec::new();
            for value in list(file, "Objects") {
                let object = ObjectIdentifier {
                    api_version: text(value, "APIVersion"),
                    kind: text(value, "Kind"),
                    name: text(value, "Name"),
                    namespace: text(value, "Namespace"),
                };
                let images = list(value, "Images").iter().map(|image| UpdatedImage {
                    reference: text(image, "Reference"),
                    policy_namespace: text(image, "PolicyNamespace"),
                    policy_name: text(image, "PolicyName"),
                    file: path.clone(),
                    object: object.clone(),
                });
                updated_images.extend(images);
                let changes = list(value, "Changes").iter().map(|change| Change {
                    old: text(change, "Old"),
                    new: text(change, "New"),
                    setter: text(change, "Setter"),
                });
                let changes = changes.collect();
                objects.push(ObjectChanges { object, changes });
            }
            changed.push(FileChanges { path, objects });
        }
        let values = line["Values"].as_object().map(|values| {
            let values = values.iter();
            values
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_string()))
                .collect()
        });
        Question {
            template: text(line, "Template"),
            namespace: text(line, "Namespace"),
            name: text(line, "Name"),
            values: values.unwrap_or_default(),
            changed,
            updated_images,
            rules: match line["Flux"].as_str() {
                Some("2.6") => Rules::Flux2_6,
                Some("2.8") => Rules::Flux2_8,
                _ => Rules::Current,
            },
        }
    }

    fn input(&self) -> MessageInput<'_> {
        MessageInput {
            template: &self.template,
            namespace: &self.namespace,
            name: &self.name,
            values: &self.values,
            changed: &self.changed,
            updated_images: &self.updated_images,
            rules: self.rules,
        }
    }
}

#[test]
fn recorded_templates_give_gos_messages() {
    let mut count = 0;
    for line in ANSWERS.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let question = Question::read(&line);
        let template = &question.template;
        match render(&question.input()).outcome {
            Ok(message) => {
                let given = String::from_utf8(message).unwrap();
                assert_eq!(line["message"].as_str(), Some(&given[..]), "{template:?}");
            }
            Err(MessageError::Failed { message }) => {
                let given = message.strip_prefix("failed to update source: ");
                assert_eq!(line["error"].as_str(), given, "{template:?}");
            }
            Err(MessageError::Removed { message, .. }) => {
                let error = line["error"].as_str().unwrap_or_default();
                assert!(
                    error.contains("can't evaluate field"),
                    "{template:?}: {error}"
                );
                assert!(message.starts_with("template uses removed '."), "{message}");
            }
            Err(refused) => panic!("{template:?}: {refused}"),
        }
        count += 1;
    }
    assert!(count > 600, "only {count} answers are recorded");
}

fn change(old: &str, new: &str) -> Change {
    Change {
        old: old.to_string(),
        new: new.to_string(),
        setter: "apps:app".to_string(),
    }
}

fn file(path: &str, kind: &str, changes: Vec<Change>) -> FileChanges {
    let object = ObjectIdentifier {
        kind: kind.to_string(),
        ..ObjectIdentifier::default()
    };
    FileChanges {
        path: path.to_string(),
        objects: vec![ObjectChanges { object, changes }],
    }
}

fn rendered(
    template: &str,
    changed: &[FileChanges],
) -> Result<(String, Option<String>), MessageError> {
    let rendered = render(&MessageInput {
        template,
        namespace: "apps",
        name: "update",
        values: &BTreeMap::new(),
        changed,
        updated_images: &[],
        rules: Rules::Current,
    });
    Ok((
        String::from_utf8(rendered.outcome?).expect("the text is UTF-8"),
        rendered.not_deterministic,
    ))
}

#[test]
fn no_template_gives_the_default_message() {
    assert_eq!(rendered("", &[]), Ok((DEFAULT_MESSAGE.to_string(), None)));
}

#[test]
fn an_order_left_to_chance_is_told_only_where_the_text_hangs_on_it() {
    let changed = [
        file("a.yaml", "Deployment", vec![change("1", "2")]),
        file("b.yaml", "CronJob", vec![change("1", "3")]),
    ];
    let list = rendered(
        "{{ range .Changed.Changes }}{{ .NewValue }} {{ end }}",
        &changed,
    );
    let (text, why) = list.unwrap();
    assert_eq!(text, "2 3 ");
    assert_eq!(why.as_deref(), Some("the order of .Changed.Changes"));
    let count = rendered("{{ len .Changed.Changes }}", &changed).unwrap();
    assert_eq!(count, ("2".to_string(), None));
    let one = rendered(
        "{{ range .Changed.Changes }}{{ .NewValue }} {{ end }}",
        &changed[..1],
    );
    assert_eq!(one.unwrap().1, None);
    let keys = rendered("{{ keys (dict \"a\" 1 \"b\" 2) }}", &changed).unwrap();
    assert_eq!(keys, ("[a b]".to_string(), Some("keys".to_string())));
    let sorted = rendered("{{ keys (dict \"a\" 1 \"b\" 2) | sortAlpha }}", &changed).unwrap();
    assert_eq!(sorted, ("[a b]".to_string(), None));
}

#[test]
fn a_removed_field_is_told_when_the_run_meets_it() {
    let used = rendered("{{ range .Updated.Images }}{{ . }}{{ end }}", &[]);
    let Err(MessageError::Removed { field, message }) = used else {
        panic!("{used:?}");
    };
    assert_eq!(field, ".Updated");
    assert_eq!(
        message,
        "template uses removed '.Updated' field. Please use '.Changed' instead. See: \
         https://fluxcd.io/flux/components/image/imageupdateautomations/#message-template"
    );
    let unmet = rendered("{{ if false }}{{ .Updated }}{{ end }}fine", &[]);
    assert_eq!(unmet, Ok(("fine".to_string(), None)));
}

#[test]
fn hostile_templates_end_with_a_clear_error() {
    let deep_parentheses = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
    let deep_blocks = "{{ if true }}".repeat(5000);
    let long_else =
        "{{ if false }}".to_string() + &"{{ else if false }}".repeat(5000) + "{{ end }}";
    let doubling =
        "{{ $x := \"aaaaaaaa\" }}".to_string() + &"{{ $x = print $x $x }}".repeat(60) + "{{ $x }}";
    let templates = [
        "{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toJson $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ deepCopy $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $e := dict }}{{ $_ := set $e \"d\" $e }}{{ deepEqual $d $e }}",
        "{{ range 9000000000000000000 }}{{ end }}",
        "{{ range until 900000 }}{{ range until 900000 }}{{ end }}{{ end }}",
        "{{ until 9000000000000000000 }}",
        "{{ repeat 9000000000000 \"x\" }}",
        "{{ indent 9000000000 \"x\" }}",
        "{{ printf \"%1000000d%1000000d\" 1 2 }}",
        "{{ range until 100000 }}0123456789abcdef{{ end }}",
        "{{ replace \"\" (repeat 1000 \"x\") (repeat 100000 \"y\") }}",
        "{{ regexMatch \"[\\\\pL\\\\pN]{1000}[\\\\pL\\\\pS]{1000}[\\\\pN\\\\pS\\\\pL]{1000}\" \"x\" }}",
        "{{ $x := repeat 1000000 \"x\" }}{{ range until 1000 }}{{ if sha512sum $x }}{{ end }}{{ end }}",
        "{{ regexReplaceAll \"x\" (repeat 100000 \"x\") (repeat 100000 \"y\") }}",
        &deep_parentheses,
        &deep_blocks,
        &long_else,
        &doubling,
    ];
    for template in templates {
        let shown: String = template.chars().take(80).collect();
        let outcome = rendered(template, &[]);
        assert!(
            matches!(outcome, Err(MessageError::TooLarge { .. })),
            "{shown}: {outcome:?}"
        );
    }
    for template in ["{{ bcrypt \"x\" }}", "{{ genCA \"x\" 1 }}"] {
        let outcome = rendered(template, &[]);
        assert!(
            matches!(outcome, Err(MessageError::Unsupported { .. })),
            "{outcome:?}"
        );
    }
}
