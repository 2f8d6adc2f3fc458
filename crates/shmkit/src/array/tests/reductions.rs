//! Sums, means, least and greatest elements.

use super::super::{DType, Scalar, View};
use super::{Memory, Random, float, int, is_float, positions, same};

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
