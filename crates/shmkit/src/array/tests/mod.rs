//! Kernels against loops over indexes, one element at a time.

mod dot;
mod reductions;
mod types;
mod updates;

use super::half;
use super::{DType, Scalar, View};
use crate::bytes::SharedBytes;

/// Numbers that look random and are the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// An element whose sums and products are exact whatever their order: small, floats in eighths.
    fn element(&mut self, dtype: DType) -> Scalar {
        let value = self.below(255) as i128 - 127;
        match dtype {
            DType::Bool => Scalar::Bool(value % 2 == 0),
            DType::Float16 | DType::Float32 | DType::Float64 => Scalar::Float(value as f64 / 8.0),
            DType::Uint8 | DType::Uint16 | DType::Uint32 | DType::Uint64 => Scalar::Int(value + 127),
            _ => Scalar::Int(value),
        }
    }

    /// Axes that leave no element out of `room`, each element at one index; and where index 0 is.
    fn layout(&mut self, room: usize) -> (Vec<usize>, Vec<isize>, usize) {
        let (mut axes, mut reach) = (Vec::new(), 1);
        for _ in 0..self.below(5) {
            let len = [0, 1, 2, 3, 4, 5, 17, 40, 70, 130][usize::from(self.below(30) > 0)..][self.below(9)];
            let step = reach + [0, 0, 0, 1, 5][self.below(5)];
            if (len.max(1) - 1) * step + reach > room {
                break;
            }
            reach += (len.max(1) - 1) * step;
            axes.push((len, if self.below(3) == 0 { -step.cast_signed() } else { step.cast_signed() }));
        }
        let mut offset = self.below(room - reach + 1);
        offset += axes.iter().map(|(len, step)| (len.max(&1) - 1) * (-step).max(0) as usize).sum::<usize>();
        // Shuffled.
        for i in (1..axes.len()).rev() {
            axes.swap(i, self.below(i + 1));
        }
        let (shape, strides) = axes.into_iter().unzip();
        (shape, strides, offset)
    }
}

/// Memory for elements of one type.
struct Memory {
    dtype: DType,
    words: Vec<u64>,
}

impl Memory {
    fn new(dtype: DType, elements: &[Scalar]) -> Self {
        let mut bytes: Vec<u8> = elements.iter().flat_map(|element| encode(dtype, *element)).collect();
        bytes.resize(bytes.len().next_multiple_of(8).max(8), 0);
        let words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        Memory { dtype, words }
    }

    fn random(dtype: DType, len: usize, random: &mut Random) -> Self {
        Self::new(dtype, &(0..len).map(|_| random.element(dtype)).collect::<Vec<_>>())
    }

    fn view(&mut self, shape: &[usize], strides: &[isize], offset: usize) -> View<'_> {
        let bytes = SharedBytes::over(&mut self.words);
        View::new(bytes, self.dtype, shape.to_vec(), strides.to_vec(), offset).expect("inside")
    }

    /// The first `len` elements.
    fn line(&mut self, len: usize) -> View<'_> {
        self.view(&[len], &[1], 0)
    }

    fn elements(&self) -> Vec<Scalar> {
        let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.chunks(self.dtype.item_size()).map(|bytes| decode(self.dtype, bytes)).collect()
    }
}

fn encode(dtype: DType, element: Scalar) -> Vec<u8> {
    let bytes = match element {
        Scalar::Int(value) => value.to_le_bytes().to_vec(),
        Scalar::Bool(value) => vec![u8::from(value)],
        Scalar::Float(value) => match dtype {
            DType::Float16 => half::from_f64(value).to_le_bytes().to_vec(),
            DType::Float32 => (value as f32).to_le_bytes().to_vec(),
            _ => value.to_le_bytes().to_vec(),
        },
    };
    bytes[..dtype.item_size()].to_vec()
}

fn decode(dtype: DType, bytes: &[u8]) -> Scalar {
    let mut wide = [0; 16];
    wide[..bytes.len()].copy_from_slice(bytes);
    let bits = i128::from_le_bytes(wide);
    let spare = 128 - 8 * bytes.len();
    match dtype {
        DType::Bool => Scalar::Bool(bits != 0),
        DType::Float16 => Scalar::Float(half::to_f32(bits as u16).into()),
        DType::Float32 => Scalar::Float(f32::from_bits(bits as u32).into()),
        DType::Float64 => Scalar::Float(f64::from_bits(bits as u64)),
        DType::Uint8 | DType::Uint16 | DType::Uint32 | DType::Uint64 => Scalar::Int(bits),
        _ => Scalar::Int(bits << spare >> spare),
    }
}

/// Which elements the indexes lead to, in C order.
fn positions(shape: &[usize], strides: &[isize], offset: usize) -> Vec<usize> {
    let mut positions = vec![offset];
    for (len, stride) in shape.iter().zip(strides) {
        let along = |at: usize| (0..*len).map(move |i| at.wrapping_add_signed(i.cast_signed() * stride));
        positions = positions.into_iter().flat_map(along).collect();
    }
    positions
}

fn float(element: Scalar) -> f64 {
    match element {
        Scalar::Int(value) => value as f64,
        Scalar::Float(value) => value,
        Scalar::Bool(value) => f64::from(u8::from(value)),
    }
}

fn int(element: Scalar) -> i128 {
    match element {
        Scalar::Int(value) => value,
        Scalar::Float(value) => value as i128,
        Scalar::Bool(value) => value.into(),
    }
}

fn is_float(dtype: DType) -> bool {
    matches!(dtype, DType::Float16 | DType::Float32 | DType::Float64)
}

/// An element after arithmetic, as its type keeps it.
fn kept(
    dtype: DType,
    a: Scalar,
    b: Scalar,
    ints: fn(i128, i128) -> i128,
    floats: fn(f64, f64) -> f64,
) -> Scalar {
    match dtype {
        DType::Bool => Scalar::Bool(ints(int(a), int(b)) != 0),
        _ if is_float(dtype) => decode(dtype, &encode(dtype, Scalar::Float(floats(float(a), float(b))))),
        _ => decode(dtype, &encode(dtype, Scalar::Int(ints(int(a), int(b))))),
    }
}

fn same(a: Scalar, b: Scalar) -> bool {
    match (a, b) {
        (Scalar::Float(a), Scalar::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
        _ => a == b,
    }
}
