//! Dot products.

use super::super::{DType, Scalar};
use super::{Memory, Random, float, int, is_float, positions};

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
