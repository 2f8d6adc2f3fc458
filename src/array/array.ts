import * as binding from '#binding';
import type { ArrayValue } from '#binding';
import { checkNamed, checkOptions } from '../common/arguments.js';
import { closedError, rangeError, shmError, wrongType } from '../common/errors.js';
import type { Inspection } from '../common/handle.js';
import type { Descriptor } from '../common/shared-object.js';
import { attachKind, nativeOf } from '../segment/memory.js';
import type { NativeHandle, SharedMemory } from '../segment/memory.js';
import { MemoryHandle } from '../segment/memory-handle.js';
import { at, atAny, cellsOf } from './cells.js';
import type { Cells } from './cells.js';
import { bytesOf, checkCount, elementsOf, loadFile, make, openOrMake, releasing } from './create.js';
import type { Located, Whole } from './create.js';
import { checkType, holds, typeOfArray } from './dtype.js';
import type { DType, DTypeOf, DTypes, ElementOf, Typed, TypeFacts } from './dtype.js';
import { accessOf, badValue, load, store } from './element.js';
import { writeFile } from './file.js';
import { show } from './inspect.js';
import { ATTACH_OPTIONS, CREATE_OPTIONS, FROM_OPTIONS, LOAD_OPTIONS } from './options.js';
import type { ArrayAttachOptions, ArrayCreateOptions, ArrayFromOptions, ArrayOptions } from './options.js';
import { checkOrder, checkShape, isContiguous, reshape, shown, sizeOf, slice, transpose } from './shape.js';
import type { Order, SliceRange } from './shape.js';
import { checkExpectation, locate } from './source.js';
import type { Location } from './source.js';

export type { DType, DTypeOf, DTypes, ElementOf, Typed } from './dtype.js';
export type { ArrayAttachOptions, ArrayCreateOptions, ArrayFromOptions, ArrayOptions } from './options.js';
export type { SliceRange } from './shape.js';

/** Elements in nested arrays, one level for each dimension. */
export type Nested<D extends DType> = ElementOf<D> | Nested<D>[];

const NO_EXPECTATION = checkExpectation({
  shape: undefined,
  dtype: undefined,
  order: undefined,
  offset: undefined,
  header: undefined,
});

let sourceOf: (array: unknown) => [native: NativeHandle, geometry: Float64Array];
let over: <D extends DType>(located: Located, isView?: boolean) => SharedArray<D>;

/**
 * An n-dimensional array of numbers in shared memory, as numpy has it. Any process reads and writes its
 * elements in place.
 *
 * ```js
 * using grid = SharedArray.create([480, 640], { name: 'grid', dtype: 'float32' });
 * grid.set(1.5, 0, -1); // Python: np.load('/dev/shm/grid', mmap_mode='r+')[0, -1]
 * grid.slice([0, 10]).sum();
 * ```
 *
 * `slice`, `reshape` and `T` are views of the same memory. An array has no lock of its own: use
 * `array.shm.txn()`.
 */
export class SharedArray<D extends DType = DType> extends MemoryHandle {
  /** Type of the elements, by numpy's name. */
  readonly dtype: D;
  /** Length of each dimension, in elements. */
  readonly shape: readonly number[];
  /** Number of dimensions. */
  readonly ndim: number;
  /** Number of elements. */
  readonly size: number;
  /** For each dimension, the number of elements of `data` from one index to the next. */
  readonly strides: readonly number[];
  /** Position in `data` of the element at index 0 of every dimension, in elements. */
  readonly offset: number;
  /**
   * Order in which the elements are contiguous in memory, or null if they are not. `'C'` if they are in both
   * orders.
   */
  readonly order: Order | null;
  readonly #type: TypeFacts;
  /** Bytes before element 0. */
  readonly #start: number;
  readonly #geometry: Float64Array;
  /** Its close() leaves the memory to others. */
  readonly #isView: boolean;
  readonly #cells: Cells;
  readonly #readOnly: boolean;
  #elements: DTypes[D] | undefined;
  #closed = false;

  private constructor(shm: SharedMemory, location: Location, isView: boolean, data?: DTypes[DType]) {
    super('array', shm);
    const { type, layout, start } = location;
    const { shape, strides, offset } = layout;
    this.dtype = type.name as D;
    this.shape = Object.freeze(shape);
    this.ndim = shape.length;
    this.size = sizeOf(shape);
    this.strides = Object.freeze(strides);
    this.offset = offset;
    this.order = isContiguous(layout, 'C') ? 'C' : isContiguous(layout, 'F') ? 'F' : null;
    this.#type = type;
    this.#start = start;
    this.#geometry = Float64Array.of(type.number, start / type.itemSize + offset, ...shape, ...strides);
    this.#isView = isView;
    if (data === undefined) {
      data = new type.Class(shm.buffer, start, Math.floor((shm.size - start) / type.itemSize));
    }
    this.#cells = cellsOf(type.name, data, shm.readOnly, layout);
    this.#readOnly = shm.readOnly;
    if (this.ndim > 3) {
      Reflect.defineProperty(this, 'get', { value: this.#getAny });
      Reflect.defineProperty(this, 'set', { value: this.#setAny });
    }
  }

  static {
    over = <T extends DType>({ memory, location }: Located, isView = false) => {
      const open = () => new SharedArray<T>(memory, location, isView);
      return isView ? open() : releasing(memory, open);
    };
    sourceOf = (array) => {
      if (!(array instanceof SharedArray)) throw wrongType('the other array', 'a SharedArray', array);
      return [array.#source(), array.#geometry];
    };
  }

  /**
   * Creates an array of zeros. It appears under its name complete, with its header, or not at all.
   * @throws `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid shape, type or other option; otherwise
   * as `SharedMemory.create` and `SharedMemory.buffer`.
   */
  static create<D extends DType = 'float64'>(
    shape: number | readonly number[],
    options?: ArrayCreateOptions<D>,
  ): SharedArray<D> {
    const { dtype, order, header, ...rest } = checkOptions(options, CREATE_OPTIONS);
    const type = checkType(dtype ?? 'float64');
    return over(make(type, checkShape(shape), checkOrder(order) ?? 'C', header, undefined, rest));
  }

  /**
   * Opens the array of this name, or creates one of zeros. The first caller creates, the others attach, and all
   * of them own it. A segment without owners (made by Python or with `track: false`) is attached to and not
   * owned.
   * @throws `ERR_SHM_MISMATCH` if the existing array has another shape, type or order; `ERR_SHM_NOT_AN_ARRAY`
   * if the segment is not an array; otherwise as `create` (but not `EEXIST`) and `attach`.
   */
  static createOrAttach<D extends DType = 'float64'>(
    name: string,
    shape: number | readonly number[],
    options?: ArrayCreateOptions<D>,
  ): SharedArray<D> {
    const { dtype, order, header, ...rest } = checkNamed(name, options, CREATE_OPTIONS);
    const expected = checkExpectation({
      shape,
      dtype: dtype ?? 'float64',
      order,
      offset: undefined,
      header: header ?? 'npy',
    });
    return over(openOrMake(name, expected as Whole, rest));
  }

  /**
   * Creates an array of the elements of a typed array, which are in C order. The elements keep their type.
   * @throws `ERR_OUT_OF_RANGE` if the number of elements does not fit the shape, or if an element is out of the
   * type's range; `ERR_SHM_VALUE` for a fraction in an integer type; otherwise as `create`.
   */
  static from<T extends Typed>(
    values: T,
    options?: Omit<ArrayFromOptions, 'dtype'> & {
      /** Not given: the elements keep their type. */
      dtype?: undefined;
    },
  ): SharedArray<DTypeOf<T>>;
  /**
   * Creates an array of these elements, which are in C order: those of a typed array or of any iterable.
   * Without `dtype`, a typed array other than `Float16Array` keeps its type, and other numbers become
   * `float64`.
   * @throws As above; `ERR_INVALID_ARG_TYPE` for an element of another JavaScript type.
   */
  static from<D extends DType = 'float64'>(
    values: DTypes[D] | Iterable<ElementOf<D>>,
    options?: ArrayFromOptions<D>,
  ): SharedArray<D>;
  static from<D extends DType>(
    values: DTypes[D] | Iterable<ElementOf<D>>,
    options?: ArrayFromOptions<D>,
  ): SharedArray<D> {
    const { dtype, shape, header, ...rest } = checkOptions(options, FROM_OPTIONS);
    const type =
      dtype === undefined ? (typeOfArray(values) ?? checkType('float64')) : checkType(dtype as unknown);
    const elements = elementsOf(values, type);
    const checked = shape === undefined ? [elements.length] : checkShape(shape);
    checkCount(elements.length, checked);
    return over(make(type, checked, 'C', header, bytesOf(elements), rest));
  }

  /**
   * Opens an array that this or another process created: by its `.npy` header, by a descriptor, or by `shape`
   * and `dtype`. A view's descriptor opens the same view.
   * @throws `ERR_SHM_NOT_AN_ARRAY` if there is no header and `shape` or `dtype` is missing; `ERR_SHM_CORRUPT`
   * for a damaged header; `ERR_SHM_DTYPE` for an unsupported type or the other byte order; `ERR_SHM_SIZE` if
   * the segment is too short for its shape; `ERR_SHM_ALIGNMENT` if the header's length is not a multiple of an
   * element's; `ERR_SHM_MISMATCH` if the array is not what the options say; `ERR_OUT_OF_RANGE`; otherwise as
   * `SharedMemory.attach` and `SharedMemory.buffer`.
   */
  static attach<D extends DType = DType>(
    target: string | Descriptor,
    options?: ArrayAttachOptions<D>,
  ): SharedArray<D> {
    const { shape, dtype, order, offset, header, ...rest } = checkOptions(options, ATTACH_OPTIONS);
    const expected = checkExpectation({ shape, dtype, order, offset, header });
    const memory = attachKind('array', target, rest);
    const location = releasing(memory, () => locate(memory, target, expected));
    return over({ memory, location });
  }

  /**
   * Creates an array from a `.npy` file (numpy's format), which is read on another thread. Fails if the file's
   * type is not `dtype`. The memory is always reserved.
   * @throws As `node:fs` if the file cannot be opened; `ERR_SHM_NOT_AN_ARRAY` if it is not a `.npy` file;
   * `ERR_SHM_CORRUPT` for a damaged header; `ERR_SHM_SIZE` if it is too short for its shape; `ERR_SHM_DTYPE`
   * for an unsupported type or the other byte order; `ERR_SHM_MISMATCH` for another type than `dtype`;
   * `ERR_SHM_FILE` if reading its elements fails; otherwise as `create`.
   */
  static async load<D extends DType = DType>(
    path: string | URL,
    options?: ArrayOptions<D>,
  ): Promise<SharedArray<D>> {
    const { dtype, header, ...rest } = checkOptions(options, LOAD_OPTIONS);
    const expected = dtype === undefined ? undefined : checkType(dtype);
    return over(await loadFile(path, expected, header, rest));
  }

  /** Whether `close()` was called, here or on the array that this is a view of. */
  override get closed(): boolean {
    return this.#closed || this.shm.closed;
  }

  /**
   * All elements of the segment in place: element `(i, j)` is `data[offset + i * strides[0] + j * strides[1]]`.
   * A view, such as a part in `mapArray`, has the same `data` as the array that it is a view of; `elements` has
   * its own elements only.
   * @throws `ERR_SHM_CLOSED`; `ERR_SHM_DETACHED` if the segment's buffer was transferred.
   */
  get data(): DTypes[D] {
    if (this.#cells.data.length === 0) this.#checkOpen();
    return this.#cells.data as DTypes[D];
  }

  /**
   * The elements of this array or view in place: `size` of them, in its `order`.
   * @throws `ERR_OUT_OF_RANGE` if they are not contiguous (`order` is null); `ERR_SHM_CLOSED`,
   * `ERR_SHM_DETACHED`.
   */
  get elements(): DTypes[D] {
    const { data, offset, size, order } = this;
    if (order === null) {
      throw rangeError(
        `the elements of shape ${shown(this.shape)} with strides ${shown(this.strides)} do not lie one after the other: ` +
          'get() them, or take a copy, toTypedArray()',
      );
    }
    return (this.#elements ??= data.subarray(offset, offset + size) as DTypes[D]);
  }

  /**
   * Returns the element at these indexes, one for each dimension; a negative index counts from the end.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  get(...index: number[]): ElementOf<D>;
  get(i?: number, j?: number, k?: number, l?: number): ElementOf<D> {
    const cells = this.#cells;
    const value = load(cells.data, cells.access, at(cells, i, j, k, l));
    if (value === undefined) throw this.#unreadable();
    return value as ElementOf<D>;
  }

  /** `get`, of arrays of more dimensions than it has parameters. */
  #getAny(...index: number[]): ElementOf<D> {
    const cells = this.#cells;
    const value = load(cells.data, cells.access, atAny(cells, index));
    if (value === undefined) throw this.#unreadable();
    return value as ElementOf<D>;
  }

  /**
   * Replaces the element at these indexes, one for each dimension. Floats are rounded to the type's precision.
   * @throws `ERR_OUT_OF_RANGE` for an index outside, or a number out of the type's range; `ERR_SHM_VALUE` for a
   * fraction in an integer type; `ERR_INVALID_ARG_TYPE`, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`,
   * `ERR_SHM_DETACHED`. Nothing is changed then.
   */
  set(value: ElementOf<D>, ...index: number[]): void;
  set(value: ElementOf<D>, i?: number, j?: number, k?: number, l?: number): void {
    const cells = this.#cells;
    if (!store(cells.data, cells.writing, at(cells, i, j, k, l), value)) throw this.#refused(value);
  }

  #setAny(value: ElementOf<D>, ...index: number[]): void {
    const cells = this.#cells;
    if (!store(cells.data, cells.writing, atAny(cells, index), value)) throw this.#refused(value);
  }

  /**
   * A view of a part, with a range for each of the first dimensions, as Python slices. A number picks one index
   * and drops the dimension. `[start, end, step]` is `start:end:step`, of which each may be left out
   * (`undefined`, `null`). null is all of it. Closing a view leaves the array open; closing the array closes
   * its views.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  slice(...ranges: SliceRange[]): SharedArray<D> {
    return this.#view(slice(this, ranges));
  }

  /**
   * A view of the same elements, in C order, with another shape. One length may be -1, which is calculated from
   * the others.
   * @throws `ERR_OUT_OF_RANGE` if the number of elements differs, or if the elements are not contiguous in C
   * order; `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  reshape(shape: number | readonly number[]): SharedArray<D> {
    return this.#view(reshape(this, shape));
  }

  /**
   * A view with the dimensions in reverse order, as numpy's `T`.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  get T(): SharedArray<D> {
    return this.#view(transpose(this));
  }

  #view(layout: { shape: readonly number[]; strides: readonly number[]; offset: number }): SharedArray<D> {
    this.#checkOpen();
    const location = { type: this.#type, layout, start: this.#start };
    return new SharedArray<D>(this.shm, location, true, this.#cells.data);
  }

  /**
   * Sets all elements to `value`.
   * @throws `ERR_OUT_OF_RANGE` for a number out of the type's range; `ERR_SHM_VALUE` for a fraction in an
   * integer type; `ERR_INVALID_ARG_TYPE`, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  fill(value: ElementOf<D>): this {
    binding.arrayFill(this.#target(), this.#geometry, this.#operand(value));
    return this;
  }

  /**
   * Copies the elements of another array of the same type and shape, or of a typed array with the elements in C
   * order. The two may overlap.
   * @throws `ERR_OUT_OF_RANGE` for another shape or number of elements; `ERR_INVALID_ARG_VALUE` for an array of
   * another type; `ERR_INVALID_ARG_TYPE` for a typed array of another type or anything else;
   * `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  copyFrom(source: SharedArray<D> | DTypes[D]): this {
    const target = this.#target();
    if (source instanceof SharedArray) {
      binding.arrayCopy(target, this.#geometry, ...sourceOf(source));
      return this;
    }
    if (!holds(source, this.#type)) {
      throw wrongType('source', `a SharedArray or ${this.#type.Class.name} (${this.dtype})`, source);
    }
    checkCount(source.length, this.shape);
    binding.arrayCopyIn(target, this.#geometry, bytesOf(source));
    return this;
  }

  /**
   * The sum of all elements, or 0 if there are none. Exact for 64-bit integers, even beyond 64 bits; exact up
   * to 2^53 for other integers; in double precision for floats.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  sum(): ElementOf<D> {
    return binding.arraySum(this.#source(), this.#geometry) as ElementOf<D>;
  }

  /**
   * The sum divided by the number of elements, or NaN if there are none.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  mean(): number {
    return binding.arrayMean(this.#source(), this.#geometry);
  }

  /**
   * The least element, or NaN if there is a NaN.
   * @throws `ERR_OUT_OF_RANGE` if there are no elements; `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  min(): ElementOf<D> {
    return binding.arrayMin(this.#source(), this.#geometry) as ElementOf<D>;
  }

  /**
   * The greatest element, or NaN if there is a NaN.
   * @throws As `min`.
   */
  max(): ElementOf<D> {
    return binding.arrayMax(this.#source(), this.#geometry) as ElementOf<D>;
  }

  /**
   * The index in C order of the first least element, or of the first NaN, as numpy's `argmin` of the flat
   * array.
   * @throws As `min`.
   */
  argmin(): number {
    return binding.arrayArgmin(this.#source(), this.#geometry);
  }

  /**
   * The index in C order of the first greatest element, or of the first NaN, as numpy's `argmax` of the flat
   * array.
   * @throws As `min`.
   */
  argmax(): number {
    return binding.arrayArgmax(this.#source(), this.#geometry);
  }

  /**
   * The dot product with another array of one dimension, as exact as `sum`.
   * @throws `ERR_OUT_OF_RANGE` for other shapes, and for 64-bit integers if the result takes more than 128
   * bits; `ERR_INVALID_ARG_VALUE` for an array of another type; `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`,
   * `ERR_SHM_DETACHED`.
   */
  dot(other: SharedArray<D>): ElementOf<D> {
    return binding.arrayDot(this.#source(), this.#geometry, ...sourceOf(other)) as ElementOf<D>;
  }

  /**
   * Multiplies all elements by `factor`, in place. Integers wrap around.
   * @throws As `fill`.
   */
  scale(factor: ElementOf<D>): this {
    binding.arrayScale(this.#target(), this.#geometry, this.#operand(factor));
    return this;
  }

  /**
   * Adds a number to all elements, or adds another array of the same type and shape, in place. Integers wrap
   * around.
   * @throws As `fill` for a number; as `copyFrom` for an array.
   */
  add(other: ElementOf<D> | SharedArray<D>): this {
    const target = this.#target();
    if (other instanceof SharedArray) binding.arrayAdd(target, this.#geometry, ...sourceOf(other));
    else binding.arrayAddNumber(target, this.#geometry, this.#operand(other));
    return this;
  }

  /**
   * Returns a private copy of the elements, in C order.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  toTypedArray(): DTypes[D] {
    const source = this.#source();
    const copy = new this.#type.Class(this.size);
    binding.arrayCopyOut(source, this.#geometry, bytesOf(copy));
    return copy as DTypes[D];
  }

  /**
   * Returns a private copy of the elements in nested arrays, one level for each dimension; `[]` if there are
   * none.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  toArray(): Nested<D> {
    const copy = this.toTypedArray();
    const access = accessOf(this.dtype, copy);
    let next = 0;
    const nest = (axis: number): Nested<D> =>
      axis === this.ndim
        ? (load(copy, access, next++) as ElementOf<D>)
        : Array.from({ length: this.shape[axis]! }, () => nest(axis + 1));
    return this.size === 0 ? [] : nest(0); // there may be any number of lists without elements
  }

  /**
   * Writes a `.npy` file, as `np.save` does: in F order if the elements are contiguous in that order only,
   * otherwise in C order. What other processes write meanwhile may or may not be in it. The file appears under its name when
   * it is complete; if the array is closed meanwhile, the promise rejects and the name is as before.
   * @throws As `node:fs`; `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  async save(path: string | URL): Promise<void> {
    this.#checkOpen();
    const order = this.order ?? 'C';
    const header = binding.npyHeaderFor(this.#type.number, order === 'F', [...this.shape]);
    const { itemSize } = this.#type;
    // In place where that is how the file has them.
    const elements =
      this.order === null
        ? bytesOf(this.toTypedArray())
        : new Uint8Array(this.shm.buffer, this.#start + this.offset * itemSize, this.size * itemSize);
    await writeFile(path, header, elements, () => this.#checkOpen());
  }

  /** Closes this handle and releases its memory; on a view, closes only the view. Idempotent. */
  override close(): void {
    if (!this.#isView) {
      this.shm.close();
    } else if (!this.#closed) {
      this.#closed = true;
      this.#cells.data = new this.#type.Class(0);
    }
  }

  /**
   * Returns the descriptor that `attach()` takes in another process or thread. A view's descriptor names the
   * view.
   */
  override toJSON(): Descriptor {
    const { dtype, shape, strides, offset } = this;
    return { ...super.toJSON(), dtype, shape, strides, offset, byteOffset: this.#start };
  }

  [Symbol.for('nodejs.util.inspect.custom')](depth: number, options: Inspection): string {
    const { name, shape, size, dtype } = this;
    const readable = !this.closed && (this.#cells.data.length > 0 || size === 0) && depth >= 0;
    const element = readable ? (index: readonly number[]) => this.get(...index) : undefined;
    const notes = [...(this.#readOnly ? ['read-only'] : []), ...(this.closed ? ['closed'] : [])];
    return show({ name, shape, size, dtype, notes, element }, (text, style) => options.stylize(text, style));
  }

  /** For a kernel that reads. */
  #source(): NativeHandle {
    this.#checkOpen();
    return nativeOf(this.shm);
  }

  /** For a kernel that writes. */
  #target(): NativeHandle {
    this.#checkOpen();
    if (this.#readOnly) throw this.#unwritable();
    return nativeOf(this.shm);
  }

  #operand(value: unknown): ArrayValue {
    if (typeof value !== (this.#type.big ? 'bigint' : 'number')) throw badValue(this.dtype, value);
    return value as ArrayValue;
  }

  #checkOpen(): void {
    if (this.closed) throw closedError(this.name);
    void this.shm.buffer; // throws where somebody transferred it
  }

  /** Why there was no element to read. */
  #unreadable(): Error {
    return this.#notOpen() ?? rangeError(`these indexes lead to no element of shape ${shown(this.shape)}`);
  }

  /** Why a value was not stored. */
  #refused(value: unknown): Error {
    return this.#notOpen() ?? (this.#readOnly ? this.#unwritable() : badValue(this.dtype, value));
  }

  #notOpen(): Error | undefined {
    try {
      this.#checkOpen();
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  #unwritable(): Error {
    return shmError('ERR_SHM_READ_ONLY', `'${this.name}' is attached read-only in this handle`, this.name);
  }
}

/** @internal The array that a descriptor names, in a segment that is open, and stays so when the array is closed. */
export function arrayIn(memory: SharedMemory, target: Descriptor): SharedArray {
  return over({ memory, location: locate(memory, target, NO_EXPECTATION) }, true);
}
