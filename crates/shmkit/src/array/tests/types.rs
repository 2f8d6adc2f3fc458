//! Types, elements and views.

use super::super::half;
use super::super::{DType, Scalar, View};
use super::Memory;
use crate::bytes::SharedBytes;

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
    assert!(DType::parse(">f8").expect_err("big-endian").message.contains("byte order"));
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
