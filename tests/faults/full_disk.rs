//! A disk that is full, by a small tmpfs of our own.

use std::process::{Command, Stdio};

use crate::shop::Shop;
use crate::works;

fn can_mount() -> bool {
    works(
        "unshare",
        &[
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs -o size=64k tmpfs /mnt",
        ],
        "allow user namespaces: a full disk is tested with a tmpfs in one",
    )
}

/// Runs a script in which `$IMAGEAUTO` is the program, with file systems of its own.
fn in_namespace(shop: &Shop, script: &str) -> (Option<i32>, String) {
    let ours = shop.environment.imageauto();
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .env_clear()
        .current_dir(shop.environment.path())
        .stdin(Stdio::null());
    for (name, value) in ours.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.env("IMAGEAUTO", ours.get_program());
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code(), text)
}

#[test]
fn no_room_for_a_clone_is_told_and_leaves_nothing() {
    if !can_mount() {
        return;
    }
    let shop = Shop::open();
    let noise: String = (0..60_000u64)
        .map(|number| format!("{:x}\n", number.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        .collect();
    shop.others_commit("main", "big", &noise);
    let before = shop.refs();
    // From nothing to nearly enough: it breaks at other places.
    for size in ["16k", "48k", "128k", "512k"] {
        let script = format!(
            "mount -t tmpfs -o size={size} tmpfs tmp || exit 99\n\"$IMAGEAUTO\" reconcile -f objects --tags-from tags.json --yes\ncode=$?\nls -A tmp\nexit $code"
        );
        let (code, text) = in_namespace(&shop, &script);
        assert_eq!(code, Some(5), "{size}: {text}");
        assert!(text.contains("No space left on device"), "{size}: {text}");
        assert!(!text.contains("kubectl-imageauto-"), "{size}: {text}");
        assert_eq!(shop.refs(), before, "{size}");
    }
    let _ = shop.reconcile(&["--yes"]).expect(0);
}

#[test]
fn no_room_in_a_work_tree_leaves_it_as_it_was() {
    if !can_mount() {
        return;
    }
    let shop = Shop::open();
    for rest in ["0", "4", "12"] {
        let script = format!(
            "mkdir small && mount -t tmpfs -o size=1m tmpfs small || exit 99\n\
             cp -r gitops small/gitops && cd small\n\
             head -c 2000000 /dev/zero > fill 2>/dev/null\n\
             [ {rest} = 0 ] || truncate -s -{rest}k fill\n\
             \"$IMAGEAUTO\" reconcile -f ../objects --tags-from ../tags.json --worktree gitops --no-push --yes\n\
             code=$?\nrm fill\ncd gitops\ngit status --porcelain\ngit log --format=%s\nls -A .git | grep -E 'lock|imageauto'\ncd ..; cd ..; umount small; rmdir small\nexit $code"
        );
        let (code, text) = in_namespace(&shop, &script);
        assert_eq!(code, Some(5), "{rest}: {text}");
        assert!(
            text.contains("No space left on device") || text.contains("Out of diskspace"),
            "{rest}: {text}"
        );
        assert!(
            text.ends_with("First\n") || text.contains("\nFirst\n"),
            "{rest}: {text}"
        );
        assert!(!text.contains(" M apps"), "{rest}: {text}");
        assert!(!text.contains("index.lock"), "{rest}: {text}");
    }
}
