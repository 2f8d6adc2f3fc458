//! Which elements of some shared bytes make up an array.

use std::fmt;

use super::dtype::DType;
use super::location::strides_of;
use crate::bytes::SharedBytes;
use crate::{Error, Result};

/// Elements of shared bytes, as an array of any number of dimensions.
///
/// The element `(i, j, …)` is number `offset + i * strides[0] + j * strides[1] + …` of the bytes. Strides may be
/// negative, or 0: then one element is at several indexes, and what writes to it does so once for each.
///
/// *Invariant:* every element that an index in `shape` leads to lies inside of `bytes`; a whole number of elements from
/// where they begin, which is aligned to 8, it is aligned too.
#[derive(Clone)]
pub struct View<'a> {
    bytes: SharedBytes<'a>,
    dtype: DType,
    shape: Vec<usize>,
    strides: Vec<isize>,
    offset: usize,
    len: usize,
}

impl<'a> View<'a> {
    /// A view on `bytes`. `strides` and `offset` count elements, not bytes.
    ///
    /// No dimensions at all are one element; a dimension of 0 is none.
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` if not all elements lie inside of `bytes`, where there are more than 2^63 - 1 of them, or
    /// where `shape` and `strides` differ in length.
    pub fn new(
        bytes: SharedBytes<'a>,
        dtype: DType,
        shape: Vec<usize>,
        strides: Vec<isize>,
        offset: usize,
    ) -> Result<Self> {
        if shape.len() != strides.len() {
            let (shape, strides) = (shape.len(), strides.len());
            return refuse(format!("{shape} dimensions cannot have {strides} strides"));
        }
        let len = count(&shape)?;
        let room = bytes.len() / dtype.item_size();
        let fits = match len {
            0 => offset <= room,
            _ => {
                reach(&shape, &strides, offset).is_some_and(|(least, most)| least >= 0 && most < room as i128)
            }
        };
        if !fits {
            return refuse(format!(
                "{dtype} elements of shape {shape:?}, strides {strides:?} and offset {offset} are not all among the \
                 {room} that {} bytes hold",
                bytes.len()
            ));
        }
        Ok(View { bytes, dtype, shape, strides, offset, len })
    }

    /// A view whose last index goes from element to element (C order), from `offset` elements on.
    ///
    /// # Errors
    /// As [`View::new`].
    pub fn contiguous(
        bytes: SharedBytes<'a>,
        dtype: DType,
        shape: Vec<usize>,
        offset: usize,
    ) -> Result<Self> {
        let strides = strides_of(&shape, false);
        Self::new(bytes, dtype, shape, strides, offset)
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// How long each dimension is.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many elements further a dimension's next index is.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Which element of the bytes all indexes 0 lead to.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// How many elements there are: the product of the shape.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the bytes begin, from which `at` counts elements.
    pub(super) fn start(&self) -> *mut u8 {
        self.bytes.start()
    }

    /// `offset`, for a plan. An empty view's says nothing.
    pub(super) fn at(&self) -> isize {
        self.offset.cast_signed()
    }

    /// The address of the element at all indexes 0, and those of the first and the last element's first bytes.
    /// Only of use where there are elements.
    pub(super) fn addresses(&self) -> (usize, usize, usize) {
        let size = self.dtype.item_size();
        let address = |element: i128| self.start().addr() + element as usize * size;
        let (least, most) = reach(&self.shape, &self.strides, self.offset).unwrap_or_default();
        (address(self.offset as i128), address(least), address(most))
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("bytes", &self.bytes.len())
            .field("dtype", &self.dtype)
            .field("shape", &self.shape)
            .field("strides", &self.strides)
            .field("offset", &self.offset)
            .finish()
    }
}

fn refuse<T>(message: String) -> Result<T> {
    Err(Error::range("ERR_OUT_OF_RANGE", message))
}

/// The product of the shape. 0 if any dimension is, however long the others.
pub(super) fn count(shape: &[usize]) -> Result<usize> {
    if shape.contains(&0) {
        return Ok(0);
    }
    let product = shape.iter().try_fold(1usize, |product, len| product.checked_mul(*len));
    match product.filter(|product| isize::try_from(*product).is_ok()) {
        Some(product) => Ok(product),
        None => refuse(format!("shape {shape:?} has too many elements")),
    }
}

/// The least and the greatest element that an index inside of `shape`, which has no 0, leads to.
pub(super) fn reach(shape: &[usize], strides: &[isize], offset: usize) -> Option<(i128, i128)> {
    let (mut least, mut most) = (offset as i128, offset as i128);
    for (&len, &stride) in shape.iter().zip(strides) {
        let far = (len as i128 - 1).checked_mul(stride as i128)?;
        least = least.checked_add(far.min(0))?;
        most = most.checked_add(far.max(0))?;
    }
    Some((least, most))
}
