export class Lmdb {
  constructor(path: string);
  readonly size: number;
  entries(): IterableIterator<[string, unknown]>;
  refresh(): void;
  close(): Promise<void>;
}
