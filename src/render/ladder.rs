//! The ladder of a policy's tags on a terminal.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use super::console::harmless;
use super::explanation::{TextSettings, painted};
use crate::pipeline::explain::Rung;

/// A line for each rung, with a blank before all of them; nothing for a ladder without rungs.
pub fn ladder(rungs: &[Rung], settings: TextSettings) -> String {
    let tags = rungs.iter().map(|rung| match rung {
        Rung::Tag { tag, .. } => harmless(tag).width(),
        Rung::More(_) | Rung::Cut(_) => 0,
    });
    let width = tags.max().unwrap_or(0);
    rungs.iter().map(|one| rung(one, width, settings)).collect()
}

fn rung(rung: &Rung, width: usize, settings: TextSettings) -> String {
    let dimmed = |text: &str| painted(text, Style::new().dimmed(), settings.color);
    match rung {
        Rung::More(count) => {
            let more = format!("{} {count} more", settings.glyphs.ellipsis());
            format!("     {}\n", dimmed(&more))
        }
        Rung::Cut(part) => {
            let line = settings.glyphs.line().repeat(width.max(3));
            let cut = format!("{line} {}", harmless(part));
            let style = AnsiColor::Yellow.on_default();
            format!("     {}\n", painted(cut.trim_end(), style, settings.color))
        }
        Rung::Tag {
            tag,
            verdict,
            latest,
            in_git,
            runs,
        } => {
            let shown = harmless(tag);
            let blanks = " ".repeat(width.saturating_sub(shown.width()));
            let words: Vec<&str> = [(*latest, "latest"), (*in_git, "in git"), (*runs, "runs")]
                .into_iter()
                .filter_map(|(is, word)| is.then_some(word))
                // That a tag is eligible is what being between the cuts says.
                .chain((!latest && *verdict != "eligible").then_some(*verdict))
                .collect();
            let sign = if *latest {
                settings.glyphs.action()
            } else {
                " "
            };
            let style = match (latest, *verdict) {
                (true, _) => AnsiColor::Green.on_default().bold(),
                (false, "eligible") => Style::new(),
                _ => Style::new().dimmed(),
            };
            let tag = painted(&shown, style, settings.color);
            let line = format!("   {sign} {tag}{blanks}   {}", words.join(", "));
            format!("{}\n", line.trim_end())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::console::Glyphs;

    #[test]
    fn rungs_are_marked_and_cut() {
        let tag = |tag: &str, verdict, latest, in_git, runs| Rung::Tag {
            tag: tag.into(),
            verdict,
            latest,
            in_git,
            runs,
        };
        let rungs = [
            tag("2.0.0", "outOfRange", false, false, false),
            Rung::Cut("<2.0.0".into()),
            tag("1.10.0", "selected", true, false, false),
            tag("1.9.0", "eligible", false, true, true),
            Rung::More(55),
            tag("gone\u{1b}", "absent", false, false, true),
        ];
        let settings = TextSettings {
            glyphs: Glyphs::ASCII,
            color: false,
        };
        assert_eq!(
            ladder(&rungs, settings),
            "     2.0.0    outOfRange
     ------ <2.0.0
   > 1.10.0   latest
     1.9.0    in git, runs
     ... 55 more
     gone\u{fffd}    runs, absent
"
        );
    }
}
