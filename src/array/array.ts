import type { InspectOptions } from 'node:util';

import * as binding from '#binding';
import type { ArrayValue } from '#binding';
import { checkNamed, checkOptions } from '../common/arguments.js';
import { closedError, rangeError, shmError, wrongType } from '../common/errors.js';
import { UNCLONEABLE } from '../common/shared-object.js';
import type { Descriptor, SharedObject } from '../common/shared-object.js';
import { attachKind, describe, nativeOf } from '../segment/memory.js';
import { SharedMemory } from '../segment/memory.js';
import type { NativeHandle } from '../segment/memory.js';
import { at, atAny, cellsOf } from './cells.js';
import type { Cells } from './cells.js';
import { bytesOf, checkCount, elementsOf, loadFile, make, openOrMake, releasing } from './create.js';
import type { Located, Whole } from './create.js';
import { checkType, holds, typeOfArray } from './dtype.js';
import type { DType, DTypeOf, DTypes, ElementOf, Typed, TypeFacts } from './dtype.js';
import { accessOf, badValue, load, store } from './element.js';
import { writeFile } from './file.js';
import { show } from './inspect.js';
import { writeNpy } from './npy.js';
import { ATTACH_OPTIONS, CREATE_OPTIONS, FROM_OPTIONS, LOAD_OPTIONS } from './options.js';
import type { ArrayAttachOptions, ArrayCreateOptions, ArrayFromOptions, ArrayOptions } from './options.js';
import { checkOrder, checkShape, isContiguous, reshape, shown, sizeOf, slice, transpose } from './shape.js';
import type { Order, SliceRange } from './shape.js';
import { checkExpectation, locate } from './source.js';
import type { Location } from './source.js';

export type { DType, DTypeOf, DTypes, ElementOf, Typed } from './dtype.js';
export type { ArrayAttachOptions, ArrayCreateOptions, ArrayFromOptions, ArrayOptions } from './options.js';
export type { SliceRange } from './shape.js';

/** Elements in as many lists as there are dimensions. */
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
 * An n-dimensional array of numbers in shared memory, as numpy has it: any process reads and writes its elements in place.
 *
 * ```js
 * using grid = SharedArray.create([480, 640], { name: 'grid', dtype: 'float32' });
 * grid.set(1.5, 0, -1); // Python: np.load('/dev/shm/grid', mmap_mode='r+')[0, -1]
 * grid.slice([0, 10]).sum();
 * ```
 *
 * `slice`, `reshape` and `T` are views of the same memory. There is no lock: `array.shm.txn()` is one.
 */
export class SharedArray<D extends DType = DType> implements SharedObject {
  /** The segment that the array lies in. */
  readonly shm: SharedMemory;
  readonly dtype: D;
  /** The length of each dimension. */
  readonly shape: readonly number[];
  readonly ndim: number;
  /** How many elements. */
  readonly size: number;
  /** How many elements of `data` lie between an index and the next, for each dimension. */
  readonly strides: readonly number[];
  /** Where in `data` the element at all indexes 0 is. */
  readonly offset: number;
  /** `'C'` or `'F'` where the elements lie one after the other in that order; both are `'C'`. */
  readonly order: Order | null;
  /** @internal */
  readonly uncloneable = UNCLONEABLE;
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
    if (!(shm instanceof SharedMemory)) throw wrongType('a SharedArray', 'made by create() or attach()', shm);
    const { type, layout, start } = location;
    const { shape, strides, offset } = layout;
    this.shm = shm;
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
      binding.arrayCheck(nativeOf(shm), this.#geometry);
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
   * Makes an array of zeros. It appears under its name whole, with its header, or not at all.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` for a shape or type that there is not; else as
   * `SharedMemory.create`.
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
   * Opens the array of this name, or makes one of zeros: whoever comes first creates, the others attach, and all of them own
   * it. (One that nobody owns, made by Python or with `track: false`, they attach to.)
   * @throws `ERR_SHM_MISMATCH` where the existing one has another shape or type, `ERR_SHM_NOT_AN_ARRAY` where it is none;
   * else as `create` and `attach`.
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
   * Makes an array of these elements, which are in C order: a typed array's, or those of any iterable. Without `dtype` a
   * typed array keeps its type (but for `Float16Array`), and other numbers become `float64`.
   * @throws `ERR_OUT_OF_RANGE` where they are not as many as the shape has, or where the type has no such number;
   * `ERR_SHM_VALUE` for a fraction among integers; else as `create`.
   */
  static from<T extends Typed>(
    values: T,
    options?: Omit<ArrayFromOptions, 'dtype'> & { dtype?: undefined },
  ): SharedArray<DTypeOf<T>>;
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
   * Opens the array that this or another process made: by the header that it begins with, by a descriptor, or else by
   * `shape` and `dtype`. A view's descriptor gives the very same view.
   * @throws `ERR_SHM_NOT_AN_ARRAY` where there is no header and no shape is given, `ERR_SHM_CORRUPT` (a damaged header),
   * `ERR_SHM_DTYPE` (a type that is none of these, or in the other byte order), `ERR_SHM_SIZE` (too short for its shape),
   * `ERR_SHM_ALIGNMENT`, `ERR_SHM_MISMATCH` (it is not what the options say); else as `SharedMemory.attach`.
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
   * Makes an array of what a `.npy` file holds, read off the event loop's thread. `dtype` is what it must be.
   * @throws As `node:fs` where the file cannot be read; `ERR_SHM_FILE` (no such file, a damaged or a short one),
   * `ERR_SHM_DTYPE`; else as `create`.
   */
  static async load<D extends DType = DType>(
    path: string | URL,
    options?: ArrayOptions<D>,
  ): Promise<SharedArray<D>> {
    const { dtype, header, ...rest } = checkOptions(options, LOAD_OPTIONS);
    const expected = dtype === undefined ? undefined : checkType(dtype);
    return over(await loadFile(path, expected, header, rest));
  }

  get name(): string {
    return this.shm.name;
  }

  /** Whether `close()` was called here, or on the array that this is a view of. */
  get closed(): boolean {
    return this.#closed || this.shm.closed;
  }

  /**
   * All elements of the segment from its first one on, in place: element `(i, j)` is
   * `data[offset + i * strides[0] + j * strides[1]]`. A view, as a part in `mapArray` is one, has the same as the array that
   * it is a view of; `elements` has its own.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`
   */
  get data(): DTypes[D] {
    if (this.#cells.data.length === 0) this.#checkOpen();
    return this.#cells.data as DTypes[D];
  }

  /**
   * The elements of this array, or of this part of one, in place: `size` of them, in its `order`.
   * @throws `ERR_OUT_OF_RANGE` where they do not lie one after the other, as `order` null says; else as `data`.
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
   * The element at these indexes, one for each dimension; negative ones count from the end.
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
   * Replaces the element at these indexes. Floats are rounded to what the type has.
   * @throws `ERR_OUT_OF_RANGE` for an index outside and for a number that the type does not have, `ERR_SHM_VALUE` for a
   * fraction among integers, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`; nothing
   * is changed then.
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
   * A view of a part, with a range for each of the first dimensions: a number picks one index and drops the dimension;
   * `[start, end, step]` is Python's `start:end:step`, each part of which may be left out (`undefined`, `null`); null is
   * all of it. It shares the memory: closing it leaves this open, and closing this detaches it.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  slice(...ranges: SliceRange[]): SharedArray<D> {
    return this.#view(slice(this, ranges));
  }

  /**
   * A view of the same elements, in C order, in another shape; one length may be -1, which is what is left.
   * @throws `ERR_OUT_OF_RANGE` where it has not as many elements, and where these do not lie one after the other in C
   * order; `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  reshape(shape: number | readonly number[]): SharedArray<D> {
    return this.#view(reshape(this, shape));
  }

  /** A view with the dimensions in reverse order. */
  get T(): SharedArray<D> {
    return this.#view(transpose(this));
  }

  #view(layout: { shape: readonly number[]; strides: readonly number[]; offset: number }): SharedArray<D> {
    this.#checkOpen();
    const location = { type: this.#type, layout, start: this.#start };
    return new SharedArray<D>(this.shm, location, true, this.#cells.data);
  }

  /**
   * Makes all elements `value`.
   * @throws As `set`.
   */
  fill(value: ElementOf<D>): this {
    binding.arrayFill(this.#target(), this.#geometry, this.#operand(value));
    return this;
  }

  /**
   * Makes the elements those of another array of the same type and shape, or of a typed array, which has them in C
   * order. The two may overlap.
   * @throws `ERR_OUT_OF_RANGE` for another shape or count, `ERR_INVALID_ARG_VALUE`, `ERR_INVALID_ARG_TYPE` for another
   * type, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
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
   * All elements added up; 0 where there are none. Of 64-bit integers exact, also beyond 64 bits; of other integers
   * exact up to 2^53; of floats in double precision.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`
   */
  sum(): ElementOf<D> {
    return binding.arraySum(this.#source(), this.#geometry) as ElementOf<D>;
  }

  /** The sum by the number of elements; NaN where there are none. Throws as `sum`. */
  mean(): number {
    return binding.arrayMean(this.#source(), this.#geometry);
  }

  /**
   * The least element; NaN where there is one.
   * @throws `ERR_OUT_OF_RANGE` where there are no elements; else as `sum`.
   */
  min(): ElementOf<D> {
    return binding.arrayMin(this.#source(), this.#geometry) as ElementOf<D>;
  }

  /** The greatest element; NaN where there is one. Throws as `min`. */
  max(): ElementOf<D> {
    return binding.arrayMax(this.#source(), this.#geometry) as ElementOf<D>;
  }

  /** Where the first least element is, or the first NaN: how many come before it in C order. Throws as `min`. */
  argmin(): number {
    return binding.arrayArgmin(this.#source(), this.#geometry);
  }

  /** Where the first greatest element is, or the first NaN; as `argmin`. */
  argmax(): number {
    return binding.arrayArgmax(this.#source(), this.#geometry);
  }

  /**
   * The sum of the products of the elements of two arrays of one dimension, exact as `sum` is.
   * @throws `ERR_OUT_OF_RANGE` for other shapes, and for 64-bit integers whose result takes more than 128 bits;
   * `ERR_INVALID_ARG_VALUE` for another type; else as `sum`.
   */
  dot(other: SharedArray<D>): ElementOf<D> {
    return binding.arrayDot(this.#source(), this.#geometry, ...sourceOf(other)) as ElementOf<D>;
  }

  /**
   * Multiplies all elements in place. Integers wrap around.
   * @throws As `set`.
   */
  scale(factor: ElementOf<D>): this {
    binding.arrayScale(this.#target(), this.#geometry, this.#operand(factor));
    return this;
  }

  /**
   * Adds a number to all elements, or the elements of another array of the same type and shape to these, in place.
   * Integers wrap around.
   * @throws As `set`, and as `copyFrom`.
   */
  add(other: ElementOf<D> | SharedArray<D>): this {
    const target = this.#target();
    if (other instanceof SharedArray) binding.arrayAdd(target, this.#geometry, ...sourceOf(other));
    else binding.arrayAddNumber(target, this.#geometry, this.#operand(other));
    return this;
  }

  /** A private copy of the elements, in C order. Throws as `sum`. */
  toTypedArray(): DTypes[D] {
    const source = this.#source();
    const copy = new this.#type.Class(this.size);
    binding.arrayCopyOut(source, this.#geometry, bytesOf(copy));
    return copy as DTypes[D];
  }

  /** A private copy of the elements, in as many lists as there are dimensions; `[]` of none. Throws as `sum`. */
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
   * Writes a `.npy` file, as `np.save` does: in F order where the elements lie so, else in C order. What others write
   * meanwhile may be in it or not.
   * @throws As `node:fs`; `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  async save(path: string | URL): Promise<void> {
    this.#checkOpen();
    const order = this.order ?? 'C';
    const header = writeNpy(this.#type.typestr, order, this.shape);
    const { itemSize } = this.#type;
    // In place where that is how the file has them.
    const elements =
      this.order === null
        ? bytesOf(this.toTypedArray())
        : new Uint8Array(this.shm.buffer, this.#start + this.offset * itemSize, this.size * itemSize);
    await writeFile(path, header, elements);
  }

  /** Makes this process an owner, see `SharedMemory.adopt`. */
  adopt(): void {
    this.shm.adopt();
  }

  /** Lets go of the memory in this handle; of a view, only of the view. Idempotent. */
  close(): void {
    if (!this.#isView) {
      this.shm.close();
    } else if (!this.#closed) {
      this.#closed = true;
      this.#cells.data = new this.#type.Class(0);
    }
  }

  /** Removes the name. */
  unlink(): void {
    this.shm.unlink();
  }

  /** What `attach()` takes in another process or thread. */
  toJSON(): Descriptor {
    const { dtype, shape, strides, offset } = this;
    return { ...describe('array', this.shm), dtype, shape, strides, offset, byteOffset: this.#start };
  }

  /** `close()` */
  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.for('nodejs.util.inspect.custom')](
    depth: number,
    options: InspectOptions & { stylize(text: string, style: string): string },
  ): string {
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
