//! SHA-1, SHA-256, SHA-512 and Adler-32.

/// The bytes in small hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The message with its padding, a multiple of `block` bytes, the bit length in the last `length_bytes`.
fn padded(text: &[u8], block: usize, length_bytes: usize) -> Vec<u8> {
    let mut message = text.to_vec();
    message.push(0x80);
    while message.len() % block != block - length_bytes {
        message.push(0);
    }
    let bits = text.len() as u128 * 8;
    message.extend_from_slice(&bits.to_be_bytes()[16 - length_bytes..]);
    message
}

fn words_32(block: &[u8]) -> impl Iterator<Item = u32> + '_ {
    block.chunks_exact(4).map(|word| {
        word.iter()
            .fold(0, |word, byte| word << 8 | u32::from(*byte))
    })
}

/// SHA-1 (FIPS 180-4).
pub(super) fn sha1(text: &[u8]) -> Vec<u8> {
    let mut state: [u32; 5] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
    for block in padded(text, 64, 8).chunks_exact(64) {
        let mut schedule: Vec<u32> = words_32(block).collect();
        for t in 16..80 {
            let mixed = schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16];
            schedule.push(mixed.rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (t, word) in schedule.iter().enumerate() {
            let (mixed, constant) = match t {
                0..20 => ((b & c) | (!b & d), 0x5a827999),
                20..40 => (b ^ c ^ d, 0x6ed9eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1bbcdc),
                _ => (b ^ c ^ d, 0xca62c1d6u32),
            };
            let next = a
                .rotate_left(5)
                .wrapping_add(mixed)
                .wrapping_add(e)
                .wrapping_add(constant)
                .wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (place, word) in state.iter_mut().zip([a, b, c, d, e]) {
            *place = place.wrapping_add(word);
        }
    }
    state.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The first primes.
fn primes(count: usize) -> Vec<u64> {
    let mut primes: Vec<u64> = Vec::new();
    let mut candidate = 2;
    while primes.len() < count {
        if primes.iter().all(|prime| candidate % prime != 0) {
            primes.push(candidate);
        }
        candidate += 1;
    }
    primes
}

/// The first 64 bits after the point of the number's root: its square root, or its cube root.
fn root_fraction(number: u64, cube: bool) -> u64 {
    // Searches r with r^2 <= number * 2^128, or r^3 <= number * 2^192: its low 64 bits are the fraction.
    let is_below = |root: u128| -> bool {
        let power = multiplied(&limbs(root), &limbs(root));
        let (power, shift) = if cube {
            (multiplied(&power, &limbs(root)), 6)
        } else {
            (power, 4)
        };
        let mut bound = vec![0u64; shift];
        bound.push(number);
        let length = power.len().max(bound.len());
        let at = |limbs: &[u64], index: usize| limbs.get(index).copied().unwrap_or(0);
        (0..length)
            .rev()
            .map(|index| at(&power, index).cmp(&at(&bound, index)))
            .find(|order| order.is_ne())
            .is_none_or(std::cmp::Ordering::is_lt)
    };
    let mut root: u128 = 0;
    for bit in (0..72).rev() {
        if is_below(root | 1 << bit) {
            root |= 1 << bit;
        }
    }
    root as u64
}

/// Limbs of 32 bits, the least first.
fn limbs(number: u128) -> Vec<u64> {
    (0..4)
        .map(|index| (number >> (index * 32)) as u64 & 0xffff_ffff)
        .collect()
}

fn multiplied(one: &[u64], two: &[u64]) -> Vec<u64> {
    let mut out = vec![0u64; one.len() + two.len()];
    for (low, first) in one.iter().enumerate() {
        let mut carry = 0;
        for (high, second) in two.iter().enumerate() {
            let sum = out[low + high] + first * second + carry;
            out[low + high] = sum & 0xffff_ffff;
            carry = sum >> 32;
        }
        out[low + two.len()] += carry;
    }
    out
}

/// SHA-256 (FIPS 180-4).
pub(super) fn sha256(text: &[u8]) -> Vec<u8> {
    let constants: Vec<u32> = primes(64)
        .into_iter()
        .map(|prime| (root_fraction(prime, true) >> 32) as u32)
        .collect();
    let mut state: Vec<u32> = primes(8)
        .into_iter()
        .map(|prime| (root_fraction(prime, false) >> 32) as u32)
        .collect();
    for block in padded(text, 64, 8).chunks_exact(64) {
        let mut w: Vec<u32> = words_32(block).collect();
        for t in 16..64 {
            let one = w[t - 15].rotate_right(7) ^ w[t - 15].rotate_right(18) ^ (w[t - 15] >> 3);
            let two = w[t - 2].rotate_right(17) ^ w[t - 2].rotate_right(19) ^ (w[t - 2] >> 10);
            w.push(
                w[t - 16]
                    .wrapping_add(one)
                    .wrapping_add(w[t - 7])
                    .wrapping_add(two),
            );
        }
        let mut v = state.clone();
        for (word, constant) in w.iter().zip(&constants) {
            let high = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
            let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
            let first = v[7]
                .wrapping_add(high)
                .wrapping_add(choice)
                .wrapping_add(*constant)
                .wrapping_add(*word);
            let low = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
            let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(first);
            v[0] = first.wrapping_add(low.wrapping_add(majority));
        }
        for (place, word) in state.iter_mut().zip(v) {
            *place = place.wrapping_add(word);
        }
    }
    state.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// SHA-512 (FIPS 180-4).
pub(super) fn sha512(text: &[u8]) -> Vec<u8> {
    let constants: Vec<u64> = primes(80)
        .into_iter()
        .map(|prime| root_fraction(prime, true))
        .collect();
    let mut state: Vec<u64> = primes(8)
        .into_iter()
        .map(|prime| root_fraction(prime, false))
        .collect();
    for block in padded(text, 128, 16).chunks_exact(128) {
        let mut w: Vec<u64> = block
            .chunks_exact(8)
            .map(|word| {
                word.iter()
                    .fold(0, |word, byte| word << 8 | u64::from(*byte))
            })
            .collect();
        for t in 16..80 {
            let one = w[t - 15].rotate_right(1) ^ w[t - 15].rotate_right(8) ^ (w[t - 15] >> 7);
            let two = w[t - 2].rotate_right(19) ^ w[t - 2].rotate_right(61) ^ (w[t - 2] >> 6);
            w.push(
                w[t - 16]
                    .wrapping_add(one)
                    .wrapping_add(w[t - 7])
                    .wrapping_add(two),
            );
        }
        let mut v = state.clone();
        for (word, constant) in w.iter().zip(&constants) {
            let high = v[4].rotate_right(14) ^ v[4].rotate_right(18) ^ v[4].rotate_right(41);
            let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
            let first = v[7]
                .wrapping_add(high)
                .wrapping_add(choice)
                .wrapping_add(*constant)
                .wrapping_add(*word);
            let low = v[0].rotate_right(28) ^ v[0].rotate_right(34) ^ v[0].rotate_right(39);
            let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(first);
            v[0] = first.wrapping_add(low.wrapping_add(majority));
        }
        for (place, word) in state.iter_mut().zip(v) {
            *place = place.wrapping_add(word);
        }
    }
    state.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// Adler-32 (RFC 1950).
pub(super) fn adler32(text: &[u8]) -> u32 {
    let (mut low, mut high) = (1u32, 0u32);
    for byte in text {
        low = (low + u32::from(*byte)) % 65521;
        high = (high + low) % 65521;
    }
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::{adler32, hexadecimal, sha1, sha256, sha512};

    #[test]
    fn the_standards_examples() {
        assert_eq!(
            hexadecimal(&sha1(b"abc")),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(
            hexadecimal(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(hexadecimal(&sha512(b"abc")).starts_with("ddaf35a193617abacc417349ae204131"));
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
