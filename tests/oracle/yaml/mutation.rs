//! Damage at the level of bytes: what an editor, a merge or a disk can do to a file.

use crate::oracle::generator::Generator;

/// Bytes that mean something to a reader of YAML, or to one of UTF-8.
const PIECES: [&[u8]; 62] = [
    b"\xEF\xBB\xBF",
    b"\xC2\x85",
    b"\xE2\x80\xA8",
    b"\xE2\x80\xA9",
    b"\xC2\xA0",
    b"\r",
    b"\r\n",
    b"\n",
    b"\t",
    b"\0",
    b"\x7F",
    b"\x1B",
    b"\xFF",
    b"\xC3",
    b"\xE2\x80",
    b"\xED\xA0\x80",
    b"\xF4\x90\x80\x80",
    b"\xC0\x80",
    b"\xC2\x9F",
    b"\xEF\xBF\xBE",
    b"\xF0\x9F\x98\x80",
    b"\xC3\xA9",
    b"\n---\n",
    b"\n--- # c\n",
    b"\n...\n",
    b"---",
    b"- ",
    b"? ",
    b": ",
    b":\n",
    b", ",
    b"[",
    b"]",
    b"{",
    b"}",
    b"# ",
    b" #",
    b"#",
    b"'",
    b"\"",
    b"\\",
    b"|\n",
    b">-\n",
    b"|+2\n",
    b"&a ",
    b"*a",
    b"!t ",
    b"!!null ",
    b"<<: ",
    b"%YAML 1.1\n---\n",
    b"metadata:\n",
    b"annotations:\n",
    b"  ",
    b"\n\n",
    b"\n  ",
    b"null",
    b"~",
    b"# {\"$imagepolicy\": \"imageauto-test:app\"}",
    b"# {\"$imagepolicy\": \"imageauto-test:app:tag\"}\n",
    b"kind: List\nitems:\n",
    b"config.kubernetes.io/path: x.yaml\n",
    b"\"$imagepolicy\"",
];

/// The text with a few bytes moved, lost, doubled or added.
pub fn mutated(g: &mut Generator, mut text: Vec<u8>) -> Vec<u8> {
    for _ in 0..1 + g.below(4) {
        let at = g.below(text.len() + 1);
        let most = [3, 20, 200][g.below(3)];
        let length = g.below(1 + most).min(text.len() - at);
        match g.below(9) {
            0 => drop(text.drain(at..at + length)),
            1 => {
                let copy = text[at..at + length].to_vec();
                let to = g.below(text.len() + 1);
                text.splice(to..to, copy);
            }
            2 if at < text.len() => text[at] = g.below(256) as u8,
            3 if at < text.len() => text[at] = b" \n\t:#-'\"[]{},&*!|>%@`?\\"[g.below(23)],
            4 => text.truncate(at),
            5 => {
                // Up to and over the ends of the pieces in which readers take a file.
                let fill = 1 + g.below(1100);
                let with: &[u8] = g.pick::<[u8]>(&[
                    b" ",
                    b"x",
                    b"\xC3\xA9",
                    b"#\n",
                    b"\n",
                    b"a: b\n",
                    b"x ",
                    b"# long comment ",
                ]);
                let piece: Vec<u8> = with
                    .iter()
                    .copied()
                    .cycle()
                    .take(fill / with.len() * with.len())
                    .collect();
                text.splice(at..at, piece);
            }
            _ => {
                let piece = PIECES[g.below(PIECES.len())];
                text.splice(at..at, piece.iter().copied());
            }
        }
    }
    if g.chance(1) {
        let utf16 = String::from_utf8_lossy(&text)
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>();
        return [b"\xFF\xFE".as_slice(), &utf16].concat();
    }
    text
}
