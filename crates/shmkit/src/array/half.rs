//! Half precision, without branches, so that loops over it become vector instructions.

/// How many halves become floats at once.
pub(super) const MANY: usize = 512;

/// The values of `get(0..len)`, at most `MANY`: fetched, then converted, then used, in three loops. Each alone is done
/// in vectors; one for all is not.
#[inline(always)]
pub(super) fn many(len: usize, get: impl Fn(usize) -> u16) -> [f32; MANY] {
    let (mut bits, mut floats) = ([0; MANY], [0.0; MANY]);
    for (i, bits) in bits[..len].iter_mut().enumerate() {
        *bits = get(i);
    }
    for (float, bits) in floats[..len].iter_mut().zip(bits) {
        *float = to_f32(bits);
    }
    floats
}

/// The value of these 16 bits, exactly.
#[inline(always)]
pub(super) fn to_f32(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7fff);
    let sign = u32::from(bits & 0x8000) << 16;
    // The exponent moves from a bias of 15 to one of 127; that of infinities and NaN from all ones to all ones.
    let shift = if magnitude >= 0x7c00 { (2 * (127 - 15)) << 23 } else { (127 - 15) << 23 };
    let normal = (magnitude << 13) + shift;
    // Subnormal: the same bits as a fraction above 2^-14, less 2^-14.
    let tiny = f32::from_bits(0x3880_0000 | (magnitude << 13)) - f32::from_bits(0x3880_0000);
    f32::from_bits(sign | if magnitude < 0x0400 { tiny.to_bits() } else { normal })
}

/// The nearest half, ties to even; too large ones become infinities.
#[inline(always)]
pub(super) fn from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    let sign = (bits >> 16) & 0x8000;
    let large = if magnitude > 0x7f80_0000 { 0x7e00 } else { 0x7c00 };
    // Subnormal: adding 0.5 puts the half's last bit where a float's last bit is, so the addition rounds.
    let tiny = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0x3f00_0000);
    let odd = (magnitude >> 13) & 1;
    let normal = magnitude.wrapping_sub((127 - 15) << 23).wrapping_add(0x0fff + odd) >> 13;
    let magnitude = if magnitude < 0x3880_0000 { tiny } else { normal };
    let magnitude = if bits & 0x7fff_ffff >= 0x4780_0000 { large } else { magnitude };
    (sign | magnitude) as u16
}

/// The nearest half, ties to even, of a double: rounded once, not twice.
pub(super) fn from_f64(value: f64) -> u16 {
    let near = value as f32;
    if value.is_nan() || f64::from(near) == value {
        return from_f32(near);
    }
    // Cut off towards zero, with the last bit set for what was cut off: no tie remains that is none.
    let cut = if f64::from(near).abs() > value.abs() { near.to_bits() - 1 } else { near.to_bits() };
    from_f32(f32::from_bits(cut | 1))
}
