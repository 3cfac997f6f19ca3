//! Any bytes end in a result or a clear error: `cargo +nightly fuzz run rewrite`. What it finds becomes a test.

#![no_main]

use std::sync::LazyLock;

use imageauto::controllers::setters::{
    SetterPolicy, Setters, SourceFile, Wanted, format, rewrite_file, update,
};
use imageauto::yaml;
use libfuzzer_sys::fuzz_target;

static SETTERS: LazyLock<Setters> = LazyLock::new(|| {
    let policy = |name: &str, tag: &str| SetterPolicy {
        namespace: "imageauto-test".into(),
        name: name.into(),
        image: "registry.example.com/app".into(),
        tag: tag.into(),
        digest: String::new(),
    };
    Setters::new(&[policy("app", "1.0.0"), policy("web", "1")]).expect("the images are valid")
});

fuzz_target!(|bytes: &[u8]| {
    let file = SourceFile {
        path: "f.yaml",
        bytes,
    };
    let _ = update(&[file], &SETTERS);
    let wanted = Wanted {
        minimal: true,
        ..Wanted::default()
    };
    rewrite_file(&file, &SETTERS, wanted);
    format(&file);
    if let Ok(written) = yaml::round_trip(bytes) {
        // What was written can be read again.
        let _ = yaml::round_trip(&written);
    }
});
