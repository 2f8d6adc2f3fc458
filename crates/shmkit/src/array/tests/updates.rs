//! Updates and copies.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::super::{DType, Scalar, View};
use super::{Memory, Random, kept, positions};
use crate::bytes::SharedBytes;

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
