//! Kernels against loops over indexes, one element at a time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

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

/// What `min` (or `max`) and `argmin` (or `argmax`) should say.
fn best(elements: &[Scalar], beats: fn(f64, f64) -> bool) -> (Scalar, usize) {
    let mut best = 0;
    for (i, element) in elements.iter().enumerate() {
        let (a, b) = (float(*element), float(elements[best]));
        if !b.is_nan() && (a.is_nan() || beats(a, b)) {
            best = i;
        }
    }
    (elements[best], best)
}

fn check_reductions(view: &View<'_>, elements: &[Scalar]) {
    let sum = match view.dtype() {
        dtype if is_float(dtype) => Scalar::Float(elements.iter().map(|element| float(*element)).sum()),
        _ => Scalar::Int(elements.iter().map(|element| int(*element)).sum()),
    };
    assert!(same(view.sum(), sum), "sum of {view:?}: {:?}, not {sum:?}", view.sum());
    let mean = float(sum) / elements.len() as f64;
    assert!(same(Scalar::Float(view.mean()), Scalar::Float(mean)), "mean of {view:?}");
    if elements.is_empty() {
        assert!(
            view.min().is_err() && view.max().is_err() && view.argmin().is_err() && view.argmax().is_err()
        );
        return;
    }
    let ((min, argmin), (max, argmax)) = (best(elements, |a, b| a < b), best(elements, |a, b| a > b));
    assert!(same(view.min().expect("one"), min), "min of {view:?}: {:?}, not {min:?}", view.min());
    assert!(same(view.max().expect("one"), max), "max of {view:?}: {:?}, not {max:?}", view.max());
    assert_eq!(view.argmin(), Ok(argmin), "argmin of {view:?}");
    assert_eq!(view.argmax(), Ok(argmax), "argmax of {view:?}");
}

#[test]
fn types_have_numpys_names() {
    for dtype in DType::ALL {
        assert_eq!(DType::parse(dtype.name()), Ok(dtype));
        assert_eq!(DType::parse(dtype.typestr()), Ok(dtype));
        assert_eq!(dtype.typestr()[2..], dtype.item_size().to_string());
    }
    assert_eq!(DType::parse("<f8"), Ok(DType::Float64));
    assert_eq!(DType::parse("|u1"), Ok(DType::Uint8));
    assert_eq!(DType::parse("bool"), Ok(DType::Bool));
    for text in ["f8", "=f8", "<f8"] {
        assert_eq!(DType::parse(text), Ok(DType::Float64));
    }
    assert_eq!(DType::parse("?"), Ok(DType::Bool));
    assert_eq!(DType::parse(">i1"), Ok(DType::Int8));
    assert!(DType::parse("<<f8").is_err() && DType::parse("<float64").is_err());
    assert!(DType::parse(">f8").expect_err("big-endian").message.contains("big-endian"));
    assert!(DType::parse("float").is_err() && DType::parse("").is_err());
}

#[test]
fn halves_are_converted_as_the_standard_says() {
    let value = |bits: u16| {
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
        let magnitude = match exponent {
            0 => fraction * 2f64.powi(-24),
            31 if fraction == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
        };
        if bits >> 15 == 1 { -magnitude } else { magnitude }
    };
    for bits in 0..=u16::MAX {
        let (expected, converted) = (value(bits), f64::from(half::to_f32(bits)));
        if expected.is_nan() {
            assert!(converted.is_nan() && half::to_f32(half::from_f64(converted)).is_nan());
            continue;
        }
        assert_eq!(converted.to_bits(), expected.to_bits(), "{bits:#x}");
        assert_eq!((half::from_f32(converted as f32), half::from_f64(expected)), (bits, bits));
        // Between this one and the next: the nearer, or the even one. What would follow the largest is 65536.
        if bits & 0x7fff < 0x7c00 {
            let next = if bits & 0x7fff == 0x7bff { expected.signum() * 65536.0 } else { value(bits + 1) };
            let middle = f64::midpoint(expected, next);
            assert_eq!(half::from_f64(middle), bits + bits % 2, "{middle}");
            assert_eq!(half::from_f32(middle as f32), bits + bits % 2, "{middle}");
            assert_eq!(half::from_f64(middle + (next - expected) * 1e-9), bits + 1);
            assert_eq!(half::from_f64(middle - (next - expected) * 1e-9), bits);
        }
    }
    assert_eq!((half::from_f64(1e300), half::from_f64(-1e300), half::from_f64(1e-300)), (0x7c00, 0xfc00, 0));
}

#[test]
fn views_lie_inside_of_their_bytes() {
    let mut words = [0; 4];
    let mut made = |dtype, shape: &[usize], strides: &[isize], offset| {
        View::new(SharedBytes::over(&mut words), dtype, shape.to_vec(), strides.to_vec(), offset).is_ok()
    };
    use DType::{Float64, Int8, Uint16};
    assert!(made(Float64, &[4], &[1], 0) && !made(Float64, &[5], &[1], 0) && !made(Float64, &[4], &[1], 1));
    assert!(
        made(Float64, &[4], &[-1], 3) && !made(Float64, &[4], &[-1], 2) && !made(Float64, &[4], &[-1], 4)
    );
    assert!(made(Uint16, &[4, 4], &[4, 1], 0) && made(Uint16, &[4, 4], &[-4, -1], 15));
    assert!(!made(Uint16, &[4, 4], &[4, 2], 0) && !made(Uint16, &[4, 4], &[5, 1], 0));
    assert!(made(Int8, &[], &[], 31) && !made(Int8, &[], &[], 32), "no dimensions are one element");
    assert!(
        made(Int8, &[0], &[1], 32) && !made(Int8, &[0], &[1], 33) && made(Int8, &[9, 0], &[isize::MAX, 7], 0)
    );
    assert!(made(Int8, &[1, 4], &[isize::MIN, 1], 0), "a stride along one index is never taken");
    assert!(made(Int8, &[1 << 40], &[0], 0), "one element many times");
    assert!(!made(Int8, &[4], &[1, 1], 0));
    assert!(!made(Int8, &[1 << 40, 1 << 40], &[0, 0], 0) && !made(Int8, &[usize::MAX], &[0], 0));
    assert!(made(Int8, &[0, usize::MAX, 3], &[0, 1, 1], 0));
    assert!(!made(Int8, &[2], &[isize::MAX], 0) && !made(Int8, &[2], &[isize::MIN], 0));
    assert!(!made(Int8, &[3, 3, 3], &[isize::MAX, isize::MAX, 1], usize::MAX));
    assert!(!made(Int8, &[1], &[1], usize::MAX) && !made(Float64, &[1], &[1], usize::MAX));
    let error =
        View::new(SharedBytes::over(&mut words), Float64, vec![2, 3], vec![3, 1], 1).expect_err("7 of 4");
    assert_eq!(error.code, "ERR_OUT_OF_RANGE");
    assert!(error.message.contains("[2, 3]") && error.message.contains("32 bytes"), "{error}");
}

#[test]
fn reduces_neighbours_of_every_type_and_number() {
    let mut random = Random(1);
    for dtype in DType::ALL {
        let mut memory = Memory::random(dtype, 301, &mut random);
        let elements = memory.elements();
        for len in 0..300 {
            let offset = len % 2;
            check_reductions(&memory.view(&[len], &[1], offset), &elements[offset..offset + len]);
        }
    }
}

#[test]
fn reduces_views_of_every_type() {
    let mut random = Random(2);
    for dtype in DType::ALL {
        let mut memory = Memory::random(dtype, 3100, &mut random);
        let elements = memory.elements();
        for _ in 0..60 {
            let (shape, strides, offset) = random.layout(3000);
            let expected: Vec<_> =
                positions(&shape, &strides, offset).iter().map(|at| elements[*at]).collect();
            check_reductions(&memory.view(&shape, &strides, offset), &expected);
        }
        // Of blocks, runs of a few, one element many times.
        for (shape, strides) in
            [([2, 1200], [1, 2]), ([1000, 3], [3, 1]), ([700, 2], [4, 1]), ([50, 40], [0, 1])]
        {
            let expected: Vec<_> = positions(&shape, &strides, 7).iter().map(|at| elements[*at]).collect();
            check_reductions(&memory.view(&shape, &strides, 7), &expected);
        }
    }
}

#[test]
fn finds_the_first_of_equals_across_blocks() {
    let mut memory = Memory::new(DType::Int16, &vec![Scalar::Int(5); 40_000]);
    let check = |memory: &mut Memory, argmin, argmax| {
        assert_eq!((memory.line(40_000).argmin(), memory.line(40_000).argmax()), (Ok(argmin), Ok(argmax)));
    };
    check(&mut memory, 0, 0);
    for (at, value) in [(39_999, 4), (20_000, 4), (30_000, 9), (29_000, 9)] {
        memory.view(&[], &[], at).fill(Scalar::Int(value)).expect("it fits");
    }
    check(&mut memory, 20_000, 29_000);
    // Columns: memory order is not the order of indexes.
    let view = memory.view(&[200, 200], &[1, 200], 0);
    assert_eq!((view.argmin(), view.argmax()), (Ok(20_000 / 200), Ok(29_000 / 200)));
    let view = memory.view(&[200, 200], &[1, -200], 199 * 200);
    assert_eq!((view.argmin(), view.argmax()), (Ok(99), Ok(199 - 30_000 / 200)));
}

#[test]
fn nan_is_beyond_all() {
    for dtype in [DType::Float16, DType::Float32, DType::Float64] {
        for len in [1, 7, 33, 150] {
            for at in 0..len {
                let mut elements: Vec<_> = (0..len).map(|i| Scalar::Float(f64::from(i % 5))).collect();
                elements[at as usize] = Scalar::Float(f64::NAN);
                elements[len as usize - 1] = Scalar::Float(f64::NAN);
                let mut memory = Memory::new(dtype, &elements);
                let view = memory.line(elements.len());
                assert_eq!((view.argmin(), view.argmax()), (Ok(at as usize), Ok(at as usize)));
                for result in [view.min(), view.max(), Ok(view.sum()), Ok(Scalar::Float(view.mean()))] {
                    assert!(matches!(result, Ok(Scalar::Float(value)) if value.is_nan()));
                }
            }
        }
        // Infinities of both signs add up to NaN, and are none.
        let infinity = f64::INFINITY;
        let elements = [1.0, infinity, -infinity].map(Scalar::Float).repeat(40);
        let mut memory = Memory::new(dtype, &elements);
        check_reductions(&memory.line(120), &elements);
        // Zeros are equal.
        let elements = [0.0, -0.0, 0.0].map(Scalar::Float);
        let mut memory = Memory::new(dtype, &elements);
        check_reductions(&memory.line(3), &elements);
        assert_eq!(memory.view(&[3], &[-1], 2).argmin(), Ok(0));
    }
}

#[test]
fn integers_are_added_exactly() {
    for dtype in DType::ALL.into_iter().filter(|dtype| !is_float(*dtype) && *dtype != DType::Bool) {
        let bits = 8 * dtype.item_size();
        let signed = dtype.name().starts_with('i');
        let (least, most) =
            if signed { (-1i128 << (bits - 1), (1 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) };
        for (value, n) in [(least, 20_001), (most, 20_001)] {
            let mut memory = Memory::new(dtype, &vec![Scalar::Int(value); n]);
            let line = memory.line(n);
            assert_eq!(line.sum(), Scalar::Int(value * n as i128), "{dtype}");
            let strided = memory.view(&[n / 3], &[3], 0);
            assert_eq!(strided.sum(), Scalar::Int(value * (n / 3) as i128), "{dtype}");
            if bits < 64 {
                let view = memory.line(n);
                assert_eq!(view.dot(&view), Ok(Scalar::Int(value * value * n as i128)), "{dtype}");
            }
        }
    }
}

#[test]
fn dot_products_of_64_bits_are_exact_or_refused() {
    let dot = |dtype, a: &[i128], b: &[i128]| {
        let ints = |ints: &[i128]| ints.iter().map(|value| Scalar::Int(*value)).collect::<Vec<_>>();
        let (mut a, mut b) = (Memory::new(dtype, &ints(a)), Memory::new(dtype, &ints(b)));
        let len = a.words.len();
        let dot = a.line(len).dot(&b.line(len));
        dot.map(int)
    };
    let (least, most) = (i128::from(i64::MIN), i128::from(i64::MAX));
    assert_eq!(dot(DType::Int64, &[least, least], &[least, most]), Ok(least * least + least * most));
    assert_eq!(
        dot(DType::Int64, &[least; 3], &[least, least, most]),
        Ok(1 + (i128::MAX - (1 << 126)) - least)
    );
    assert!(dot(DType::Int64, &[least; 2], &[least; 2]).is_err(), "2^127");
    assert_eq!(
        dot(DType::Int64, &[least; 4], &[least, least, most, most]),
        Ok(-2 * least),
        "on the way only"
    );
    assert_eq!(dot(DType::Int64, &[least, least, 0], &[most, most, 5]), Ok(2 * least * most));
    assert!(dot(DType::Int64, &[least; 3], &[most; 3]).is_err());
    let most = i128::from(u64::MAX);
    assert_eq!(dot(DType::Uint64, &[most, 3], &[1 << 62, 5]), Ok((most << 62) + 15));
    assert!(
        dot(DType::Uint64, &[most], &[most]).is_err() && dot(DType::Uint64, &[most; 9], &[most; 9]).is_err()
    );
}

#[test]
fn dot_products_are_those_of_the_elements() {
    let mut random = Random(3);
    for dtype in DType::ALL {
        let (mut a, mut b) =
            (Memory::random(dtype, 900, &mut random), Memory::random(dtype, 900, &mut random));
        let (left, right) = (a.elements(), b.elements());
        for len in (0..300).step_by(7).chain([1, 2, 3, 15, 16, 17]) {
            for (steps, offsets) in
                [([1, 1], [0, 1]), ([3, 1], [0, 5]), ([-1, 2], [800, 3]), ([-2, -3], [899, 899])]
            {
                let at = |k: usize| positions(&[len], &[steps[k]], offsets[k]);
                let pairs: Vec<_> = at(0).into_iter().zip(at(1)).map(|(i, j)| (left[i], right[j])).collect();
                let expected = match dtype {
                    DType::Bool => Scalar::Bool(pairs.iter().any(|(a, b)| int(*a) * int(*b) != 0)),
                    _ if is_float(dtype) => {
                        Scalar::Float(pairs.iter().map(|(a, b)| float(*a) * float(*b)).sum())
                    }
                    _ => Scalar::Int(pairs.iter().map(|(a, b)| int(*a) * int(*b)).sum()),
                };
                let dot =
                    a.view(&[len], &[steps[0]], offsets[0]).dot(&b.view(&[len], &[steps[1]], offsets[1]));
                assert_eq!(dot, Ok(expected), "{dtype}, {len} by {steps:?}");
            }
        }
    }
    let (mut a, mut b) =
        (Memory::random(DType::Int8, 8, &mut random), Memory::random(DType::Uint8, 8, &mut random));
    assert!(a.line(8).dot(&b.line(8)).is_err(), "another type");
    let mut square = Memory::random(DType::Int8, 8, &mut random);
    assert!(a.line(7).dot(&square.line(8)).is_err(), "another length");
    let view = square.view(&[2, 4], &[4, 1], 0);
    assert!(view.dot(&view).is_err(), "two dimensions");
}

#[test]
fn float64_is_added_in_numpys_order() {
    fn numpy(elements: &[f64]) -> f64 {
        match elements.len() {
            0..8 => elements.iter().sum::<f64>(),
            8..=128 => {
                let (chunks, rest) = elements.as_chunks::<8>();
                let mut r = chunks[0];
                for chunk in &chunks[1..] {
                    (0..8).for_each(|k| r[k] += chunk[k]);
                }
                let sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
                rest.iter().fold(sum, |sum, element| sum + element)
            }
            n => {
                let half = n / 2 - n / 2 % 8;
                numpy(&elements[..half]) + numpy(&elements[half..])
            }
        }
    }
    let mut random = Random(4);
    let elements: Vec<f64> = (0..5000).map(|_| random.next() as f64 / 1e17 - 100.0).collect();
    let mut memory =
        Memory::new(DType::Float64, &elements.iter().copied().map(Scalar::Float).collect::<Vec<_>>());
    for len in (0..400).chain([1023, 1024, 1025, 4999, 5000]) {
        assert_eq!(memory.line(len).sum(), Scalar::Float(numpy(&elements[..len])), "{len}");
    }
}

#[test]
fn updates_every_element_of_a_view_and_no_other() {
    let mut random = Random(5);
    for dtype in DType::ALL {
        for round in 0..45 {
            let mut memory = Memory::random(dtype, 900, &mut random);
            let mut expected = memory.elements();
            let (shape, strides, offset) = random.layout(900);
            let value = random.element(dtype);
            let view = memory.view(&shape, &strides, offset);
            let done = match round % 3 {
                0 => view.fill(value),
                1 => view.scale(value),
                _ => view.add_scalar(value),
            };
            done.expect("it fits");
            for at in positions(&shape, &strides, offset) {
                expected[at] = match round % 3 {
                    0 => value,
                    1 => kept(dtype, expected[at], value, |a, b| a * b, |a, b| a * b),
                    _ => kept(dtype, expected[at], value, |a, b| a + b, |a, b| a + b),
                };
            }
            assert_eq!(memory.elements(), expected, "{dtype} {shape:?} {strides:?} {offset}");
        }
    }
}

#[test]
fn copies_and_adds_as_through_a_private_copy() {
    let mut random = Random(6);
    for dtype in DType::ALL {
        for round in 0..80 {
            let mut memory = Memory::random(dtype, 900, &mut random);
            let mut expected = memory.elements();
            let (shape, strides, to) = random.layout(900);
            // Moved, turned around, transposed, or anywhere else.
            let (mut steps, mut from) = (strides.clone(), to);
            match random.below(4) {
                0 => from = (to + random.below(40)).saturating_sub(20),
                1 => {
                    for (step, len) in steps.iter_mut().zip(&shape).filter(|(_, len)| **len > 0) {
                        from = from.wrapping_add_signed((len - 1).cast_signed() * *step);
                        *step = -*step;
                    }
                }
                2 => {
                    steps.reverse();
                    from = random.below(900);
                }
                _ => {
                    let mut step = 1;
                    for (stride, len) in steps.iter_mut().zip(&shape) {
                        *stride = step;
                        step *= len.cast_signed();
                    }
                    from = random.below(60);
                }
            }
            let bytes = SharedBytes::over(&mut memory.words);
            let target = View::new(bytes, dtype, shape.clone(), strides.clone(), to).expect("inside");
            let Ok(source) = View::new(bytes, dtype, shape.clone(), steps.clone(), from) else { continue };
            if round % 2 == 0 { target.copy_from(&source) } else { target.add(&source) }.expect("alike");
            let before = expected.clone();
            for (to, from) in positions(&shape, &strides, to).into_iter().zip(positions(&shape, &steps, from))
            {
                expected[to] = match round % 2 {
                    0 => before[from],
                    _ => kept(dtype, before[to], before[from], |a, b| a + b, |a, b| a + b),
                };
            }
            assert_eq!(memory.elements(), expected, "{dtype} {shape:?} {strides:?} {to}, {steps:?} {from}");
        }
    }
}

#[test]
fn copies_between_orders_larger_than_a_tile() {
    let mut random = Random(7);
    for dtype in [DType::Uint8, DType::Float16, DType::Int32, DType::Float64] {
        let (mut from, mut to) =
            (Memory::random(dtype, 41 * 53 * 3, &mut random), Memory::random(dtype, 6600, &mut random));
        let (shape, strides) = ([53, 3, 41], [1, 41 * 53, 53]);
        to.line(6519).fill(Scalar::Bool(false)).expect("it fits");
        let target = to.view(&shape, &[123, 41, 1], 0);
        target.copy_from(&from.view(&shape, &strides, 0)).expect("alike");
        let elements = from.elements();
        let expected: Vec<_> = positions(&shape, &strides, 0).iter().map(|at| elements[*at]).collect();
        assert_eq!(to.elements()[..6519], expected);
    }
}

#[test]
fn refuses_what_is_no_element() {
    let mut memory = Memory::new(DType::Int8, &[Scalar::Int(7); 8]);
    let view = memory.line(8);
    for (value, code) in [
        (Scalar::Int(128), "ERR_OUT_OF_RANGE"),
        (Scalar::Int(i128::MIN), "ERR_OUT_OF_RANGE"),
        (Scalar::Float(-129.0), "ERR_OUT_OF_RANGE"),
        (Scalar::Float(1e300), "ERR_OUT_OF_RANGE"),
        (Scalar::Float(1.5), "ERR_SHM_VALUE"),
        (Scalar::Float(f64::NAN), "ERR_SHM_VALUE"),
        (Scalar::Float(f64::INFINITY), "ERR_SHM_VALUE"),
    ] {
        for result in [view.fill(value), view.scale(value), view.add_scalar(value)] {
            assert_eq!(result.expect_err("refused").code, code, "{value}");
        }
    }
    view.add_scalar(Scalar::Float(-2.0)).expect("an integer");
    assert_eq!(view.sum(), Scalar::Int(40));
    let mut other = Memory::new(DType::Int8, &[Scalar::Int(1); 8]);
    assert!(view.copy_from(&other.view(&[2, 4], &[4, 1], 0)).is_err(), "another shape");
    other.dtype = DType::Bool;
    assert_eq!(view.add(&other.line(8)).expect_err("another type").code, "ERR_INVALID_ARG_VALUE");
    // Numbers become what is nearest.
    let mut memory = Memory::new(DType::Float16, &[Scalar::Float(0.0); 4]);
    memory.line(4).fill(Scalar::Int(2049)).expect("2048");
    assert_eq!(memory.elements()[0], Scalar::Float(2048.0));
    let mut memory = Memory::new(DType::Uint64, &[Scalar::Int(0)]);
    memory.line(1).fill(Scalar::Int(u64::MAX.into())).expect("it fits");
    assert_eq!(memory.line(1).max(), Ok(Scalar::Int(u64::MAX.into())));
}

#[test]
fn any_byte_is_a_boolean() {
    let mut memory = Memory { dtype: DType::Bool, words: vec![0x00ff_0002_0001_8000] };
    let view = memory.line(8);
    assert_eq!((view.sum(), view.argmax(), view.argmin()), (Scalar::Int(4), Ok(1), Ok(0)));
    view.scale(Scalar::Bool(true)).expect("a boolean");
    assert_eq!(memory.words, [0x0001_0001_0001_0100]);
}

#[test]
fn a_racing_writer_makes_results_wrong_at_worst() {
    let words: Vec<AtomicU64> = (0..2048).map(AtomicU64::new).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let mut random = Random(8);
            while !done.load(Relaxed) {
                words[random.below(2048)].store(random.next(), Relaxed);
            }
        });
        for dtype in DType::ALL {
            let len = 2048 * 8 / dtype.item_size();
            // SAFETY: atomics may be written through what was read only, and outlive the view.
            let bytes = unsafe { SharedBytes::new(words.as_ptr().cast_mut().cast(), 2048 * 8) };
            let view = View::contiguous(bytes, dtype, vec![len], 0).expect("inside");
            for _ in 0..5 {
                assert!(view.argmin().is_ok_and(|at| at < len) && view.argmax().is_ok_and(|at| at < len));
                let half = View::contiguous(bytes, dtype, vec![len / 2], 0).expect("inside");
                let _ = (view.min(), view.max(), view.sum(), view.dot(&view), half.add(&half));
            }
        }
        done.store(true, Relaxed);
    });
}
