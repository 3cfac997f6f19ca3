//! Replays the recorded answers of the running controllers against the library: the hermetic half of the oracle.
//! `IMAGEAUTO_RECORD=1 cargo test --test control-plane` records them anew.

#[path = "oracle/judgement.rs"]
mod judgement;
#[path = "oracle/recording.rs"]
mod recording;

use judgement::{Tally, judge_message, judge_policy, judge_rewrite, message_is_certain};
use recording::{MessageRecord, MessageScope, PolicyRecord, Recording, RewriteRecord, Scope};

#[test]
fn rewrites_are_as_recorded() {
    let Recording { header, records }: Recording<Scope, RewriteRecord> =
        Recording::read("rewrites");
    check(
        "recorded rewrites",
        Tally::of(
            records
                .iter()
                .map(|record| judge_rewrite(&header.scope, record)),
        ),
    );
}

#[test]
fn policies_are_as_recorded() {
    let Recording { records, .. }: Recording<(), PolicyRecord> = Recording::read("policies");
    check(
        "recorded policies",
        Tally::of(records.iter().map(judge_policy)),
    );
}

#[test]
fn messages_are_as_recorded() {
    for name in ["messages-one-object", "messages-several-files"] {
        let Recording { header, records }: Recording<MessageScope, MessageRecord> =
            Recording::read(name);
        let uncertain = records
            .iter()
            .any(|record| !message_is_certain(&header.scope, &record.question));
        assert!(uncertain, "{name}: no message hangs on chance");
        check(
            name,
            Tally::of(
                records
                    .iter()
                    .map(|record| judge_message(&header.scope, record)),
            ),
        );
    }
}

/// The captured line shows with `--nocapture`, and when a test fails.
fn check(name: &str, tally: Tally) {
    use std::io::Write as _;
    // A closed stdout only costs the reader the line.
    let _ = writeln!(std::io::stdout(), "{}", tally.line(name));
    tally.assert_all_agree(name);
}
