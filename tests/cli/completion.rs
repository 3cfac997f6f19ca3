//! `completion` and `version`.

use crate::environment::Environment;

#[test]
fn every_shell_has_a_script() {
    let environment = Environment::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = environment.run(&["completion", shell]).expect(0);
        assert!(ran.stdout.contains("kubectl-imageauto"), "{shell}");
        assert!(ran.stdout.contains("tags-from"), "{shell}");
    }
    assert!(
        environment
            .run(&["completion", "nushell"])
            .expect(2)
            .stderr
            .contains("invalid value")
    );
}

#[test]
fn version_reads_only_itself() {
    let environment = Environment::new();
    let version = env!("CARGO_PKG_VERSION");
    let ran = environment.run(&["version", "--client"]).expect(0);
    assert!(
        ran.stdout
            .starts_with(&format!("kubectl-imageauto v{version} (")),
        "{}",
        ran.stdout
    );
    let document = environment.run(&["version", "-o", "json"]).expect(0).json();
    assert_eq!(
        (&document["schemaVersion"], &document["version"]),
        (&1.into(), &version.into())
    );
}
